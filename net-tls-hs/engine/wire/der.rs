// SPDX-License-Identifier: GPL-2.0

//! DER (X.690), as strict as the keys that are loaded need it: definite and minimal lengths,
//! single-byte tags.

/// Something is not DER, or not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Tags with class and constructed bits.
pub mod tag {
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// SEQUENCE.
    pub const SEQUENCE: u8 = 0x30;
    /// `[n]`, constructed.
    pub const fn context(n: u8) -> u8 {
        0xa0 | n
    }
    /// `[n]`, primitive.
    pub const fn context_primitive(n: u8) -> u8 {
        0x80 | n
    }
}

/// A cursor over DER elements.
#[derive(Clone, Copy)]
pub struct Der<'a> {
    rest: &'a [u8],
}

/// One element.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    /// The tag.
    pub tag: u8,
    /// The content.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// Starts at the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Der { rest: bytes }
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element.
    pub fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let (&[tag, first], body) = self.rest.split_first_chunk().ok_or(Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (len, body) = if first < 0x80 {
            (usize::from(first), body)
        } else {
            long_length(first, body)?
        };
        let (content, rest) = body.split_at_checked(len).ok_or(Malformed)?;
        let whole = self
            .rest
            .get(..self.rest.len() - rest.len())
            .ok_or(Malformed)?;
        self.rest = rest;
        Ok(Element {
            tag,
            content,
            whole,
        })
    }

    /// The content of the next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let element = self.element()?;
        if element.tag != tag {
            return Err(Malformed);
        }
        Ok(element.content)
    }

    /// The elements of a SEQUENCE.
    pub fn sequence(&mut self) -> Result<Der<'a>, Malformed> {
        Ok(Der::new(self.expect(tag::SEQUENCE)?))
    }

    /// The content of the next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.peek() == Some(tag) {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The magnitude of an INTEGER that is not negative, without leading zeroes.
    pub fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        let content = self.expect(tag::INTEGER)?;
        match content {
            [0] => Ok(&[]),
            [0, next, ..] if next & 0x80 != 0 => content.get(1..).ok_or(Malformed),
            [first, ..] if *first != 0 && first & 0x80 == 0 => Ok(content),
            _ => Err(Malformed),
        }
    }

    /// The bytes of a BIT STRING that has no unused bits.
    pub fn bit_string(&mut self) -> Result<&'a [u8], Malformed> {
        match self.expect(tag::BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// Ends the reading: an error if something is left.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

fn long_length(first: u8, body: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 3 {
        return Err(Malformed);
    }
    let (bytes, body) = body.split_at_checked(count).ok_or(Malformed)?;
    let len = bytes
        .iter()
        .fold(0usize, |len, b| (len << 8) | usize::from(*b));
    // Minimal: the long form only from 128 on, no leading zero.
    if len < 0x80 || bytes.first() == Some(&0) {
        return Err(Malformed);
    }
    Ok((len, body))
}
