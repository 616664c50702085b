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

/// A full fence right after a sequentially consistent read-modify-write, which on this architecture is one itself.
#[inline(always)]
pub(crate) fn fence_after_update() {
    #[cfg(any(loom, not(target_arch = "x86_64")))]
    fence(Ordering::SeqCst);
    #[cfg(not(any(loom, not(target_arch = "x86_64"))))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
}
