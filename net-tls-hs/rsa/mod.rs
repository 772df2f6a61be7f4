// SPDX-License-Identifier: GPL-2.0

//! RSA: RSASSA-PSS signing with SHA-256 (RFC 8017, section 8.1), for keys of 2048, 3072 and 4096
//! bits, constant time.
//!
//! Signatures are made with the Chinese remainder theorem and verified before they leave, as a
//! single wrong one would give the factors away. Nothing is allocated; what does not fit on a
//! kernel stack is in [`Scratch`].

mod mont;
mod pss;

use crate::crypto::Crypto;
use crate::ct::{self, Mask, Secret, Zeroable};
use mont::{Modulus, Work, HALF, MAX};

/// Length of the salt, that of the hash (RFC 8446, section 4.2.3).
pub const SALT_LEN: usize = 32;

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The modulus has another length than 2048, 3072 or 4096 bits.
    UnsupportedSize,
    /// The numbers do not fit together.
    Inconsistent,
}

/// A signature could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The buffer is shorter than the modulus.
    Buffer,
    /// The result was wrong: a fault, or a key whose parts do not fit together.
    Fault,
}

/// The numbers of an RSAPrivateKey (RFC 8017, appendix A.1.2), big-endian.
#[derive(Clone, Copy)]
pub struct Components<'a> {
    /// The modulus.
    pub n: &'a [u8],
    /// The public exponent.
    pub e: &'a [u8],
    /// The private exponent, which is not used.
    pub d: &'a [u8],
    /// The first prime.
    pub p: &'a [u8],
    /// The second prime.
    pub q: &'a [u8],
    /// d mod p - 1.
    pub dp: &'a [u8],
    /// d mod q - 1.
    pub dq: &'a [u8],
    /// q^-1 mod p.
    pub qinv: &'a [u8],
}

#[derive(Clone, Copy)]
struct Numbers {
    n: Modulus<MAX>,
    p: Modulus<HALF>,
    q: Modulus<HALF>,
    dp: [u64; HALF],
    dq: [u64; HALF],
    /// In Montgomery form modulo p.
    qinv: [u64; HALF],
    e: u64,
}

// SAFETY: It is made of integers.
unsafe impl Zeroable for Numbers {}

/// A private key of a few kilobytes, wiped when dropped. All zeroes is a valid value, a key that
/// signs nothing, so that it can be made where it stays.
pub struct PrivateKey(Secret<Numbers>);

/// Working memory of one signature. All zeroes is a valid value.
pub struct Scratch {
    secret: Secret<ScratchNumbers>,
}

#[derive(Clone, Copy)]
struct ScratchNumbers {
    work: Work,
    product: [u64; MAX + 2],
    message: [u64; MAX],
    result: [u64; MAX],
    a: [u64; MAX],
    b: [u64; MAX],
    sp: [u64; HALF],
    sq: [u64; HALF],
    tmp: [u64; HALF],
}

// SAFETY: It is made of integers.
unsafe impl Zeroable for ScratchNumbers {}

impl PrivateKey {
    /// Makes the key in place.
    pub fn init(&mut self, c: &Components<'_>) -> Result<(), KeyError> {
        let limbs = match c.n.len() {
            256 => 32,
            384 => 48,
            512 => 64,
            _ => return Err(KeyError::UnsupportedSize),
        };
        let key = &mut *self.0;
        let half = limbs / 2;
        if !key.n.init(c.n, limbs) || !key.p.init(c.p, half) || !key.q.init(c.q, half) {
            return Err(KeyError::Inconsistent);
        }
        let mut e = [0];
        let mut ok = mont::from_be_bytes(&mut e, c.e);
        [key.e] = e;
        // FIPS 186-5, appendix A.1.1, and what fits the loop of the verification.
        ok &= key.e & 1 == 1 && key.e >= 65537 && key.e < 1 << 32;
        for (to, from, modulus) in [
            (&mut key.dp, c.dp, &key.p),
            (&mut key.dq, c.dq, &key.q),
            (&mut key.qinv, c.qinv, &key.p),
        ] {
            let to = to.get_mut(..half).unwrap_or(&mut []);
            ok &= mont::from_be_bytes(to, from) && mont::less(to, modulus.m()).declassify();
        }

        let mut n = [0u64; MAX];
        mont::mul_add(&mut n, key.p.m(), key.q.m());
        ok &= n.get(..limbs) == Some(key.n.m());
        ct::wipe(&mut n);
        if !ok {
            return Err(KeyError::Inconsistent);
        }

        // Into Montgomery form.
        let mut product = [0; MAX + 2];
        let qinv = key.qinv;
        key.p.mul(
            key.qinv.get_mut(..half).unwrap_or(&mut []),
            qinv.get(..half).unwrap_or(&[]),
            key.p.rr(),
            &mut product,
        );
        ct::wipe(&mut product);
        Ok(())
    }

    /// Length of the modulus, and so of signatures, in bytes.
    pub fn modulus_len(&self) -> usize {
        8 * self.0.n.len()
    }
}

/// Signs a SHA-256 digest with rsa_pss_rsae_sha256. Returns the length of the signature.
pub fn sign_pss<C: Crypto>(
    key: &PrivateKey,
    digest: &[u8; 32],
    scratch: &mut Scratch,
    signature: &mut [u8],
) -> Result<usize, SignError> {
    let mut salt = [0; SALT_LEN];
    C::random(&mut salt);
    sign_pss_with::<C>(key, digest, &salt, scratch, signature)
}

/// [`sign_pss`] with a given salt.
pub fn sign_pss_with<C: Crypto>(
    key: &PrivateKey,
    digest: &[u8; 32],
    salt: &[u8; SALT_LEN],
    scratch: &mut Scratch,
    signature: &mut [u8],
) -> Result<usize, SignError> {
    let len = key.modulus_len();
    let signature = signature.get_mut(..len).ok_or(SignError::Buffer)?;
    if len == 0 {
        return Err(SignError::Fault);
    }
    pss::encode::<C>(digest, salt, signature);

    let s = &mut *scratch.secret;
    mont::from_be_bytes(&mut s.message, signature);
    private(&key.0, s);
    let right = is_root(&key.0, s);
    if right {
        mont::to_be_bytes(signature, &s.result);
    } else {
        signature.fill(0);
    }
    ct::wipe(core::slice::from_mut(s));
    if right {
        Ok(len)
    } else {
        Err(SignError::Fault)
    }
}

/// `result = message^d mod n` (RFC 8017, section 5.1.2).
fn private(key: &Numbers, s: &mut ScratchNumbers) {
    let len = key.n.len();
    let half = key.p.len();
    let message = s.message.get(..len).unwrap_or(&[]);

    key.p
        .reduce_into(&mut s.sp, message, &mut s.tmp, &mut s.product);
    key.p
        .pow(&mut s.sp, key.dp.get(..half).unwrap_or(&[]), &mut s.work);
    key.q
        .reduce_into(&mut s.sq, message, &mut s.tmp, &mut s.product);
    key.q
        .pow(&mut s.sq, key.dq.get(..half).unwrap_or(&[]), &mut s.work);
    key.q.leave(&mut s.sq, &mut s.product);

    // h = (sp - sq) * qinv mod p, sp being in Montgomery form.
    let (sp, sq) = (
        s.sp.get_mut(..half).unwrap_or(&mut []),
        s.sq.get(..half).unwrap_or(&[]),
    );
    let reduced = s.a.get_mut(..half).unwrap_or(&mut []);
    key.p.reduce_into(reduced, sq, &mut s.tmp, &mut s.product);
    let borrow = mont::sub_assign(sp, reduced);
    mont::add_masked(sp, key.p.m(), Mask::from_bit(borrow));
    let h = s.b.get_mut(..half).unwrap_or(&mut []);
    key.p
        .mul(h, sp, key.qinv.get(..half).unwrap_or(&[]), &mut s.product);
    // Out of the Montgomery form that sp and qinv both had.
    key.p.leave(h, &mut s.product);

    // result = sq + q * h.
    s.result.fill(0);
    for (to, from) in s.result.iter_mut().zip(sq) {
        *to = *from;
    }
    mont::mul_add(s.result.get_mut(..len).unwrap_or(&mut []), h, key.q.m());
}

/// Whether `result^e` is the message. Neither is secret any more if it is.
fn is_root(key: &Numbers, s: &mut ScratchNumbers) -> bool {
    let len = key.n.len();
    let (Some(result), Some(message), Some(base), Some(acc)) = (
        s.result.get(..len),
        s.message.get(..len),
        s.a.get_mut(..len),
        s.b.get_mut(..len),
    ) else {
        return false;
    };
    key.n.mul(base, result, key.n.rr(), &mut s.product);
    acc.copy_from_slice(base);
    let top = 63 - key.e.leading_zeros();
    for bit in (0..top).rev() {
        key.n.square_in_place(acc, &mut s.product);
        if key.e >> bit & 1 != 0 {
            key.n.mul_in_place(acc, base, &mut s.product);
        }
    }
    key.n.leave(acc, &mut s.product);
    let mut diff = 0;
    for (x, y) in acc.iter().zip(message) {
        diff |= x ^ y;
    }
    diff == 0
}
