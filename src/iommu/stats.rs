// SPDX-License-Identifier: GPL-2.0-or-later
//! What a model counts, for the outside: the QOM property `stats`.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares `Counters`, which a model itself keeps, and `Stats`, from a table of fields with their names outside.
macro_rules! stats {
    ($($(#[$meta:meta])* $field:ident $name:literal),* $(,)?) => {
        /// The counters that the model itself keeps.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub $field: std::sync::atomic::AtomicU64,)*
        }

        impl Counters {
            /// A reading, with what others have counted for the model.
            pub fn read(
                &self,
                translator: $crate::iommu::translator::TranslatorStats,
                nested: $crate::nested::NestedStats,
            ) -> Stats {
                Stats { translator, $($field: $crate::iommu::stats::get(&self.$field),)* nested }
            }
        }

        /// Counters since the model was made; a reset does not clear them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            /// The translator's.
            pub translator: $crate::iommu::translator::TranslatorStats,
            $($(#[$meta])* pub $field: u64,)*
            /// Of assigned devices.
            pub nested: $crate::nested::NestedStats,
        }

        impl Stats {
            /// Every counter by name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                self.translator.iter().chain([$(($name, self.$field)),*]).chain(self.nested.iter())
            }

            /// One JSON object, names as keys.
            #[must_use]
            pub fn json(&self) -> String {
                $crate::iommu::stats::json(self.iter())
            }
        }
    };
}
pub(crate) use stats;

/// One JSON object of numbers.
pub(crate) fn json(counters: impl Iterator<Item = (&'static str, u64)>) -> String {
    let mut json = String::from("{");
    for (name, value) in counters {
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        json.push_str(name);
        json.push_str("\":");
        json.push_str(&value.to_string());
    }
    json.push('}');
    json
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Adds to a counter that is only added to under one lock: a third of what an atomic addition costs.
pub(crate) fn add_alone(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

/// Reads a counter.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::add;

    stats! {
        /// The first.
        one "one",
        /// The second.
        second_one "second-one",
    }

    #[test]
    fn names_and_values_in_order() {
        let counters = Counters::default();
        add(&counters.one, 3);
        let json = counters.read(Default::default(), Default::default()).json();
        assert!(
            json.starts_with(r#"{"translations":0,"#) && json.ends_with(r#","nested-lost":0}"#),
            "{json}"
        );
        assert!(json.contains(r#","one":3,"second-one":0,"nested-binds":0,"#), "{json}");
        assert_eq!(super::json([].into_iter()), "{}");
    }
}
