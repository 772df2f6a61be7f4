// SPDX-License-Identifier: GPL-2.0

//! Code points, with the names that IANA's registries and RFC 9846 give them.

use crate::engine::crypto::{AeadAlg, HashAlg};

/// ProtocolVersion of TLS 1.2, also the legacy version of TLS 1.3.
pub const TLS_1_2: u16 = 0x0303;
/// ProtocolVersion of TLS 1.3.
pub const TLS_1_3: u16 = 0x0304;
/// ProtocolVersion of SSL 3.0.
pub const SSL_3_0: u16 = 0x0300;

/// A cipher suite that says that a client has tried a higher version before (RFC 7507).
pub const TLS_FALLBACK_SCSV: u16 = 0x5600;

/// ContentType (RFC 9846, section 5.1).
pub mod content_type {
    /// change_cipher_spec.
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    /// alert.
    pub const ALERT: u8 = 21;
    /// handshake.
    pub const HANDSHAKE: u8 = 22;
    /// application_data.
    pub const APPLICATION_DATA: u8 = 23;
}

/// HandshakeType (RFC 9846, section 4).
pub mod handshake_type {
    /// client_hello.
    pub const CLIENT_HELLO: u8 = 1;
    /// server_hello.
    pub const SERVER_HELLO: u8 = 2;
    /// new_session_ticket.
    pub const NEW_SESSION_TICKET: u8 = 4;
    /// encrypted_extensions.
    pub const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// certificate.
    pub const CERTIFICATE: u8 = 11;
    /// certificate_verify.
    pub const CERTIFICATE_VERIFY: u8 = 15;
    /// finished.
    pub const FINISHED: u8 = 20;
    /// key_update.
    pub const KEY_UPDATE: u8 = 24;
    /// message_hash, which is only in transcripts.
    pub const MESSAGE_HASH: u8 = 254;
}

/// ExtensionType (RFC 9846, section 4.3).
pub mod extension_type {
    /// server_name (RFC 6066).
    pub const SERVER_NAME: u16 = 0;
    /// max_fragment_length (RFC 6066).
    pub const MAX_FRAGMENT_LENGTH: u16 = 1;
    /// status_request (RFC 6066).
    pub const STATUS_REQUEST: u16 = 5;
    /// supported_groups.
    pub const SUPPORTED_GROUPS: u16 = 10;
    /// signature_algorithms.
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    /// application_layer_protocol_negotiation (RFC 7301).
    pub const ALPN: u16 = 16;
    /// signed_certificate_timestamp (RFC 6962).
    pub const SIGNED_CERTIFICATE_TIMESTAMP: u16 = 18;
    /// record_size_limit (RFC 8449).
    pub const RECORD_SIZE_LIMIT: u16 = 28;
    /// pre_shared_key.
    pub const PRE_SHARED_KEY: u16 = 41;
    /// early_data.
    pub const EARLY_DATA: u16 = 42;
    /// supported_versions.
    pub const SUPPORTED_VERSIONS: u16 = 43;
    /// cookie.
    pub const COOKIE: u16 = 44;
    /// psk_key_exchange_modes.
    pub const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    /// certificate_authorities.
    pub const CERTIFICATE_AUTHORITIES: u16 = 47;
    /// signature_algorithms_cert.
    pub const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
    /// key_share.
    pub const KEY_SHARE: u16 = 51;
    /// ticket_request (RFC 9149).
    pub const TICKET_REQUEST: u16 = 58;
}

/// PskKeyExchangeMode psk_dhe_ke (RFC 9846, section 4.3.9).
pub const PSK_DHE_KE: u8 = 1;

/// A cipher suite of TLS 1.3 (RFC 9846, appendix B.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CipherSuite {
    /// TLS_AES_128_GCM_SHA256.
    Aes128GcmSha256,
    /// TLS_AES_256_GCM_SHA384.
    Aes256GcmSha384,
    /// TLS_CHACHA20_POLY1305_SHA256.
    ChaCha20Poly1305Sha256,
}

impl CipherSuite {
    /// All suites, in the default order of preference: SHA-256 costs a third of SHA-384 where the
    /// CPU has SHA instructions.
    pub const ALL: [CipherSuite; 3] = [
        CipherSuite::Aes128GcmSha256,
        CipherSuite::Aes256GcmSha384,
        CipherSuite::ChaCha20Poly1305Sha256,
    ];

    /// IANA's number.
    pub const fn code(self) -> u16 {
        match self {
            CipherSuite::Aes128GcmSha256 => 0x1301,
            CipherSuite::Aes256GcmSha384 => 0x1302,
            CipherSuite::ChaCha20Poly1305Sha256 => 0x1303,
        }
    }

    /// The suite with a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }

    /// The suite's hash function.
    pub const fn hash(self) -> HashAlg {
        match self {
            CipherSuite::Aes256GcmSha384 => HashAlg::Sha384,
            _ => HashAlg::Sha256,
        }
    }

    /// The suite's AEAD.
    pub const fn aead(self) -> AeadAlg {
        match self {
            CipherSuite::Aes128GcmSha256 => AeadAlg::Aes128Gcm,
            CipherSuite::Aes256GcmSha384 => AeadAlg::Aes256Gcm,
            CipherSuite::ChaCha20Poly1305Sha256 => AeadAlg::ChaCha20Poly1305,
        }
    }
}

/// A key exchange group (RFC 9846, section 4.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// X25519MLKEM768 (RFC 10024).
    X25519MlKem768,
    /// x25519.
    X25519,
    /// secp256r1.
    Secp256r1,
}

impl Group {
    /// All groups, in the default order of preference: what a quantum computer cannot break later
    /// comes first.
    pub const ALL: [Group; 3] = [Group::X25519MlKem768, Group::X25519, Group::Secp256r1];

    /// IANA's number.
    pub const fn code(self) -> u16 {
        match self {
            Group::X25519MlKem768 => 0x11ec,
            Group::X25519 => 29,
            Group::Secp256r1 => 23,
        }
    }

    /// The group with a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.code() == code)
    }
}

/// A signature scheme for CertificateVerify (RFC 9846, section 4.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ecdsa_secp256r1_sha256.
    EcdsaSecp256r1Sha256,
    /// rsa_pss_rsae_sha256.
    RsaPssRsaeSha256,
}

impl Scheme {
    /// All schemes, in the default order of preference.
    pub const ALL: [Scheme; 2] = [Scheme::EcdsaSecp256r1Sha256, Scheme::RsaPssRsaeSha256];

    /// IANA's number.
    pub const fn code(self) -> u16 {
        match self {
            Scheme::EcdsaSecp256r1Sha256 => 0x0403,
            Scheme::RsaPssRsaeSha256 => 0x0804,
        }
    }

    /// The scheme with a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}
