// SPDX-License-Identifier: GPL-2.0-or-later
//! Whether this thread is inside a request of an endpoint: then no endpoint is called back.

use core::cell::Cell;

std::thread_local! {
    /// Requests that this thread is inside of: one may reach a register whose device makes another.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Makes a request.
pub(super) fn make<R>(request: impl FnOnce() -> R) -> R {
    let depth = DEPTH.get();
    DEPTH.set(depth.wrapping_add(1));
    let result = request();
    DEPTH.set(depth);
    result
}

/// Whether this thread is inside one.
pub(super) fn is_being_made() -> bool {
    DEPTH.get() != 0
}
