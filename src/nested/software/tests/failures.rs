// SPDX-License-Identifier: GPL-2.0-or-later
//! Calls that fail, devices that go, descriptors that are closed.

use super::smmuv3::{Rig, VSID, cfgi_cd, tlbi, waiting};
use super::*;
use crate::nested::host::Response;
use crate::nested::{Binding, Error};
use crate::smmuv3::spec::command as op;
use crate::smmuv3::testing::READ;

const VA: u64 = 0x1_2345_6000;
const PA: u64 = 0x8000_0000;
const ENOMEM: Failure = Failure::Errno(libc::ENOMEM);

#[test]
fn a_call_that_fails_changes_nothing() {
    let rig = Rig::new();
    rig.host.fail(0, ENOMEM);
    assert_eq!(failed(rig.host.add_virtual_device(DEVICE, 3)), libc::ENOMEM);
    rig.host.add_virtual_device(DEVICE, VSID.into()).unwrap();
    rig.host.fail(1, ENOMEM);
    let bind = || rig.host.bind(DEVICE, None, &Config::Abort, FaultRouting::Refused);
    let id = bind().unwrap();
    assert_eq!(failed(rig.host.replace(id, &Config::Bypass, FaultRouting::Refused)), libc::ENOMEM);
    assert_eq!(rig.ask(None, PA, READ), Outcome::Aborted, "the old one holds");
    rig.host.fail(0, ENOMEM);
    assert_eq!(failed(rig.host.unmap(RAM.start, RAM.end - RAM.start)), libc::ENOMEM);
    rig.host.replace(id, &Config::Bypass, FaultRouting::Refused).unwrap();
    assert_eq!(guest_address(rig.ask(None, PA, READ)), Some(PA));
    rig.host.fail(0, ENOMEM);
    assert_eq!(failed(rig.host.unbind(id)), libc::ENOMEM);
    assert_eq!(rig.host.occupancy().bindings, 0, "gone all the same");
    bind().unwrap();
}

#[test]
fn a_batch_fails_at_an_entry() {
    let rig = Rig::new();
    rig.bound(FaultRouting::Refused);
    let of = |va| Invalidation::Smmuv3(tlbi(op::TLBI_NH_VA, 5, va));
    for at in 0..3 {
        for page in 0..3 {
            rig.map(VA + page * 0x1000, PA + page * 0x1000);
        }
        rig.send(&[tlbi(op::TLBI_NH_ALL, 0, 0)]);
        let old: Vec<_> = (0..3).map(|page| rig.at(1, VA + page * 0x1000)).collect();
        for page in 0..3 {
            rig.map(VA + page * 0x1000, PA + 0x10_0000);
        }
        rig.host.fail(0, Failure::Entry { at, errno: libc::EIO });
        let batch = [of(VA), of(VA + 0x1000), of(VA + 0x2000)];
        let partial = rig.host.invalidate(&batch).unwrap_err();
        assert_eq!(partial.done, at);
        for (page, old) in old.iter().enumerate() {
            let new = rig.at(1, VA + page as u64 * 0x1000);
            assert_eq!(new == *old, page >= at, "entry {page} of a batch that ended at {at}");
        }
    }
}

#[test]
fn a_device_that_is_gone_reaches_nothing() {
    let rig = Rig::new();
    let id = rig.bound(FaultRouting::Queued);
    assert_eq!(rig.at(1, VA), Some(PA));
    rig.host.remove_device(DEVICE);
    let gone = Error::DeviceGone(DEVICE);
    assert_eq!(rig.at(1, VA), None);
    assert_eq!(rig.host.capabilities(DEVICE), Err(gone.clone()));
    assert_eq!(rig.host.replace(id, &Config::Abort, FaultRouting::Refused), Err(gone.clone()));
    assert_eq!(rig.host.remove_virtual_device(DEVICE), Err(gone.clone()));
    let of_stream = Invalidation::Smmuv3(cfgi_cd(op::CFGI_CD, VSID, 1));
    let partial = rig.host.invalidate(&[of_stream]).unwrap_err();
    assert_eq!((partial.done, failed::<()>(Err(partial.error))), (0, libc::EIO), "its name is gone too");
    assert_eq!(rig.host.unbind(id), Err(gone));
    assert_eq!(rig.host.occupancy().bindings, 0);
}

#[test]
fn a_closed_queue_says_so() {
    let rig = Rig::new();
    rig.bound(FaultRouting::Queued);
    rig.host.close(Queue::Faults);
    assert_eq!(rig.host.next_fault(), Err(Error::Closed("fault queue")));
    assert_eq!(rig.host.respond(Cookie(1), Response::Success), Err(Error::Closed("fault queue")));
    assert!(readable(rig.host.fault_fd().unwrap()), "so that somebody looks");
    assert_eq!(
        rig.host.translate(DEVICE, &waiting(1, 0x9000, READ, 1)),
        Outcome::Aborted,
        "nobody would answer"
    );
    rig.host.close(Queue::Events);
    assert_eq!(rig.host.next_event(), Err(Error::Closed("event queue")));
    assert_eq!(rig.at(1, VA), Some(PA), "translation goes on");
}

#[test]
fn a_binding_ends_when_it_is_dropped_also_where_that_fails() {
    let rig = Rig::new();
    let host: Arc<SoftwareHost> = Arc::new(rig.host);
    let shared: Arc<dyn Host> = host.clone();
    let bind = || Binding::new(&shared, DEVICE, None, Config::Abort, FaultRouting::Refused);
    let mut binding = bind().unwrap();
    host.fail(0, ENOMEM);
    assert!(binding.replace(Config::Bypass, FaultRouting::Refused).is_err());
    assert_eq!(binding.config(), &Config::Abort);
    binding.replace(Config::Bypass, FaultRouting::Refused).unwrap();
    drop(binding);
    assert_eq!(host.occupancy().bindings, 0);
    let binding = bind().unwrap();
    host.fail(0, ENOMEM);
    drop(binding);
    assert_eq!(host.occupancy().bindings, 0);
}

#[test]
fn every_call_is_written_down() {
    let rig = Rig::new();
    let id = rig.bound(FaultRouting::Queued);
    let _ = rig.host.take_calls();
    let commands: Vec<_> = (0..511).map(|n| Invalidation::Smmuv3(tlbi(op::TLBI_NH_VA, 5, n << 12))).collect();
    rig.host.invalidate(&commands).unwrap();
    assert_eq!((rig.host.next_fault(), rig.host.next_event()), (Ok(None), Ok(None)), "which is no call");
    rig.host.unbind(id).unwrap();
    let calls = rig.host.take_calls();
    let [Record { call: Call::Invalidate { batch }, error: None, done: 511 }, unbind] = &calls[..] else {
        panic!("{} calls", calls.len())
    };
    assert_eq!((batch, &unbind.call), (&commands, &Call::Unbind { binding: id }));
}
