// SPDX-License-Identifier: GPL-2.0-or-later
//! Answers to translation requests (`IHI0070 §3.9.1.2`, `§13.7`).

use super::{Answer, StreamContext, TableSource, Translator};
use crate::iommu::sequence::Moment;
use crate::iommu::translator::{Lookup, Origin, counter};
use crate::iommu::{Access, AtsTranslation, DmaRequest, GuestMemory};
use crate::smmuv3::config;
use crate::smmuv3::fault::{Fault, FaultKind};
use crate::smmuv3::spec::ste::instcfg;
use crate::smmuv3::walk::PagePerms;

/// Log2 of what is answered where `STE.S1DSS` skips stage 1.
const IDENTITY_LOG2: u8 = 21;

impl Translator {
    /// Answers a translation request. `req.access` says what for: writes unless the no-write flag is set, and whether
    /// execute and privileged permissions are asked for. Permissions that are not there are not a fault. Where writes are
    /// granted the page is made dirty at once, for no write through the endpoint's own cache will be seen.
    ///
    /// # Errors
    /// The fault, where no page request could mend it.
    pub fn ats_translate(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Fault> {
        self.counters.count(counter::ATS);
        let mut req = *req;
        if req.substream.is_none() {
            // These attributes come with a PASID.
            (req.access.exec, req.access.privileged) = (false, false);
        }
        let answer = self
            .sequence
            .settle(|now| self.ats_attempt(mem, tables, &req, now), || self.counters.count(counter::RETRIES));
        self.counters.answered(answer.origin, answer.result.is_err());
        match answer.result {
            Err(fault) if fault.kind.is_recoverable() => Ok(AtsTranslation::NONE),
            result => result,
        }
    }

    fn ats_attempt(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        now: Moment,
    ) -> Answer<AtsTranslation> {
        let (context, config_hit) = match self.contexts.lookup(now, req.stream, req.substream) {
            Some(words) => {
                let context = StreamContext::from_words(words);
                (context.allows_ats(FaultKind::BadAtsRequest, req).map(|()| context), true)
            }
            None => {
                let found = match tables.tables() {
                    Some(table) => config::lookup_for_ats(mem, &self.features, &table, req),
                    None => Err(config::config_fault(FaultKind::BadAtsRequest, req)),
                };
                if let Ok(context) = &found {
                    let pair = (req.stream, req.substream);
                    let _ = self.contexts.insert(&self.sequence, now, pair, context.to_words());
                }
                (found, false)
            }
        };
        let unused = Origin { config_hit, iotlb: Lookup::Unused };
        match context {
            Err(fault) => Answer { result: Err(fault), origin: unused },
            Ok(context) if !context.action().translates() => {
                Answer { result: Ok(self.identity(req)), origin: unused }
            }
            Ok(context) => self.ats_page(mem, &context, req, now, config_hit),
        }
    }

    /// Stage 1 is skipped: every address is its own translation.
    fn identity(&self, req: &DmaRequest) -> AtsTranslation {
        if !self.features.oas.contains(req.addr) {
            return AtsTranslation::NONE;
        }
        AtsTranslation {
            addr: req.addr & !super::size_mask(IDENTITY_LOG2),
            log2size: IDENTITY_LOG2,
            read: true,
            write: req.access.write,
            exec: req.access.exec,
            privileged: req.access.privileged,
            ..AtsTranslation::NONE
        }
    }

    fn ats_page(
        &self,
        mem: &dyn GuestMemory,
        context: &StreamContext,
        req: &DmaRequest,
        now: Moment,
        config_hit: bool,
    ) -> Answer<AtsTranslation> {
        let bare = Access { read: false, write: false, exec: false, privileged: req.access.privileged };
        let walk = |access| {
            let page = self.walk_page(mem, context, &DmaRequest { access, ..*req }, now)?;
            Ok((self.completion(context, req, page.perms, page.addr, page.log2size), page.perms))
        };
        let cached = self
            .cached_page(context, req.addr, now)
            .map(|(page, perms)| (self.completion(context, req, perms, page.output, page.log2size), perms))
            // What it does not allow, the tables may allow by now, and software owes no invalidation.
            .filter(|(answer, _)| self.features.adversarial || grants(answer, req));
        let iotlb = if cached.is_some() { Lookup::Hit } else { Lookup::Miss };
        // Whether there is a page comes first, then what may be done with it.
        let mut found = match cached {
            Some(found) => Ok(found),
            None => walk(bare),
        };
        if let Ok((_, perms)) = found
            && req.access.write
            && perms.is_clean()
            && let Ok(dirty) = walk(Access { write: true, ..bare })
        {
            found = Ok(dirty);
        }
        Answer { result: found.map(|(answer, _)| answer), origin: Origin { config_hit, iotlb } }
    }

    /// The permissions of a translation completion (`IHI0070 §13.7.1`).
    fn completion(
        &self,
        context: &StreamContext,
        req: &DmaRequest,
        perms: PagePerms,
        addr: u64,
        log2size: u8,
    ) -> AtsTranslation {
        let bare = Access { privileged: req.access.privileged, ..Access::default() };
        let allowed = perms.permissions(context.checked_access(&self.features, bare).privileged);
        let fetches = if self.features.attr_perms_override { context.ste1().instcfg() } else { 0 };
        let (read, exec) = match fetches {
            instcfg::INSTRUCTION => (allowed.exec, allowed.exec),
            instcfg::DATA => (allowed.read, allowed.read),
            _ => (allowed.read, allowed.read && allowed.exec),
        };
        let write = allowed.write && req.access.write;
        if !read && !write {
            return AtsTranslation::NONE;
        }
        AtsTranslation {
            addr,
            log2size,
            read,
            write,
            exec: exec && req.access.exec,
            privileged: req.access.privileged,
            ..AtsTranslation::NONE
        }
    }
}

/// Whether an answer is all that was asked for.
fn grants(answer: &AtsTranslation, req: &DmaRequest) -> bool {
    answer.read && answer.write == req.access.write && answer.exec == req.access.exec
}
