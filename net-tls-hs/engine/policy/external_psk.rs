// SPDX-License-Identifier: GPL-2.0

//! External PSKs, which both sides have been given beforehand (RFC 9846, section 4.3.11): how they
//! are found, and which one is used.
//!
//! A PSK has an identity, which the client sends in the clear, and is for one hash. The client
//! proves with a binder that it has the PSK, the server with its Finished: neither sends a
//! certificate. Ephemeral keys are exchanged (psk_dhe_ke), so that whoever learns the PSK later
//! cannot read what was said before.

use crate::engine::crypto::HashAlg;
use crate::engine::keys::psk::Psk;
use crate::engine::keys::schedule::PskKind;
use crate::engine::policy::settings::{ExternalPsk, Identities};
use crate::engine::policy::sort::sort_by;
use crate::engine::wire::pre_shared_key::OfferedPsks;

/// The shortest PSK: 128 bits (RFC 9257, section 6).
pub const MIN_KEY_LEN: usize = 16;

/// The longest PSK.
pub const MAX_KEY_LEN: usize = 512;

/// The longest identity.
pub const MAX_IDENTITY_LEN: usize = 4095;

/// How many of the client's identities are looked up. Each takes a time that is logarithmic in the
/// number of PSKs, and no cryptography; a binder is computed for one of them at most. Clients offer
/// one or two.
pub const MAX_LOOKED_UP: usize = 16;

/// What stands in for a PSK that is not there.
const NO_KEY: [u8; 32] = [0; 32];

/// The external PSK that a handshake is to use.
pub struct SelectedPsk<'a> {
    /// The PSK, whose binder has not been checked.
    pub psk: Psk<'a>,
    /// Which of the server's PSKs it is; `None` for what stands in for one, see [`stand_in`].
    pub index: Option<usize>,
}

/// Finds the first PSK among those that the client offers which the server has for a hash that
/// `suits`. What the server does not have is ignored.
#[inline(never)]
pub fn select<'a>(
    offered: &OfferedPsks<'_>,
    identities: &'a impl Identities,
    suits: impl Fn(HashAlg) -> bool,
) -> Option<SelectedPsk<'a>> {
    let mut numbered = offered.identities().take(MAX_LOOKED_UP).zip(0..);
    numbered.find_map(|(identity, selected)| {
        let known = identities.external_psk(identity)?;
        suits(known.hash).then_some(SelectedPsk {
            psk: Psk {
                kind: PskKind::External,
                selected,
                alg: known.hash,
                key: known.key,
            },
            index: Some(known.index),
        })
    })
}

/// What stands in for a PSK that the server does not have, so that the client gets the same answer
/// after the same work as for a wrong binder, and cannot find out identities (RFC 9846, appendix
/// F.6). It is for the hash that the first identity of the client would have. No binder is right
/// for it.
#[inline(never)]
pub fn stand_in(
    offered: &OfferedPsks<'_>,
    suits: impl Fn(HashAlg) -> bool,
) -> SelectedPsk<'static> {
    let first = offered.identities().next().and_then(hash_of);
    let alg = match first.filter(|hash| suits(*hash)) {
        Some(hash) => hash,
        None if suits(HashAlg::Sha256) => HashAlg::Sha256,
        None => HashAlg::Sha384,
    };
    SelectedPsk {
        psk: Psk {
            kind: PskKind::External,
            selected: 0,
            alg,
            key: &NO_KEY,
        },
        index: None,
    }
}

/// The hash of a PSK with that identity: the one that an identity of NVMe/TCP names (NVMe TCP
/// Transport Specification, "TLS PSK and PSK Identity Derivation"), else SHA-256, the default of
/// section 4.3.11. `None` for an identity of NVMe/TCP with another hash.
pub fn hash_of(identity: &[u8]) -> Option<HashAlg> {
    match identity {
        [b'N', b'V', b'M', b'e', b'0'..=b'9', b'R' | b'G', hash @ ..] => match hash {
            [b'0', b'1', b' ', ..] => Some(HashAlg::Sha256),
            [b'0', b'2', b' ', ..] => Some(HashAlg::Sha384),
            _ => None,
        },
        _ => Some(HashAlg::Sha256),
    }
}

/// A PSK in a buffer with all of them.
#[derive(Clone, Copy)]
pub struct PskEntry {
    /// Where its identity begins, with the key behind it.
    start: u32,
    identity_len: u16,
    key_len: u16,
    /// Which of the server's PSKs it is.
    index: u32,
    hash: HashAlg,
}

impl PskEntry {
    /// The PSK with that index, to be put at `start` of the buffer: its identity, and the key
    /// behind that. `None` if one of them is too short or too long, or if the identity does not
    /// tell a hash, see [`hash_of`].
    pub fn new(start: usize, identity: &[u8], key: &[u8], index: usize) -> Option<Self> {
        if identity.is_empty()
            || identity.len() > MAX_IDENTITY_LEN
            || key.len() < MIN_KEY_LEN
            || key.len() > MAX_KEY_LEN
        {
            return None;
        }
        Some(PskEntry {
            start: u32::try_from(start).ok()?,
            identity_len: identity.len() as u16,
            key_len: key.len() as u16,
            index: u32::try_from(index).ok()?,
            hash: hash_of(identity)?,
        })
    }

    fn identity<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let rest = bytes.get(self.start as usize..).unwrap_or(&[]);
        rest.get(..usize::from(self.identity_len)).unwrap_or(&[])
    }

    fn psk<'a>(&self, bytes: &'a [u8]) -> Option<ExternalPsk<'a>> {
        let start = self.start as usize + usize::from(self.identity_len);
        Some(ExternalPsk {
            index: self.index as usize,
            hash: self.hash,
            key: bytes.get(start..start + usize::from(self.key_len))?,
        })
    }
}

/// Sorts PSKs for [`find`].
pub fn sort(bytes: &[u8], entries: &mut [PskEntry]) {
    let key = |e: &PskEntry| (e.identity(bytes), e.index);
    sort_by(entries, |a, b| key(a) < key(b));
}

/// Finds the PSK with an identity, which is compared as a string of bytes (RFC 9257, section
/// 6.1.1). The cost is logarithmic in the number of PSKs.
pub fn find<'a>(bytes: &'a [u8], entries: &[PskEntry], identity: &[u8]) -> Option<ExternalPsk<'a>> {
    let at = entries.partition_point(|e| e.identity(bytes) < identity);
    let entry = entries.get(at)?;
    (entry.identity(bytes) == identity)
        .then(|| entry.psk(bytes))
        .flatten()
}
