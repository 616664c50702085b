// SPDX-License-Identifier: GPL-2.0-or-later
//! Errors that a user of QEMU reads.

use core::ffi::CStr;
use core::fmt;
use core::ptr;

use qemu_sys as sys;

/// A message for the user, in QEMU's style: one sentence, no full stop, with the way out of it.
///
/// Any `std::error::Error` turns into one by `?`, with its chain of causes.
pub struct Error {
    message: String,
}

/// What fallible wrappers and device callbacks return.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Puts `what: ` in front of the message.
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message) }
    }

    /// Runs `f` with a place for QEMU to report an error in; an error there becomes `Err`.
    pub(super) fn catch<R>(f: impl FnOnce(*mut *mut sys::Error) -> R) -> Result<R> {
        let mut raw: *mut sys::Error = ptr::null_mut();
        let result = f(&mut raw);
        if raw.is_null() {
            return Ok(result);
        }
        // SAFETY: QEMU stored an error that this function owns now; its message is a C string.
        let message = unsafe { CStr::from_ptr(sys::error_get_pretty(raw)) }.to_string_lossy().into_owned();
        // SAFETY: owned, as above, and not used after this.
        unsafe { sys::error_free(raw) };
        Err(Self { message })
    }

    /// Hands the error to QEMU.
    ///
    /// # Safety
    /// `errp` is an `Error **` as QEMU passes it: null, or valid for a write and holding null.
    pub unsafe fn propagate(self, errp: *mut *mut sys::Error) {
        let message = super::c_string(&self.message);
        let file = concat!(file!(), "\0");
        // SAFETY: all strings end in NUL, the format takes one string, `errp` is the caller's promise.
        unsafe {
            sys::error_setg_internal(
                errp,
                file.as_ptr().cast(),
                0,
                c"propagate".as_ptr(),
                c"%s".as_ptr(),
                message.as_ptr(),
            );
        }
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = inner.source();
        }
        Self { message }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.message).finish()
    }
}

/// Calls a closure that may fail on behalf of a C caller with an `Error **`; `false` after an error.
///
/// # Safety
/// As for [`Error::propagate`].
pub(super) unsafe fn report(errp: *mut *mut sys::Error, f: impl FnOnce() -> Result<()>) -> bool {
    match f() {
        Ok(()) => true,
        Err(error) => {
            // SAFETY: the caller's promise.
            unsafe { error.propagate(errp) };
            false
        }
    }
}
