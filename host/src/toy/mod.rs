// SPDX-License-Identifier: GPL-2.0
//! Cryptography that protects nothing and costs next to nothing, with the lengths of the real one:
//! for a fuzzer of the engine, which does some thousand handshakes in the time of one.
//!
//! Everybody can compute each shared secret from what is on the wire. A hash has 64 bits, a key is
//! its hash. What must fail still does: a wrong tag, a wrong MAC, a share that is none. Nothing
//! here allocates.

mod mlkem;
mod p256;

use crate::engine::crypto::*;

/// The toy.
pub struct Toy;

std::thread_local! {
    static RANDOM: std::cell::Cell<u64> = const { std::cell::Cell::new(1) };
}

/// Where the random numbers of this thread start.
pub fn seed(seed: u64) {
    RANDOM.set(seed);
}

fn mix(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
    (wide as u64) ^ ((wide >> 64) as u64) ^ a.rotate_left(29)
}

/// Bytes that follow from a number.
pub fn expand(mut state: u64, out: &mut [u8]) {
    for part in out.chunks_mut(8) {
        state = mix(state, 0x5851_f42d_4c95_7f2d);
        part.copy_from_slice(&state.to_be_bytes()[..part.len()]);
    }
}

/// A running hash or MAC: the same however its input is cut.
#[derive(Clone)]
pub struct Hash {
    state: u64,
    pending: [u8; 8],
    len: u64,
    out: usize,
}

impl Hash {
    fn new(state: u64, out: usize) -> Self {
        Hash {
            state,
            pending: [0; 8],
            len: 0,
            out,
        }
    }

    fn update(&mut self, mut data: &[u8]) {
        let have = (self.len % 8) as usize;
        self.len += data.len() as u64;
        if have != 0 {
            let (head, rest) = data.split_at(data.len().min(8 - have));
            self.pending[have..have + head.len()].copy_from_slice(head);
            data = rest;
            if have + head.len() < 8 {
                return;
            }
            self.state = mix(self.state, u64::from_be_bytes(self.pending));
        }
        let mut words = data.chunks_exact(8);
        for word in &mut words {
            self.state = mix(self.state, u64::from_be_bytes(word.try_into().unwrap()));
        }
        self.pending[..words.remainder().len()].copy_from_slice(words.remainder());
    }

    fn end(&self) -> u64 {
        let mut last = [0; 8];
        let have = (self.len % 8) as usize;
        last[..have].copy_from_slice(&self.pending[..have]);
        mix(mix(self.state, u64::from_be_bytes(last)), self.len)
    }
}

/// The hash of some bytes.
pub fn hash(data: &[u8]) -> u64 {
    let mut hash = Hash::new(3, 32);
    hash.update(data);
    hash.end()
}

impl Crypto for Toy {
    type Hash = Hash;
    type HmacKey = Hash;
    type AeadKey = u64;
    type MlKemWorkspace = ();
    type RsaWorkspace = ();

    fn hash_init(alg: HashAlg) -> Hash {
        Hash::new(alg.output_len() as u64, alg.output_len())
    }

    fn hash_update(hash: &mut Hash, data: &[u8]) {
        hash.update(data);
    }

    fn hash_final(hash: Hash) -> [u8; MAX_HASH_LEN] {
        let mut out = [0; MAX_HASH_LEN];
        expand(hash.end(), &mut out[..hash.out]);
        out
    }

    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Hash {
        Hash::new(mix(hash(raw), 7), alg.output_len())
    }

    fn hmac<const N: usize>(key: &Hash, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]) {
        let mut mac = key.clone();
        for part in parts {
            mac.update(part);
        }
        expand(mac.end(), &mut out[..mac.out]);
    }

    fn with_aead_key<T>(alg: AeadAlg, raw: &[u8], run: impl FnOnce(&u64) -> T) -> Option<T> {
        (raw.len() == alg.key_len()).then(|| run(&mix(hash(raw), alg as u64)))
    }

    fn aead_seal(key: &u64, nonce: &[u8; 12], aad: &[u8], buf: &mut [u8]) -> [u8; TAG_LEN] {
        crypt(*key, nonce, buf);
        tag(*key, nonce, aad, buf)
    }

    fn aead_open(
        key: &u64,
        nonce: &[u8; 12],
        aad: &[u8],
        buf: &mut [u8],
        given: &[u8; TAG_LEN],
    ) -> Result<(), BadTag> {
        if tag(*key, nonce, aad, buf) != *given {
            return Err(BadTag);
        }
        crypt(*key, nonce, buf);
        Ok(())
    }

    fn x25519(
        peer: &[u8; 32],
        public: &mut [u8; 32],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        Self::random(public);
        agree(public, peer, shared);
        (*peer != [0; 32]).then_some(()).ok_or(BadShare)
    }

    fn p256_ecdh(
        peer: &[u8; 65],
        public: &mut [u8; 65],
        shared: &mut [u8; 32],
    ) -> Result<(), BadShare> {
        p256::ecdh::<Self>(peer, public, shared)
    }

    fn mlkem768_encaps(
        key: &[u8; MLKEM768_KEY_LEN],
        ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
        shared: &mut [u8; 32],
        _: &mut (),
    ) -> Result<(), BadShare> {
        mlkem::encapsulate::<Self>(key, ciphertext, shared)
    }

    fn p256_public_key(key: &P256Key) -> Option<[u8; 65]> {
        (*key.as_bytes() != [0; 32]).then(|| p256::public_key(key.as_bytes()))
    }

    fn p256_ecdsa_sign(
        key: &P256Key,
        digest: &[u8; 32],
        signature: &mut [u8; MAX_ECDSA_SIGNATURE],
    ) -> Result<usize, SignError> {
        Ok(p256::sign(key.as_bytes(), digest, signature))
    }

    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError> {
        match numbers.n.len() {
            256 | 384 | 512 => {
                let [len, hashed, ..] = key.words_mut();
                (*len, *hashed) = (numbers.n.len() as u64, hash(numbers.p));
                Ok(())
            }
            _ => Err(RsaKeyError::Unsupported),
        }
    }

    fn rsa_pss_sign(
        key: &RsaKey,
        digest: &[u8; 32],
        signature: &mut [u8],
        _: &mut (),
    ) -> Result<usize, SignError> {
        let [len, hashed, ..] = *key.words();
        let signature = signature.get_mut(..len as usize).ok_or(SignError)?;
        expand(hash(digest) ^ hashed, signature);
        Ok(signature.len())
    }

    fn random(buf: &mut [u8]) {
        let state = mix(RANDOM.get(), 11);
        RANDOM.set(state);
        expand(state, buf);
    }
}

/// What two public keys agree on.
pub fn agree(one: &[u8; 32], other: &[u8; 32], shared: &mut [u8; 32]) {
    for ((s, a), b) in shared.iter_mut().zip(one).zip(other) {
        *s = *a ^ *b;
    }
    expand(hash(shared), shared);
}

fn crypt(key: u64, nonce: &[u8; 12], buf: &mut [u8]) {
    let mut state = mix(key, hash(nonce));
    for part in buf.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        for (byte, mask) in part.iter_mut().zip(state.to_be_bytes()) {
            *byte ^= mask;
        }
    }
}

fn tag(key: u64, nonce: &[u8; 12], aad: &[u8], buf: &[u8]) -> [u8; TAG_LEN] {
    let mut mac = Hash::new(mix(key, hash(nonce)), TAG_LEN);
    mac.update(buf);
    mac.update(aad);
    let mut out = [0; TAG_LEN];
    expand(mac.end(), &mut out);
    out
}
