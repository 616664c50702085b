// SPDX-License-Identifier: GPL-2.0-or-later
//! What a check hands back, from the process that it runs in to the one that tells.

use serde_json::{Map, Value, json};

/// A check that held: a figure for humans, and claims that the host can confirm.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The figure.
    pub detail: String,
    /// Accesses that the IOMMU must have held back, at least. `None`: no claim.
    pub stalls: Option<u64>,
    /// Of those, resolved by an abort, at least. `None` with stalls: every one was retried.
    pub aborts: Option<u64>,
    /// Counters of the IOMMU that must have grown by so much, at least.
    pub counters: Vec<(&'static str, u64)>,
}

impl Report {
    /// A figure and no claim.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::default() }
    }

    /// Claims that at least so many accesses were held back and then retried.
    pub fn stalls(mut self, stalls: u64) -> Self {
        self.stalls = Some(stalls);
        self
    }

    /// Claims that at least so many of the held-back accesses were aborted.
    pub fn aborts(mut self, aborts: u64) -> Self {
        self.aborts = Some(aborts);
        self
    }

    /// Claims that a counter of the IOMMU has grown by at least so much.
    pub fn at_least(mut self, counter: &'static str, count: u64) -> Self {
        self.counters.push((counter, count));
        self
    }
}

/// A check that did not hold, or could not be made.
#[derive(Clone, Debug)]
pub enum Stop {
    /// What is wrong.
    Fail(String),
    /// Why this machine cannot show it.
    Skip(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Fail(text)
    }
}

impl From<&str> for Stop {
    fn from(text: &str) -> Self {
        Self::Fail(text.to_owned())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Fail(error.to_string())
    }
}

/// What a check's function returns.
pub type CheckResult = Result<Report, Stop>;

/// Ends the check when a condition does not hold.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+).into());
        }
    };
}

/// A result as one line and back: from the check's process to the runner.
pub fn encode(result: &CheckResult) -> String {
    match result {
        Ok(report) => json!({"status": "PASS", "detail": report.detail, "claims": claims(report)}),
        Err(Stop::Fail(detail)) => json!({"status": "FAIL", "detail": detail, "claims": {}}),
        Err(Stop::Skip(detail)) => json!({"status": "SKIP", "detail": detail, "claims": {}}),
    }
    .to_string()
}

fn claims(report: &Report) -> Value {
    let mut map = Map::new();
    if let Some(stalls) = report.stalls {
        map.insert("stalls".into(), stalls.into());
    }
    if let Some(aborts) = report.aborts {
        map.insert("aborts".into(), aborts.into());
    }
    if !report.counters.is_empty() {
        let counters: Map<String, Value> =
            report.counters.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
        map.insert("at-least".into(), counters.into());
    }
    Value::Object(map)
}

/// A finished check.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// `PASS`, `FAIL` or `SKIP`.
    pub status: String,
    /// For humans.
    pub detail: String,
    /// For the host.
    pub claims: Value,
}

impl Verdict {
    /// A failure that the check itself could not report.
    pub fn fail(detail: impl Into<String>) -> Self {
        Self { status: "FAIL".into(), detail: detail.into(), claims: json!({}) }
    }

    /// Not made.
    pub fn skip(detail: impl Into<String>) -> Self {
        Self { status: "SKIP".into(), detail: detail.into(), claims: json!({}) }
    }

    /// Reads [`encode`]'s line.
    pub fn decode(line: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            return Self::fail(format!("the check handed back something odd: {line:?}"));
        };
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self { status: text("status"), detail: text("detail"), claims: value["claims"].clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Stop, Verdict, encode};

    #[test]
    fn there_and_back() {
        let verdict = Verdict::decode(&encode(&Ok(Report::new("4 pages").stalls(4))));
        assert_eq!((verdict.status.as_str(), verdict.claims["stalls"].as_u64()), ("PASS", Some(4)));
        let verdict = Verdict::decode(&encode(&Err(Stop::Skip("one device".into()))));
        assert_eq!((verdict.status.as_str(), verdict.detail.as_str()), ("SKIP", "one device"));
        assert_eq!(Verdict::decode("nonsense").status, "FAIL");
    }
}
