// SPDX-License-Identifier: GPL-2.0-or-later
//! What the device counts.

macro_rules! counters {
    ($($(#[$meta:meta])* $field:ident $name:literal),* $(,)?) => {
        /// Counters, in the order of their registers; all wrap.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$meta])* pub $field: u64),*
        }

        impl Counters {
            /// Names of the counters, as the `stats` property spells them.
            pub const NAMES: [&'static str; Self::COUNT] = [$($name),*];
            /// How many there are.
            pub const COUNT: usize = [$($name),*].len();

            /// Values in register order.
            #[must_use]
            pub fn values(&self) -> [u64; Self::COUNT] {
                let Self { $($field),* } = *self;
                [$($field),*]
            }

            /// The reverse of [`values`](Self::values).
            #[must_use]
            pub fn from_values(values: [u64; Self::COUNT]) -> Self {
                let [$($field),*] = values;
                Self { $($field),* }
            }
        }
    };
}

counters! {
    /// Reads of at most a page done.
    dma_reads "dma-reads",
    /// Writes of at most a page, and atomics, done.
    dma_writes "dma-writes",
    /// Bytes read.
    bytes_read "bytes-read",
    /// Bytes written.
    bytes_written "bytes-written",
    /// Accesses the IOMMU told to wait.
    stalls "stalls",
    /// Of `stalls`, told to try again.
    resumed "resumed",
    /// Of `stalls`, told to give up.
    aborted "aborted",
    /// Of `stalls`, given up by the device.
    cancelled "cancelled",
    /// ATS translation requests sent.
    ats_requests "ats-requests",
    /// Of `ats_requests`, answered without a sufficient translation.
    ats_failed "ats-failed",
    /// PRI page requests sent.
    page_requests "page-requests",
    /// PRG responses that arrived.
    page_responses "page-responses",
    /// Descriptors fetched.
    descriptors "descriptors",
    /// Completion records written.
    completions "completions",
    /// Accesses that ended in an error.
    faults "faults",
    /// Device-TLB invalidations received.
    invalidations "invalidations",
    /// Translations found in the cache.
    atc_hits "atc-hits",
    /// Translations looked for in the cache in vain.
    atc_misses "atc-misses",
    /// Cache entries that invalidations took.
    atc_invalidated "atc-invalidated",
    /// Of `invalidations`, never answered.
    invalidations_unanswered "invalidations-unanswered",
    /// Of `page_responses`, Success.
    responses_success "page-responses-success",
    /// Of `page_responses`, Invalid Request.
    responses_invalid "page-responses-invalid",
    /// Of `page_responses`, Response Failure.
    responses_failure "page-responses-failure",
    /// Responses that nobody waited for.
    responses_unexpected "page-responses-unexpected",
    /// Stop Markers sent.
    stop_markers "stop-markers",
    /// Page request groups sent in full.
    page_groups "page-groups",
}

impl Counters {
    /// The counters as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in Self::NAMES.iter().zip(self.values()) {
            if json.len() > 1 {
                json.push_str(", ");
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\": ");
            json.push_str(&value.to_string());
        }
        json.push('}');
        json
    }
}

/// Adds one.
pub(crate) fn bump(counter: &mut u64) {
    *counter = counter.wrapping_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_every_counter() {
        let counters = Counters { dma_reads: 12, invalidations: 3, ..Counters::default() };
        let json = counters.to_json();
        assert!(json.starts_with("{\"dma-reads\": 12, \"dma-writes\": 0, "), "{json}");
        assert!(json.contains(", \"invalidations\": 3, "), "{json}");
        assert_eq!(json.matches(": ").count(), Counters::COUNT);
    }
}
