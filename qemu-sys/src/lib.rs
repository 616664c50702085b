// SPDX-License-Identifier: GPL-2.0-or-later
//! Raw bindings to the parts of QEMU that device models need; nothing else.
