// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's lines on the virtio-serial port `qemu-iommu`, and what the counters must say to its claims.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::qmp::Counters;

/// A line from the guest.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The guest's workload has begun.
    Hello {
        /// `uname -r`.
        kernel: String,
        /// Bytes.
        page_size: u64,
        /// The functions it found.
        #[serde(default)]
        devices: Vec<Value>,
    },
    /// A check begins; the guest waits for an answer.
    Begin {
        /// Its name.
        check: String,
    },
    /// A check has ended; the guest waits for an answer.
    End {
        /// Its name.
        check: String,
        /// PASS, FAIL or SKIP.
        status: String,
        /// A figure for humans.
        #[serde(default)]
        detail: String,
        /// What the counters have to confirm.
        #[serde(default)]
        claims: Map<String, Value>,
    },
    /// All checks have ended.
    Done {
        /// Number of checks.
        passed: u64,
        /// Number of checks.
        failed: u64,
        /// Number of checks.
        skipped: u64,
    },
    /// Something for the person on the host.
    Note {
        /// The words.
        text: String,
    },
}

/// The answer that lets the guest go on.
pub const GO: &str = r#"{"go":true}"#;

/// What the counters of the IOMMU and of all endpoints together counted during one check.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Of the IOMMU; empty when it has none (QEMU's C model).
    pub iommu: Counters,
    /// Of all endpoints together.
    pub endpoints: Counters,
}

fn count(counters: &Counters, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or(0)
}

/// The claim that counters of the IOMMU have grown by so much, at least.
const AT_LEAST: &str = "at-least";

/// Ways in which a stall ends at the IOMMU, or a page request.
const ANSWERS: [&str; 5] =
    ["resumed-retry", "resumed-abort", "resumed-terminate", "stall-terms", "page-responses"];
/// The ends that are a no. Refused page responses are among the page responses.
const REFUSALS: [&str; 4] = ["resumed-abort", "resumed-terminate", "stall-terms", "page-responses-refused"];

/// Accesses that an IOMMU, or an endpoint, saw wait for software: stalled by an SMMU, or asked for by page requests.
fn waits(counters: &Counters) -> u64 {
    count(counters, "stalls").saturating_add(count(counters, "page-requests"))
}

fn at_least(claims: &Map<String, Value>) -> impl Iterator<Item = (&str, u64)> {
    let counters = claims.get(AT_LEAST).and_then(Value::as_object);
    counters.into_iter().flatten().map(|(name, n)| (name.as_str(), n.as_u64().unwrap_or(u64::MAX)))
}

impl Seen {
    fn answered(&self) -> u64 {
        ANSWERS.iter().map(|a| count(&self.iommu, a)).sum()
    }

    fn refused(&self) -> u64 {
        REFUSALS.iter().map(|a| count(&self.iommu, a)).sum()
    }

    /// Whether nothing is under way any more: every stall has been answered, on both sides.
    pub fn is_settled(&self) -> bool {
        let endpoint_answers = ["resumed", "aborted", "cancelled", "page-responses"]
            .iter()
            .map(|a| count(&self.endpoints, a))
            .sum::<u64>();
        let endpoints = waits(&self.endpoints) == endpoint_answers + self.within_groups();
        endpoints && (self.iommu.is_empty() || self.awaited() == self.answered())
    }

    /// Page requests that are not the last of their group: one answer is for the whole group.
    fn within_groups(&self) -> u64 {
        count(&self.endpoints, "page-requests").saturating_sub(count(&self.endpoints, "page-groups"))
    }

    /// Answers that the IOMMU's software owes in all. Stop Markers get none.
    fn awaited(&self) -> u64 {
        let without = self.within_groups() + count(&self.endpoints, "stop-markers");
        waits(&self.iommu).saturating_sub(without)
    }

    /// How many stalls the IOMMU has not seen answered yet.
    pub fn open(&self) -> u64 {
        self.awaited().saturating_sub(self.answered())
    }

    /// What the counters have to say against a check's claims; empty when all is confirmed.
    ///
    /// A claim of stalls means: at least so many, each answered exactly once, and as many answered by an abort as
    /// claimed (all by a retry when no aborts are claimed). Whatever is claimed, an endpoint's DMA must have gone
    /// through the IOMMU, and no event may have been lost.
    pub fn objections(&self, claims: &Map<String, Value>) -> Vec<String> {
        let mut found = Vec::new();
        let claim = |name: &str| claims.get(name).and_then(Value::as_u64);
        for name in claims.keys() {
            if !["stalls", "aborts", AT_LEAST].contains(&name.as_str()) {
                found.push(format!("the guest claims {name:?}, which no counter can confirm"));
            }
        }
        for (name, claimed) in at_least(claims) {
            let seen = count(&self.iommu, name);
            // QEMU's own models count nothing
            if seen < claimed && !self.iommu.is_empty() {
                found.push(format!("the guest claims {claimed} {name}, the IOMMU counted {seen}"));
            }
        }
        let moved = ["dma-reads", "dma-writes"].iter().map(|n| count(&self.endpoints, n)).sum::<u64>();
        if !self.iommu.is_empty() {
            if moved > 0 && count(&self.iommu, "translations") == 0 {
                found.push(format!("{moved} accesses by the endpoints, and no translation by the IOMMU"));
            }
            let dropped = count(&self.iommu, "events-dropped");
            if dropped > 0 {
                found.push(format!("the IOMMU lost {dropped} events"));
            }
            let (stalls, answers) = (self.awaited(), self.answered());
            if stalls != answers {
                found.push(format!("{stalls} stalls, but {answers} answers"));
            }
        }
        if let Some(claimed) = claim("stalls") {
            for (who, counters) in [("the IOMMU", &self.iommu), ("the endpoints", &self.endpoints)] {
                if counters.is_empty() && who == "the IOMMU" {
                    found.push("the guest claims stalls, and this IOMMU counts none".into());
                    continue;
                }
                let seen = waits(counters);
                if seen < claimed || seen == 0 {
                    found.push(format!("the guest claims {claimed} stalls, {who} saw {seen}"));
                }
            }
            let aborted = self.refused();
            match claim("aborts") {
                Some(wanted) if aborted < wanted => {
                    found.push(format!("the guest claims {wanted} aborts, the IOMMU saw {aborted}"));
                }
                None if aborted > 0 => {
                    found.push(format!("{aborted} stalls ended in an abort, none was expected"))
                }
                _ => {}
            }
        }
        found
    }

    /// The counters as a person reads them, with those that the claims name.
    pub fn words(&self, claims: &Map<String, Value>) -> String {
        let mut words = Vec::new();
        let stalls = count(&self.iommu, "stalls").max(count(&self.endpoints, "stalls"));
        if stalls > 0 {
            let retried = count(&self.iommu, "resumed-retry").max(count(&self.endpoints, "resumed"));
            words.push(format!("{stalls} stalls, {retried} resumed"));
        }
        let requests = count(&self.iommu, "page-requests").max(count(&self.endpoints, "page-requests"));
        if requests > 0 {
            words.push(format!("{requests} page requests"));
        }
        let aborted = self.refused();
        if aborted > 0 {
            words.push(format!("{aborted} aborted"));
        }
        let faults = count(&self.iommu, "faults").saturating_sub(stalls);
        if faults > 0 {
            words.push(format!("{faults} faults"));
        }
        for (name, _) in at_least(claims) {
            words.push(format!("{} {}", count(&self.iommu, name), name.replace('-', " ")));
        }
        let bytes =
            count(&self.endpoints, "bytes-read").saturating_add(count(&self.endpoints, "bytes-written"));
        if bytes > 0 {
            words.push(format!("{} moved", size(bytes)));
        }
        if words.is_empty() {
            words.push("no DMA".into());
        }
        words.join(", ")
    }
}

/// `4096` → `4 KiB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..=9999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes >> 10),
        10_000_000..=9_999_999_999 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(list: &[(&str, u64)]) -> Counters {
        list.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect()
    }

    fn claims(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    fn good() -> Seen {
        Seen {
            iommu: counters(&[("translations", 20), ("stalls", 8), ("resumed-retry", 8)]),
            endpoints: counters(&[
                ("stalls", 8),
                ("resumed", 8),
                ("dma-writes", 8),
                ("bytes-written", 32768),
            ]),
        }
    }

    #[test]
    fn confirmed_claims_raise_nothing() {
        assert_eq!(good().objections(&claims(r#"{"stalls":8}"#)), Vec::<String>::new());
        assert!(good().is_settled());
        assert_eq!(good().words(&Map::new()), "8 stalls, 8 resumed, 32 KiB moved");
    }

    #[test]
    fn a_missing_answer_is_seen() {
        let mut seen = good();
        seen.iommu.insert("resumed-retry".into(), 7);
        assert!(!seen.is_settled());
        assert_eq!(seen.objections(&claims("{}")), ["8 stalls, but 7 answers"]);
    }

    #[test]
    fn unclaimed_aborts_and_too_few_stalls_are_seen() {
        let mut seen = good();
        seen.iommu.insert("resumed-retry".into(), 7);
        seen.iommu.insert("resumed-abort".into(), 1);
        assert_eq!(seen.objections(&claims(r#"{"stalls":8}"#)).len(), 1);
        assert_eq!(seen.objections(&claims(r#"{"stalls":8,"aborts":1}"#)).len(), 0);
        assert_eq!(good().objections(&claims(r#"{"stalls":9}"#)).len(), 2);
    }

    #[test]
    fn counters_that_lag_behind_claims_are_seen() {
        let some = claims(r#"{"at-least":{"translations":20}}"#);
        assert_eq!(good().objections(&some), Vec::<String>::new());
        assert!(good().words(&some).contains("20 translations"));
        assert_eq!(good().objections(&claims(r#"{"at-least":{"translations":21}}"#)).len(), 1);
        assert_eq!(good().objections(&claims(r#"{"at-least":{"dirty-updates":1}}"#)).len(), 1);
        assert_eq!(good().objections(&claims(r#"{"at-most":{}}"#)).len(), 1);
    }

    #[test]
    fn dma_around_the_iommu_is_seen() {
        let mut seen = good();
        seen.iommu = counters(&[("translations", 0)]);
        assert_eq!(seen.objections(&claims("{}")).len(), 1);
    }

    #[test]
    fn the_guests_lines_parse() {
        let line = r#"{"event":"end","check":"copy","status":"PASS","detail":"4 MiB","claims":{"stalls":3}}"#;
        assert!(matches!(serde_json::from_str(line).unwrap(), Event::End { check, .. } if check == "copy"));
        let line = r#"{"event":"hello","kernel":"7.2.12","page_size":4096,"devices":[],"machine":"aarch64"}"#;
        assert!(matches!(serde_json::from_str(line).unwrap(), Event::Hello { page_size: 4096, .. }));
    }
}
