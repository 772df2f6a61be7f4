// SPDX-License-Identifier: GPL-2.0

//! Reading and writing the presentation language of RFC 9846, section 3.
//!
//! [`Reader`] is the only way in which the engine takes apart what a client sends. It cannot read
//! out of bounds and has no way to panic: what is not there is a `decode_error`.

use crate::engine::wire::alert::Alert;

/// A cursor over received bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Alert> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Alert::DecodeError)?;
        self.rest = tail;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Alert> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(Alert::DecodeError)?;
        self.rest = tail;
        Ok(head)
    }

    /// A `uint8`.
    pub fn u8(&mut self) -> Result<u8, Alert> {
        let [a] = *self.array()?;
        Ok(a)
    }

    /// A `uint16`.
    pub fn u16(&mut self) -> Result<u16, Alert> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    /// A `uint24`.
    pub fn u24(&mut self) -> Result<usize, Alert> {
        let [a, b, c] = *self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]) as usize)
    }

    /// A vector with a length of one byte, at least `min` and at most `max` long.
    pub fn vec8(&mut self, min: usize, max: usize) -> Result<Reader<'a>, Alert> {
        let len = usize::from(self.u8()?);
        self.vec(len, min, max)
    }

    /// A vector with a length of two bytes, at least `min` and at most `max` long.
    pub fn vec16(&mut self, min: usize, max: usize) -> Result<Reader<'a>, Alert> {
        let len = usize::from(self.u16()?);
        self.vec(len, min, max)
    }

    fn vec(&mut self, len: usize, min: usize, max: usize) -> Result<Reader<'a>, Alert> {
        if len < min || len > max {
            return Err(Alert::DecodeError);
        }
        Ok(Reader::new(self.bytes(len)?))
    }

    /// Ends the reading: an error if something is left.
    pub fn finish(self) -> Result<(), Alert> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Alert::DecodeError)
        }
    }
}

/// A list of `uint16`, such as cipher suites or groups.
#[derive(Clone, Copy, Default)]
pub struct U16List<'a>(&'a [u8]);

impl<'a> U16List<'a> {
    /// Takes all of a vector, which must have an even length.
    pub fn new(vec: Reader<'a>) -> Result<Self, Alert> {
        if vec.rest.len() % 2 != 0 {
            return Err(Alert::DecodeError);
        }
        Ok(U16List(vec.rest))
    }

    /// The values in the order of the client.
    pub fn iter(&self) -> impl Iterator<Item = u16> + 'a {
        self.0.chunks_exact(2).map(|c| match *c {
            [a, b] => u16::from_be_bytes([a, b]),
            _ => 0,
        })
    }

    /// Whether `value` is in the list.
    pub fn contains(&self, value: u16) -> bool {
        self.iter().any(|v| v == value)
    }
}

/// Writes messages into a buffer of fixed size. A buffer that is too small is an
/// `internal_error`.
pub struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the beginning of `buf`.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Writer { buf, len: 0 }
    }

    /// How much has been written.
    pub fn position(&self) -> usize {
        self.len
    }

    /// What has been written from `start` on.
    pub fn since(&self, start: usize) -> &[u8] {
        self.buf.get(start..self.len).unwrap_or(&[])
    }

    /// Writes bytes.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Alert> {
        let end = self
            .len
            .checked_add(bytes.len())
            .ok_or(Alert::InternalError)?;
        self.buf
            .get_mut(self.len..end)
            .ok_or(Alert::InternalError)?
            .copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Makes room for `N` bytes, which the caller fills in.
    pub fn array<const N: usize>(&mut self) -> Result<&mut [u8; N], Alert> {
        let room = self
            .buf
            .get_mut(self.len..)
            .and_then(|rest| rest.first_chunk_mut())
            .ok_or(Alert::InternalError)?;
        self.len += N;
        Ok(room)
    }

    /// Writes what a function puts at the beginning of the room that is left, and says the length
    /// of.
    pub fn put_with(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, Alert>,
    ) -> Result<(), Alert> {
        let room = self.buf.get_mut(self.len..).ok_or(Alert::InternalError)?;
        let len = write(room)?;
        self.len = self.len.checked_add(len).ok_or(Alert::InternalError)?;
        Ok(())
    }

    /// Writes a `uint8`.
    pub fn u8(&mut self, v: u8) -> Result<(), Alert> {
        self.put(&[v])
    }

    /// Writes a `uint16`.
    pub fn u16(&mut self, v: u16) -> Result<(), Alert> {
        self.put(&v.to_be_bytes())
    }

    /// Writes a vector whose length takes `width` bytes.
    pub fn vec(
        &mut self,
        width: usize,
        body: impl FnOnce(&mut Self) -> Result<(), Alert>,
    ) -> Result<(), Alert> {
        let start = self.len;
        self.put([0; 3].get(..width).ok_or(Alert::InternalError)?)?;
        let first = self.len;
        body(self)?;
        let len = self.len.checked_sub(first).ok_or(Alert::InternalError)?;
        let be = (len as u64).to_be_bytes();
        let (high, low) = be
            .split_at_checked(8 - width.min(8))
            .ok_or(Alert::InternalError)?;
        if high.iter().any(|b| *b != 0) {
            return Err(Alert::InternalError);
        }
        self.buf
            .get_mut(start..first)
            .ok_or(Alert::InternalError)?
            .copy_from_slice(low);
        Ok(())
    }
}

/// Moves `buf[from..end]` to `buf[to..]`. False if it does not fit.
pub fn move_within(buf: &mut [u8], from: usize, end: usize, to: usize) -> bool {
    let fits = from <= end
        && end <= buf.len()
        && buf
            .len()
            .checked_sub(end - from)
            .is_some_and(|last| to <= last);
    if fits {
        buf.copy_within(from..end, to);
    }
    fits
}
