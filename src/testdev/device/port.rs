// SPDX-License-Identifier: GPL-2.0-or-later
//! The PCI function as the engines' port, and the inbox of what other devices tell it.

use core::sync::atomic::Ordering;

use super::{Event, PRI_STATUS, PRI_STATUS_FAILURE, PRI_STATUS_UNEXPECTED, TestDev, lock};
use crate::iommu::Access;
use crate::qemu::{AtsAnswer, AtsError, DmaError, Pasids, PciDevice, PciDmaRequest, Qom, main_loop};
use crate::testdev::{
    AtsTranslation, Device, Invalidation, PAGE_SIZE, PageResponse, Port, PortError, Request, Width,
};

/// The PCI function as the engines' port.
pub(super) struct PciPort<'a> {
    device: &'a Qom<TestDev>,
    /// The invalidation that is complete when the access in hand is.
    letting_go: Option<u32>,
    /// Bits of the Page Request Status register to be set.
    pri_status: u16,
    /// Invalidations that were let go of without a word.
    unanswered: u64,
}

impl<'a> PciPort<'a> {
    pub(super) fn new(device: &'a Qom<TestDev>) -> Self {
        Self { device, letting_go: None, pri_status: 0, unanswered: 0 }
    }

    /// Bits of the Page Request Status register to be set.
    pub(super) fn pri_status(&self) -> u16 {
        self.pri_status
    }

    /// Invalidations whose completion was not sent.
    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered
    }

    fn pci(&self) -> &PciDevice {
        self.device.parent()
    }

    /// Tells the model what others had to say; in order.
    pub(super) fn empty_inbox(&mut self, model: &mut Device) {
        if self.device.inbox_overflowed.swap(false, Ordering::Relaxed) {
            model.forget_translations();
        }
        loop {
            let event = lock(&self.device.inbox).pop_front();
            match event {
                None => break,
                Some(Event::Resolved { tag, retry }) => {
                    let _ = model.resolved(tag, retry, self);
                }
                Some(Event::Invalidation { invalidation, itag }) => {
                    self.let_go();
                    model.invalidate(&invalidation);
                    self.letting_go = itag;
                }
                // A function that was told Response Failure ignores what comes after it (PCIe §10.4.2.1).
                Some(Event::Response { .. }) if self.has_failed() => {}
                Some(Event::Response { group, pasid, response }) => {
                    if !model.page_response(group, pasid, response, self) {
                        self.pri_status |= PRI_STATUS_UNEXPECTED;
                    }
                    if response == PageResponse::Failure {
                        self.pri_status |= PRI_STATUS_FAILURE;
                        model.page_requests_lost(self);
                    }
                }
            }
        }
        self.let_go();
    }

    /// No access uses any more what the invalidation in hand takes: completes it.
    fn let_go(&mut self) {
        let Some(itag) = self.letting_go.take() else { return };
        if self.device.is_gone() {
            return;
        }
        if self.device.answers_invalidations.load(Ordering::Relaxed) {
            self.pci().ats_invalidation_done(itag);
        } else {
            self.unanswered = self.unanswered.wrapping_add(1);
        }
    }

    /// Whether page requests have ended in a Response Failure that software has not seen yet.
    fn has_failed(&self) -> bool {
        let status = match self.device.capabilities().pri {
            Some(cap) if !self.device.is_gone() => self.pci().config_u16(cap + PRI_STATUS),
            _ => 0,
        };
        (status | self.pri_status) & PRI_STATUS_FAILURE != 0
    }

    /// A request of the ATS and PRI mode, with what of its address is sent, if software has enabled such requests.
    fn ats_request(&self, request: &Request) -> Result<PciDmaRequest, PortError> {
        self.check_plugged()?;
        let pci = self.pci();
        let Access { exec, privileged, .. } = request.access;
        if !pci.is_bus_master()
            || request.pasid.is_some() && !pci.is_pasid_enabled()
            || exec && !pci.is_pasid_exec_enabled()
            || privileged && !pci.is_pasid_privileged_enabled()
        {
            return Err(self.not_enabled());
        }
        let unsent = if self.device.properties().page_aligned.get() { PAGE_SIZE - 1 } else { 0 };
        self.request(&Request { addr: request.addr & !unsent, ..*request })
    }

    /// What the PCI core is asked; nothing once the device has left.
    fn request(&self, request: &Request) -> Result<PciDmaRequest, PortError> {
        self.check_plugged()?;
        let Access { read, write, exec, privileged } = request.access;
        let tag = (request.tag != 0).then_some(request.tag);
        Ok(PciDmaRequest { pasid: request.pasid, read, write, exec, privileged, addr: request.addr, tag })
    }

    fn check_plugged(&self) -> Result<(), PortError> {
        if self.device.is_gone() { Err(PortError::BusMasterOff) } else { Ok(()) }
    }

    fn error(&self, error: DmaError) -> PortError {
        match error {
            DmaError::Waiting => PortError::InProgress,
            DmaError::Aborted | DmaError::Invalid => PortError::Refused,
            DmaError::NoMemory => PortError::Memory,
            DmaError::NotEnabled => self.not_enabled(),
            DmaError::Unsupported => PortError::Unsupported,
        }
    }

    fn not_enabled(&self) -> PortError {
        if !self.device.is_gone() && self.pci().is_bus_master() {
            PortError::PasidDisabled
        } else {
            PortError::BusMasterOff
        }
    }
}

impl Port for PciPort<'_> {
    fn read(&mut self, request: &Request, buf: &mut [u8]) -> Result<(), PortError> {
        let (_, result) = self.pci().dma_read(&self.request(request)?, buf);
        result.map_err(|error| self.error(error))
    }

    fn write(&mut self, request: &Request, buf: &[u8]) -> Result<(), PortError> {
        let (_, result) = self.pci().dma_write(&self.request(request)?, buf);
        result.map_err(|error| self.error(error))
    }

    fn compare_exchange(
        &mut self,
        request: &Request,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        let result =
            self.pci().dma_compare_exchange(&self.request(request)?, width.bytes(), expected, desired);
        result.map_err(|error| self.error(error))
    }

    fn cancel(&mut self, pasid: Option<u32>, tag: u64) {
        if !self.device.is_gone() {
            self.pci().dma_cancel(Pasids::One(pasid), Some(tag));
        }
    }

    fn take_invalidation(&mut self) -> Option<Invalidation> {
        self.let_go();
        if self.device.inbox_overflowed.swap(false, Ordering::Relaxed) {
            return Some(Invalidation { pasid: None, all_pasids: true, addr: 0, mask: u64::MAX });
        }
        let mut inbox = lock(&self.device.inbox);
        let at = inbox.iter().position(|event| matches!(event, Event::Invalidation { .. }))?;
        let Some(Event::Invalidation { invalidation, itag }) = inbox.remove(at) else { return None };
        self.letting_go = itag;
        Some(invalidation)
    }

    fn translate(&mut self, request: &Request) -> Result<Option<AtsTranslation>, PortError> {
        let asked = self.ats_request(request)?;
        let pci = self.pci();
        let services = pci.iommu_services();
        if !services.ats
            || !pci.is_ats_enabled()
            || request.access.privileged && !services.privileged_ats
            || !self.device.add_client(request.pasid)
        {
            return Err(PortError::Unsupported);
        }
        let answer = pci.ats_translate(&asked).map_err(|error| match error {
            AtsError::NotEnabled => PortError::PasidDisabled,
            AtsError::Unsupported => PortError::Unsupported,
            AtsError::Refused(_) => PortError::Refused,
        })?;
        let may_share = self.device.properties().global.get();
        Ok(answer.map(|answer| {
            let AtsAnswer { translated, mask, read, write, exec, privileged, global, untranslated_only } =
                answer;
            AtsTranslation {
                input: request.addr & !(PAGE_SIZE - 1),
                output: if untranslated_only { 0 } else { translated },
                mask,
                read,
                write,
                exec,
                privileged,
                global: global && may_share,
                untranslated_only,
            }
        }))
    }

    fn read_translated(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), PortError> {
        self.check_plugged()?;
        self.pci().translated_read(addr, buf).map_err(translated_error)
    }

    fn write_translated(&mut self, addr: u64, buf: &[u8]) -> Result<(), PortError> {
        self.check_plugged()?;
        self.pci().translated_write(addr, buf).map_err(translated_error)
    }

    fn compare_exchange_translated(
        &mut self,
        addr: u64,
        width: Width,
        expected: u64,
        desired: u64,
    ) -> Result<u64, PortError> {
        self.check_plugged()?;
        let result = self.pci().translated_compare_exchange(addr, width.bytes(), expected, desired);
        result.map_err(translated_error)
    }

    fn now(&self) -> u64 {
        main_loop::now()
    }

    fn page_request_allowance(&self) -> u32 {
        if self.device.is_gone() || self.device.capabilities().pri.is_none() || self.has_failed() {
            return 0;
        }
        self.pci().page_request_allowance().min(self.device.properties().page_requests.get())
    }

    fn page_request(&mut self, request: &Request, group: u16, last: bool) -> Result<(), PortError> {
        let asked = self.ats_request(request)?;
        let properties = self.device.properties();
        // A response without PASID goes to whoever listens for requests without one.
        let listens = self.device.add_client(request.pasid)
            && (properties.response_pasid.get() || self.device.add_client(None));
        if !listens {
            return Err(PortError::Unsupported);
        }
        self.pci().page_request(&asked, group, last).map_err(|error| match error {
            AtsError::Unsupported => PortError::Unsupported,
            AtsError::NotEnabled | AtsError::Refused(_) => PortError::Refused,
        })
    }
}

fn translated_error(error: DmaError) -> PortError {
    match error {
        DmaError::NotEnabled => PortError::BusMasterOff,
        _ => PortError::Memory,
    }
}
