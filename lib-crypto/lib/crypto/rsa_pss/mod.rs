// SPDX-License-Identifier: GPL-2.0

//! RSA: RSASSA-PSS signing with SHA-256 (RFC 8017, section 8.1), for keys of 2048, 3072 and 4096
//! bits, constant time.
//!
//! Signatures are made with the Chinese remainder theorem from a blinded message, and verified
//! before they leave, as a single wrong one would give the factors away. Nothing is allocated;
//! what does not fit on a kernel stack is in [`Scratch`].

#[cfg(target_arch = "x86_64")]
pub(crate) mod adx;
pub(crate) mod blind;
#[cfg(target_arch = "x86_64")]
mod ifma;
pub(crate) mod mont;
pub(crate) mod pss;

use crate::cpu::Cpu;
use crate::ct::{self, Mask, Secret, Zeroable};
use mont::{Limbs, Modulus, Portable, Power, Work, HALF, MAX};

/// Length of the salt, that of the hash: FIPS 186-5 allows no longer one.
pub const SALT_LEN: usize = 32;

/// What is taken from elsewhere. In the kernel that is lib/crypto; tests on other hosts use crates.
///
/// Every function may be called from any context, and none of them allocates in the kernel.
pub trait Platform: Cpu {
    /// SHA-256 of a message in parts.
    fn sha256(parts: &[&[u8]]) -> [u8; 32];

    /// Fills `buf` from the cryptographic random number generator.
    fn random(buf: &mut [u8]);

    /// Calls `run` where the registers of AVX-512 and its instructions IFMA may be used, and, in
    /// the kernel, where it may not sleep. False, and it has not been called, if they cannot.
    #[cfg(target_arch = "x86_64")]
    fn with_ifma(run: impl FnOnce()) -> bool;
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The modulus has another length than 2048, 3072 or 4096 bits, or the public exponent is an
    /// odd number below 65537 or of more than 32 bits.
    Unsupported,
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
    product: [u64; 2 * MAX],
    /// The blinding factor.
    r: blind::Short,
    message: [u64; MAX],
    blinded: [u64; MAX],
    result: [u64; MAX],
    a: [u64; MAX],
    b: [u64; MAX],
    sp: [u64; HALF],
    sq: [u64; HALF],
    h: [u64; HALF],
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
            _ => return Err(KeyError::Unsupported),
        };
        let mut e = [0];
        // FIPS 186-5, appendix A.1.1, and what fits the loop of the verification.
        let has_good_size = mont::from_be_bytes(&mut e, c.e) && (65537..1 << 32).contains(&e[0]);
        let is_odd = c.e.last().is_some_and(|last| last & 1 == 1);
        let is_full = c.n.first().is_some_and(|first| first & 0x80 != 0);
        if !is_full || (is_odd && !has_good_size) {
            return Err(KeyError::Unsupported);
        }
        let key = &mut *self.0;
        let half = limbs / 2;
        if !key.n.init(c.n, limbs) || !key.p.init(c.p, half) || !key.q.init(c.q, half) {
            return Err(KeyError::Inconsistent);
        }
        [key.e] = e;
        let mut ok = is_odd;
        for (to, from, modulus) in [
            (&mut key.dp, c.dp, &key.p),
            (&mut key.dq, c.dq, &key.q),
            (&mut key.qinv, c.qinv, &key.p),
        ] {
            let to = to.get_mut(..half).unwrap_or(&mut []);
            ok &= mont::from_be_bytes(to, from) && mont::less(to, modulus.m()).declassify();
        }

        let mut n = [0u64; MAX];
        if let Some(n) = n.get_mut(..limbs) {
            Portable.multiply(n, key.p.m(), key.q.m());
            ok &= mont::equal(n, key.n.m()).declassify();
        }
        ct::wipe(&mut n);
        if ok {
            Ok(())
        } else {
            Err(KeyError::Inconsistent)
        }
    }

    /// Length of the modulus, and so of signatures, in bytes.
    pub fn modulus_len(&self) -> usize {
        8 * self.0.n.len()
    }
}

/// Signs a SHA-256 digest, with a salt as long as the digest. Returns the length of the signature.
pub fn sign_pss<P: Platform>(
    key: &PrivateKey,
    digest: &[u8; 32],
    scratch: &mut Scratch,
    signature: &mut [u8],
) -> Result<usize, SignError> {
    let mut salt = [0; SALT_LEN];
    P::random(&mut salt);
    sign_pss_with::<P>(key, digest, &salt, scratch, signature)
}

/// [`sign_pss`] with a given salt.
pub fn sign_pss_with<P: Platform>(
    key: &PrivateKey,
    digest: &[u8; 32],
    salt: &[u8; SALT_LEN],
    scratch: &mut Scratch,
    signature: &mut [u8],
) -> Result<usize, SignError> {
    with_backend!(P, Portable, l => sign_pss_on::<P, _>(l, key, digest, salt, scratch, signature))
}

/// [`sign_pss_with`] with given code for what takes the time.
pub(crate) fn sign_pss_on<P: Platform, L: Limbs>(
    l: L,
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
    pss::encode::<P>(digest, salt, signature);
    sign_encoded::<P, _>(l, key, scratch, signature)?;
    Ok(len)
}

/// Replaces an encoded message, a number below the modulus of its length, by the signature (RFC
/// 8017, section 5.2.1), or by zeroes.
pub(crate) fn sign_encoded<P: Platform, L: Limbs>(
    l: L,
    key: &PrivateKey,
    scratch: &mut Scratch,
    signature: &mut [u8],
) -> Result<(), SignError> {
    let s = &mut *scratch.secret;
    mont::from_be_bytes(&mut s.message, signature);
    let mut random = [0; 16];
    P::random(&mut random);
    s.r = blind::factor(&random);
    ct::wipe(&mut random);

    let right = root::<P, _>(l, &key.0, s);
    if right {
        mont::to_be_bytes(signature, &s.result);
    } else {
        signature.fill(0);
    }
    ct::wipe(core::slice::from_mut(s));
    if right {
        Ok(())
    } else {
        Err(SignError::Fault)
    }
}

/// `result = message^d mod n` (RFC 8017, section 5.1.2). False if it is not.
fn root<P: Platform, L: Limbs>(l: L, key: &Numbers, s: &mut ScratchNumbers) -> bool {
    blind(l, key, s);
    private::<P, _>(l, key, s);
    unblind(l, key, s);
    is_root(l, key, s)
}

/// `blinded = message * r^e mod n`.
fn blind<L: Limbs>(l: L, key: &Numbers, s: &mut ScratchNumbers) {
    let len = key.n.len();
    let (Some(message), Some(blinded), Some(a), Some(b)) = (
        s.message.get(..len),
        s.blinded.get_mut(..len),
        s.a.get_mut(..len),
        s.b.get_mut(..len),
    ) else {
        return;
    };
    mont::copy_long(blinded, &s.r);
    key.n.mul(l, a, blinded, key.n.rr(), &mut s.product);
    key.n.pow_public(l, b, a, key.e, &mut s.product);
    // Of two numbers of which one is in Montgomery form, the product is not.
    key.n.mul(l, blinded, message, b, &mut s.product);
}

/// `result = result * r^-1 mod n`.
fn unblind<L: Limbs>(l: L, key: &Numbers, s: &mut ScratchNumbers) {
    let len = key.n.len();
    let (Some(result), Some(a), Some(b)) = (
        s.result.get_mut(..len),
        s.a.get_mut(..len),
        s.b.get_mut(..len),
    ) else {
        return;
    };
    blind::invert(a, s.r, key.n.m());
    key.n.mul(l, b, a, key.n.rr(), &mut s.product);
    key.n.mul_in_place(l, result, b, &mut s.product);
    key.n.canonical(result);
}

/// `result = blinded^d mod n`.
fn private<P: Platform, L: Limbs>(l: L, key: &Numbers, s: &mut ScratchNumbers) {
    let half = key.p.len();
    let (Some(blinded), Some(sp), Some(sq), Some(h), Some(dp), Some(dq), Some(qinv)) = (
        s.blinded.get(..2 * half),
        s.sp.get_mut(..half),
        s.sq.get_mut(..half),
        s.h.get_mut(..half),
        key.dp.get(..half),
        key.dq.get(..half),
        key.qinv.get(..half),
    ) else {
        return;
    };
    let t = &mut s.product;
    key.p.enter(l, sp, blinded, t);
    key.q.enter(l, sq, blinded, t);
    let powers = [(&key.p, dp, &mut *sp), (&key.q, dq, &mut *sq)];
    let powers = powers.map(|(modulus, exponent, number)| Power {
        modulus,
        exponent,
        number,
    });
    if l.exponentiate::<P>(powers, &mut s.work, t) {
        key.p.mul_in_place(l, sp, key.p.rr(), t);
    } else {
        key.p.pow(l, sp, dp, &mut s.work, t);
        key.q.pow(l, sq, dq, &mut s.work, t);
        key.q.leave(l, sq, t);
    }
    key.p.canonical(sp);
    key.q.canonical(sq);

    // h = (sp - sq) * qinv mod p, the difference being in Montgomery form and qinv not.
    key.p.enter(l, h, sq, t);
    key.p.canonical(h);
    let borrow = mont::sub_assign(sp, h);
    mont::add_masked(sp, key.p.m(), Mask::from_bit(borrow));
    key.p.mul(l, h, sp, qinv, t);
    key.p.canonical(h);

    // result = sq + q * h, which is below n.
    if let Some(result) = s.result.get_mut(..2 * half) {
        l.multiply(result, h, key.q.m());
        mont::add_long(result, sq);
    }
}

/// Whether `result^e` is the message. Neither is secret any more if it is.
fn is_root<L: Limbs>(l: L, key: &Numbers, s: &mut ScratchNumbers) -> bool {
    let len = key.n.len();
    let (Some(result), Some(message), Some(a), Some(b)) = (
        s.result.get(..len),
        s.message.get(..len),
        s.a.get_mut(..len),
        s.b.get_mut(..len),
    ) else {
        return false;
    };
    key.n.mul(l, a, result, key.n.rr(), &mut s.product);
    key.n.pow_public(l, b, a, key.e, &mut s.product);
    key.n.leave(l, b, &mut s.product);
    key.n.canonical(b);
    mont::equal(b, message).declassify()
}
