// SPDX-License-Identifier: GPL-2.0-or-later
//! The entry point that QEMU calls when it loads this library with `-device-plugin`.
