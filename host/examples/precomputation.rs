// SPDX-License-Identifier: GPL-2.0
//! What work in advance, or for several handshakes at a time, would save: prototypes of what the
//! kernel does not do, see `host/bench/PRECOMPUTATION.md`.
//!
//! Prints instructions, exactly, and nanoseconds, the shortest of many runs.
//!
//! `cargo run --release --example precomputation`

#![allow(dead_code)]

use std::hint::black_box;
use std::time::Instant;
use tls_handshake_host::count::{counted, so_far};
use tls_handshake_host::engine::wire::der::Der;
use tls_handshake_host::host_platform::{self, HostCrypto};
use tls_handshake_host::{ct, zeroed};

// With what is private to the kernel's crate.
#[macro_use]
#[path = "../../lib-crypto/lib/crypto/cpu.rs"]
mod cpu;
#[path = "../../lib-crypto/lib/crypto/divsteps.rs"]
mod divsteps;
#[path = "../../lib-crypto/lib/crypto/limbs.rs"]
mod limbs;
#[path = "../../lib-crypto/lib/crypto/p256/mod.rs"]
mod p256;
#[path = "../src/platform/cpu.rs"]
mod platform_cpu;
#[path = "../src/platform/p256.rs"]
mod platform_p256;

#[path = "../src/platform/rsa_pss.rs"]
mod platform_rsa_pss;
#[path = "../../lib-crypto/lib/crypto/rsa_pss/mod.rs"]
mod rsa_pss;

use p256::field::{Backend, Fe};
use p256::mont::{add_reduced, Limbs, Residue, N};
use p256::point::{Affine, Point};

/// The P-256 code that the CPU can run.
#[cfg(target_arch = "x86_64")]
fn best() -> impl Backend {
    cpu::Adx::new::<HostCrypto>().unwrap()
}
#[cfg(not(target_arch = "x86_64"))]
fn best() -> impl Backend {
    p256::field::Portable
}

/// The RSA code that the CPU can run.
#[cfg(target_arch = "x86_64")]
fn rsa_code() -> impl rsa_pss::mont::Limbs {
    cpu::Adx::new::<HostCrypto>().unwrap()
}
#[cfg(not(target_arch = "x86_64"))]
fn rsa_code() -> impl rsa_pss::mont::Limbs {
    rsa_pss::mont::Portable
}

type Scalar = Residue<N>;

/// How many handshakes share an inversion.
const BATCH: usize = 16;

fn random_scalar() -> Limbs {
    let mut k: Limbs = [0; 4];
    for limb in &mut k {
        *limb = rand::random();
    }
    // Below the order.
    k[3] >>= 1;
    k
}

/// Prints what an operation costs; it does `times` of what is named.
fn measure(name: &str, times: u64, mut operation: impl FnMut()) -> u64 {
    for _ in 0..3 {
        operation();
    }
    let mut shortest = u128::MAX;
    for _ in 0..400 {
        let start = Instant::now();
        operation();
        shortest = shortest.min(start.elapsed().as_nanos());
    }
    let before = so_far();
    counted(&mut operation);
    let count = (so_far() - before) / times;
    println!("{count:>10} {:>8} ns  {name}", shortest / u128::from(times));
    count
}

/// The inverses of field elements with one inversion (P. L. Montgomery, "Speeding the Pollard and
/// elliptic curve methods of factorization", 1987, section 10.3.1).
fn invert_all<B: Backend>(values: &mut [Fe<B>; BATCH]) {
    let mut products = [Fe::one(values[0].backend()); BATCH];
    let mut product = values[0];
    for i in 1..BATCH {
        products[i] = product;
        product = product.mul(&values[i]);
    }
    let mut inverse = product.invert();
    for i in (1..BATCH).rev() {
        let value = values[i];
        values[i] = inverse.mul(&products[i]);
        inverse = inverse.mul(&value);
    }
    values[0] = inverse;
}

fn inverse_scalar(number: &Limbs) -> Scalar {
    let mut inverse = Scalar::new(number);
    inverse.invert();
    inverse
}

/// The same modulo the order.
fn invert_all_scalars(values: &[Limbs; BATCH]) -> [Scalar; BATCH] {
    let mut products = [[1, 0, 0, 0]; BATCH];
    let mut product = values[0];
    for i in 1..BATCH {
        products[i] = product;
        product = Scalar::new(&product).times(&values[i]);
    }
    let mut inverse = inverse_scalar(&product);
    let mut out = [Scalar::new(&product); BATCH];
    for i in (1..BATCH).rev() {
        out[i] = Scalar::new(&inverse.times(&products[i]));
        inverse = Scalar::new(&inverse.times(&values[i]));
    }
    out[0] = inverse;
    out
}

fn main() {
    let key = p256::PrivateKey::from_be_bytes(&[7; 32]).unwrap();
    let peer = p256::PrivateKey::from_be_bytes(&[9; 32])
        .unwrap()
        .public_key::<HostCrypto>();
    let k = random_scalar();
    let point = Point::mul_base(best(), &k);
    let base = Affine::from_uncompressed(best(), &peer).unwrap();

    println!("P-256, parts:");
    measure("base point multiplication, projective", 1, || {
        black_box(Point::mul_base(best(), black_box(&k)).x_coordinate());
    });
    measure("  of which its affine x coordinate", 1, || {
        black_box(black_box(&point).x_coordinate());
    });
    let fe = base.x;
    measure("inversion modulo p", 1, || {
        black_box(black_box(&fe).invert());
    });
    measure("inversion modulo n", 1, || {
        black_box(inverse_scalar(black_box(&k)));
    });
    measure("key pair", 1, || {
        let key = p256::PrivateKey::generate::<HostCrypto>();
        black_box(key.public_key::<HostCrypto>());
    });
    measure("key pair and shared secret", 1, || {
        let key = p256::PrivateKey::generate::<HostCrypto>();
        let mut shared = [0; 32];
        black_box(p256::ecdh::<HostCrypto>(&key, black_box(&peer), &mut shared).unwrap());
        black_box(shared);
    });
    let mut signature = [0; p256::MAX_SIGNATURE];
    measure("signature", 1, || {
        p256::ecdsa_sign::<HostCrypto>(&key, black_box(&[5; 32]), &mut signature);
    });

    println!("Inversions shared by {BATCH}, for each:");
    let values: [_; BATCH] = std::array::from_fn(|_| Fe::new(best(), &random_scalar()));
    let scalars: [Limbs; BATCH] = std::array::from_fn(|_| random_scalar());
    let mut all = values;
    invert_all(&mut all);
    for (inverse, value) in all.iter().zip(&values) {
        assert_eq!(inverse.get(), value.invert().get());
    }
    for (inverse, scalar) in invert_all_scalars(&scalars).iter().zip(&scalars) {
        assert_eq!(inverse.times(scalar), [1, 0, 0, 0]);
    }
    measure("inversion modulo p", BATCH as u64, || {
        let mut all = black_box(values);
        invert_all(&mut all);
        black_box(all);
    });
    measure("inversion modulo n", BATCH as u64, || {
        black_box(invert_all_scalars(black_box(&scalars)));
    });

    println!("Nonces in advance:");
    let (inverse, r) = (inverse_scalar(&k), point.x_coordinate());
    measure(
        "signature with a nonce of which r and 1/k are known",
        1,
        || {
            let rd = Scalar::new(black_box(&r)).times(&[7; 4]);
            black_box(inverse.times(&add_reduced::<N>(&[5; 4], &rd)));
        },
    );

    println!("RSA-2048:");
    rsa_2048();
}

fn rsa_2048() {
    use rsa_crate::pkcs1::EncodeRsaPrivateKey;
    let key = rsa_crate::RsaPrivateKey::new(&mut rand::rngs::OsRng, 2048).unwrap();
    let der = key.to_pkcs1_der().unwrap();
    let mut numbers = Der::new(der.as_bytes()).sequence().unwrap();
    let mut next = || numbers.unsigned().unwrap();
    let _version = next();
    let (n, e, _d) = (next(), next(), next());
    let components = rsa_pss::Components {
        n,
        e,
        p: next(),
        q: next(),
        dp: next(),
        dq: next(),
        qinv: next(),
    };
    // SAFETY: Zeroes are a valid value of each.
    let (mut key, mut scratch, mut n) = unsafe {
        (
            zeroed::<rsa_pss::PrivateKey>(),
            zeroed::<rsa_pss::Scratch>(),
            zeroed::<rsa_pss::mont::Modulus<{ rsa_pss::mont::MAX }>>(),
        )
    };
    key.init(&components).unwrap();
    assert!(n.init(components.n, 32));
    let mut signature = [0; 256];
    measure("signature", 1, || {
        rsa_pss::sign_pss::<HostCrypto>(&key, &[5; 32], &mut scratch, &mut signature).unwrap();
    });
    let code = rsa_code();
    let r = rsa_pss::blind::factor(&rand::random());
    let (mut a, mut b, mut product) = ([0; 32], [0; 32], [0; 64]);
    a[..2].copy_from_slice(&r);
    measure("  of which its blinding: r^e and 1/r", 1, || {
        let mut power = [0; 32];
        n.mul(code, &mut b, &a, n.rr(), &mut product);
        n.pow_public(code, &mut power, &b, 65537, &mut product);
        black_box(power);
        rsa_pss::blind::invert(&mut power, r, n.m());
        n.mul(code, &mut b, &power, n.rr(), &mut product);
        black_box(b);
    });
}
