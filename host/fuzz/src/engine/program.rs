// SPDX-License-Identifier: GPL-2.0
//! The form of an input: what a client and a server do, one thing after the other. Every string of
//! bytes is a program.

/// What an operation does. Its number is that of the code modulo [`OPS`].
pub mod op {
    /// Settings of the connections to come, see `Settings` in world.rs.
    pub const SETTINGS: u8 = 0;
    /// Ends the connection and starts another one.
    pub const CONNECT: u8 = 1;
    /// A ClientHello: [`how`](super::how), the size of its fragments, its body.
    pub const HELLO: u8 = 2;
    /// The ClientHello once more as a HelloRetryRequest wants it: `how`, the size of fragments,
    /// what to change as three bytes each: where, and a byte to be XORed.
    pub const AGAIN: u8 = 3;
    /// A record that is not protected: its type, its content.
    pub const RECORD: u8 = 4;
    /// A protected record: its type, how many bytes of padding, its content.
    pub const PROTECTED: u8 = 5;
    /// A part of the right Finished: the first byte and the last but one. Then whether one bit of
    /// it is wrong and where, and how many bytes of padding.
    pub const FINISHED: u8 = 6;
    /// Bytes as they are.
    pub const RAW: u8 = 7;
    /// Records as of early data: how many, and their length.
    pub const EARLY: u8 = 8;
    /// After the handshake: what happens, and bytes for it.
    pub const POST: u8 = 9;
    /// The server says an alert, as it does when it is tired of waiting.
    pub const ALERT: u8 = 10;
}

pub const OPS: u8 = 11;

/// Bits of how a ClientHello is made.
pub mod how {
    /// Key shares of known groups are replaced by right ones.
    pub const FILL: u8 = 1;
    /// pre_shared_key with the latest ticket, and a right binder.
    pub const TICKET: u8 = 2;
    /// The binder is wrong.
    pub const BAD_BINDER: u8 = 4;
    /// early_data before pre_shared_key.
    pub const EARLY: u8 = 8;
    /// Another identity is before the ticket.
    pub const TWO: u8 = 16;
    /// The ticket before the latest one.
    pub const OLDER: u8 = 32;
    /// The length of the message is not that of its body.
    pub const BAD_LENGTH: u8 = 64;
    /// An external PSK in the place of a ticket: the first one, or the second one with `OLDER`.
    pub const EXTERNAL: u8 = 128;
}

/// The operations of a program.
pub struct Ops<'a>(pub &'a [u8]);

impl<'a> Iterator for Ops<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[code, high, low], rest) = self.0.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (payload, rest) = rest.split_at(len.min(rest.len()));
        self.0 = rest;
        Some((code % OPS, payload))
    }
}

/// Adds an operation to a program.
pub fn write_op(out: &mut Vec<u8>, code: u8, payload: &[u8]) {
    let payload = &payload[..payload.len().min(0xffff)];
    out.push(code);
    out.extend((payload.len() as u16).to_be_bytes());
    out.extend(payload);
}

/// A ClientHello in its parts, as far as they have the lengths that they say.
#[derive(Default, Clone)]
pub struct Hello<'a> {
    /// Version, random, session id, cipher suites, compression: `Some` of each with its length.
    pub head: &'a [u8],
    /// The extensions without the length of all.
    pub extensions: &'a [u8],
}

fn vector(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_at_checked(width)?;
    let len = len.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    rest.split_at_checked(len)
}

impl<'a> Hello<'a> {
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let mut rest = body.get(34..)?;
        for width in [1, 2, 1] {
            rest = vector(rest, width)?.1;
        }
        let (extensions, end) = vector(rest, 2)?;
        let hello = Hello {
            head: &body[..body.len() - rest.len()],
            extensions,
        };
        (end.is_empty() && hello.iter().map(|e| e.1.len() + 4).sum::<usize>() == extensions.len())
            .then_some(hello)
    }

    /// Types and bodies of extensions.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.extensions;
        std::iter::from_fn(move || {
            let (kind, tail) = rest.split_first_chunk()?;
            let (body, tail) = vector(tail, 2)?;
            rest = tail;
            Some((u16::from_be_bytes(*kind), body))
        })
    }

    /// The body of an extension.
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.iter().find(|e| e.0 == kind).map(|e| e.1)
    }

    pub fn session_id(&self) -> &'a [u8] {
        vector(&self.head[34..], 1).map_or(&[], |(id, _)| id)
    }
}

/// Groups and keys of the body of a key_share.
pub fn shares(body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(2..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let (group, tail) = rest.split_first_chunk()?;
        let (key, tail) = vector(tail, 2)?;
        rest = tail;
        Some((u16::from_be_bytes(*group), key))
    })
}

/// Identities of the body of a pre_shared_key.
pub fn identities(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = vector(body, 2).map_or(&[][..], |v| v.0);
    std::iter::from_fn(move || {
        let (identity, tail) = vector(rest, 2)?;
        rest = tail.get(4..)?;
        Some(identity)
    })
}
