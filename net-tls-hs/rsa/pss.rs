// SPDX-License-Identifier: GPL-2.0

//! EMSA-PSS (RFC 8017, section 9.1) with SHA-256 and MGF1 of it.

use super::SALT_LEN;
use crate::crypto::{Crypto, HashAlg};

const HASH_LEN: usize = 32;

fn sha256<C: Crypto>(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut hash = C::hash_init(HashAlg::Sha256);
    for part in parts {
        C::hash_update(&mut hash, part);
    }
    let full = C::hash_final(hash);
    let mut out = [0; HASH_LEN];
    for (o, f) in out.iter_mut().zip(full) {
        *o = f;
    }
    out
}

/// Encodes a digest for a modulus of `8 * out.len()` bits, so with `emBits` one less.
pub(crate) fn encode<C: Crypto>(digest: &[u8; HASH_LEN], salt: &[u8; SALT_LEN], out: &mut [u8]) {
    let h = sha256::<C>(&[&[0; 8], digest, salt]);
    let Some((db, tail)) = out.split_last_chunk_mut::<{ HASH_LEN + 1 }>() else {
        return;
    };

    // DB = PS || 0x01 || salt.
    db.fill(0);
    if let Some((ps, to)) = db.split_last_chunk_mut() {
        *to = *salt;
        if let Some(one) = ps.last_mut() {
            *one = 1;
        }
    }

    // MGF1 (appendix B.2.1).
    for (counter, chunk) in (0u32..).zip(db.chunks_mut(HASH_LEN)) {
        let mask = sha256::<C>(&[&h, &counter.to_be_bytes()]);
        for (d, m) in chunk.iter_mut().zip(mask) {
            *d ^= m;
        }
    }
    if let Some(first) = db.first_mut() {
        *first &= 0x7f;
    }
    let [to @ .., trailer] = tail;
    *to = h;
    *trailer = 0xbc;
}
