// SPDX-License-Identifier: GPL-2.0

//! X25519 (RFC 7748): key pairs and shared secrets, constant time.

#[cfg(target_arch = "x86_64")]
pub(crate) mod adx;
mod edwards;
pub(crate) mod field;
mod ladder;
mod table;

use crate::cpu::Cpu;
use crate::ct::Secret;
use crate::limbs::{is_zero, select, Limbs};
use field::{Field, Portable};
use ladder::Fraction;

/// The public key of a private key.
pub fn public_key<C: Cpu>(private: &[u8; 32], public: &mut [u8; 32]) {
    with_backend!(C, Portable, b => public_key_with(b, private, public))
}

/// [`public_key`] with a given backend.
#[inline(never)]
pub(crate) fn public_key_with<F: Field>(b: F, private: &[u8; 32], public: &mut [u8; 32]) {
    let product = Secret::new(base_product(b, &clamped(private)));
    let inverse = b.invert(&product.z);
    write_bytes(&b.residue(&b.mul(&product.x, &inverse)), public);
}

/// The secret shared with a peer. False if it is zero, since the peer's public key is of low order
/// (RFC 7748, section 6.1), and must not be used.
pub fn shared_secret<C: Cpu>(private: &[u8; 32], peer: &[u8; 32], shared: &mut [u8; 32]) -> bool {
    with_backend!(C, Portable, b => shared_secret_with(b, private, peer, shared))
}

/// [`shared_secret`] with a given backend.
#[inline(never)]
pub(crate) fn shared_secret_with<F: Field>(
    b: F,
    private: &[u8; 32],
    peer: &[u8; 32],
    shared: &mut [u8; 32],
) -> bool {
    let product = Secret::new(product(b, &clamped(private), peer));
    // The inverse of zero is zero.
    let inverse = b.invert(&product.z);
    let u = Secret::new(b.residue(&b.mul(&product.x, &inverse)));
    write_bytes(&u, shared);
    is_zero(&u).not().declassify()
}

/// [`public_key`] and [`shared_secret`] of an ephemeral key, which take less time together.
pub fn exchange<C: Cpu>(
    private: &[u8; 32],
    peer: &[u8; 32],
    public: &mut [u8; 32],
    shared: &mut [u8; 32],
) -> bool {
    with_backend!(C, Portable, b => exchange_with(b, private, peer, public, shared))
}

/// [`exchange`] with a given backend.
#[inline(never)]
pub(crate) fn exchange_with<F: Field>(
    b: F,
    private: &[u8; 32],
    peer: &[u8; 32],
    public: &mut [u8; 32],
    shared: &mut [u8; 32],
) -> bool {
    let k = clamped(private);
    let product = Secret::new(product(b, &k, peer));
    let base_product = Secret::new(base_product(b, &k));
    // One inverse does for both, if none of them is zero: a clamped scalar is no multiple of the
    // base point's order, but may be one of the peer's point's.
    let zero = is_zero(&b.residue(&product.z));
    let z = b.select(zero, &b.element(&[1, 0, 0, 0]), &product.z);
    let inverse = b.invert(&b.mul(&z, &base_product.z));
    let u = b.mul(&base_product.x, &b.mul(&inverse, &z));
    write_bytes(&b.residue(&u), public);
    let u = b.mul(&product.x, &b.mul(&inverse, &base_product.z));
    let u = select(zero, &[0; 4], &b.residue(&u));
    write_bytes(&u, shared);
    is_zero(&u).not().declassify()
}

/// A multiple of the base point.
#[inline(never)]
fn base_product<F: Field>(b: F, k: &Limbs) -> Fraction<F> {
    edwards::mul_base(b, k)
}

/// A multiple of a peer's point.
#[inline(never)]
fn product<F: Field>(b: F, k: &Limbs, peer: &[u8; 32]) -> Fraction<F> {
    let [u0, u1, u2, u3] = from_bytes(peer);
    // The highest bit does not count, and numbers from p on are valid (RFC 7748, section 5).
    b.ladder(&[u0, u1, u2, u3 << 1 >> 1], k)
}

/// A private key as the scalar that it stands for (RFC 7748, section 5).
fn clamped(private: &[u8; 32]) -> Secret<Limbs> {
    let mut k = Secret::new(from_bytes(private));
    k[0] &= !7;
    k[3] = k[3] << 2 >> 2 | 1 << 62;
    k
}

/// Little-endian bytes to limbs.
fn from_bytes(b: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(b.chunks_exact(8)) {
        *limb = chunk.iter().rev().fold(0, |v, b| (v << 8) | u64::from(*b));
    }
    limbs
}

/// Limbs to little-endian bytes where these are to be.
fn write_bytes(a: &Limbs, out: &mut [u8; 32]) {
    for (chunk, limb) in out.chunks_exact_mut(8).zip(a) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
}
