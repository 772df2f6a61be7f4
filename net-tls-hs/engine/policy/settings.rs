// SPDX-License-Identifier: GPL-2.0

//! The settings of a listener, and the identities that it may use.

use crate::engine::crypto::{HashAlg, P256Key, RsaKey};
use crate::engine::keys::ticket::Tickets;
use crate::engine::policy::chain::Signatures;
use crate::engine::wire::alpn::Protocols;
use crate::engine::wire::certificate::Staples;
use crate::engine::wire::certificate_authorities::Authorities;
use crate::engine::wire::names::{CipherSuite, Group, Scheme};

/// An invalid setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No version, or an unknown bit.
    Versions,
    /// An unknown flag, or flags that exclude each other.
    Flags,
    /// A list with an unknown or duplicate number, or with something behind the zero that ends it.
    List,
}

/// Bits of `versions`.
pub mod version_bits {
    /// TLS_HS_VERSION_1_2.
    pub const TLS_1_2: u32 = 1 << 0;
    /// TLS_HS_VERSION_1_3.
    pub const TLS_1_3: u32 = 1 << 1;
}

/// Bits of `flags`.
pub mod flag_bits {
    /// TLS_HS_F_SNI_STRICT.
    pub const SNI_STRICT: u32 = 1 << 0;
    /// TLS_HS_F_THREAD.
    pub const THREAD: u32 = 1 << 1;
    /// TLS_HS_F_CLIENT_CERT.
    pub const CLIENT_CERT: u32 = 1 << 2;
    /// TLS_HS_F_NO_TICKETS.
    pub const NO_TICKETS: u32 = 1 << 3;
    /// TLS_HS_F_NO_FALLBACK.
    pub const NO_FALLBACK: u32 = 1 << 4;
    /// TLS_HS_F_SOFTIRQ.
    pub const SOFTIRQ: u32 = 1 << 5;
    /// TLS_HS_F_INET_FAMILY, which is only for accept().
    pub const INET_FAMILY: u32 = 1 << 6;
    /// TLS_HS_F_PSK, which is for who looks into the keyring.
    pub const PSK: u32 = 1 << 7;
    /// All flags.
    pub const ALL: u32 =
        SNI_STRICT | THREAD | CLIENT_CERT | NO_TICKETS | NO_FALLBACK | SOFTIRQ | INET_FAMILY | PSK;
}

/// The settings of a listener, `struct tls_hs_settings`, as the engine uses them.
#[derive(Clone, Copy)]
pub struct Config<'a> {
    /// [`version_bits`].
    pub versions: u32,
    /// [`flag_bits`].
    pub flags: u32,
    /// Cipher suites of TLS 1.3, preferred ones first, zero-terminated; empty for all.
    pub cipher_suites: &'a [u16],
    /// Cipher suites of TLS 1.2 that user space serves; empty for any.
    pub tls12_cipher_suites: &'a [u16],
    /// Groups, as above.
    pub groups: &'a [u16],
    /// Signature schemes, as above.
    pub signature_schemes: &'a [u16],
    /// TLS_HS_ALPN: application protocols, preferred ones first; empty for none.
    pub protocols: Protocols<'a>,
    /// Ticket keys, and the time.
    pub tickets: Tickets<'a>,
}

/// The part of a list before the zero that ends it.
fn used(list: &[u16]) -> &[u16] {
    let end = list.iter().position(|v| *v == 0).unwrap_or(list.len());
    list.get(..end).unwrap_or(list)
}

/// The known values of a list in its order, or all that there are.
fn choices<'a, T: Copy + 'a>(
    list: &'a [u16],
    all: &'static [T],
    from_code: impl Fn(u16) -> Option<T> + 'a,
) -> impl Iterator<Item = T> + 'a {
    let list = used(list);
    let default: &[T] = if list.is_empty() { all } else { &[] };
    list.iter()
        .filter_map(move |c| from_code(*c))
        .chain(default.iter().copied())
}

fn check_list(list: &[u16], known: impl Fn(u16) -> bool) -> Result<(), ConfigError> {
    let head = used(list);
    let tail = list.get(head.len()..).unwrap_or(&[]);
    let mut seen = head;
    while let Some((first, rest)) = seen.split_first() {
        if !known(*first) || rest.contains(first) {
            return Err(ConfigError::List);
        }
        seen = rest;
    }
    if tail.iter().any(|v| *v != 0) {
        return Err(ConfigError::List);
    }
    Ok(())
}

impl<'a> Config<'a> {
    /// Checks everything that does not depend on a client.
    pub fn check(&self) -> Result<(), ConfigError> {
        let known = version_bits::TLS_1_2 | version_bits::TLS_1_3;
        if self.versions == 0 || self.versions & !known != 0 {
            return Err(ConfigError::Versions);
        }
        if self.flags & !flag_bits::ALL != 0 {
            return Err(ConfigError::Flags);
        }
        let contexts = flag_bits::THREAD | flag_bits::SOFTIRQ;
        if self.flags & contexts == contexts {
            return Err(ConfigError::Flags);
        }
        // NO_FALLBACK excludes what only user space can serve.
        if self.flags & flag_bits::NO_FALLBACK != 0
            && (self.flags & flag_bits::CLIENT_CERT != 0
                || self.versions & version_bits::TLS_1_2 != 0)
        {
            return Err(ConfigError::Flags);
        }
        check_list(self.cipher_suites, |c| CipherSuite::from_code(c).is_some())?;
        check_list(self.groups, |c| Group::from_code(c).is_some())?;
        check_list(self.signature_schemes, |c| Scheme::from_code(c).is_some())?;
        check_list(self.tls12_cipher_suites, |_| true)
    }

    /// Cipher suites in the order of preference.
    pub fn suites(&self) -> impl Iterator<Item = CipherSuite> + 'a {
        choices(
            self.cipher_suites,
            &CipherSuite::ALL,
            CipherSuite::from_code,
        )
    }

    /// Groups in the order of preference.
    pub fn groups(&self) -> impl Iterator<Item = Group> + 'a {
        choices(self.groups, &Group::ALL, Group::from_code)
    }

    /// Signature schemes in the order of preference.
    pub fn schemes(&self) -> impl Iterator<Item = Scheme> + 'a {
        choices(self.signature_schemes, &Scheme::ALL, Scheme::from_code)
    }

    /// Whether tickets are given out and taken back.
    pub fn resumes(&self) -> bool {
        self.flags & flag_bits::NO_TICKETS == 0 && self.tickets.usable()
    }

    /// What user space serves with TLS 1.2; empty for anything.
    pub fn tls12_suites(&self) -> &'a [u16] {
        used(self.tls12_cipher_suites)
    }
}

/// A private key.
#[derive(Clone, Copy)]
pub enum SigningKey<'a> {
    /// For ecdsa_secp256r1_sha256.
    P256(&'a P256Key),
    /// For rsa_pss_rsae_sha256.
    Rsa(&'a RsaKey),
}

impl SigningKey<'_> {
    /// Whether it is an RSA key, whose signatures take long.
    pub fn is_rsa(&self) -> bool {
        matches!(self, SigningKey::Rsa(_))
    }

    /// The scheme that the key signs with.
    pub fn scheme(&self) -> Scheme {
        match self {
            SigningKey::P256(_) => Scheme::EcdsaSecp256r1Sha256,
            SigningKey::Rsa(_) => Scheme::RsaPssRsaeSha256,
        }
    }
}

/// An identity to prove to a client.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// Its index among the identities of the listener.
    pub index: usize,
    /// The complete Certificate message (RFC 9846, section 4.5.1) with its header, without
    /// extensions.
    pub certificate: &'a [u8],
    /// [`crate::engine::keys::ticket::certificate_digest`] of it.
    pub digest: &'a [u8; 32],
    /// What goes with the leaf if the client wants it.
    pub staples: Staples<'a>,
    /// Whether the name that the client sent has chosen the identity, or the settings.
    pub name_matched: bool,
    /// The private key of the first certificate.
    pub key: SigningKey<'a>,
}

/// A PSK that both sides have been given, see
/// [`external_psk`](crate::engine::policy::external_psk).
#[derive(Clone, Copy)]
pub struct ExternalPsk<'a> {
    /// Its index among the PSKs of the server.
    pub index: usize,
    /// The hash of the cipher suites that it is for.
    pub hash: HashAlg,
    /// The key.
    pub key: &'a [u8],
}

/// Why no identity is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoIdentity {
    /// The keyring holds no identity.
    Empty,
    /// No identity has the name, and the settings have SNI_STRICT.
    UnknownName,
    /// No identity for the name has a key and a chain that the client accepts.
    NoScheme,
}

/// What a client and the settings ask of an identity.
#[derive(Clone, Copy)]
pub struct ClientConstraints<'a> {
    /// The server name.
    pub name: Option<&'a [u8]>,
    /// Whether an unknown name is refused.
    pub strict: bool,
    /// The schemes that the client accepts from the key, in the order of the settings.
    pub schemes: [Option<Scheme>; Scheme::ALL.len()],
    /// The signature algorithms that the client accepts in certificates.
    pub signatures: Signatures,
    /// The authorities that the client names, see certificate_authorities.
    pub authorities: Authorities<'a>,
    /// The time, in seconds since 1970.
    pub now: u64,
}

impl ClientConstraints<'_> {
    /// The place of a scheme in the order of preference; `None` if it must not be used.
    pub fn rank(&self, scheme: Scheme) -> Option<usize> {
        self.schemes.iter().position(|s| *s == Some(scheme))
    }
}

/// The identities of a listener.
pub trait Identities {
    /// Finds the identity for a server name that suits the client best (RFC 9846, section
    /// 4.5.1.2).
    ///
    /// Without a name, or with one that no identity has unless that is refused, it is the default
    /// one.
    fn select(&self, constraints: &ClientConstraints<'_>) -> Result<Identity<'_>, NoIdentity>;

    /// Whether the identity that has been chosen may be used, here and now.
    ///
    /// This is asked once for each ClientHello that is answered, before anything expensive is
    /// computed and while the session is unchanged. `rsa` tells that an RSA signature comes next.
    /// If the answer is no, the session returns
    /// [`Step::Later`](crate::engine::state::step::Step::Later).
    fn may_use(&self, _identity: &Identity<'_>, _rsa: bool) -> bool {
        true
    }

    /// Whether there are external PSKs.
    fn has_external_psks(&self) -> bool {
        false
    }

    /// The external PSK with an identity, if there is one.
    fn external_psk(&self, _identity: &[u8]) -> Option<ExternalPsk<'_>> {
        None
    }

    /// Whether the external PSK with that index may be used, as [`may_use`](Self::may_use). It is
    /// asked instead of that, for a client that has proved that it has the PSK.
    fn may_use_psk(&self, _index: usize) -> bool {
        true
    }
}
