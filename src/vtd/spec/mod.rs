// SPDX-License-Identifier: GPL-2.0-or-later
//! Formats that software and the remapping hardware share: types only, no algorithms.
