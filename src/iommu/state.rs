// SPDX-License-Identifier: GPL-2.0-or-later
//! The form in which a model's state travels: 64-bit words, the first of which names model and version. Loading
//! believes nothing: every value is checked for what it can be.

use super::narrow::{high32, low32};

/// Why a state cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not this format, or not this version of it.
    #[error(
        "the saved state begins with {found:#018x} instead of {expected:#018x}: not one of this model, or of another version"
    )]
    Version {
        /// The first word.
        found: u64,
        /// What it must be.
        expected: u64,
    },
    /// The words end too soon.
    #[error("the saved state ends within '{field}'")]
    Truncated {
        /// What was being read.
        field: &'static str,
    },
    /// The words go on too long.
    #[error("the saved state has {count} words too many")]
    Trailing {
        /// How many are left.
        count: usize,
    },
    /// The other model has other features.
    #[error(
        "the saved state has {register} {saved:#010x}, here it is {here:#010x}: give both sides the same properties"
    )]
    Identification {
        /// Register name.
        register: &'static str,
        /// Its value there.
        saved: u64,
        /// Its value here.
        here: u64,
    },
    /// A value is out of its range.
    #[error("the saved state has an impossible '{field}': {value:#x}")]
    Field {
        /// What it is.
        field: &'static str,
        /// Its value.
        value: u64,
    },
}

/// Checks that a value has no bit beyond those of `mask`.
///
/// # Errors
/// It has.
pub fn limit(field: &'static str, value: u64, mask: u64) -> Result<(), LoadError> {
    if value & !mask == 0 { Ok(()) } else { Err(LoadError::Field { field, value }) }
}

/// [`limit`] of 32 bits.
///
/// # Errors
/// A bit beyond those of `mask`.
pub fn limit32(field: &'static str, value: u32, mask: u32) -> Result<(), LoadError> {
    limit(field, value.into(), mask.into())
}

/// Checks an identification register: both ends must be alike.
///
/// # Errors
/// They are not.
pub fn same(register: &'static str, saved: u64, here: u64) -> Result<(), LoadError> {
    if saved == here { Ok(()) } else { Err(LoadError::Identification { register, saved, here }) }
}

/// The error of a list that is too long.
pub(crate) fn too_many(field: &'static str, count: usize) -> LoadError {
    LoadError::Field { field, value: number(count) }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Two half words as one word.
pub(crate) fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Appends the length of a list that follows.
pub(crate) fn put_count(words: &mut Vec<u64>, count: usize) {
    words.push(number(count));
}

/// Takes words off the front.
pub(crate) struct Reader<'a> {
    words: &'a [u64],
}

impl<'a> Reader<'a> {
    /// Reads what follows the first word.
    pub fn new(words: &'a [u64], header: u64) -> Result<Self, LoadError> {
        match words.split_first() {
            Some((found, rest)) if *found == header => Ok(Self { words: rest }),
            first => {
                Err(LoadError::Version { found: first.map_or(0, |(found, _)| *found), expected: header })
            }
        }
    }

    /// One word.
    pub fn word(&mut self, field: &'static str) -> Result<u64, LoadError> {
        let (word, rest) = self.words.split_first().ok_or(LoadError::Truncated { field })?;
        self.words = rest;
        Ok(*word)
    }

    /// That many words.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u64; N], LoadError> {
        let (array, rest) = self.words.split_first_chunk().ok_or(LoadError::Truncated { field })?;
        self.words = rest;
        Ok(*array)
    }

    /// A word of two halves.
    pub fn two(&mut self, field: &'static str) -> Result<(u32, u32), LoadError> {
        self.word(field).map(|word| (low32(word), high32(word)))
    }

    /// A word that is 0 or 1.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, LoadError> {
        match self.word(field)? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(LoadError::Field { field, value }),
        }
    }

    /// A list: its length, and what `one` reads of each.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        mut one: impl FnMut(&mut Self) -> Result<T, LoadError>,
    ) -> Result<Vec<T>, LoadError> {
        let value = self.word(field)?;
        match usize::try_from(value) {
            // Each takes at least one word: so that no count makes us reserve memory in vain.
            Ok(count) if count <= self.words.len() => (0..count).map(|_| one(self)).collect(),
            _ => Err(LoadError::Field { field, value }),
        }
    }

    /// The words that are left, for another reader.
    pub fn rest(self) -> &'a [u64] {
        self.words
    }

    /// That was all.
    pub fn end(self) -> Result<(), LoadError> {
        match self.words.len() {
            0 => Ok(()),
            count => Err(LoadError::Trailing { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_nothing_is_believed() {
        let words = [7, pair(1, 2), 1, 2, 10, 11, 20, 21, 0];
        let mut reader = Reader::new(&words, 7).unwrap();
        assert_eq!(reader.two("two"), Ok((1, 2)));
        assert_eq!(reader.flag("flag"), Ok(true));
        assert_eq!(reader.list("list", |reader| reader.array("pair")), Ok(vec![[10, 11], [20, 21]]));
        assert_eq!(reader.array::<2>("rest"), Err(LoadError::Truncated { field: "rest" }));
        assert_eq!(reader.word("last"), Ok(0));
        assert_eq!(reader.word("more"), Err(LoadError::Truncated { field: "more" }));
        reader.end().unwrap();

        assert_eq!(Reader::new(&[], 7).err(), Some(LoadError::Version { found: 0, expected: 7 }));
        assert_eq!(Reader::new(&[8], 7).err(), Some(LoadError::Version { found: 8, expected: 7 }));
        let mut reader = Reader::new(&[7, 2, 3], 7).unwrap();
        assert_eq!(reader.flag("flag"), Err(LoadError::Field { field: "flag", value: 2 }));
        let huge = reader.list("list", |reader| reader.word("item"));
        assert_eq!(huge, Err(LoadError::Field { field: "list", value: 3 }));
        assert_eq!(Reader::new(&[7, 0], 7).unwrap().end(), Err(LoadError::Trailing { count: 1 }));
        assert!(limit("x", 5, 4).is_err() && limit32("x", 4, 4).is_ok());
        assert!(same("IDR0", 1, 2).unwrap_err().to_string().contains("IDR0 0x00000001"));
    }
}
