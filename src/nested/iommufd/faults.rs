// SPDX-License-Identifier: GPL-2.0-or-later
//! Faults that wait for an answer.
//!
//! The kernel gives a cookie anew as soon as its fault is answered, which it does by itself when the binding goes away. An
//! answer of a guest that comes after that would hit somebody else's fault. So faults have names of this host's own, which do
//! not recur, and a binding's names go away with it.

use super::list::{Fifo, List};
use super::queues::PageFault;
use super::uapi::fault;
use crate::iommu::Access;
use crate::nested::host::{BindingId, Cookie, DeviceId, HostFault};

/// A group that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    /// The kernel's name.
    kernel: u32,
    /// Whose it is, and who takes it along when it ends.
    binding: Option<BindingId>,
}

/// Faults that were read and not answered.
#[derive(Debug, Default)]
pub struct Faults {
    /// Read from the kernel, and not asked for yet.
    pending: Fifo<HostFault>,
    open: List<u64, Open>,
    named: u64,
}

impl Faults {
    /// Takes what was read at once: whole groups. `binding` tells whose a fault is.
    pub fn take(&mut self, read: &[PageFault], binding: impl Fn(DeviceId, Option<u32>) -> Option<BindingId>) {
        let mut group: Option<(u32, u64)> = None;
        for fault in read {
            let device = DeviceId(fault.device);
            let cookie = match group {
                Some((kernel, cookie)) if kernel == fault.cookie => cookie,
                _ => {
                    self.named = self.named.wrapping_add(1);
                    let open = Open { kernel: fault.cookie, binding: binding(device, fault.pasid) };
                    self.open.insert(self.named, open);
                    self.named
                }
            };
            group = (!fault.last).then_some((fault.cookie, cookie));
            let has = |bit: u32| fault.access & bit != 0;
            self.pending.push(HostFault {
                device,
                pasid: fault.pasid,
                group: fault.group,
                addr: fault.addr,
                access: Access {
                    read: has(fault::READ),
                    write: has(fault::WRITE),
                    exec: has(fault::EXEC),
                    privileged: has(fault::PRIVILEGED),
                },
                last: fault.last,
                cookie: Cookie(cookie),
            });
        }
    }

    /// The next one.
    pub fn pop(&mut self) -> Option<HostFault> {
        self.pending.pop()
    }

    /// The kernel's name of a group that waits.
    #[must_use]
    pub fn kernel(&self, cookie: Cookie) -> Option<u32> {
        self.open.get(cookie.0).map(|open| open.kernel)
    }

    /// A group is answered.
    pub fn close(&mut self, cookie: Cookie) {
        self.open.remove(cookie.0);
        self.pending.retain(|fault| fault.cookie != cookie);
    }

    /// Forgets a binding's faults, which the kernel has answered.
    pub fn forget(&mut self, binding: BindingId) {
        self.open.retain(|open| open.binding != Some(binding));
        let open = &self.open;
        self.pending.retain(|fault| open.get(fault.cookie.0).is_some());
    }

    /// How many groups wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(cookie: u32, pasid: Option<u32>, last: bool) -> PageFault {
        PageFault {
            device: 1,
            pasid,
            group: 0,
            access: fault::READ | fault::EXEC,
            addr: 0x1000,
            last,
            cookie,
        }
    }

    fn by_pasid(_: DeviceId, pasid: Option<u32>) -> Option<BindingId> {
        pasid.map(BindingId)
    }

    #[test]
    fn a_group_has_one_name() {
        let mut faults = Faults::default();
        faults.take(&[fault(1, Some(5), false), fault(1, Some(5), true), fault(2, Some(5), true)], by_pasid);
        let [a, b, c] = [faults.pop(), faults.pop(), faults.pop()].map(|f| f.expect("a fault"));
        assert_eq!(a.cookie, b.cookie);
        assert_ne!(b.cookie, c.cookie);
        assert!((a.access.read, a.access.exec, a.access.write) == (true, true, false));
        assert_eq!(faults.pop(), None);
        assert_eq!((faults.kernel(b.cookie), faults.kernel(c.cookie)), (Some(1), Some(2)));
        faults.close(b.cookie);
        assert_eq!((faults.kernel(b.cookie), faults.waiting()), (None, 1));
    }

    #[test]
    fn the_kernels_name_comes_again_and_ours_does_not() {
        let mut faults = Faults::default();
        faults.take(&[fault(1, Some(5), true)], by_pasid);
        let stale = faults.pop().expect("a fault").cookie;
        // The binding ends, the kernel answers, and gives the name to another one.
        faults.forget(BindingId(5));
        faults.take(&[fault(1, Some(6), true)], by_pasid);
        assert_eq!(faults.kernel(stale), None, "a late answer hits somebody else's fault");
        let fresh = faults.pop().expect("a fault").cookie;
        assert_eq!(faults.kernel(fresh), Some(1));
    }

    #[test]
    fn two_single_faults_with_one_name_of_the_kernels() {
        // The second was reported after the first was answered.
        let mut faults = Faults::default();
        faults.take(&[fault(1, Some(5), true)], by_pasid);
        let first = faults.pop().expect("a fault").cookie;
        faults.close(first);
        faults.take(&[fault(1, Some(5), true)], by_pasid);
        assert_ne!(faults.pop().expect("a fault").cookie, first);
    }

    #[test]
    fn a_binding_takes_its_faults_along() {
        let mut faults = Faults::default();
        faults.take(&[fault(1, Some(5), true), fault(2, Some(6), true), fault(3, None, true)], by_pasid);
        faults.forget(BindingId(5));
        assert_eq!(faults.waiting(), 2);
        assert_eq!(faults.pop().and_then(|f| f.pasid), Some(6));
        assert_eq!(faults.pop().and_then(|f| f.pasid), None);
    }
}
