// SPDX-License-Identifier: GPL-2.0

//! A set of `uint16`, for what a ClientHello lists: what it costs grows with the length of the
//! lists, whatever is in them.

/// Values in a word.
const WORD: usize = u64::BITS as usize;

/// Words of a bit for each value.
const WORDS: usize = (1 << 16) / WORD;

/// A bit for each value. All zeroes is an empty set.
pub struct U16Set {
    words: [u64; WORDS],
    /// A bit for each of `words` that may not be zero.
    used: [u64; WORDS / WORD],
}

impl U16Set {
    /// Makes it empty.
    pub fn clear(&mut self) {
        for (words, used) in self.words.chunks_exact_mut(WORD).zip(&mut self.used) {
            while *used != 0 {
                if let Some(word) = words.get_mut(used.trailing_zeros() as usize) {
                    *word = 0;
                }
                *used &= *used - 1;
            }
        }
    }

    /// The word with a value, its bit, and the bit of the word.
    fn parts(&mut self, value: u16) -> Option<(&mut u64, u64, &mut u64, u64)> {
        let at = usize::from(value) / WORD;
        let word = self.words.get_mut(at)?;
        let used = self.used.get_mut(at / WORD)?;
        let bit = 1 << (usize::from(value) % WORD);
        Some((word, bit, used, 1 << (at % WORD)))
    }

    /// Adds a value. False if it was there before.
    pub fn insert(&mut self, value: u16) -> bool {
        self.parts(value)
            .is_some_and(|(word, bit, used, used_bit)| {
                let new = *word & bit == 0;
                *word |= bit;
                *used |= used_bit;
                new
            })
    }

    /// Takes a value out. False if it was not there.
    pub fn remove(&mut self, value: u16) -> bool {
        self.parts(value).is_some_and(|(word, bit, ..)| {
            let there = *word & bit != 0;
            *word &= !bit;
            there
        })
    }

    /// Whether a value is there.
    pub fn contains(&self, value: u16) -> bool {
        let word = self.words.get(usize::from(value) / WORD);
        word.is_some_and(|word| *word >> (usize::from(value) % WORD) & 1 != 0)
    }

    /// Makes it the set of these values.
    pub fn assign(&mut self, values: impl Iterator<Item = u16>) {
        self.clear();
        for value in values {
            self.insert(value);
        }
    }
}
