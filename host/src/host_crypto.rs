// SPDX-License-Identifier: GPL-2.0
//! [`Crypto`] over well-kept crates, for tests on the host.

use crate::crypto::*;
use crate::memcheck;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use hmac::Mac;
use sha2::Digest;
use sha3::digest::{ExtendableOutput, XofReader};

/// The host's crypto library.
pub struct HostCrypto;

std::thread_local! {
    static WITHOUT_ASSEMBLY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs something on a CPU that seems not to have what the assembly needs.
pub fn without_assembly<T>(run: impl FnOnce() -> T) -> T {
    let before = WITHOUT_ASSEMBLY.replace(true);
    let result = run();
    WITHOUT_ASSEMBLY.set(before);
    result
}

std::thread_local! {
    static RANDOM: std::cell::RefCell<Option<Vec<u8>>> = const { std::cell::RefCell::new(None) };
}

/// Runs something for which these bytes, one after the other, are the random ones. Panics if it
/// takes more. What it has not taken is returned.
pub fn with_random<T>(bytes: &[u8], run: impl FnOnce() -> T) -> (T, Vec<u8>) {
    let before = RANDOM.replace(Some(bytes.to_vec()));
    let result = run();
    (result, RANDOM.replace(before).unwrap_or_default())
}

/// A running hash.
#[derive(Clone)]
pub enum Hash {
    S256(sha2::Sha256),
    S384(sha2::Sha384),
}

/// A running or prepared HMAC.
#[derive(Clone)]
pub enum Hmac {
    S256(hmac::Hmac<sha2::Sha256>),
    S384(hmac::Hmac<sha2::Sha384>),
}

/// An AEAD key.
pub enum AeadKey {
    Aes128(Box<aes_gcm::Aes128Gcm>),
    Aes256(Box<aes_gcm::Aes256Gcm>),
    ChaCha(Box<chacha20poly1305::ChaCha20Poly1305>),
}

impl Crypto for HostCrypto {
    type Hash = Hash;
    type HmacKey = Hmac;
    type Hmac = Hmac;
    type AeadKey = AeadKey;
    type Shake128 = sha3::Shake128Reader;

    fn hash_init(alg: HashAlg) -> Hash {
        match alg {
            HashAlg::Sha256 => Hash::S256(sha2::Sha256::new()),
            HashAlg::Sha384 => Hash::S384(sha2::Sha384::new()),
        }
    }

    fn hash_update(hash: &mut Hash, data: &[u8]) {
        match hash {
            Hash::S256(h) => h.update(data),
            Hash::S384(h) => h.update(data),
        }
    }

    fn hash_final(hash: Hash) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        match hash {
            Hash::S256(h) => out[..32].copy_from_slice(&h.finalize()),
            Hash::S384(h) => out.copy_from_slice(&h.finalize()),
        }
        out
    }

    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Hmac {
        match alg {
            HashAlg::Sha256 => Hmac::S256(Mac::new_from_slice(raw).unwrap()),
            HashAlg::Sha384 => Hmac::S384(Mac::new_from_slice(raw).unwrap()),
        }
    }

    fn hmac_init(key: &Hmac) -> Hmac {
        key.clone()
    }

    fn hmac_update(mac: &mut Hmac, data: &[u8]) {
        match mac {
            Hmac::S256(m) => m.update(data),
            Hmac::S384(m) => m.update(data),
        }
    }

    fn hmac_final(mac: &mut Hmac, out: &mut [u8; MAX_HASH_LEN]) {
        match mac {
            Hmac::S256(m) => out[..32].copy_from_slice(&m.clone().finalize().into_bytes()),
            Hmac::S384(m) => out.copy_from_slice(&m.clone().finalize().into_bytes()),
        }
    }

    fn aead_key(alg: AeadAlg, raw: &[u8]) -> Option<AeadKey> {
        // What the ciphers do with their keys is not looked at: they are others in the kernel.
        let mut raw = raw.to_vec();
        memcheck::declassify(&mut raw[..]);
        let raw = &raw[..];
        Some(match alg {
            AeadAlg::Aes128Gcm => {
                AeadKey::Aes128(Box::new(aes_gcm::Aes128Gcm::new_from_slice(raw).ok()?))
            }
            AeadAlg::Aes256Gcm => {
                AeadKey::Aes256(Box::new(aes_gcm::Aes256Gcm::new_from_slice(raw).ok()?))
            }
            AeadAlg::ChaCha20Poly1305 => AeadKey::ChaCha(Box::new(
                chacha20poly1305::ChaCha20Poly1305::new_from_slice(raw).ok()?,
            )),
        })
    }

    fn aead_seal(key: &AeadKey, nonce: &[u8; 12], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_LEN] {
        // See aead_key().
        let mut nonce = *nonce;
        memcheck::declassify(&mut nonce);
        let nonce = (&nonce).into();
        match key {
            AeadKey::Aes128(k) => k.encrypt_in_place_detached(nonce, aad, buf),
            AeadKey::Aes256(k) => k.encrypt_in_place_detached(nonce, aad, buf),
            AeadKey::ChaCha(k) => k.encrypt_in_place_detached(nonce, aad, buf),
        }
        .unwrap()
        .into()
    }

    fn aead_open(
        key: &AeadKey,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        // See aead_key().
        let mut nonce = *nonce;
        memcheck::declassify(&mut nonce);
        let nonce = (&nonce).into();
        let tag = tag.into();
        match key {
            AeadKey::Aes128(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
            AeadKey::Aes256(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
            AeadKey::ChaCha(k) => k.decrypt_in_place_detached(nonce, aad, buf, tag),
        }
        .map_err(|_| BadTag)
    }

    fn sha3_256(data: &[u8], out: &mut [u8; 32]) {
        *out = sha3::Sha3_256::digest(data).into();
    }

    fn sha3_512(data: &[u8], out: &mut [u8; 64]) {
        *out = sha3::Sha3_512::digest(data).into();
    }

    fn shake256(data: &[u8], out: &mut [u8]) {
        sha3::Shake256::digest_xof(data, out);
    }

    fn shake128(data: &[u8]) -> sha3::Shake128Reader {
        let mut shake = sha3::Shake128::default();
        sha3::digest::Update::update(&mut shake, data);
        shake.finalize_xof()
    }

    fn shake128_squeeze(shake: &mut sha3::Shake128Reader, out: &mut [u8]) {
        shake.read(out);
    }

    fn x25519_base(public: &mut [u8; 32], secret: &[u8; 32]) {
        *public = x25519_dalek::x25519(*secret, x25519_dalek::X25519_BASEPOINT_BYTES);
    }

    fn x25519(shared: &mut [u8; 32], secret: &[u8; 32], peer: &[u8; 32]) -> bool {
        *shared = x25519_dalek::x25519(*secret, *peer);
        let mut copy = *shared;
        memcheck::declassify(&mut copy);
        copy != [0; 32]
    }

    fn random(buf: &mut [u8]) {
        RANDOM.with_borrow_mut(|given| match given {
            Some(given) => {
                let rest = given.split_off(buf.len());
                buf.copy_from_slice(&std::mem::replace(given, rest));
            }
            None => getrandom::getrandom(buf).unwrap(),
        });
        memcheck::classify(buf);
    }

    fn cpu_has_adx() -> bool {
        if WITHOUT_ASSEMBLY.get() {
            return false;
        }
        // Valgrind knows the instructions, but does not say so in CPUID.
        if memcheck::is_active() {
            let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            return flags.contains(" adx ") && flags.contains(" bmi2 ");
        }
        #[cfg(target_arch = "x86_64")]
        return std::is_x86_feature_detected!("adx") && std::is_x86_feature_detected!("bmi2");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    fn with_avx2(run: impl FnOnce()) -> bool {
        #[cfg(target_arch = "x86_64")]
        let free = !WITHOUT_ASSEMBLY.get()
            && std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("popcnt");
        #[cfg(not(target_arch = "x86_64"))]
        let free = false;
        if free {
            run();
        }
        free
    }
}
