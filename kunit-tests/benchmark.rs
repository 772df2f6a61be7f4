// SPDX-License-Identifier: GPL-2.0

//! How long the primitives take, beside what the kernel had before. All take turns.

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(tls_handshake_benchmark))]
mod tests {
    use crate::crypto::Crypto;
    use crate::mlkem;
    use crate::p256::field::Portable;
    use crate::p256::{ecdh, ecdh_with, ecdsa_sign, PrivateKey};
    use crate::rsa::{self, mont, sign_pss, sign_pss_on};
    use crate::tests::mlkem_vector::{KEY, MESSAGE, SHARED};
    use crate::tests::rsa_vector::{components, RSA_2048, RSA_3072, RSA_4096};
    use crate::tests::{hex, zeroed, Platform};
    use core::ffi::CStr;
    use kernel::bindings;
    use kernel::prelude::*;
    use kernel::time::{Instant, Monotonic};

    /// How often all are measured.
    const ROUNDS: usize = 101;

    const DIGEST: [u8; 32] =
        hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");

    /// Who and what. The operation returns whether it worked.
    type Entry<'a> = (&'a CStr, &'a mut dyn FnMut() -> bool);

    /// Measures and prints the times of one operation.
    fn compare(operation: &CStr, batch: u32, entries: &mut [Entry<'_>]) -> bool {
        let Some(mut times) = zeroed::<[[u32; ROUNDS]; 4]>() else {
            return false;
        };
        let mut good = entries.len() <= times.len();
        for round in 0..ROUNDS {
            for ((_, run), times) in entries.iter_mut().zip(times.iter_mut()) {
                let start = Instant::<Monotonic>::now();
                for _ in 0..batch {
                    good &= run();
                }
                times[round] = (start.elapsed().as_nanos() / i64::from(batch)) as u32;
            }
        }
        for ((who, _), times) in entries.iter().zip(times.iter_mut()) {
            times.sort_unstable();
            let (median, p10) = (times[ROUNDS / 2], times[ROUNDS / 10]);
            let (operation, who) = (operation.as_char_ptr(), who.as_char_ptr());
            // SAFETY: Both strings end with a zero.
            unsafe { bindings::tls_hs_bench_print(operation, who, median, p10) };
        }
        good
    }

    #[test]
    fn p256() {
        let key = PrivateKey::generate::<Platform>();
        let peer = key.public_key::<Platform>();
        let mut signature = [0; 72];
        assert!(compare(
            c"ECDSA P-256, sign",
            4,
            &mut [(c"ours", &mut || {
                ecdsa_sign::<Platform>(&key, &DIGEST, &mut signature) > 0
            })]
        ));
        let mut shared = [0; 32];
        let mut same = shared;
        assert!(compare(
            c"ECDH P-256, key pair and shared secret",
            2,
            &mut [
                (c"ours", &mut || {
                    let key = PrivateKey::generate::<Platform>();
                    ecdh::<Platform>(&key, &peer, &mut shared).is_ok()
                }),
                (c"ours, portable", &mut || {
                    let key = PrivateKey::generate::<Platform>();
                    ecdh_with(Portable, &key, &peer, &mut same).is_ok()
                }),
                (c"crypto/ecc.c", &mut || {
                    // SAFETY: There are no preconditions.
                    unsafe { bindings::tls_hs_bench_ecc() }
                }),
            ]
        ));
    }

    #[test]
    fn x25519() {
        let (mut secret, mut public, mut shared) = ([0; 32], [0; 32], [0; 32]);
        assert!(compare(
            c"X25519, key pair and shared secret",
            2,
            &mut [(c"lib/crypto", &mut || {
                Platform::random(&mut secret);
                Platform::x25519_base(&mut public, &secret);
                Platform::x25519(&mut shared, &secret, &[9; 32])
            })]
        ));
    }

    struct MlKem {
        scratch: mlkem::Scratch,
        ciphertext: [u8; mlkem::CIPHERTEXT_LEN],
    }

    #[test]
    fn ml_kem() {
        let mut memory = zeroed::<MlKem>().unwrap();
        let m = &mut *memory;
        let (mut a, mut b) = (SHARED, SHARED);
        let mut same = zeroed::<MlKem>().unwrap();
        let n = &mut *same;
        assert!(compare(
            c"ML-KEM-768, encapsulation with the check of the key",
            4,
            &mut [
                (c"ours", &mut || {
                    let (scratch, to) = (&mut m.scratch, &mut m.ciphertext);
                    mlkem::encapsulate_on::<Platform>(true, &KEY, &MESSAGE, scratch, to, &mut a)
                        .is_ok()
                }),
                (c"ours, portable", &mut || {
                    let (scratch, to) = (&mut n.scratch, &mut n.ciphertext);
                    mlkem::encapsulate_on::<Platform>(false, &KEY, &MESSAGE, scratch, to, &mut b)
                        .is_ok()
                }),
            ]
        ));
    }

    /// Appends to DER: an INTEGER, or what has another tag.
    fn append(der: &mut [u8], len: &mut usize, tag: u8, content: &[u8]) {
        let pad = usize::from(tag == 2 && content.first().is_some_and(|b| b & 0x80 != 0));
        let n = content.len() + pad;
        let start = *len;
        der[start..start + 4].copy_from_slice(&[tag, 0x82, (n >> 8) as u8, n as u8]);
        der[start + 4..start + 4 + pad].fill(0);
        *len += 4 + n;
        der[start + 4 + pad..*len].copy_from_slice(content);
    }

    /// RSAPrivateKey (RFC 8017, appendix A.1.2). The exponent d is none, as with the other numbers
    /// nothing is computed from it.
    fn private_key(der: &mut [u8; 3000], c: &rsa::Components<'_>) -> usize {
        let mut len = 4;
        for number in [&[0], c.n, c.e, &[1], c.p, c.q, c.dp, c.dq, c.qinv] {
            append(der, &mut len, 2, number);
        }
        let n = len - 4;
        der[..4].copy_from_slice(&[0x30, 0x82, (n >> 8) as u8, n as u8]);
        len
    }

    struct Rsa {
        key: rsa::PrivateKey,
        scratch: rsa::Scratch,
        portable: rsa::Scratch,
        der: [u8; 3000],
        message: [u8; 512],
        out: [u8; 512],
    }

    fn rsa(operation: &CStr, components: &rsa::Components<'_>) -> bool {
        let Some(mut memory) = zeroed::<Rsa>() else {
            return false;
        };
        let m = &mut *memory;
        if m.key.init(components).is_err() {
            return false;
        }
        let len = private_key(&mut m.der, components);
        // SAFETY: The array has at least `len` bytes.
        let theirs = unsafe { bindings::tls_hs_bench_rsa_new(m.der.as_ptr(), len as u32) };
        if theirs.is_null() {
            return false;
        }
        let len = m.key.modulus_len();
        m.message[1..len].fill(0x5a);
        let (key, scratch, portable) = (&m.key, &mut m.scratch, &mut m.portable);
        let (mut a, mut b) = ([0; 512], [0; 512]);
        let good = compare(
            operation,
            1,
            &mut [
                (c"ours", &mut || {
                    sign_pss::<Platform>(key, &DIGEST, scratch, &mut a) == Ok(len)
                }),
                (c"ours, portable", &mut || {
                    let l = mont::Portable;
                    let salt = &[7; 32];
                    sign_pss_on::<Platform, _>(l, key, &DIGEST, salt, portable, &mut b) == Ok(len)
                }),
                (c"crypto/rsa.c", &mut || {
                    let (from, to) = (m.message.as_ptr(), m.out.as_mut_ptr());
                    // SAFETY: The key is one, and both arrays have at least `len` bytes.
                    unsafe { bindings::tls_hs_bench_rsa(theirs, from, to, len as u32) }
                }),
            ],
        );
        // SAFETY: It is not used any more.
        unsafe { bindings::tls_hs_bench_rsa_free(theirs) };
        good
    }

    #[test]
    fn rsa_pss() {
        assert!(rsa(c"RSA-2048 PSS, sign", &components(&RSA_2048)));
        assert!(rsa(c"RSA-3072 PSS, sign", &components(&RSA_3072)));
        assert!(rsa(c"RSA-4096 PSS, sign", &components(&RSA_4096)));
    }
}
