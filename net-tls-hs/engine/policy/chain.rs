// SPDX-License-Identifier: GPL-2.0

//! What a client asks of a certificate chain (RFC 9846, sections 4.3.3 and 4.3.4), and whether a
//! chain meets that (section 4.5.1.2).

use crate::engine::wire::certificate_authorities::Authorities;
use crate::engine::wire::codec::U16List;
use crate::engine::wire::der::{tag, Der, Malformed};

mod oid {
    /// sha1WithRSAEncryption to sha512WithRSAEncryption, 1.2.840.113549.1.1.n, but for the n.
    pub(super) const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// ecdsa-with-SHA1, 1.2.840.10045.4.1.
    pub(super) const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    /// ecdsa-with-SHA224 to ecdsa-with-SHA512, 1.2.840.10045.4.3.n, but for the n.
    pub(super) const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    /// id-Ed25519 and id-Ed448, 1.3.101.n, but for the n.
    pub(super) const EDWARDS: &[u8] = &[0x2b, 0x65];
}

/// A set of algorithms that certificates are signed with. Of ecdsa_secp256r1_sha256 and its like
/// only the hash counts, as the curve is that of a key which the chain may not have; and the
/// schemes of RSASSA-PSS are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signatures(u16);

impl Signatures {
    const RSA_SHA1: u16 = 1 << 0;
    const RSA_SHA256: u16 = 1 << 1;
    const RSA_SHA384: u16 = 1 << 2;
    const RSA_SHA512: u16 = 1 << 3;
    const ECDSA_SHA1: u16 = 1 << 4;
    const ECDSA_SHA256: u16 = 1 << 5;
    const ECDSA_SHA384: u16 = 1 << 6;
    const ECDSA_SHA512: u16 = 1 << 7;
    const RSA_PSS: u16 = 1 << 8;
    const ED25519: u16 = 1 << 9;
    const ED448: u16 = 1 << 10;
    /// An algorithm that no SignatureScheme above stands for.
    const OTHER: u16 = 1 << 15;

    /// All algorithms: a client that resumes sees no certificate.
    pub const ANY: Signatures = Signatures(u16::MAX);

    /// The algorithms that a list of SignatureScheme stands for.
    pub fn accepted(schemes: &U16List<'_>) -> Self {
        Signatures(schemes.iter().fold(0, |bits, scheme| {
            bits | match scheme {
                0x0201 => Self::RSA_SHA1,
                0x0401 => Self::RSA_SHA256,
                0x0501 => Self::RSA_SHA384,
                0x0601 => Self::RSA_SHA512,
                0x0203 => Self::ECDSA_SHA1,
                0x0403 => Self::ECDSA_SHA256,
                0x0503 => Self::ECDSA_SHA384,
                0x0603 => Self::ECDSA_SHA512,
                0x0804..=0x0806 | 0x0809..=0x080b => Self::RSA_PSS,
                0x0807 => Self::ED25519,
                0x0808 => Self::ED448,
                _ => 0,
            }
        }))
    }

    /// The algorithm with an object identifier (RFC 8017, RFC 5758, RFC 8410).
    fn of_identifier(id: &[u8]) -> u16 {
        if id == oid::ECDSA_SHA1 {
            return Self::ECDSA_SHA1;
        }
        let Some((last, family)) = id.split_last() else {
            return Self::OTHER;
        };
        match (family, *last) {
            (oid::PKCS1, 5) => Self::RSA_SHA1,
            (oid::PKCS1, 10) => Self::RSA_PSS,
            (oid::PKCS1, 11) => Self::RSA_SHA256,
            (oid::PKCS1, 12) => Self::RSA_SHA384,
            (oid::PKCS1, 13) => Self::RSA_SHA512,
            (oid::ECDSA_SHA2, 2) => Self::ECDSA_SHA256,
            (oid::ECDSA_SHA2, 3) => Self::ECDSA_SHA384,
            (oid::ECDSA_SHA2, 4) => Self::ECDSA_SHA512,
            (oid::EDWARDS, 112) => Self::ED25519,
            (oid::EDWARDS, 113) => Self::ED448,
            _ => Self::OTHER,
        }
    }

    /// Adds what a certificate, as DER, is signed with. A self-signed one counts as a trust
    /// anchor, whose signature nobody verifies.
    pub fn add(&mut self, certificate: &[u8]) -> Result<(), Malformed> {
        let certificate = Names::parse(certificate)?;
        if certificate.issuer != certificate.subject {
            self.0 |= Self::of_identifier(certificate.algorithm);
        }
        Ok(())
    }

    /// Whether all of these algorithms are among the accepted ones.
    pub fn is_subset_of(self, accepted: Signatures) -> bool {
        self.0 & !accepted.0 == 0
    }

    /// Whether SHA-1 is needed, which section 4.3.3 allows only if there is no other chain.
    pub fn have_sha1(self) -> bool {
        self.0 & (Self::RSA_SHA1 | Self::ECDSA_SHA1) != 0
    }

    /// Whether SHA-1 is needed and not accepted, which section 4.5.1.2 forbids.
    pub fn are_forbidden(self, accepted: Signatures) -> bool {
        Signatures(self.0 & !accepted.0).have_sha1()
    }
}

/// The parts of a certificate (RFC 5280, section 4.1) that are needed here.
struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    algorithm: &'a [u8],
}

impl<'a> Names<'a> {
    fn parse(certificate: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Der::new(certificate).sequence()?;
        let mut tbs = fields.sequence()?;
        tbs.optional(tag::context(0))?;
        tbs.expect(tag::INTEGER)?;
        tbs.expect(tag::SEQUENCE)?;
        let issuer = tbs.element()?.whole;
        tbs.expect(tag::SEQUENCE)?;
        let subject = tbs.element()?.whole;
        let algorithm = fields.sequence()?.expect(tag::OBJECT_IDENTIFIER)?;
        Ok(Names {
            issuer,
            subject,
            algorithm,
        })
    }
}

/// Whether one of these authorities has issued one of these certificates, or the client names none.
pub fn is_issued_by<'a>(
    authorities: &Authorities<'_>,
    mut chain: impl Iterator<Item = &'a [u8]>,
) -> bool {
    authorities.is_empty()
        || chain.any(|c| Names::parse(c).is_ok_and(|names| authorities.contains(names.issuer)))
}
