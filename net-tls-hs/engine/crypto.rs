// SPDX-License-Identifier: GPL-2.0

//! What the engine takes from the platform's crypto library.
//!
//! The kernel implements [`Crypto`] with lib/crypto (see `kcrypto.rs`), the host tests with
//! crates. It is a set of associated functions, not an object: lib/crypto has no state of its own,
//! and generic code compiles to direct calls.
//!
//! Every function may be called from any context, softirq included, and none of them allocates.

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
    pub const fn len(self) -> usize {
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

/// A ciphertext did not authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTag;

/// The platform's crypto library.
pub trait Crypto: Sized {
    /// A running hash. Cloned to take the hash of a transcript and go on.
    type Hash: Clone;
    /// A key prepared for HMAC. Wiped when dropped.
    type HmacKey;
    /// A running HMAC. Wiped when finished or dropped.
    type Hmac;
    /// A key prepared for an AEAD. Wiped when dropped.
    type AeadKey;
    /// SHAKE128 (FIPS 202) from which output is taken. Wiped when dropped.
    type Shake128;

    /// Starts a hash.
    fn hash_init(alg: HashAlg) -> Self::Hash;
    /// Adds data to a hash.
    fn hash_update(hash: &mut Self::Hash, data: &[u8]);
    /// Ends a hash and writes `alg.len()` bytes to the start of the result; the rest is zero.
    fn hash_final(hash: Self::Hash) -> [u8; MAX_HASH_LEN];

    /// Prepares a key of any length for HMAC (RFC 2104).
    fn hmac_key(alg: HashAlg, raw: &[u8]) -> Self::HmacKey;
    /// Starts an HMAC with a prepared key.
    fn hmac_init(key: &Self::HmacKey) -> Self::Hmac;
    /// Adds data to an HMAC.
    fn hmac_update(mac: &mut Self::Hmac, data: &[u8]);
    /// Ends an HMAC and writes the hash's length of bytes to the start of `out`, which must have
    /// room for [`MAX_HASH_LEN`]; the rest is left as it is.
    fn hmac_final(mac: &mut Self::Hmac, out: &mut [u8; MAX_HASH_LEN]);

    /// Prepares an AEAD key. `raw` must have [`AeadAlg::key_len`] bytes; `None` if it does not.
    fn aead_key(alg: AeadAlg, raw: &[u8]) -> Option<Self::AeadKey>;
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

    /// SHA3-256 (FIPS 202).
    fn sha3_256(data: &[u8], out: &mut [u8; 32]);
    /// SHA3-512 (FIPS 202).
    fn sha3_512(data: &[u8], out: &mut [u8; 64]);
    /// SHAKE256 (FIPS 202) with as much output as there is room for.
    fn shake256(data: &[u8], out: &mut [u8]);
    /// Starts SHAKE128 (FIPS 202) with all of its input.
    fn shake128(data: &[u8]) -> Self::Shake128;
    /// Fills `out` with the next output of SHAKE128.
    fn shake128_squeeze(shake: &mut Self::Shake128, out: &mut [u8]);

    /// X25519 (RFC 7748) of a secret and the base point: the public key.
    fn x25519_base(public: &mut [u8; 32], secret: &[u8; 32]);
    /// X25519 of a secret and a peer's public key. Returns false if the result is all zeroes
    /// (RFC 7748, section 6.1), in which case it must not be used.
    fn x25519(shared: &mut [u8; 32], secret: &[u8; 32], peer: &[u8; 32]) -> bool;

    /// Fills `buf` from the platform's cryptographic random number generator.
    fn random(buf: &mut [u8]);

    /// Whether the CPU has mulx, adcx and adox. Constant false where there is no assembly.
    fn cpu_has_adx() -> bool;

    /// Runs something that uses popcnt and the registers of AVX2, if the CPU has these and they are
    /// free in this context. Returns whether it was run. Constant false where there is no assembly.
    fn with_avx2(run: impl FnOnce()) -> bool;
}
