// SPDX-License-Identifier: GPL-2.0-or-later
//! `sva-testdev`: a PCIe endpoint that uses PASID, ATS and PRI. Its register interface is
//! `docs/sva-testdev.md`.
