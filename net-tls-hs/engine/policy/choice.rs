// SPDX-License-Identifier: GPL-2.0

//! Chooses the parameters of a handshake from ClientHello and settings; `session.rs` lists the
//! rules.

use crate::engine::crypto::HashAlg;
use crate::engine::policy::chain::Signatures;
use crate::engine::policy::external_psk::{self, SelectedPsk};
use crate::engine::policy::fallback::{Failure, Fallback};
use crate::engine::policy::settings::{
    flag_bits, version_bits, ClientConstraints, Config, Identities, Identity, NoIdentity,
};
use crate::engine::u16_set::U16Set;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::client_hello::{ClientHello, KeyShares};
use crate::engine::wire::codec::U16List;
use crate::engine::wire::names::{
    CipherSuite, Group, Scheme, SSL_3_0, TLS_1_2, TLS_1_3, TLS_FALLBACK_SCSV,
};
use crate::engine::wire::record_limit::RecordLimit;

/// What the server proves its identity with, unless the handshake is a resumption.
pub enum Credential<'a> {
    /// A certificate chain and its private key.
    Certificate(Identity<'a>),
    /// An external PSK, with which the client proves its own, too.
    ExternalPsk(SelectedPsk<'a>),
}

/// The parameters of a handshake.
pub struct Choice<'a> {
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The group of the key exchange.
    pub group: Group,
    /// The client's public key; `None` if there is none for a common group.
    pub peer: Option<&'a [u8]>,
    /// The certificate or PSK of the server.
    pub credential: Credential<'a>,
    /// The application protocol.
    pub protocol: Option<&'a [u8]>,
    /// How long records to the client may be.
    pub record_limit: RecordLimit,
    /// Without signature_algorithms a certificate is of no use to the client (section 4.3.3).
    pub needs_ticket: bool,
}

impl<'a> Choice<'a> {
    /// The certificate chain and private key of the server, unless it is an external PSK that is
    /// used.
    pub fn identity(&self) -> Option<&Identity<'a>> {
        match &self.credential {
            Credential::Certificate(identity) => Some(identity),
            Credential::ExternalPsk(_) => None,
        }
    }

    /// The external PSK.
    pub fn external_psk(&self) -> Option<&SelectedPsk<'a>> {
        match &self.credential {
            Credential::Certificate(_) => None,
            Credential::ExternalPsk(selected) => Some(selected),
        }
    }

    /// Whether the handshake cannot be done without a PSK, so that its binder has to be right
    /// before anything is answered.
    pub fn needs_psk(&self) -> bool {
        self.needs_ticket || self.external_psk().is_some()
    }
}

/// The first cipher suites in common for each hash.
struct CommonSuites {
    first: Option<CipherSuite>,
    sha256: Option<CipherSuite>,
    sha384: Option<CipherSuite>,
}

impl CommonSuites {
    fn new(hello: &ClientHello<'_>, config: &Config<'_>) -> Self {
        let mut suites = CommonSuites {
            first: None,
            sha256: None,
            sha384: None,
        };
        for suite in config.suites() {
            if hello.cipher_suites.contains(suite.code()) {
                let first = match suite.hash() {
                    HashAlg::Sha256 => &mut suites.sha256,
                    HashAlg::Sha384 => &mut suites.sha384,
                };
                first.get_or_insert(suite);
                suites.first.get_or_insert(suite);
            }
        }
        suites
    }

    fn with(&self, hash: HashAlg) -> Option<CipherSuite> {
        match hash {
            HashAlg::Sha256 => self.sha256,
            HashAlg::Sha384 => self.sha384,
        }
    }
}

/// Checks that TLS 1.3 is negotiated; else the handshake falls back to user space or fails.
fn check_version(
    hello: &ClientHello<'_>,
    config: &Config<'_>,
    set: &mut U16Set,
) -> Result<(), Failure> {
    // Appendix E.5: SSL 3.0 is refused even if it is only in legacy_version.
    if hello.legacy_version <= SSL_3_0 {
        return Err(Alert::ProtocolVersion.into());
    }
    let offers = |version| match &hello.supported_versions {
        Some(versions) => versions.contains(version),
        // Section 4.3.1: without the extension it is legacy_version, TLS 1.2 at most.
        None => version == TLS_1_2 && hello.legacy_version >= TLS_1_2,
    };
    if config.versions & version_bits::TLS_1_3 != 0 && offers(TLS_1_3) {
        // Section 4.2.2: there is no other one in TLS 1.3.
        return match hello.legacy_version {
            TLS_1_2 => Ok(()),
            _ => Err(Alert::ProtocolVersion.into()),
        };
    }
    if config.versions & version_bits::TLS_1_2 == 0 || !offers(TLS_1_2) {
        return Err(Alert::ProtocolVersion.into());
    }
    if config.versions & version_bits::TLS_1_3 != 0
        && hello.cipher_suites.contains(TLS_FALLBACK_SCSV)
    {
        return Err(Alert::InappropriateFallback.into());
    }
    let served = config.tls12_suites();
    set.assign(hello.cipher_suites.iter());
    if !served.is_empty() && !served.iter().any(|s| set.contains(*s)) {
        return Err(Alert::HandshakeFailure.into());
    }
    Err(Failure::Fallback(Fallback::Version))
}

/// What a ClientHello of TLS 1.3 must have or must not have (sections 4.2.2, 4.3 and 9.2). Returns
/// supported_groups and key_share.
fn check_extensions<'a>(hello: &ClientHello<'a>) -> Result<(U16List<'a>, KeyShares<'a>), Failure> {
    if hello.compression_methods != [0] || hello.cookie {
        return Err(Alert::IllegalParameter.into());
    }
    if hello.pre_shared_key.is_some() && hello.psk_dhe_ke.is_none() {
        return Err(Alert::MissingExtension.into());
    }
    if hello.pre_shared_key.is_none() && hello.signature_algorithms.is_none() {
        return Err(Alert::MissingExtension.into());
    }
    match (hello.supported_groups, hello.key_share) {
        (Some(groups), Some(shares)) => Ok((groups, shares)),
        // With psk_ke neither is needed; it is not supported.
        (None, None) if hello.pre_shared_key.is_some() => {
            Err(Failure::Fallback(Fallback::NotSupported))
        }
        _ => Err(Alert::MissingExtension.into()),
    }
}

/// Chooses all parameters of the handshake. What this costs grows with the length of the
/// ClientHello; `set` is memory for it.
#[inline(never)]
pub fn choose<'a>(
    hello: &ClientHello<'a>,
    config: &Config<'a>,
    identities: &'a impl Identities,
    set: &mut U16Set,
) -> Result<Choice<'a>, Failure> {
    hello.check_unique(set)?;
    check_version(hello, config, set)?;
    let (groups, shares) = check_extensions(hello)?;
    let record_limit = RecordLimit::new(hello.record_size_limit, hello.max_fragment_length)?;
    let mut ranked = [None; Group::ALL.len()];
    for (slot, group) in ranked.iter_mut().zip(config.groups()) {
        *slot = Some(group);
    }
    let rank = |code| {
        ranked
            .iter()
            .position(|g| g.is_some_and(|g: Group| g.code() == code))
    };
    set.assign(groups.iter());
    let shared = shares.choose(set, rank)?;
    let shared = shared.and_then(|(rank, peer)| Some((*ranked.get(rank)?.as_ref()?, peer)));
    if config.flags & flag_bits::CLIENT_CERT != 0 {
        return Err(Failure::Fallback(Fallback::ClientCertificate));
    }

    let suites = CommonSuites::new(hello, config);
    let suite = suites.first.ok_or(Failure::Fallback(Fallback::Suite))?;
    // A group with a share saves a round trip.
    let (group, peer) = match shared {
        Some((group, peer)) => (group, Some(peer)),
        None => config
            .groups()
            .find(|g| set.contains(g.code()))
            .map(|g| (g, None))
            .ok_or(Failure::Fallback(Fallback::Group))?,
    };

    let external = match (&hello.pre_shared_key, hello.psk_dhe_ke) {
        (Some(offered), Some(true)) => {
            external_psk::select(offered, identities, |hash| suites.with(hash).is_some())
        }
        _ => None,
    };
    let credential = match external {
        Some(selected) => Credential::ExternalPsk(selected),
        None => choose_credential(hello, config, identities, &suites)?,
    };
    let suite = match &credential {
        Credential::Certificate(_) => suite,
        Credential::ExternalPsk(selected) => suites.with(selected.psk.alg).unwrap_or(suite),
    };
    let protocol = config.protocols.choose(hello.protocols)?;
    Ok(Choice {
        suite,
        group,
        peer,
        needs_ticket: hello.signature_algorithms.is_none()
            && matches!(credential, Credential::Certificate(_)),
        credential,
        protocol,
        record_limit,
    })
}

/// Chooses what to do for a client that offers no external PSK that the server has: a certificate
/// if there is one.
#[inline(never)]
fn choose_credential<'a>(
    hello: &ClientHello<'a>,
    config: &Config<'a>,
    identities: &'a impl Identities,
    suites: &CommonSuites,
) -> Result<Credential<'a>, Failure> {
    let strict = config.flags & flag_bits::SNI_STRICT != 0;
    let algorithms = hello.signature_algorithms;
    let mut constraints = ClientConstraints {
        name: hello.server_name.filter(|name| !name.is_empty()),
        strict,
        schemes: Default::default(),
        // Section 4.3.3: one list for both if there is only one. A resumption needs none.
        signatures: hello
            .signature_algorithms_cert
            .or(algorithms)
            .map_or(Signatures::ANY, |list| Signatures::accepted(&list)),
        authorities: hello.certificate_authorities.unwrap_or_default(),
        now: config.tickets.now,
    };
    let accepts = |s: &Scheme| algorithms.is_none_or(|list| list.contains(s.code()));
    let schemes = config.schemes().filter(accepts);
    for (slot, scheme) in constraints.schemes.iter_mut().zip(schemes) {
        *slot = Some(scheme);
    }
    let mut identity = match identities.select(&constraints) {
        Ok(identity) => identity,
        Err(NoIdentity::Empty) if identities.has_external_psks() => {
            return without_psk(hello, config, suites);
        }
        Err(NoIdentity::Empty) => return Err(Failure::Fallback(Fallback::NoIdentity)),
        Err(NoIdentity::UnknownName) => return Err(Alert::UnrecognizedName.into()),
        Err(NoIdentity::NoScheme) => return Err(Failure::Fallback(Fallback::SignatureScheme)),
    };
    identity.staples = identity.staples.filter(
        hello.status_request == Some(true),
        hello.signed_certificate_timestamp,
    );
    Ok(Credential::Certificate(identity))
}

/// What becomes of a client that has none of the PSKs of a server that has nothing else: user space
/// may know its PSK. Where user space does not get it, an identity that is unknown must not look
/// otherwise than one whose binder is wrong.
fn without_psk<'a>(
    hello: &ClientHello<'_>,
    config: &Config<'_>,
    suites: &CommonSuites,
) -> Result<Credential<'a>, Failure> {
    let offered = hello.pre_shared_key.as_ref();
    match offered.filter(|_| hello.psk_dhe_ke == Some(true)) {
        Some(offered) if config.flags & flag_bits::NO_FALLBACK != 0 => {
            let suits = |hash| suites.with(hash).is_some();
            let stand_in = external_psk::stand_in(offered, suits);
            Ok(Credential::ExternalPsk(stand_in))
        }
        _ => Err(Failure::Fallback(Fallback::ExternalPsk)),
    }
}
