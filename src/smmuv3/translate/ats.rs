// SPDX-License-Identifier: GPL-2.0-or-later
//! Answers to translation requests (`IHI0070 §3.9.1.2`, `§13.7`), and what becomes of the translated transactions that
//! follow (`IHI0070 §3.9.1.3`).

use super::{Answer, StreamAction, StreamContext, TableSource, Translator};
use crate::iommu::narrow::low8;
use crate::iommu::sequence::Moment;
use crate::iommu::translator::{Lookup, Origin, counter};
use crate::iommu::{Access, AtsTranslation, DmaRequest, GuestMemory, SubstreamId, Translation};
use crate::smmuv3::config;
use crate::smmuv3::fault::{Fault, FaultKind};
use crate::smmuv3::spec::ste::instcfg;
use crate::smmuv3::walk::PagePerms;

/// Log2 of what is answered where `STE.S1DSS` skips stage 1.
const IDENTITY_LOG2: u8 = 21;
/// What an STE says of translated transactions is cached under this number, which no PASID has.
const TRANSLATED: SubstreamId = SubstreamId::MAX;

impl Translator {
    /// See [`Translate::ats_translate`](super::Translate::ats_translate).
    pub(super) fn ats_answer(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<AtsTranslation, Fault> {
        let req = req.with_attributes_of_pasid();
        let answer = self
            .sequence
            .settle(|now| self.ats_attempt(mem, tables, &req, now), || self.counters.count(counter::RETRIES));
        self.counters.answered(answer.origin, answer.result.is_err());
        match answer.result {
            Err(fault) if fault.kind.is_recoverable() => Ok(self.nothing()),
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

    /// See [`Engine::translated`](super::Engine::translated).
    pub(super) fn translated_answer(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
    ) -> Result<Translation, Fault> {
        let access = Access { exec: false, privileged: false, ..req.access };
        let req = DmaRequest { substream: None, access, tag: None, ..*req };
        let answer = self.sequence.settle(
            |now| self.translated_attempt(mem, tables, &req, now),
            || self.counters.count(counter::RETRIES),
        );
        if answer.origin.iotlb != Lookup::Unused {
            self.counters.answered(answer.origin, answer.result.is_err());
        }
        answer.result
    }

    fn translated_attempt(
        &self,
        mem: &dyn GuestMemory,
        tables: &TableSource<'_>,
        req: &DmaRequest,
        now: Moment,
    ) -> Answer {
        let (context, config_hit) = match self.contexts.lookup(now, req.stream, Some(TRANSLATED)) {
            Some(words) => (Ok(StreamContext::from_words(words)), true),
            None => {
                let found = match tables.tables() {
                    Some(table) => config::lookup_translated(mem, &self.features, &table, req),
                    None => Err(config::config_fault(FaultKind::TranslationForbidden, req)),
                };
                if let Ok(context) = &found {
                    let pair = (req.stream, Some(TRANSLATED));
                    let _ = self.contexts.insert(&self.sequence, now, pair, context.to_words());
                }
                (found, false)
            }
        };
        let (result, iotlb) = match context {
            Err(fault) => (Err(fault), Lookup::Unused),
            Ok(context) if context.action().translates() => self.by_context(mem, &context, req, now),
            Ok(_) => (self.pass(req), Lookup::Unused),
        };
        Answer { result, origin: Origin { config_hit, iotlb } }
    }

    /// A translated transaction's way past translation.
    fn pass(&self, req: &DmaRequest) -> Result<Translation, Fault> {
        if !self.features.oas.contains(req.addr) {
            return Err(Fault { record: false, ..config::config_fault(FaultKind::AddressSize, req) });
        }
        Ok(Translation::one_to_one(req.addr))
    }

    /// No translation, of the smallest page there is: no answer is about less than the endpoint's smallest translation unit,
    /// which software sets to that (`PCIe §10.2.3.2`, `§10.5.1.3`; `IHI0070 §3.9.1`).
    fn nothing(&self) -> AtsTranslation {
        AtsTranslation {
            log2size: low8(self.features.smallest_granule_log2().into()),
            ..AtsTranslation::NONE
        }
    }

    /// Stage 1 is skipped: every address is its own translation.
    fn identity(&self, req: &DmaRequest) -> AtsTranslation {
        if !self.features.oas.contains(req.addr) {
            return self.nothing();
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
        let split = context.splits_ats();
        let useful = |perms| {
            let answer = self.completion(context, req, perms, 0, AtsTranslation::PAGE_LOG2);
            answer.read || answer.write
        };
        let walk = |access| {
            let page = self.walk_page(mem, context, &DmaRequest { access, ..*req }, now, &useful)?;
            let addr = if split { page.intermediate } else { page.addr };
            Ok((self.completion(context, req, page.perms, addr, page.log2size), page.perms))
        };
        let cached = self
            .cached_page(context, req.addr, now)
            // What both stages make of an address says nothing of what the first does.
            .filter(|_| !split || context.action() == StreamAction::SecondStage)
            .map(|(page, perms)| {
                let addr = if split { page.input } else { page.output };
                (self.completion(context, req, perms, addr, page.log2size), perms)
            })
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
            return self.nothing();
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
