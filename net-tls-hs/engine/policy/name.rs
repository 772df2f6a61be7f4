// SPDX-License-Identifier: GPL-2.0

//! Server names: how they are normalized, and how settings and identities are found by them.
//!
//! [`Name`] has the rules. All names in the kernel go through it: the client's, and those in
//! TLS_HS_SNI, certificates and tickets.

use crate::engine::policy::sort::sort_by;
use crate::engine::wire::codec::move_within;

/// The longest DNS name.
pub const MAX_NAME: usize = 253;

/// Whether bytes are a DNS name, see [`Name`].
fn is_name(bytes: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        matches!(label.len(), 1..=63)
            && label
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let is_number = |label: &[u8]| label.iter().all(u8::is_ascii_digit);
    bytes.len() <= MAX_NAME
        && bytes.split(|b| *b == b'.').all(is_label)
        && !bytes.rsplit(|b| *b == b'.').next().is_none_or(is_number)
}

/// A DNS name in the form in which names are compared: lower case, no dot at the end.
///
/// This is the one rule for names: those that clients send, and those of settings, certificates,
/// tickets and TLS_HS_STATUS. A name has 253 bytes at most, without the dot that may be at its end,
/// in labels of 1 to 63 letters, digits, hyphens and underscores. The last label is not a number,
/// as an IPv4 address would be (RFC 6066, section 3: no literal addresses). Names in other scripts
/// are A-labels (RFC 5890).
///
/// Anything else is rejected: it selects no settings and no identity, cannot match a wildcard, and
/// is not reported by TLS_HS_STATUS.
pub struct Name {
    bytes: [u8; MAX_NAME],
    len: usize,
}

impl Name {
    /// Normalizes a name; `None` if it is invalid.
    pub fn new(name: &[u8]) -> Option<Self> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        is_name(name).then_some(())?;
        Self::lower(name)
    }

    /// Normalizes a name of a certificate or of settings, whose first label may be the wildcard `*`
    /// (RFC 9525, section 6.3).
    pub fn pattern(name: &[u8]) -> Option<Self> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        is_name(name.strip_prefix(b"*.").unwrap_or(name)).then_some(())?;
        Self::lower(name)
    }

    fn lower(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_NAME];
        let to = bytes.get_mut(..name.len())?;
        to.copy_from_slice(name);
        to.make_ascii_lowercase();
        Some(Name {
            bytes,
            len: name.len(),
        })
    }

    /// The name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// The first thing that `lookup` finds: for the name itself, then for the wildcard that covers
    /// it, which has `*` in the place of the first label (RFC 9525, section 6.3).
    pub fn resolve<T>(&mut self, mut lookup: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        if let Some(found) = lookup(self.as_bytes()) {
            return Some(found);
        }
        self.make_wildcard().then_some(())?;
        lookup(self.as_bytes())
    }

    /// Replaces the first label by `*`. False if it is the only one.
    fn make_wildcard(&mut self) -> bool {
        match self.as_bytes().iter().position(|b| *b == b'.') {
            None | Some(0) => false,
            Some(dot) => {
                if let Some(first) = self.bytes.first_mut() {
                    *first = b'*';
                }
                let moved = move_within(&mut self.bytes, dot, self.len, 1);
                self.len = self.len - dot + 1;
                moved
            }
        }
    }
}

/// Searches a table that is sorted by name for a normalized name or wildcard. Returns its index;
/// `Err` has the index at which it would be inserted. The cost is logarithmic in the length of the
/// table.
pub fn search<T>(table: &[T], name_of: impl Fn(&T) -> &[u8], name: &[u8]) -> Result<usize, usize> {
    table.binary_search_by(|entry| name_of(entry).cmp(name))
}

/// The index of the entry, in a table as for [`search`], that applies to a client's name: that of
/// the name itself, else that of the wildcard which covers it.
pub fn entry_for<T>(table: &[T], name_of: impl Fn(&T) -> &[u8], name: &mut Name) -> Option<usize> {
    name.resolve(|name| search(table, &name_of, name).ok())
}

/// A name in a buffer with all names, and its identity.
#[derive(Clone, Copy)]
pub struct NameEntry {
    /// Where it begins.
    pub start: u32,
    /// How long it is.
    pub len: u8,
    /// The number of the identity.
    pub identity: u32,
}

impl NameEntry {
    /// The name, out of all names.
    pub fn name<'a>(&self, names: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        names
            .get(start..start + usize::from(self.len))
            .unwrap_or(&[])
    }
}

/// Sorts names for [`find_name`].
pub fn sort_names(names: &[u8], index: &mut [NameEntry]) {
    let key = |e: &NameEntry| (e.name(names), e.identity);
    sort_by(index, |a, b| key(a) < key(b));
}

/// The entries of a normalized name. The cost is logarithmic in the number of entries.
pub fn find_name<'a>(names: &[u8], index: &'a [NameEntry], name: &[u8]) -> &'a [NameEntry] {
    let start = index.partition_point(|e| e.name(names) < name);
    let rest = index.get(start..).unwrap_or(&[]);
    let len = rest.iter().take_while(|e| e.name(names) == name).count();
    rest.get(..len).unwrap_or(&[])
}
