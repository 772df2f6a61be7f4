// SPDX-License-Identifier: GPL-2.0

//! The Certificate message (RFC 9846, section 4.5.1), and what goes with the leaf in it if the
//! client asks for it (section 4.5.1.1): an OCSP response (RFC 6066, section 8) and signed
//! certificate timestamps (RFC 6962, section 3.3).

use crate::engine::wire::alert::Alert;
use crate::engine::wire::codec::{Reader, Writer};
use crate::engine::wire::der::{tag, Der, Malformed};
use crate::engine::wire::names::{extension_type as ext, handshake_type};

/// CertificateStatusType ocsp (RFC 6066, section 8).
pub const STATUS_TYPE_OCSP: u8 = 1;

/// Length of a Certificate message before its first CertificateEntry: header, empty context, length
/// of the list.
const HEAD_LEN: usize = 4 + 1 + 3;

/// What the extensions of a CertificateEntry can hold together.
const MAX_EXTENSIONS: usize = 0xffff;

/// What is stapled to a leaf; empty where there is none.
#[derive(Clone, Copy, Default)]
pub struct Staples<'a> {
    /// An OCSPResponse (RFC 6960, section 4.2.1).
    pub ocsp: &'a [u8],
    /// A SignedCertificateTimestampList.
    pub scts: &'a [u8],
}

impl<'a> Staples<'a> {
    /// Nothing.
    pub const NONE: Staples<'static> = Staples {
        ocsp: &[],
        scts: &[],
    };

    /// Takes both out of DER, each there once at most: the response as it is, the timestamps as the
    /// OCTET STRING that RFC 6962 has for certificates.
    ///
    /// Whether they are for the leaf, and how old they are, is for clients to find out. A response
    /// without a status in it is of no use to them, and refused.
    pub fn parse(mut rest: Der<'a>) -> Result<Self, Malformed> {
        let mut staples = Self::NONE;
        while !rest.is_empty() {
            let element = rest.element()?;
            let (slot, bytes) = match element.tag {
                tag::SEQUENCE => {
                    check_ocsp(Der::new(element.content))?;
                    (&mut staples.ocsp, element.whole)
                }
                tag::OCTET_STRING => {
                    check_scts(Reader::new(element.content)).map_err(|_| Malformed)?;
                    (&mut staples.scts, element.content)
                }
                _ => return Err(Malformed),
            };
            if !slot.is_empty() {
                return Err(Malformed);
            }
            *slot = bytes;
        }
        if staples.extensions_len() > MAX_EXTENSIONS {
            return Err(Malformed);
        }
        Ok(staples)
    }

    /// Those that a client has asked for.
    pub fn filter(self, ocsp: bool, scts: bool) -> Self {
        Staples {
            ocsp: if ocsp { self.ocsp } else { &[] },
            scts: if scts { self.scts } else { &[] },
        }
    }

    fn extensions_len(&self) -> usize {
        let of = |bytes: &[u8], head: usize| match bytes.len() {
            0 => 0,
            len => head + len,
        };
        of(self.ocsp, 2 + 2 + 1 + 3) + of(self.scts, 2 + 2)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), Alert> {
        if !self.ocsp.is_empty() {
            w.u16(ext::STATUS_REQUEST)?;
            w.vec(2, |w| {
                w.u8(STATUS_TYPE_OCSP)?;
                w.vec(3, |w| w.put(self.ocsp))
            })?;
        }
        if !self.scts.is_empty() {
            w.u16(ext::SIGNED_CERTIFICATE_TIMESTAMP)?;
            w.vec(2, |w| w.put(self.scts))?;
        }
        Ok(())
    }
}

/// The content of an OCSPResponse: responseStatus, which is to be successful, and responseBytes.
fn check_ocsp(mut response: Der<'_>) -> Result<(), Malformed> {
    const SUCCESSFUL: &[u8] = &[0];
    if response.expect(tag::ENUMERATED)? != SUCCESSFUL {
        return Err(Malformed);
    }
    response.expect(tag::context(0))?;
    response.finish()
}

/// A SignedCertificateTimestampList: one at least, none empty.
fn check_scts(mut list: Reader<'_>) -> Result<(), Alert> {
    let mut scts = list.vec16(1, 0xffff)?;
    list.finish()?;
    while !scts.is_empty() {
        scts.vec16(1, 0xffff)?;
    }
    Ok(())
}

/// Length of a Certificate message without extensions.
pub fn len(chain: &[u8], certificates: usize) -> usize {
    HEAD_LEN + chain.len() + 5 * certificates
}

/// Writes a Certificate message without extensions. `chain` is certificates in DER, one behind the
/// other.
pub fn write(chain: &[u8], out: &mut [u8]) -> Result<(), Alert> {
    let mut w = Writer::new(out);
    w.u8(handshake_type::CERTIFICATE)?;
    w.vec(3, |w| {
        w.u8(0)?;
        w.vec(3, |w| {
            let mut chain = Der::new(chain);
            while let Ok(certificate) = chain.element() {
                w.vec(3, |w| w.put(certificate.whole))?;
                w.u16(0)?;
            }
            Ok(())
        })
    })
}

/// The certificates in a message of [`write()`].
pub fn certificates(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Reader::new(message.get(HEAD_LEN..).unwrap_or(&[]));
    core::iter::from_fn(move || next(&mut rest).ok())
}

/// The next certificate, which has no extensions.
fn next<'a>(entries: &mut Reader<'a>) -> Result<&'a [u8], Alert> {
    let len = entries.u24()?;
    let certificate = entries.bytes(len)?;
    entries.u16()?;
    Ok(certificate)
}

/// Writes a message of [`write()`] with what is stapled to its first certificate.
pub fn write_stapled(
    w: &mut Writer<'_>,
    message: &[u8],
    staples: &Staples<'_>,
) -> Result<(), Alert> {
    if staples.extensions_len() == 0 {
        return w.put(message);
    }
    let mut entries = Reader::new(message.get(HEAD_LEN..).ok_or(Alert::InternalError)?);
    let leaf = next(&mut entries).map_err(|_| Alert::InternalError)?;
    w.u8(handshake_type::CERTIFICATE)?;
    w.vec(3, |w| {
        w.u8(0)?;
        w.vec(3, |w| {
            w.vec(3, |w| w.put(leaf))?;
            w.vec(2, |w| staples.write(w))?;
            w.put(entries.rest())
        })
    })
}
