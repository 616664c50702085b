// SPDX-License-Identifier: GPL-2.0-or-later
//! The [`layout!`](crate::layout!) macro: words that software and the IOMMU share, field by field.

/// One field of a word made by [`layout!`](crate::layout!): name, highest bit, lowest bit.
pub type Field = (&'static str, u32, u32);

/// Declares words with named bit fields, each at an explicit `hi:lo` position.
///
/// A second name after a field's name is that of a function that returns the word with the field replaced.
///
/// ```
/// qemu_iommu::layout! {
///     /// First doubleword of an imaginary entry.
///     pub struct Entry0(u64) {
///         /// Valid.
///         0:0 v with_v,
///         /// What to do.
///         3:1 config,
///     }
/// }
/// let word = Entry0::from(0b1011);
/// assert_eq!(word.config(), 0b101);
/// assert_eq!(word.with_v(0).bits(), 0b1010);
/// ```
///
/// Values of a field are plain integers, so that every bit pattern a guest may write is representable.
/// `with_*` drops the bits that do not fit the field.
#[macro_export]
macro_rules! layout {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident($word:ty) {
        $($(#[$fmeta:meta])* $hi:literal : $lo:literal $field:ident $($with:ident)?),* $(,)?
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq)]
        $vis struct $name($word);

        impl $name {
            /// Every field: name, highest bit, lowest bit.
            pub const FIELDS: &'static [$crate::iommu::layout::Field] =
                &[$((stringify!($field), $hi, $lo)),*];

            /// The whole word.
            #[must_use]
            pub const fn bits(self) -> $word {
                self.0
            }

            $(
                $(#[$fmeta])*
                #[must_use]
                pub const fn $field(self) -> $word {
                    const { assert!($hi >= $lo && $hi < <$word>::BITS) };
                    (self.0 >> $lo) & (<$word>::MAX >> (<$word>::BITS - 1 - ($hi - $lo)))
                }

                $(
                    /// The word with that field replaced by the low bits of `value`.
                    #[must_use]
                    pub const fn $with(self, value: $word) -> Self {
                        let mask = <$word>::MAX >> (<$word>::BITS - 1 - ($hi - $lo));
                        Self((self.0 & !(mask << $lo)) | ((value & mask) << $lo))
                    }
                )?
            )*
        }

        impl From<$word> for $name {
            fn from(bits: $word) -> Self {
                Self(bits)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &format_args!("{:#x}", self.$field())))*
                    .finish()
            }
        }
    )*};
}
