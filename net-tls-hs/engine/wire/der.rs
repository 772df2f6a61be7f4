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
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
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

    /// A Time of a certificate (RFC 5280, section 4.1.2.5), in seconds since 1970.
    pub fn time(&mut self) -> Result<i64, Malformed> {
        let element = self.element()?;
        match element.tag {
            // YYMMDDHHMMSSZ: from 50 on the year is in the 20th century.
            tag::UTC_TIME => {
                let (year, rest) = decimal::<2>(element.content)?;
                date(if year < 50 { 2000 } else { 1900 } + year, rest)
            }
            // YYYYMMDDHHMMSSZ.
            tag::GENERALIZED_TIME => {
                let (year, rest) = decimal::<4>(element.content)?;
                date(year, rest)
            }
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

/// A number of `N` digits, and what is behind it.
fn decimal<const N: usize>(text: &[u8]) -> Result<(i64, &[u8]), Malformed> {
    let (digits, rest) = text.split_first_chunk::<N>().ok_or(Malformed)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Ok((number, rest))
}

/// The seconds since 1970 of a year and `MMDDHHMMSSZ` in the Gregorian calendar.
fn date(year: i64, text: &[u8]) -> Result<i64, Malformed> {
    /// Days before each month of a year without a leap day.
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let (month, text) = decimal::<2>(text)?;
    let (day, text) = decimal::<2>(text)?;
    let (hour, text) = decimal::<2>(text)?;
    let (minute, text) = decimal::<2>(text)?;
    let (second, text) = decimal::<2>(text)?;
    if text != b"Z" || hour > 23 || minute > 59 || second > 59 {
        return Err(Malformed);
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = BEFORE.get(month.wrapping_sub(1) as usize..);
    let Some([before, end, ..]) = months else {
        return Err(Malformed);
    };
    let days = end - before + i64::from(leap && month == 2);
    if day < 1 || day > days {
        return Err(Malformed);
    }
    let days =
        days_before(year) - DAYS_BEFORE_1970 + before + i64::from(leap && month > 2) + day - 1;
    Ok(((days * 24 + hour) * 60 + minute) * 60 + second)
}

const DAYS_BEFORE_1970: i64 = days_before(1970);

/// Days from the beginning of the year 0, a leap year, to that of another one.
const fn days_before(year: i64) -> i64 {
    year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400
}
