// SPDX-License-Identifier: GPL-2.0

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(rsa_pss_internals))]
mod tests {
    use super::super::common::{hex, zeroed};
    use super::super::rsa_pss_vector::{components, Vector, RSA_2048, RSA_3072, RSA_4096};
    use super::super::Platform;
    use crate::rsa_pss::mont::{Limbs, Portable};
    #[cfg(target_arch = "x86_64")]
    use crate::rsa_pss::mont::{Modulus, Power, Work, HALF};
    use crate::rsa_pss::{
        blind, sign_pss, sign_pss_on, sign_pss_with, Components, KeyError, PrivateKey, Scratch,
        SignError,
    };

    const DIGEST: [u8; 32] =
        hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");

    fn signs<const N: usize, const H: usize>(vector: &Vector<N, H>) -> bool {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return false;
        };
        let mut salt = [0; 32];
        for (s, i) in salt.iter_mut().zip(0..) {
            *s = i;
        }
        if key.init(&components(vector)).is_err() || key.modulus_len() != N {
            return false;
        }
        // What the CPU has, and without its assembly.
        let mut signature = [0; N];
        let fast = sign_pss_with::<Platform>(&key, &DIGEST, &salt, &mut scratch, &mut signature)
            == Ok(N)
            && signature == vector.signature;
        signature = [0; N];
        let (key, scratch) = (&*key, &mut *scratch);
        let rc = sign_pss_on::<Platform, _>(Portable, key, &DIGEST, &salt, scratch, &mut signature);
        fast && rc == Ok(N) && signature == vector.signature
    }

    #[test]
    fn known_signatures() {
        assert!(signs(&RSA_2048));
        assert!(signs(&RSA_3072));
        assert!(signs(&RSA_4096));
    }

    #[test]
    fn salt_is_random() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        let (mut a, mut b) = ([0; 256], [0; 256]);
        assert!(key.init(&components(&RSA_2048)).is_ok());
        assert!(sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut a) == Ok(256));
        assert!(sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut b) == Ok(256));
        assert!(a != b);
    }

    #[test]
    fn short_buffer() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        assert!(key.init(&components(&RSA_2048)).is_ok());
        let rc = sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut [0; 255]);
        assert!(rc == Err(SignError::Buffer));
    }

    /// A fault in one half must not give a signature, as that would give the factors away.
    #[test]
    fn faults_are_caught() {
        let (Some(mut key), Some(mut scratch)) = (zeroed::<PrivateKey>(), zeroed::<Scratch>())
        else {
            return;
        };
        for part in 0..3 {
            let good = components(&RSA_2048);
            let mut faulty = *[&RSA_2048.dp, &RSA_2048.dq, &RSA_2048.qinv][part];
            faulty[100] ^= 4;
            let c = match part {
                0 => Components {
                    dp: &faulty,
                    ..good
                },
                1 => Components {
                    dq: &faulty,
                    ..good
                },
                _ => Components {
                    qinv: &faulty,
                    ..good
                },
            };
            assert!(key.init(&c).is_ok());
            let mut signature = [1; 256];
            let rc = sign_pss::<Platform>(&key, &DIGEST, &mut scratch, &mut signature);
            assert!(rc == Err(SignError::Fault));
            assert!(signature == [0; 256]);
            signature.fill(1);
            let rc = sign_pss_on::<Platform, _>(
                Portable,
                &key,
                &DIGEST,
                &[0; 32],
                &mut scratch,
                &mut signature,
            );
            assert!(rc == Err(SignError::Fault));
            assert!(signature == [0; 256]);
        }
    }

    /// Two moduli. All zeroes is a valid value.
    #[cfg(target_arch = "x86_64")]
    #[derive(Clone, Copy)]
    struct Moduli([Modulus<HALF>; 2]);

    // SAFETY: They are made of integers.
    #[cfg(target_arch = "x86_64")]
    unsafe impl crate::ct::Zeroable for Moduli {}

    /// Numbers of up to 64 limbs, too long for a stack. All zeroes is a valid value.
    struct Numbers {
        a: [u64; 64],
        b: [u64; 64],
        m: [u64; 64],
        out: [[u64; 64]; 2],
        t: [[u64; 128]; 2],
        #[cfg(target_arch = "x86_64")]
        table: [u64; 32 * 64],
    }

    /// Numbers that make long carries, and one that looks random.
    #[cfg(target_arch = "x86_64")]
    fn pattern(number: u64, to: &mut [u64]) {
        let len = to.len();
        let mut state = number;
        for (i, limb) in to.iter_mut().enumerate() {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            *limb = match number {
                0 => 0,
                1 => u64::MAX,
                2 => u64::from(i == 0),
                3 => u64::from(i + 1 == len) << 63,
                4 if i < len / 2 => u64::MAX,
                5 if i >= len / 2 => u64::MAX,
                6 if i % 2 == 0 => u64::MAX,
                7 if i % 8 == 7 => u64::MAX,
                8 => u64::MAX - u64::from(i == 0),
                9 => 1 << 63,
                10 => (1 << 32) - 1,
                11 => u64::MAX << 32,
                4..=7 => 0,
                _ => state ^ state >> 29,
            };
        }
    }

    #[cfg(target_arch = "x86_64")]
    const PATTERNS: u64 = 16;

    /// Compares two implementations on numbers of `len` limbs.
    #[cfg(target_arch = "x86_64")]
    fn same<L: Limbs>(l: L, len: usize, n: &mut Numbers) -> bool {
        let Numbers {
            a, b, m, out, t, ..
        } = n;
        let (a, b, m) = (&mut a[..len], &mut b[..len], &mut m[..len]);
        let ([x, y], [u, v]) = (out, t);
        let (x, y) = (&mut x[..len], &mut y[..len]);
        let (u, v) = (&mut u[..2 * len], &mut v[..2 * len]);
        for i in 0..PATTERNS {
            pattern(i, a);
            l.square(u, a);
            Portable.square(v, a);
            if u != v {
                return false;
            }
            for j in 0..PATTERNS {
                pattern(j, b);
                pattern(j, m);
                m[0] |= 1;
                m[len - 1] |= 1 << 63;
                let n0 = crate::rsa_pss::mont::negated_inverse(m[0]);
                l.multiply(u, a, b);
                Portable.multiply(v, a, b);
                if u != v {
                    return false;
                }
                l.reduce(x, u, m, n0);
                Portable.reduce(y, v, m, n0);
                if x != y {
                    return false;
                }
                // Not only products are reduced.
                for t in [&mut *u, &mut *v] {
                    t[..len].copy_from_slice(a);
                    t[len..].copy_from_slice(b);
                }
                l.reduce(x, u, m, n0);
                Portable.reduce(y, v, m, n0);
                if x != y {
                    return false;
                }
            }
        }
        true
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn assembly_is_portable_code() {
        let Some(adx) = crate::cpu::Adx::new::<Platform>() else {
            assert!(!<Platform as crate::cpu::Cpu>::has_adx());
            return;
        };
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        for len in [8, 16, 24, 32, 48, 64] {
            assert!(same(adx, len, &mut numbers));
        }
        let n = &mut *numbers;
        pattern(PATTERNS, &mut n.table);
        for len in [16, 24, 32] {
            let table = &n.table[..32 * len];
            for digit in 0..32 {
                let out = &mut n.out[0][..len];
                adx.select(out, table, digit as u64);
                assert!(*out == table[digit * len..][..len]);
                Portable.select(out, table, digit as u64);
                assert!(*out == table[digit * len..][..len]);
            }
        }
    }

    /// Both exponentiations of a signature at once, where the CPU has IFMA, and one by one.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn exponentiations_at_once() {
        let Some(adx) = crate::cpu::Adx::new::<Platform>() else {
            return;
        };
        let memory = (zeroed::<Moduli>(), zeroed::<Numbers>(), zeroed::<Work>());
        let (Some(mut moduli), Some(mut numbers), Some(mut work)) = memory else {
            return;
        };
        for len in [16, 24, 32] {
            for i in 0..PATTERNS {
                let Numbers {
                    a, b, m, out, t, ..
                } = &mut *numbers;
                let mut bytes = [0; 256];
                for (j, modulus) in moduli.0.iter_mut().enumerate() {
                    pattern((i + j as u64) % PATTERNS, &mut m[..len]);
                    m[0] |= 1;
                    m[len - 1] |= 1 << 63;
                    crate::rsa_pss::mont::to_be_bytes(&mut bytes[..8 * len], &m[..len]);
                    assert!(modulus.init(&bytes[..8 * len], len));
                }
                let [exponents, _] = t;
                let exponents = exponents.split_at_mut(64);
                let exponents = [&mut exponents.0[..len], &mut exponents.1[..len]];
                let [x, y] = [&mut a[..len], &mut b[..len]];
                for j in 0..4 {
                    pattern((i + 5 * j) % PATTERNS, exponents[0]);
                    pattern((i + 3 * j) % PATTERNS, exponents[1]);
                    pattern((i + 7 * j) % PATTERNS, x);
                    pattern((i + j) % PATTERNS, y);
                    out[0][..len].copy_from_slice(x);
                    out[1][..len].copy_from_slice(y);
                    let [first, second] = &mut *out;
                    let powers = [
                        Power {
                            modulus: &moduli.0[0],
                            exponent: &*exponents[0],
                            number: &mut first[..len],
                        },
                        Power {
                            modulus: &moduli.0[1],
                            exponent: &*exponents[1],
                            number: &mut second[..len],
                        },
                    ];
                    if !adx.exponentiate::<Platform>(powers, &mut work, m) {
                        return;
                    }
                    for ((modulus, exponent), (base, got)) in moduli
                        .0
                        .iter()
                        .zip(&exponents)
                        .zip([&mut *x, &mut *y].into_iter().zip(out.iter_mut()))
                    {
                        modulus.pow(adx, base, exponent, &mut work, m);
                        modulus.leave(adx, base, m);
                        modulus.canonical(base);
                        modulus.canonical(&mut got[..len]);
                        assert!(*base == got[..len]);
                    }
                }
            }
        }
    }

    /// The products of the largest numbers are known, and where reduction loses a bit on top.
    #[test]
    fn extreme_products() {
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        let Numbers { a, out, t, .. } = &mut *numbers;
        for len in [16, 24, 32, 48, 64] {
            // (2^k - 1)^2 = 2^2k - 2^(k + 1) + 1
            let (a, t) = (&mut a[..len], &mut t[0][..2 * len]);
            a.fill(u64::MAX);
            for square in [false, true] {
                if square {
                    Portable.square(t, a);
                } else {
                    Portable.multiply(t, a, a);
                }
                assert!(t[0] == 1 && t[1..len].iter().all(|limb| *limb == 0));
                assert!(t[len] == u64::MAX - 1);
                assert!(t[len + 1..].iter().all(|limb| *limb == u64::MAX));
            }
            // (R - 1)^2 + (R - 1) = R * (R - 1)
            let out = &mut out[0][..len];
            Portable.reduce(out, t, a, 1);
            assert!(out.iter().all(|limb| *limb == u64::MAX));
        }
    }

    /// `r^-1 * r = 1`, the modulus being a prime or the product of two.
    #[test]
    fn blinding_factors_are_inverted() {
        let Some(mut numbers) = zeroed::<Numbers>() else {
            return;
        };
        let Numbers { a, b, m, t, .. } = &mut *numbers;
        let (n, inverse, r) = (&mut m[..32], &mut a[..32], &mut b[..32]);
        crate::rsa_pss::mont::from_be_bytes(n, &RSA_2048.n);
        for random in [
            [0; 16],
            [0xff; 16],
            [0x5a; 16],
            DIGEST.first_chunk().copied().unwrap_or([1; 16]),
        ] {
            let factor = blind::factor(&random);
            blind::invert(inverse, factor, n);
            r.fill(0);
            r[..2].copy_from_slice(&factor);
            let t = &mut t[0][..64];
            Portable.multiply(t, inverse, r);
            assert!(is_one_modulo(t, n));
        }
    }

    /// Whether `t = 1 mod n`, bit by bit from the top.
    fn is_one_modulo(t: &[u64], n: &[u64]) -> bool {
        let mut rest = [0u64; 33];
        for bit in (0..64 * t.len()).rev() {
            let mut carry = t[bit / 64] >> (bit % 64) & 1;
            for limb in rest.iter_mut() {
                (*limb, carry) = (*limb << 1 | carry, *limb >> 63);
            }
            let mut difference = rest;
            let borrow = crate::rsa_pss::mont::sub_assign(&mut difference[..32], n);
            if rest[32] >= borrow {
                difference[32] = rest[32] - borrow;
                rest = difference;
            }
        }
        rest[0] == 1 && rest[1..].iter().all(|limb| *limb == 0)
    }

    #[test]
    fn bad_keys() {
        let Some(mut key) = zeroed::<PrivateKey>() else {
            return;
        };
        let good = components(&RSA_2048);
        let mut refused = |c: Components<'_>| key.init(&c).err();
        assert!(refused(good).is_none());
        let short = Components {
            n: &RSA_2048.n[..128],
            ..good
        };
        assert!(refused(short) == Some(KeyError::Unsupported));
        // A modulus of 2047 bits.
        let mut n = RSA_2048.n;
        n[0] &= 0x7f;
        assert!(refused(Components { n: &n, ..good }) == Some(KeyError::Unsupported));
        for e in [&[1][..], &[3], &[0, 255, 255], &[1, 0, 0, 0, 1], &[1; 9]] {
            assert!(refused(Components { e, ..good }) == Some(KeyError::Unsupported));
        }
        for c in [
            Components {
                e: &[1, 0, 0],
                ..good
            },
            Components { e: &[], ..good },
            Components { p: good.q, ..good },
        ] {
            assert!(refused(c) == Some(KeyError::Inconsistent));
        }
        for c in [
            Components {
                dp: &[0xff; 128],
                ..good
            },
            Components {
                n: &[0xff; 256],
                ..good
            },
            Components { q: &[], ..good },
        ] {
            assert!(refused(c) == Some(KeyError::Inconsistent));
        }
    }
}
