// SPDX-License-Identifier: GPL-2.0-or-later
//! Conformance cases; see `README.md` beside this file.

pub mod smmuv3;
