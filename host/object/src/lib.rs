// SPDX-License-Identifier: GPL-2.0
//! The engine over a crypto library that is somewhere else, so that all of its generic code is
//! compiled.
#![no_std]
#![allow(dead_code, unreachable_pub, improper_ctypes)]

#[path = "../../../net-tls-hs/engine/mod.rs"]
pub mod engine;
// Of lib/crypto.
#[macro_use]
#[path = "../../../lib-crypto/lib/crypto/cpu.rs"]
pub mod cpu;
#[path = "../../../lib-crypto/lib/crypto/ct.rs"]
pub mod ct;
#[path = "../../../lib-crypto/lib/crypto/divsteps.rs"]
pub mod divsteps;
#[path = "../../../lib-crypto/lib/crypto/limbs.rs"]
pub mod limbs;
#[path = "../../../lib-crypto/lib/crypto/mlkem/mod.rs"]
pub mod mlkem;
#[path = "../../../lib-crypto/lib/crypto/p256/mod.rs"]
pub mod p256;
#[path = "../../../lib-crypto/lib/crypto/rsa_pss/mod.rs"]
pub mod rsa_pss;
#[path = "../../../lib-crypto/lib/crypto/x25519/mod.rs"]
pub mod x25519;

#[macro_use]
#[path = "../../src/primitives.rs"]
mod primitives;

use engine::crypto::*;
use engine::policy::settings as config;
use engine::scratch;
use engine::state::session;
use engine::wire::certificate;

/// The library, of which only names are known.
pub struct Elsewhere;

extern "C" {
    fn any_hash(hash: &mut Context, data: *const u8, len: usize);
    fn any_random(data: *mut u8, len: usize);
    fn any_flag() -> bool;
}

/// What the library keeps.
#[derive(Clone)]
pub struct Context([u64; 32]);

impl Context {
    fn new(data: &[u8]) -> Self {
        let mut context = Context([0; 32]);
        context.update(data);
        context
    }

    fn update(&mut self, data: &[u8]) {
        // SAFETY: This is never run.
        unsafe { any_hash(self, data.as_ptr(), data.len()) }
    }
}

fn fill(out: &mut [u8]) {
    // SAFETY: This is never run.
    unsafe { any_random(out.as_mut_ptr(), out.len()) }
}

fn flag() -> bool {
    // SAFETY: This is never run.
    unsafe { any_flag() }
}

impl Crypto for Elsewhere {
    type Hash = Context;
    type HmacKey = Context;
    type AeadKey = Context;
    type MlKemWorkspace = mlkem::Scratch;
    type RsaWorkspace = rsa_pss::Scratch;

    fn hash_init(alg: HashAlg) -> Context {
        Context::new(&[alg.output_len() as u8])
    }

    fn hash_update(hash: &mut Context, data: &[u8]) {
        hash.update(data);
    }

    fn hash_final(_hash: Context) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        fill(&mut out);
        out
    }

    fn hmac_key(_alg: HashAlg, raw: &[u8]) -> Context {
        Context::new(raw)
    }

    fn hmac<const N: usize>(key: &Context, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        let mut mac = key.clone();
        for part in parts {
            mac.update(part);
        }
        fill(out);
    }

    fn with_aead_key<T>(_: AeadAlg, raw: &[u8], run: impl FnOnce(&Context) -> T) -> Option<T> {
        flag().then(|| run(&Context::new(raw)))
    }

    fn aead_seal(_: &Context, _: &[u8; 12], _: &[u8], buf: &mut [u8]) -> [u8; TAG_LEN] {
        fill(buf);
        [0; TAG_LEN]
    }

    fn aead_open(
        _: &Context,
        _: &[u8; 12],
        _: &[u8],
        buf: &mut [u8],
        _: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        fill(buf);
        flag().then_some(()).ok_or(BadTag)
    }

    fn x25519(_: &[u8; 32], public: &mut [u8; 32], shared: &mut [u8; 32]) -> Result<(), BadShare> {
        fill(public);
        fill(shared);
        flag().then_some(()).ok_or(BadShare)
    }

    lib_crypto_primitives!();

    fn rsa_key(_: &mut RsaKey, _: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        Ok(())
    }

    fn random(buf: &mut [u8]) {
        fill(buf);
    }
}

impl p256::Platform for Elsewhere {
    type HmacKey = Context;

    fn hmac_key(raw: &[u8]) -> Context {
        Context::new(raw)
    }

    fn hmac<const N: usize>(key: &Context, parts: [&[u8]; N], out: &mut [u8; 32]) {
        let mut mac = key.clone();
        for part in parts {
            mac.update(part);
        }
        fill(out);
    }

    fn random(buf: &mut [u8]) {
        fill(buf);
    }
}

impl cpu::Cpu for Elsewhere {
    fn has_adx() -> bool {
        flag()
    }
}

impl rsa_pss::Platform for Elsewhere {
    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Context::new(&[]);
        for part in parts {
            hash.update(part);
        }
        let mut out = [0; 32];
        fill(&mut out);
        out
    }

    fn random(buf: &mut [u8]) {
        fill(buf);
    }
}

impl mlkem::Platform for Elsewhere {
    type Shake128 = Context;

    fn sha3_256(_: &[u8], out: &mut [u8; 32]) {
        fill(out);
    }

    fn sha3_512(_: &[u8], out: &mut [u8; 64]) {
        fill(out);
    }

    fn shake256(_: &[u8], out: &mut [u8]) {
        fill(out);
    }

    fn shake128(data: &[u8]) -> Context {
        Context::new(data)
    }

    fn shake128_squeeze(_: &mut Context, out: &mut [u8]) {
        fill(out);
    }

    fn random(buf: &mut [u8]) {
        fill(buf);
    }

    fn with_avx2(run: impl FnOnce()) -> bool {
        let free = flag();
        if free {
            run();
        }
        free
    }
}

/// What the kernel calls, so that it is compiled.
pub mod entries {
    use super::*;

    pub fn advance(
        session: &mut session::Session,
        config: &config::Config<'_>,
        identities: &Identity,
        input: &mut [u8],
        out: &mut [u8],
        scratch: &mut scratch::Scratch<Elsewhere>,
    ) -> session::Step {
        session.advance::<Elsewhere>(config, identities, input, out, scratch)
    }

    pub fn init_rsa(key: &mut rsa_pss::PrivateKey, c: &rsa_pss::Components<'_>) -> bool {
        key.init(c).is_ok()
    }

    pub fn public_key(key: &p256::PrivateKey) -> [u8; 65] {
        key.public_key::<Elsewhere>()
    }

    pub fn x25519_exchange(
        private: &[u8; 32],
        peer: &[u8; 32],
        public: &mut [u8; 32],
        shared: &mut [u8; 32],
    ) -> bool {
        x25519::exchange::<Elsewhere>(private, peer, public, shared)
    }

    pub fn p256_key(bytes: &[u8]) -> Option<p256::PrivateKey> {
        p256::PrivateKey::from_be_bytes(bytes)
    }
}

/// An identity of either kind.
pub struct Identity {
    p256: P256Key,
    rsa: RsaKey,
    certificate: [u8; 8],
}

impl config::Identities for Identity {
    fn select(
        &self,
        constraints: &config::ClientConstraints<'_>,
    ) -> Result<config::Identity<'_>, config::NoIdentity> {
        let key = match flag() {
            true => config::SigningKey::P256(&self.p256),
            false => config::SigningKey::Rsa(&self.rsa),
        };
        constraints
            .rank(key.scheme())
            .ok_or(config::NoIdentity::NoScheme)?;
        Ok(config::Identity {
            index: 0,
            certificate: &self.certificate,
            digest: &[0; 32],
            staples: certificate::Staples::NONE,
            name_matched: true,
            key,
        })
    }
}
