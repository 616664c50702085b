// SPDX-License-Identifier: GPL-2.0-or-later
//! The atomics that the caches are made of: the standard ones, or loom's where a test explores every order
//! in which threads may see each other's stores (`RUSTFLAGS="--cfg loom" cargo test --release --lib loom`).

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
