// SPDX-License-Identifier: GPL-2.0

//! NIST P-256: key pairs, ECDH (SP 800-56A) and ECDSA signing (FIPS 186-5), constant time.

#[cfg(target_arch = "x86_64")]
pub(crate) mod adx;
pub(crate) mod field;
pub(crate) mod mont;
pub(crate) mod point;
mod table;

use crate::cpu::Cpu;
use crate::ct::{declassified, Secret};
use field::{Backend, Portable};
use mont::{add_reduced, from_be_bytes, is_reduced, is_zero, reduced, to_be_bytes};
use mont::{write_be_bytes, Limbs, Residue, N};
use point::{Affine, Point};

/// What is taken from elsewhere. In the kernel that is lib/crypto; tests on other hosts use crates.
///
/// Every function may be called from any context, and none of them allocates in the kernel.
pub trait Platform: Cpu {
    /// A key prepared for HMAC-SHA-256. Wiped when dropped.
    type HmacKey;

    /// Prepares a key of any length for HMAC-SHA-256 (RFC 2104).
    fn hmac_key(raw: &[u8]) -> Self::HmacKey;

    /// HMAC-SHA-256 of a message in parts.
    fn hmac<const N: usize>(key: &Self::HmacKey, parts: [&[u8]; N], out: &mut [u8; 32]);

    /// Fills `buf` from the cryptographic random number generator.
    fn random(buf: &mut [u8]);
}

/// A residue modulo the order of the base point.
type Scalar = Residue<N>;

/// An invalid public key: not an uncompressed point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPublicKey;

/// A private key: a number from 1 to the order less 1.
pub struct PrivateKey(Secret<Limbs>);

/// The longest signature as DER: two INTEGERs of 33 bytes in a SEQUENCE.
pub const MAX_SIGNATURE: usize = 72;

impl PrivateKey {
    /// Takes a private key of up to 32 bytes, big-endian. `None` if it is out of range.
    pub fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let mut padded = Secret::new([0u8; 32]);
        let start = 32usize.checked_sub(bytes.len())?;
        padded.get_mut(start..)?.copy_from_slice(bytes);
        let key = Secret::new(from_be_bytes(&padded));
        // Only whether the key is valid is told.
        in_range(&key).then_some(PrivateKey(key))
    }

    /// Makes a random key by rejection sampling (FIPS 186-5, appendix A.2.2).
    #[inline(never)]
    pub fn generate<P: Platform>() -> Self {
        loop {
            let mut bytes = Secret::new([0u8; 32]);
            P::random(bytes.as_mut_slice());
            // A rejected candidate has a chance of 2^-32 and tells nothing of the next one.
            if let Some(key) = Self::from_be_bytes(bytes.as_slice()) {
                return key;
            }
        }
    }

    /// The public key, an uncompressed point.
    pub fn public_key<P: Platform>(&self) -> [u8; 65] {
        with_backend!(P, Portable, b => public_key_with(b, self))
    }
}

/// [`PrivateKey::public_key`] with a given backend.
#[inline(never)]
pub(crate) fn public_key_with<B: Backend>(b: B, key: &PrivateKey) -> [u8; 65] {
    Secret::new(Point::mul_base(b, &key.0))
        .affine()
        .to_uncompressed()
}

fn in_range(k: &Limbs) -> bool {
    is_reduced::<N>(k).and(is_zero(k).not()).declassify()
}

/// ECDH: the x coordinate of the shared point (SP 800-56A, section 5.7.1.2). Returns the key's
/// public key, too, as an ephemeral one is of use once and the two take less time together.
///
/// The peer's key must be an uncompressed point, and is validated (SP 800-56A, section 5.6.2.3.3).
#[inline(never)]
pub fn ecdh<P: Platform>(
    key: &PrivateKey,
    peer: &[u8],
    shared: &mut [u8; 32],
) -> Result<[u8; 65], InvalidPublicKey> {
    with_backend!(P, Portable, b => ecdh_with(b, key, peer, shared))
}

/// [`ecdh`] with a given backend.
#[inline(never)]
pub(crate) fn ecdh_with<B: Backend>(
    b: B,
    key: &PrivateKey,
    peer: &[u8],
    shared: &mut [u8; 32],
) -> Result<[u8; 65], InvalidPublicKey> {
    let peer = Affine::from_uncompressed(b, peer).ok_or(InvalidPublicKey)?;
    let product = Secret::new(Point::mul(&peer, &key.0));
    Ok(public_and_shared(b, key, &product, shared))
}

/// What is left to do when the shared point is there.
#[inline(never)]
fn public_and_shared<B: Backend>(
    b: B,
    key: &PrivateKey,
    product: &Point<B>,
    shared: &mut [u8; 32],
) -> [u8; 65] {
    // Neither is infinity: the order is prime and the key is not zero.
    let own = Secret::new(Point::mul_base(b, &key.0));
    let mut x = Secret::new([0; 4]);
    let own = own.affine_and_x(product, &mut x);
    write_be_bytes(&x, shared);
    own.to_uncompressed()
}

/// Signs a SHA-256 digest. The nonce is RFC 6979's with fresh randomness as additional data
/// (section 3.6), so that neither a bad random number generator nor a fault in a repeated
/// computation gives the key away. Returns the length of the DER signature.
pub fn ecdsa_sign<P: Platform>(
    key: &PrivateKey,
    digest: &[u8; 32],
    signature: &mut [u8; MAX_SIGNATURE],
) -> usize {
    let mut fresh = Secret::new([0u8; 32]);
    P::random(fresh.as_mut_slice());
    ecdsa_sign_with::<P>(key, digest, fresh.as_slice(), signature)
}

/// [`ecdsa_sign`] with given additional data; none makes it RFC 6979's deterministic ECDSA.
#[inline(never)]
pub fn ecdsa_sign_with<P: Platform>(
    key: &PrivateKey,
    digest: &[u8; 32],
    additional: &[u8],
    signature: &mut [u8; MAX_SIGNATURE],
) -> usize {
    let z = reduced::<N>(&from_be_bytes(digest));
    let mut nonces = Nonces::<P>::new();
    nonces.seed(key, &z, additional);
    loop {
        let k = nonces.next();
        if let Some((r, s)) = with_backend!(P, Portable, b => sign_once(b, key, &z, &k)) {
            return encode_signature(&r, &s, signature);
        }
    }
}

/// The signature of a reduced digest with a nonce (FIPS 186-5, section 6.4.1). `None` if it takes
/// another nonce.
#[inline(never)]
pub(crate) fn sign_once<B: Backend>(
    b: B,
    key: &PrivateKey,
    z: &Limbs,
    k: &Limbs,
) -> Option<(Limbs, Limbs)> {
    let mut inverse = Secret::new(Scalar::new(k));
    let x = commit(b, k, &mut inverse);
    respond(key, z, &x, &inverse)
}

/// What is left to do when there are the x coordinate and the inverse of the nonce. In a function
/// of its own for the sake of the stack that is used before.
#[inline(never)]
fn respond(key: &PrivateKey, z: &Limbs, x: &Limbs, inverse: &Scalar) -> Option<(Limbs, Limbs)> {
    let r = reduced::<N>(x);
    // r is public, so that each of the values below would reveal the key, until s.
    let mut sum = Secret::new(Scalar::new(&r).times(&key.0));
    *sum = add_reduced::<N>(z, &sum);
    let s = inverse.times(&sum);
    // Both are in the signature.
    let usable = is_zero(&r).or(is_zero(&s)).not().declassify();
    // This is the signature.
    usable.then_some((declassified(r), declassified(s)))
}

/// The x coordinate of a nonce times the base point. Inverts the nonce as a residue.
#[inline(never)]
fn commit<B: Backend>(b: B, k: &Limbs, residue: &mut Scalar) -> Limbs {
    residue.invert();
    Secret::new(Point::mul_base(b, k)).x_coordinate()
}

/// The nonces of RFC 6979, section 3.2, with SHA-256.
struct Nonces<P: Platform> {
    k: P::HmacKey,
    v: Secret<[u8; 32]>,
    first: bool,
}

impl<P: Platform> Nonces<P> {
    /// Steps b and c.
    #[inline(never)]
    fn new() -> Self {
        Nonces {
            k: P::hmac_key(&[0; 32]),
            v: Secret::new([1; 32]),
            first: true,
        }
    }

    /// Steps d to g. `z` is the reduced digest.
    #[inline(never)]
    fn seed(&mut self, key: &PrivateKey, z: &Limbs, additional: &[u8]) {
        let mut x = Secret::new([0; 32]);
        write_be_bytes(&key.0, &mut x);
        let h = to_be_bytes(z);
        for step in [0, 1] {
            self.update([&[step], x.as_slice(), &h, additional]);
        }
    }

    /// V = HMAC_K(V).
    #[inline(never)]
    fn step(&mut self) {
        let mut v = Secret::new([0; 32]);
        P::hmac(&self.k, [self.v.as_slice()], &mut v);
        *self.v = *v;
    }

    /// K = HMAC_K(V || data); V = HMAC_K(V).
    #[inline(never)]
    fn update(&mut self, data: [&[u8]; 4]) {
        let mut k = Secret::new([0; 32]);
        let [a, b, c, d] = data;
        P::hmac(&self.k, [self.v.as_slice(), a, b, c, d], &mut k);
        // With that, the old key is where the new one was made, and is wiped there.
        let mut key = P::hmac_key(k.as_slice());
        core::mem::swap(&mut self.k, &mut key);
        self.step();
    }

    fn next(&mut self) -> Secret<Limbs> {
        loop {
            if !self.first {
                self.update([&[0], &[], &[], &[]]);
            }
            self.first = false;
            self.step();
            let k = Secret::new(from_be_bytes(&self.v));
            // A rejected candidate tells nothing of the next one.
            if in_range(&k) {
                return k;
            }
        }
    }
}

/// ECDSA-Sig-Value (RFC 3279, section 2.2.3).
#[inline(never)]
fn encode_signature(r: &Limbs, s: &Limbs, out: &mut [u8; MAX_SIGNATURE]) -> usize {
    let mut len = 2;
    for value in [to_be_bytes(r), to_be_bytes(s)] {
        let zeroes = value.iter().take_while(|b| **b == 0).count();
        let magnitude = value.get(zeroes..).unwrap_or(&[]);
        let pad = usize::from(magnitude.first().is_none_or(|b| b & 0x80 != 0));
        let integer = 2 + pad + magnitude.len();
        if let Some(to) = out.get_mut(len..len + integer) {
            to.fill(0);
            if let [tag, length, body @ ..] = to {
                *tag = 2;
                *length = (pad + magnitude.len()) as u8;
                if let Some(body) = body.get_mut(pad..) {
                    body.copy_from_slice(magnitude);
                }
            }
        }
        len += integer;
    }
    out[0] = 0x30;
    out[1] = (len - 2) as u8;
    len
}
