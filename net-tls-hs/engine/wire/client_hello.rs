// SPDX-License-Identifier: GPL-2.0

//! The ClientHello (RFC 9846, section 4.2.2) and its extensions.
//!
//! Parsing checks form: lengths, duplicates, what each known extension may look like. What the
//! fields mean for the handshake is decided in `choice.rs`. Extensions that are not in
//! [`extension_type`](crate::engine::wire::names::extension_type) are skipped, whatever they hold,
//! GREASE (RFC 8701) among them.

use crate::engine::u16_set::U16Set;
use crate::engine::wire::alert::Alert;
use crate::engine::wire::alpn::Protocols;
use crate::engine::wire::certificate::STATUS_TYPE_OCSP;
use crate::engine::wire::certificate_authorities::Authorities;
use crate::engine::wire::codec::{Reader, U16List};
use crate::engine::wire::names::{extension_type as ext, PSK_DHE_KE};
use crate::engine::wire::pre_shared_key::OfferedPsks;
use crate::engine::wire::ticket_request::TicketRequest;

/// A ClientHello, borrowing from the message.
pub struct ClientHello<'a> {
    /// legacy_version.
    pub legacy_version: u16,
    /// legacy_session_id, up to 32 bytes.
    pub session_id: &'a [u8],
    /// cipher_suites.
    pub cipher_suites: U16List<'a>,
    /// legacy_compression_methods.
    pub compression_methods: &'a [u8],
    /// supported_versions.
    pub supported_versions: Option<U16List<'a>>,
    /// The host name of server_name, as it was sent; empty if the extension lists other kinds of
    /// names only.
    pub server_name: Option<&'a [u8]>,
    /// supported_groups.
    pub supported_groups: Option<U16List<'a>>,
    /// key_share.
    pub key_share: Option<KeyShares<'a>>,
    /// signature_algorithms.
    pub signature_algorithms: Option<U16List<'a>>,
    /// application_layer_protocol_negotiation.
    pub protocols: Option<Protocols<'a>>,
    /// status_request: whether it asks for OCSP.
    pub status_request: Option<bool>,
    /// signed_certificate_timestamp is there.
    pub signed_certificate_timestamp: bool,
    /// max_fragment_length.
    pub max_fragment_length: Option<u8>,
    /// record_size_limit.
    pub record_size_limit: Option<u16>,
    /// signature_algorithms_cert.
    pub signature_algorithms_cert: Option<U16List<'a>>,
    /// certificate_authorities.
    pub certificate_authorities: Option<Authorities<'a>>,
    /// psk_key_exchange_modes: whether it has psk_dhe_ke.
    pub psk_dhe_ke: Option<bool>,
    /// pre_shared_key.
    pub pre_shared_key: Option<OfferedPsks<'a>>,
    /// early_data is there.
    pub early_data: bool,
    /// cookie is there.
    pub cookie: bool,
    /// ticket_request.
    pub ticket_request: Option<TicketRequest>,
    /// All extensions.
    extensions: Reader<'a>,
}

/// The entries of key_share (RFC 9846, section 4.3.8), known to be well formed.
#[derive(Clone, Copy)]
pub struct KeyShares<'a>(Reader<'a>);

impl<'a> KeyShares<'a> {
    fn parse(mut body: Reader<'a>) -> Result<Self, Alert> {
        let list = body.vec16(0, 0xffff)?;
        body.finish()?;
        let shares = KeyShares(list);
        let mut rest = list;
        while !rest.is_empty() {
            Self::entry(&mut rest)?;
        }
        Ok(shares)
    }

    fn entry(list: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Alert> {
        let group = list.u16()?;
        let key = list.vec16(1, 0xffff)?;
        Ok((group, key.rest()))
    }

    /// Groups and public keys in the order of the client.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest.is_empty() {
                None
            } else {
                Self::entry(&mut rest).ok()
            }
        })
    }

    /// Checks that each entry is for another group, and one that the client supports: section 4.3.8
    /// lets a server do so. Returns the entry with the lowest rank, which is what `rank` says of
    /// its group, and its public key. Of `supported`, the groups without an entry are left.
    pub fn choose(
        &self,
        supported: &mut U16Set,
        rank: impl Fn(u16) -> Option<usize>,
    ) -> Result<Option<(usize, &'a [u8])>, Alert> {
        let mut best: Option<(usize, &[u8])> = None;
        for (group, key) in self.iter() {
            if !supported.remove(group) {
                return Err(Alert::IllegalParameter);
            }
            if let Some(rank) = rank(group) {
                if best.is_none_or(|(lowest, _)| rank < lowest) {
                    best = Some((rank, key));
                }
            }
        }
        Ok(best)
    }
}

/// The host name of a server_name extension (RFC 6066, section 3).
fn parse_server_name(mut body: Reader<'_>) -> Result<&[u8], Alert> {
    const HOST_NAME: u8 = 0;
    let mut list = body.vec16(1, 0xffff)?;
    body.finish()?;
    let mut host: Option<&[u8]> = None;
    while !list.is_empty() {
        let name_type = list.u8()?;
        let name = list.vec16(1, 0xffff)?;
        if name_type != HOST_NAME {
            continue;
        }
        // A HostName is ASCII. There must not be more than one of a type.
        if !name.rest().iter().all(u8::is_ascii_graphic) || host.replace(name.rest()).is_some() {
            return Err(Alert::IllegalParameter);
        }
    }
    Ok(host.unwrap_or(&[]))
}

/// Whether a status_request (RFC 6066, section 8) is for OCSP. Whose signature the client would
/// like on the response does not count: there is one response at most.
fn parse_status_request(mut body: Reader<'_>) -> Result<bool, Alert> {
    if body.u8()? != STATUS_TYPE_OCSP {
        return Ok(false);
    }
    let mut responders = body.vec16(0, 0xffff)?;
    body.vec16(0, 0xffff)?;
    body.finish()?;
    while !responders.is_empty() {
        responders.vec16(1, 0xffff)?;
    }
    Ok(true)
}

fn parse_u16_list(mut body: Reader<'_>) -> Result<U16List<'_>, Alert> {
    let list = body.vec16(2, 0xfffe)?;
    body.finish()?;
    U16List::new(list)
}

fn parse_versions(mut body: Reader<'_>) -> Result<U16List<'_>, Alert> {
    let list = body.vec8(2, 254)?;
    body.finish()?;
    U16List::new(list)
}

impl<'a> ClientHello<'a> {
    /// Parses the body of a ClientHello message.
    pub fn parse(body: &'a [u8]) -> Result<Self, Alert> {
        let mut r = Reader::new(body);
        let legacy_version = r.u16()?;
        let _random: &[u8; 32] = r.array()?;
        let session_id = r.vec8(0, 32)?.rest();
        let cipher_suites = U16List::new(r.vec16(2, 0xfffe)?)?;
        let compression_methods = r.vec8(1, 0xff)?.rest();

        let mut hello = ClientHello {
            legacy_version,
            session_id,
            cipher_suites,
            compression_methods,
            supported_versions: None,
            server_name: None,
            supported_groups: None,
            key_share: None,
            signature_algorithms: None,
            signature_algorithms_cert: None,
            certificate_authorities: None,
            protocols: None,
            status_request: None,
            signed_certificate_timestamp: false,
            max_fragment_length: None,
            record_size_limit: None,
            psk_dhe_ke: None,
            pre_shared_key: None,
            early_data: false,
            cookie: false,
            ticket_request: None,
            extensions: Reader::new(&[]),
        };
        // Clients before TLS 1.2 may have no extensions at all.
        if !r.is_empty() {
            hello.extensions = r.vec16(0, 0xffff)?;
            r.finish()?;
            hello.parse_extensions(hello.extensions)?;
        }
        Ok(hello)
    }

    fn parse_extensions(&mut self, mut list: Reader<'a>) -> Result<(), Alert> {
        while !list.is_empty() {
            let extension_type = list.u16()?;
            let body = list.vec16(0, 0xffff)?;
            // Section 4.3.11: pre_shared_key is the last one.
            if self.pre_shared_key.is_some() {
                return Err(Alert::IllegalParameter);
            }
            match self.has(extension_type) {
                Some(true) => return Err(Alert::IllegalParameter),
                Some(false) => self.parse_extension(extension_type, body)?,
                // See `check_unique`.
                None => (),
            }
        }
        Ok(())
    }

    /// Checks that no extension is there twice (section 4.3), be it known here or not.
    pub fn check_unique(&self, set: &mut U16Set) -> Result<(), Alert> {
        let mut list = self.extensions;
        set.clear();
        while !list.is_empty() {
            if !set.insert(list.u16()?) {
                return Err(Alert::IllegalParameter);
            }
            list.vec16(0, 0xffff)?;
        }
        Ok(())
    }

    /// Whether an extension has been read already; `None` if it is none of those that are.
    fn has(&self, extension_type: u16) -> Option<bool> {
        Some(match extension_type {
            ext::SERVER_NAME => self.server_name.is_some(),
            ext::SUPPORTED_GROUPS => self.supported_groups.is_some(),
            ext::SIGNATURE_ALGORITHMS => self.signature_algorithms.is_some(),
            ext::ALPN => self.protocols.is_some(),
            ext::STATUS_REQUEST => self.status_request.is_some(),
            ext::SIGNED_CERTIFICATE_TIMESTAMP => self.signed_certificate_timestamp,
            ext::MAX_FRAGMENT_LENGTH => self.max_fragment_length.is_some(),
            ext::RECORD_SIZE_LIMIT => self.record_size_limit.is_some(),
            ext::SIGNATURE_ALGORITHMS_CERT => self.signature_algorithms_cert.is_some(),
            ext::CERTIFICATE_AUTHORITIES => self.certificate_authorities.is_some(),
            ext::PRE_SHARED_KEY => self.pre_shared_key.is_some(),
            ext::EARLY_DATA => self.early_data,
            ext::SUPPORTED_VERSIONS => self.supported_versions.is_some(),
            ext::COOKIE => self.cookie,
            ext::TICKET_REQUEST => self.ticket_request.is_some(),
            ext::PSK_KEY_EXCHANGE_MODES => self.psk_dhe_ke.is_some(),
            ext::KEY_SHARE => self.key_share.is_some(),
            _ => return None,
        })
    }

    fn parse_extension(&mut self, extension_type: u16, mut body: Reader<'a>) -> Result<(), Alert> {
        match extension_type {
            ext::SERVER_NAME => self.server_name = Some(parse_server_name(body)?),
            ext::SUPPORTED_GROUPS => self.supported_groups = Some(parse_u16_list(body)?),
            ext::SIGNATURE_ALGORITHMS => self.signature_algorithms = Some(parse_u16_list(body)?),
            ext::ALPN => self.protocols = Some(Protocols::parse(body)?),
            ext::SIGNATURE_ALGORITHMS_CERT => {
                self.signature_algorithms_cert = Some(parse_u16_list(body)?);
            }
            ext::CERTIFICATE_AUTHORITIES => {
                self.certificate_authorities = Some(Authorities::parse(body)?);
            }
            ext::SUPPORTED_VERSIONS => self.supported_versions = Some(parse_versions(body)?),
            ext::STATUS_REQUEST => self.status_request = Some(parse_status_request(body)?),
            ext::SIGNED_CERTIFICATE_TIMESTAMP => {
                body.finish()?;
                self.signed_certificate_timestamp = true;
            }
            ext::MAX_FRAGMENT_LENGTH => {
                self.max_fragment_length = Some(body.u8()?);
                body.finish()?;
            }
            ext::RECORD_SIZE_LIMIT => {
                self.record_size_limit = Some(body.u16()?);
                body.finish()?;
            }
            ext::KEY_SHARE => self.key_share = Some(KeyShares::parse(body)?),
            ext::PSK_KEY_EXCHANGE_MODES => {
                let modes = body.vec8(1, 255)?;
                body.finish()?;
                self.psk_dhe_ke = Some(modes.rest().contains(&PSK_DHE_KE));
            }
            ext::EARLY_DATA => {
                body.finish()?;
                self.early_data = true;
            }
            ext::COOKIE => {
                body.vec16(1, 0xffff)?;
                body.finish()?;
                self.cookie = true;
            }
            ext::PRE_SHARED_KEY => self.pre_shared_key = Some(OfferedPsks::parse(body)?),
            ext::TICKET_REQUEST => self.ticket_request = Some(TicketRequest::parse(body)?),
            _ => (),
        }
        Ok(())
    }
}

/// Calls `each` with the parts of a ClientHello that are read here and that must not change after a
/// HelloRetryRequest (RFC 9846, section 4.2.2): all before the extensions, then some extensions.
pub fn fixed_parts(body: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Alert> {
    let mut r = Reader::new(body);
    r.bytes(2 + 32)?;
    r.vec8(0, 32)?;
    r.vec16(2, 0xfffe)?;
    r.vec8(1, 0xff)?;
    let extensions = r.rest();
    each(body.strip_suffix(extensions).unwrap_or(body));
    if extensions.is_empty() {
        return Ok(());
    }
    let mut list = r.vec16(0, 0xffff)?;
    while !list.is_empty() {
        let before = list.rest();
        let extension_type = list.u16()?;
        list.vec16(0, 0xffff)?;
        if matches!(
            extension_type,
            ext::SERVER_NAME
                | ext::SUPPORTED_GROUPS
                | ext::SIGNATURE_ALGORITHMS
                | ext::SIGNATURE_ALGORITHMS_CERT
                | ext::CERTIFICATE_AUTHORITIES
                | ext::ALPN
                | ext::STATUS_REQUEST
                | ext::SIGNED_CERTIFICATE_TIMESTAMP
                | ext::MAX_FRAGMENT_LENGTH
                | ext::RECORD_SIZE_LIMIT
                | ext::SUPPORTED_VERSIONS
                | ext::PSK_KEY_EXCHANGE_MODES
                | ext::TICKET_REQUEST
        ) {
            each(before.strip_suffix(list.rest()).unwrap_or(before));
        }
    }
    Ok(())
}
