// SPDX-License-Identifier: GPL-2.0

//! EMSA-PSS (RFC 8017, section 9.1) with SHA-256 and MGF1 of it.

use super::{Platform, SALT_LEN};

const HASH_LEN: usize = 32;

/// Encodes a digest for a modulus of `8 * out.len()` bits, so with `emBits` one less.
pub(crate) fn encode<P: Platform>(digest: &[u8; HASH_LEN], salt: &[u8; SALT_LEN], out: &mut [u8]) {
    let h = P::sha256(&[&[0; 8], digest, salt]);
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
        let mask = P::sha256(&[&h, &counter.to_be_bytes()]);
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
