// SPDX-License-Identifier: GPL-2.0-or-later
//! Defects that loom's tests plant, one at a time: a test that passes with its defect planted proves nothing. A build without
//! loom has none of them, and their places cost nothing there.

/// A protection that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A walk is entered though an invalidation has begun since its tables were read.
    FillsLate,
    /// A stamp is not raised.
    ForgetsStamp,
    /// A reader does not look whether its entry was written to meanwhile.
    ReadsTorn,
    /// An answer that is younger than the configuration in use is taken.
    TakesTooYoung,
    /// The micro-TLB enters while an invalidation is under way.
    EntersUnderWay,
    /// Nothing stands between the beginning of an access and its look into the caches.
    BeginsUnordered,
    /// A waiter looks at one of the two counters.
    WaitsForHalf,
}

/// Whether it is planted.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn is(_: Defect) -> bool {
    false
}

#[cfg(loom)]
pub(crate) use self::planting::is;

#[cfg(loom)]
pub(crate) mod planting {
    use std::sync::OnceLock;

    use super::Defect;

    /// Names the defect of a test's process.
    const VARIABLE: &str = "PLANTED_DEFECT";

    pub(crate) fn is(defect: Defect) -> bool {
        static PLANTED: OnceLock<Option<Defect>> = OnceLock::new();
        let all = [
            Defect::FillsLate,
            Defect::ForgetsStamp,
            Defect::ReadsTorn,
            Defect::TakesTooYoung,
            Defect::EntersUnderWay,
            Defect::BeginsUnordered,
            Defect::WaitsForHalf,
        ];
        let named = || {
            let name = std::env::var(VARIABLE).ok()?;
            all.into_iter().find(|defect| format!("{defect:?}") == name)
        };
        *PLANTED.get_or_init(named) == Some(defect)
    }

    /// Runs a test with a defect, which it has to find: in a process of its own, which a failure in loom may abort.
    #[cfg(test)]
    pub(crate) fn finds(test: &str, defect: Defect) {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env(VARIABLE, format!("{defect:?}"))
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("running 1 test"), "{test} is no test: {said}");
        assert!(!output.status.success(), "{test} passes with {defect:?}");
    }
}
