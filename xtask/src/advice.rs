// SPDX-License-Identifier: GPL-2.0-or-later
//! Errors that say what is wrong and what to do about it.

use std::fmt;

/// An error for a person: the cause, then the way out.
#[derive(Debug)]
pub struct Advice {
    /// What is wrong, as one sentence.
    pub cause: String,
    /// What the user can do, as one or several lines.
    pub way_out: String,
    /// The process's exit code, see [`exit`].
    pub code: u8,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        for line in self.way_out.lines() {
            write!(f, "\n  way out: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Advice {}

/// The exit codes, the same for every command.
pub mod exit {
    /// Everything passed.
    pub const PASS: u8 = 0;
    /// A check or a test failed.
    pub const FAIL: u8 = 1;
    /// The command line makes no sense (clap's code).
    pub const USAGE: u8 = 2;
    /// Something that the run needs is missing or could not be built.
    pub const SETUP: u8 = 3;
    /// With `boot --fail-on-warning`: the guest's kernel raised an alarm. `git bisect run` takes it for a bad revision.
    pub const ALARM: u8 = 123;
    /// The guest hung, or the time was up.
    pub const TIMEOUT: u8 = 124;
    /// QEMU ended by a signal or with an error of its own.
    pub const QEMU: u8 = 134;
    /// The guest's kernel panicked.
    pub const PANIC: u8 = 255;
}

/// An error with the way out; ends the process with [`exit::SETUP`].
pub fn advice(cause: impl Into<String>, way_out: impl Into<String>) -> anyhow::Error {
    coded(exit::SETUP, cause, way_out)
}

/// The same with an exit code of the caller's choice.
pub fn coded(code: u8, cause: impl Into<String>, way_out: impl Into<String>) -> anyhow::Error {
    Advice { cause: cause.into(), way_out: way_out.into(), code }.into()
}
