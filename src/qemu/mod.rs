// SPDX-License-Identifier: GPL-2.0-or-later
//! Safe wrappers over QEMU's C API.
