// SPDX-License-Identifier: GPL-2.0-or-later
//! What every [`Host`] keeps to about devices, names, bindings and how long they live.
//!
//! What models a guest's IOMMU is tested with hosts inside the process. Such a host proves nothing where it takes what Linux
//! refuses. So one list of rules is checked with each of them and, in a guest, with Linux (`sva-nested`, check `conformance`).

use super::error::{Error, Result};
use super::host::{
    BindingId, Capabilities, Config, Cookie, DeviceId, FaultRouting, FirstStage, Host, Invalidation, Response,
};
use crate::iommu::SubstreamId;
use crate::smmuv3::spec::command::{self as op, StreamCommand0, TlbiCommand0};
use crate::smmuv3::spec::ste::{Ste0, config};

/// A host, what is in it, and where tables may be.
#[derive(Clone, Copy)]
pub struct Rig<'a> {
    /// The host. Nothing is bound in it, and no device has a name.
    pub host: &'a dyn Host,
    /// A device in it.
    pub device: DeviceId,
    /// Another one.
    pub other: Option<DeviceId>,
    /// A page of the guest's that is full of zeroes, for a table.
    pub table: u64,
}

/// A rule: its name, and what checks it.
pub type Rule = (&'static str, fn(&Rig<'_>) -> Verdict);

/// Whether it holds, or what was answered instead.
pub type Verdict = core::result::Result<(), String>;

/// The guest's names in these rules.
const NAME: u64 = 0x5a;
const OTHER_NAME: u64 = 0x5b;
const UNKNOWN: DeviceId = DeviceId(0xffff_fff0);
const PASID: SubstreamId = 3;

/// Every rule. Each leaves the host as it was.
pub const RULES: &[Rule] = &[
    ("a stranger is refused", stranger),
    ("a device has one name", one_name),
    ("a name is one device's", one_device),
    ("without a name nothing is translated, and nothing is changed", nameless),
    ("a name goes, and what is bound stays", name_goes),
    ("an address space has one binding", one_binding),
    ("a binding ends once, and its number does not recur", ends_once),
    ("a PASID is its own address space, where hosts bind PASIDs", pasids),
    ("a table of another architecture is refused, and the old one holds", foreign),
    ("an invalidation names what there is", invalidations),
    ("an answer to nothing is refused", answers),
];

/// Checks every rule. The names of those that held.
///
/// # Errors
/// The first that did not hold, with what was answered.
pub fn check(rig: &Rig<'_>) -> core::result::Result<Vec<&'static str>, String> {
    RULES
        .iter()
        .map(|(name, rule)| rule(rig).map(|()| *name).map_err(|why| format!("{name}: {why}")))
        .collect()
}

impl Rig<'_> {
    fn is_arm(&self) -> bool {
        matches!(self.host.capabilities(self.device), Ok(Capabilities::Smmuv3(_)))
    }

    fn cd_table(&self) -> Config {
        let ste0 = Ste0::from(self.table).with_v(1).with_config(config::S1);
        Config::CdTable { ste: [ste0.bits(), 0] }
    }

    fn first_stage(&self) -> Config {
        Config::FirstStage(FirstStage {
            table: self.table,
            address_bits: 48,
            supervisor_requests: false,
            write_protect: false,
            extended_accessed: false,
        })
    }

    /// A table of this host's architecture.
    fn own(&self) -> Config {
        if self.is_arm() { self.cd_table() } else { self.first_stage() }
    }

    fn bind(&self, device: DeviceId, pasid: Option<SubstreamId>, config: &Config) -> Result<BindingId> {
        self.host.bind(device, pasid, config, FaultRouting::Refused)
    }

    fn replace(&self, binding: BindingId, config: &Config) -> Result<()> {
        self.host.replace(binding, config, FaultRouting::Refused)
    }
}

fn want<T: core::fmt::Debug>(
    what: &str,
    answer: Result<T>,
    is_right: impl FnOnce(&Result<T>) -> bool,
) -> Verdict {
    if is_right(&answer) { Ok(()) } else { Err(format!("{what}: {answer:?}")) }
}

fn done<T: core::fmt::Debug>(what: &str, answer: Result<T>) -> core::result::Result<T, String> {
    answer.map_err(|error| format!("{what}: {error:?}"))
}

fn fails_with<T>(errno: i32) -> impl FnOnce(&Result<T>) -> bool {
    move |answer| matches!(answer, Err(Error::Failed { errno: is, .. }) if *is == errno)
}

fn is_unsupported<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Unsupported { .. }))
}

fn stranger(rig: &Rig<'_>) -> Verdict {
    fn unknown<T>(answer: &Result<T>) -> bool {
        matches!(answer, Err(Error::UnknownDevice(UNKNOWN)))
    }
    want("capabilities", rig.host.capabilities(UNKNOWN), unknown)?;
    want("a name", rig.host.add_virtual_device(UNKNOWN, NAME), unknown)?;
    want("its name back", rig.host.remove_virtual_device(UNKNOWN), unknown)?;
    want("abort", rig.bind(UNKNOWN, None, &Config::Abort), unknown)
}

fn one_name(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    want("a name back that was not given", host.remove_virtual_device(device), fails_with(libc::ENOENT))?;
    done("a name", host.add_virtual_device(device, NAME))?;
    want("the same again", host.add_virtual_device(device, NAME), fails_with(libc::EEXIST))?;
    want("another one", host.add_virtual_device(device, OTHER_NAME), fails_with(libc::EEXIST))?;
    done("it back", host.remove_virtual_device(device))?;
    want("it back twice", host.remove_virtual_device(device), fails_with(libc::ENOENT))?;
    done("another one then", host.add_virtual_device(device, OTHER_NAME))?;
    done("that back", host.remove_virtual_device(device))
}

fn one_device(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, other: Some(other), .. } = *rig else { return Ok(()) };
    done("a name", host.add_virtual_device(device, NAME))?;
    want("another device's", host.add_virtual_device(other, NAME), fails_with(libc::EEXIST))?;
    want("which it has not got", host.remove_virtual_device(other), fails_with(libc::ENOENT))?;
    done("it back", host.remove_virtual_device(device))?;
    done("the other device's then", host.add_virtual_device(other, NAME))?;
    want("the first one's", host.add_virtual_device(device, NAME), fails_with(libc::EEXIST))?;
    done("back too", host.remove_virtual_device(other))
}

fn nameless(rig: &Rig<'_>) -> Verdict {
    if !rig.is_arm() {
        return Ok(());
    }
    let Rig { host, device, .. } = *rig;
    want("a CD table", rig.bind(device, None, &rig.cd_table()), is_unsupported)?;
    let binding = done("abort", rig.bind(device, None, &Config::Abort))?;
    done("bypass", rig.replace(binding, &Config::Bypass))?;
    want("a CD table in its place", rig.replace(binding, &rig.cd_table()), is_unsupported)?;
    done("a name", host.add_virtual_device(device, NAME))?;
    done("a CD table with a name", rig.replace(binding, &rig.cd_table()))?;
    done("the end", host.unbind(binding))?;
    done("the name back", host.remove_virtual_device(device))
}

fn name_goes(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    done("a name", host.add_virtual_device(device, NAME))?;
    let binding = done("a table", rig.bind(device, None, &rig.own()))?;
    done("the name back", host.remove_virtual_device(device))?;
    if rig.is_arm() {
        want("a CD table without a name", rig.replace(binding, &rig.cd_table()), is_unsupported)?;
    }
    want("a second binding", rig.bind(device, None, &Config::Abort), fails_with(libc::EBUSY))?;
    done("another name", host.add_virtual_device(device, OTHER_NAME))?;
    done("the table by that", rig.replace(binding, &rig.own()))?;
    done("the end", host.unbind(binding))?;
    done("that name back", host.remove_virtual_device(device))
}

fn one_binding(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    let binding = done("abort", rig.bind(device, None, &Config::Abort))?;
    want("abort again", rig.bind(device, None, &Config::Abort), fails_with(libc::EBUSY))?;
    want("bypass", rig.bind(device, None, &Config::Bypass), fails_with(libc::EBUSY))?;
    let beside = match rig.other {
        Some(other) => Some(done("another device", rig.bind(other, None, &Config::Abort))?),
        None => None,
    };
    done("the end", host.unbind(binding))?;
    let again = done("bypass then", rig.bind(device, None, &Config::Bypass))?;
    done("the end of that", host.unbind(again))?;
    beside.map_or(Ok(()), |beside| done("the end of the other", host.unbind(beside)))
}

fn ends_once(rig: &Rig<'_>) -> Verdict {
    fn unknown<T>(binding: BindingId) -> impl FnOnce(&Result<T>) -> bool {
        move |answer| matches!(answer, Err(Error::UnknownBinding(is)) if *is == binding)
    }
    let Rig { host, device, .. } = *rig;
    let first = done("abort", rig.bind(device, None, &Config::Abort))?;
    done("the end", host.unbind(first))?;
    want("the end again", host.unbind(first), unknown(first))?;
    want("bypass in place of nothing", rig.replace(first, &Config::Bypass), unknown(first))?;
    let second = done("abort again", rig.bind(device, None, &Config::Abort))?;
    if first == second {
        return Err(format!("{first:?} recurs"));
    }
    want("the end of the first", host.unbind(first), unknown(first))?;
    done("the end of the second", host.unbind(second))
}

fn pasids(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    if rig.is_arm() {
        return want("a PASID", rig.bind(device, Some(PASID), &Config::Abort), is_unsupported);
    }
    let whole = done("the device", rig.bind(device, None, &Config::Abort))?;
    let space = done("a PASID", rig.bind(device, Some(PASID), &rig.first_stage()))?;
    want("the PASID again", rig.bind(device, Some(PASID), &Config::Bypass), fails_with(libc::EBUSY))?;
    done("the end of the device's", host.unbind(whole))?;
    done("the PASID's, replaced", rig.replace(space, &Config::Bypass))?;
    done("the end of the PASID's", host.unbind(space))
}

fn foreign(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    let foreign = if rig.is_arm() { rig.first_stage() } else { rig.cd_table() };
    want("bound", rig.bind(device, None, &foreign), is_unsupported)?;
    let binding = done("abort", rig.bind(device, None, &Config::Abort))?;
    want("in its place", rig.replace(binding, &foreign), is_unsupported)?;
    done("the end", host.unbind(binding))
}

fn invalidations(rig: &Rig<'_>) -> Verdict {
    let Rig { host, device, .. } = *rig;
    let at = |batch: &[Invalidation]| host.invalidate(batch).map_err(|partial| (partial.done, partial.error));
    let is = |what: &str, answer: core::result::Result<(), (usize, Error)>, right: bool| {
        if right { Ok(()) } else { Err(format!("{what}: {answer:?}")) }
    };
    let nothing = at(&[]);
    is("nothing", nothing.clone(), nothing.is_ok())?;
    if rig.is_arm() {
        let everything =
            Invalidation::Smmuv3([TlbiCommand0::default().with_opcode(op::TLBI_NH_ALL.into()).bits(), 0]);
        let contexts = |name: u64| {
            let head = StreamCommand0::default().with_opcode(op::CFGI_CD_ALL.into()).with_stream_id(name);
            Invalidation::Smmuv3([head.bits(), 0])
        };
        let without = at(&[everything, contexts(NAME), everything]);
        is(
            "a stream without a name",
            without.clone(),
            matches!(without, Err((1, Error::Failed { errno: libc::EIO, .. }))),
        )?;
        done("a name", host.add_virtual_device(device, NAME))?;
        let with = at(&[everything, contexts(NAME), everything]);
        is("a stream with a name", with.clone(), with.is_ok())?;
        let other = at(&[contexts(OTHER_NAME)]);
        is(
            "by another name",
            other.clone(),
            matches!(other, Err((0, Error::Failed { errno: libc::EIO, .. }))),
        )?;
        return done("the name back", host.remove_virtual_device(device));
    }
    let pages = |binding| Invalidation::FirstStage { binding, addr: 0, pages: u64::MAX, leaf: false };
    let binding = done("a table", rig.bind(device, None, &rig.first_stage()))?;
    let done_twice = at(&[pages(binding), pages(binding)]);
    is("its pages", done_twice.clone(), done_twice.is_ok())?;
    done("abort in its place", rig.replace(binding, &Config::Abort))?;
    let none = at(&[pages(binding)]);
    is("pages of no table", none.clone(), none.is_ok())?;
    done("the end", host.unbind(binding))?;
    let ended = at(&[pages(binding)]);
    is("of a binding that ended", ended.clone(), ended == Err((0, Error::UnknownBinding(binding))))
}

fn answers(rig: &Rig<'_>) -> Verdict {
    const STRANGE: Cookie = Cookie(0x7777_7777);
    for response in [Response::Success, Response::Invalid] {
        want("an answer", rig.host.respond(STRANGE, response), |answer| {
            matches!(answer, Err(Error::UnknownCookie(0x7777_7777)))
        })?;
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::nested::fake::FakeHost;
    use crate::nested::software::tests::{RAM, Shifted, map_ram};
    use crate::nested::software::{DeviceOptions, SoftwareHost};

    fn conforms(host: &dyn Host) {
        let rig = Rig { host, device: DeviceId(1), other: Some(DeviceId(2)), table: RAM.start };
        let held = check(&rig).unwrap();
        assert_eq!(held.len(), RULES.len());
        // Nothing is left behind by which a second time would differ.
        check(&rig).unwrap();
    }

    #[test]
    fn the_fake_smmuv3_is_as_strict_as_linux() {
        let f = crate::smmuv3::features::Features::default();
        let able = crate::nested::Smmuv3Capabilities {
            idr: [f.idr0(), f.idr1(), f.idr2(), f.idr3(), f.idr4(), f.idr5()],
            iidr: f.iidr(),
            aidr: f.aidr(),
            pasid_bits: 20,
        };
        conforms(FakeHost::new(Capabilities::Smmuv3(able)).as_ref());
    }

    #[test]
    fn the_fake_vtd_is_as_strict_as_linux() {
        let f = crate::vtd::features::Features::default();
        let able = crate::nested::VtdCapabilities {
            cap: f.cap(),
            ecap: f.ecap(),
            pasid_bits: 20,
            writable_stage2_only: false,
        };
        conforms(FakeHost::new(Capabilities::Vtd(able)).as_ref());
    }

    fn furnished(host: SoftwareHost) -> SoftwareHost {
        map_ram(&host);
        for device in [1, 2] {
            host.add_device(DeviceId(device), DeviceOptions::default());
        }
        host
    }

    #[test]
    fn the_smmuv3_in_the_process_is_as_strict_as_linux() {
        let guest = Arc::new(crate::smmuv3::testing::TestGuest::new());
        let features = crate::smmuv3::features::Features::default();
        conforms(&furnished(SoftwareHost::smmuv3(Arc::new(Shifted(guest)), features).unwrap()));
    }

    #[test]
    fn the_vtd_in_the_process_is_as_strict_as_linux() {
        let guest = Arc::new(crate::vtd::testing::TestGuest::new());
        let features = crate::vtd::features::Features { nested: true, ..Default::default() };
        conforms(&furnished(SoftwareHost::vtd(Arc::new(Shifted(guest)), features).unwrap()));
    }
}
