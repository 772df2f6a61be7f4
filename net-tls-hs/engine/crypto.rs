// SPDX-License-Identifier: GPL-2.0

//! What the engine takes from the platform's crypto library: all of its cryptography.
//!
//! The kernel implements [`Crypto`] with lib/crypto (see `kcrypto.rs`), the host tests with
//! crates. It is a set of associated functions, not an object: lib/crypto has no state of its own,
//! and generic code compiles to direct calls.
//!
//! Every function may be called from any context, softirq included, and none of them allocates.

use crate::engine::ct::Secret;

/// The longest hash output, of SHA-384.
pub const MAX_HASH_LEN: usize = 48;

/// Length of the nonce of each TLS 1.3 AEAD (RFC 9846, section 5.3).
pub const NONCE_LEN: usize = 12;

/// Length of the authentication tag of each AEAD here.
pub const TAG_LEN: usize = 16;

/// Hash functions of the TLS 1.3 cipher suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlg {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
}

impl HashAlg {
    /// Length of the output in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            HashAlg::Sha256 => 32,
            HashAlg::Sha384 => 48,
        }
    }
}

/// AEAD algorithms of the TLS 1.3 cipher suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadAlg {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

impl AeadAlg {
    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            AeadAlg::Aes128Gcm => 16,
            AeadAlg::Aes256Gcm | AeadAlg::ChaCha20Poly1305 => 32,
        }
    }
}

/// Length of a public key of X25519 (RFC 7748, section 5).
pub const X25519_LEN: usize = 32;

/// Length of an uncompressed point of P-256.
pub const P256_POINT_LEN: usize = 65;

/// Length of an encapsulation key of ML-KEM-768 (FIPS 203, table 3).
pub const MLKEM768_KEY_LEN: usize = 1184;

/// Length of a ciphertext of ML-KEM-768 (FIPS 203, table 3).
pub const MLKEM768_CIPHERTEXT_LEN: usize = 1088;

/// Length of the secret that X25519, P-256 and ML-KEM agree on.
pub const SHARED_SECRET_LEN: usize = 32;

/// The longest signature of ECDSA on P-256, two INTEGERs of 33 bytes in a SEQUENCE.
pub const MAX_ECDSA_SIGNATURE: usize = 72;

/// A private key of P-256, big-endian.
pub struct P256Key(Secret<[u8; 32]>);

impl P256Key {
    /// Takes a private key of up to 32 bytes. `None` if it is longer. Whether it is in range tells
    /// [`Crypto::p256_public_key`].
    pub fn new(scalar: &[u8]) -> Option<Self> {
        let mut key = P256Key(Secret::zeroed());
        let start = key.0.len().checked_sub(scalar.len())?;
        key.0.get_mut(start..)?.copy_from_slice(scalar);
        Some(key)
    }

    /// The scalar.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Length of an [`RsaKey`].
pub const RSA_KEY_WORDS: usize = 359;

/// A private key of RSA, as [`Crypto::rsa_key`] has prepared it: only the platform knows what is in
/// it. All zeroes is a valid value, a key that signs nothing, so that it can be made where it
/// stays.
/// Wiped when dropped.
pub struct RsaKey(Secret<[u64; RSA_KEY_WORDS]>);

impl RsaKey {
    /// What the platform has put there.
    pub fn words(&self) -> &[u64; RSA_KEY_WORDS] {
        &self.0
    }

    /// For the platform to fill in.
    pub fn words_mut(&mut self) -> &mut [u64; RSA_KEY_WORDS] {
        &mut self.0
    }
}

/// The numbers of an RSAPrivateKey (RFC 8017, appendix A.1.2) from which signatures are computed,
/// big-endian.
#[derive(Clone, Copy)]
pub struct RsaNumbers<'a> {
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

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaKeyError {
    /// The modulus has another length than 2048, 3072 or 4096 bits, or the public exponent is an
    /// odd number below 65537 or of more than 32 bits.
    Unsupported,
    /// The numbers do not fit together.
    Inconsistent,
}

/// A signature could not be made: no room for it, a fault, or an invalid key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignError;

/// The peer's public key is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadShare;

/// A ciphertext did not authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTag;

/// The platform's crypto library.
pub trait Crypto: Sized {
    /// A running hash. Cloned to take the hash of a transcript and go on.
    type Hash: Clone;
    /// A key prepared for HMAC. Wiped when dropped.
    type HmacKey;
    /// A key prepared for an AEAD. Wiped when dropped.
    type AeadKey;
    /// Working memory of [`Crypto::mlkem768_encaps`]. All zeroes is a valid value; no secrets are
    /// left in it.
    type MlKemWorkspace;
    /// Working memory of [`Crypto::rsa_pss_sign`]. All zeroes is a valid value; no secrets are left
    /// in it.
    type RsaWorkspace;

    /// Starts a hash.
    fn hash_init(alg: HashAlg) -> Self::Hash;
    /// Adds data to a hash.
    fn hash_update(hash: &mut Self::Hash, data: &[u8]);
    /// Ends a hash and writes `alg.output_len()` bytes to the start of the result; the rest is
    /// zero.
    fn hash_final(hash: Self::Hash) -> [u8; MAX_HASH_LEN];

    /// Prepares a key of any length for HMAC (RFC 2104).
    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Self::HmacKey;
    /// HMAC of parts that follow each other, with a prepared key. Writes the hash's length of bytes
    /// to the start of `out`; the rest is left as it is.
    fn hmac<const N: usize>(key: &Self::HmacKey, parts: [&[u8]; N], out: &mut [u8; MAX_HASH_LEN]);

    /// Lets `run` use a key prepared for an AEAD, which never moves and is wiped after that. `raw`
    /// must have [`AeadAlg::key_len`] bytes; `None` if it does not.
    fn with_aead_key<T>(
        alg: AeadAlg,
        raw: &[u8],
        run: impl FnOnce(&Self::AeadKey) -> T,
    ) -> Option<T>;
    /// Encrypts `buf` in place and returns the tag.
    fn aead_seal(
        key: &Self::AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
    ) -> [u8; TAG_LEN];
    /// Decrypts `buf` in place if the tag is right. What `buf` holds after [`BadTag`] must not be
    /// used.
    fn aead_open(
        key: &Self::AeadKey,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buf: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), BadTag>;

    /// Makes a key pair of X25519 (RFC 7748) and agrees on a secret with a peer.
    fn x25519(
        peer: &[u8; X25519_LEN],
        public: &mut [u8; X25519_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
    ) -> Result<(), BadShare>;

    /// Makes a key pair of P-256 and agrees on a secret with a peer (SP 800-56A), whose key is
    /// validated. Public keys are uncompressed points.
    fn p256_ecdh(
        peer: &[u8; P256_POINT_LEN],
        public: &mut [u8; P256_POINT_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
    ) -> Result<(), BadShare>;

    /// Makes a secret and encapsulates it with ML-KEM-768 (FIPS 203) for the holder of a key, which
    /// is checked.
    fn mlkem768_encaps(
        key: &[u8; MLKEM768_KEY_LEN],
        ciphertext: &mut [u8; MLKEM768_CIPHERTEXT_LEN],
        shared: &mut [u8; SHARED_SECRET_LEN],
        workspace: &mut Self::MlKemWorkspace,
    ) -> Result<(), BadShare>;

    /// The public key of a private key of P-256. `None` if that is out of range.
    fn p256_public_key(key: &P256Key) -> Option<[u8; P256_POINT_LEN]>;

    /// Signs a SHA-256 digest with ECDSA on P-256. Returns the length of the signature, which is
    /// DER.
    fn p256_ecdsa_sign(
        key: &P256Key,
        digest: &[u8; 32],
        signature: &mut [u8; MAX_ECDSA_SIGNATURE],
    ) -> Result<usize, SignError>;

    /// Prepares a private key of RSA. The modulus must have 2048, 3072 or 4096 bits.
    fn rsa_key(key: &mut RsaKey, numbers: &RsaNumbers<'_>) -> Result<(), RsaKeyError>;

    /// Signs a SHA-256 digest with RSASSA-PSS. Returns the length of the signature, that of the
    /// modulus.
    fn rsa_pss_sign(
        key: &RsaKey,
        digest: &[u8; 32],
        signature: &mut [u8],
        workspace: &mut Self::RsaWorkspace,
    ) -> Result<usize, SignError>;

    /// Fills `buf` from the platform's cryptographic random number generator.
    fn random(buf: &mut [u8]);
}
