// SPDX-License-Identifier: GPL-2.0-or-later
//! What a command asks for, or why it cannot be (`IHI0070 §4`).
//!
//! Reserved fields are ignored throughout, one of the two behaviours that `IHI0070 §4.1.5` permits; encodings
//! that the specification calls ILLEGAL or Reserved are refused.

use super::features::{Features, StallModel};
use super::spec::command::{
    self as op, AtcInv0, AtcInv1, CfgiCommand1, PriResp1, Resume0, Resume1, StreamCommand0, Sync0, Sync1,
    TlbiCommand0, TlbiCommand1,
};
use super::translate::{Invalidation, Pages, Regime};
use crate::iommu::narrow::{low8, low16, low32, ones};
use crate::iommu::{AtsInvalidation, PageResponseCode};

/// A command, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Legal, and nothing needs to be done: prefetches, and invalidations of what cannot be cached.
    Nothing,
    /// `CFGI_*`.
    Configuration(Invalidation),
    /// `TLBI_*`.
    Translations(Invalidation),
    /// `CMD_ATC_INV`.
    AtsInvalidate(AtsInvalidation),
    /// `CMD_PRI_RESP`.
    PageResponse {
        /// The stream.
        stream: u32,
        /// The address space.
        substream: Option<u32>,
        /// Page request group index.
        group: u16,
        /// The answer.
        code: PageResponseCode,
    },
    /// `CMD_RESUME`.
    Resume {
        /// The stream.
        stream: u32,
        /// The transaction.
        stag: u16,
        /// What to do with it.
        action: Resume,
    },
    /// `CMD_STALL_TERM`.
    StallTerm {
        /// The stream.
        stream: u32,
    },
    /// `CMD_SYNC`.
    Sync(Signal),
}

/// What becomes of a stalled transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It is tried again.
    Retry,
    /// It ends with an abort.
    Abort,
    /// It ends; as zeros read and writes ignored where `IDR0.TERM_MODEL` allows that, else with an abort.
    Terminate,
}

/// How the completion of a SYNC is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Only by `CMDQ_CONS`.
    None,
    /// By interrupt.
    Irq {
        /// Address of the MSI; 0 for none.
        msi_addr: u64,
        /// Its datum.
        msi_data: u32,
    },
    /// By a wake-up event.
    Sev,
}

/// The command is illegal: `CERROR_ILL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal command {0:#018x}")]
pub struct Illegal(pub u64);

impl Command {
    /// Decodes one entry of the command queue, with `CR2.E2H` as it is.
    ///
    /// # Errors
    /// The command raises `CERROR_ILL`.
    pub fn decode(f: &Features, e2h: bool, [first, second]: [u64; 2]) -> Result<Self, Illegal> {
        let illegal = Err(Illegal(first));
        let head = StreamCommand0::from(first);
        let opcode = low8(head.opcode());
        // §4.1.6: regardless of whether Secure state is supported.
        let streams = matches!(
            opcode,
            op::PREFETCH_CONFIG..=op::CFGI_CD_ALL | op::ATC_INV | op::PRI_RESP | op::RESUME | op::STALL_TERM
        );
        if streams && head.ssec() != 0 {
            return illegal;
        }
        let stream = low32(head.stream_id());
        // Leaf makes no difference here: first-level entries of stream and CD tables are not cached.
        let cfgi = CfgiCommand1::from(second);
        Ok(match opcode {
            op::PREFETCH_CONFIG | op::PREFETCH_ADDR => Self::Nothing,
            op::CFGI_STE => Self::Configuration(Invalidation::Ste { sid: stream }),
            op::CFGI_STE_RANGE => Self::Configuration(ste_range(stream, low8(cfgi.range()))),
            op::CFGI_CD if f.stage1 => {
                Self::Configuration(Invalidation::Cd { sid: stream, ssid: low32(head.substream_id()) })
            }
            op::CFGI_CD_ALL if f.stage1 => Self::Configuration(Invalidation::CdAll { sid: stream }),
            op::TLBI_NSNH_ALL => Self::Translations(Invalidation::NsnhAll),
            op::TLBI_NH_ALL..=op::TLBI_NH_VAA if f.stage1 => stage1(f, opcode, [first, second])?,
            op::TLBI_EL2_ALL..=op::TLBI_EL2_VAA if f.hyp => el2(f, e2h, opcode, [first, second])?,
            op::TLBI_S12_VMALL | op::TLBI_S2_IPA if f.stage2 => stage2(f, opcode, [first, second])?,
            op::ATC_INV if f.ats => {
                Self::AtsInvalidate(ats_invalidation(f, [first, second]).ok_or(Illegal(first))?)
            }
            op::PRI_RESP if f.pri => {
                let response = PriResp1::from(second);
                Self::PageResponse {
                    stream,
                    substream: substream(f, first),
                    group: low16(response.group()),
                    code: match response.resp() {
                        op::PRI_RESP_FAILURE => PageResponseCode::Failure,
                        op::PRI_RESP_INVALID => PageResponseCode::Invalid,
                        op::PRI_RESP_SUCCESS => PageResponseCode::Success,
                        _ => return illegal,
                    },
                }
            }
            op::RESUME | op::STALL_TERM if f.stall == StallModel::Off => {
                return if f.leniency.commands { Ok(Self::Nothing) } else { illegal };
            }
            op::RESUME => {
                let resume = Resume0::from(first);
                Self::Resume {
                    stream,
                    stag: low16(Resume1::from(second).stag()),
                    // Ab is ignored for a retry.
                    action: match (resume.action(), resume.abort()) {
                        (0, 0) => Resume::Terminate,
                        (0, _) => Resume::Abort,
                        _ => Resume::Retry,
                    },
                }
            }
            op::STALL_TERM => Self::StallTerm { stream },
            op::SYNC => {
                let sync = Sync0::from(first);
                Self::Sync(match sync.cs() {
                    op::SYNC_SIG_NONE => Signal::None,
                    op::SYNC_SIG_IRQ => Signal::Irq {
                        // §4.7.3: zero is judged on the whole field, then the address is cut to the output size.
                        msi_addr: if f.msi { Sync1::from(second).msi_addr().wrapping_shl(2) } else { 0 },
                        msi_data: low32(sync.msi_data()),
                    },
                    op::SYNC_SIG_SEV => Signal::Sev,
                    _ => return illegal,
                })
            }
            op::TLBI_EL3_ALL | op::TLBI_EL3_VA | op::TLBI_EL2_ALL..=op::TLBI_EL2_VAA
                if f.leniency.commands =>
            {
                Self::Nothing
            }
            op::ATC_INV | op::PRI_RESP if f.leniency.commands => Self::Nothing,
            // Reserved, or of what is not there: a stage, EL2, Secure state, ATS, PRI, MPAM, DPT.
            _ => return illegal,
        })
    }
}

/// `CFGI_STE_RANGE`: an aligned range of `2^(range + 1)` StreamIDs. With range 31 it is `CFGI_ALL`.
fn ste_range(stream: u32, range: u8) -> Invalidation {
    if range >= 31 {
        return Invalidation::All;
    }
    let others = low32(ones(u32::from(range).saturating_add(1)));
    Invalidation::SteRange { first: stream & !others, last: stream | others }
}

/// `TLBI_NH_*` (`IHI0070 §4.4.2`).
fn stage1(f: &Features, opcode: u8, command: [u64; 2]) -> Result<Command, Illegal> {
    // Malformed ranges are illegal whatever they are tagged with.
    let by_address = matches!(opcode, op::TLBI_NH_VA | op::TLBI_NH_VAA);
    let pages = if by_address { Some(pages(f, command)?) } else { None };
    let [first, _] = command;
    let Some(vmid) = vmid(f, first) else { return Ok(Command::Nothing) };
    let regime = Regime::El1 { vmid };
    Ok(match (opcode, asid(f, first), pages) {
        (op::TLBI_NH_ALL, _, _) => Command::Translations(Invalidation::FirstStage { regime }),
        (op::TLBI_NH_VAA, _, Some(pages)) => {
            Command::Translations(Invalidation::Va { regime, asid: None, pages })
        }
        (_, None, _) => Command::Nothing,
        (_, Some(asid), None) => Command::Translations(Invalidation::Asid { regime, asid }),
        (_, asid, Some(pages)) => Command::Translations(Invalidation::Va { regime, asid, pages }),
    })
}

/// `TLBI_EL2_*` (`IHI0070 §4.4.2.7` to `§4.4.2.10`).
fn el2(f: &Features, e2h: bool, opcode: u8, command: [u64; 2]) -> Result<Command, Illegal> {
    let by_address = matches!(opcode, op::TLBI_EL2_VA | op::TLBI_EL2_VAA);
    let pages = if by_address { Some(pages(f, command)?) } else { None };
    let regime = Regime::El2;
    let [first, _] = command;
    Ok(match (opcode, asid(f, first), pages) {
        (op::TLBI_EL2_ALL, _, _) => Command::Translations(Invalidation::FirstStage { regime }),
        (op::TLBI_EL2_VA, None, _) if e2h => Command::Nothing,
        // Without E2H there are no ASIDs.
        (op::TLBI_EL2_VA, asid, Some(pages)) => {
            Command::Translations(Invalidation::Va { regime, asid: asid.filter(|_| e2h), pages })
        }
        (_, _, Some(pages)) => Command::Translations(Invalidation::Va { regime, asid: None, pages }),
        (_, Some(asid), None) => Command::Translations(Invalidation::Asid { regime, asid }),
        (_, None, None) => Command::Nothing,
    })
}

/// `TLBI_S2_IPA`, `TLBI_S12_VMALL` (`IHI0070 §4.4.3`).
fn stage2(f: &Features, opcode: u8, command: [u64; 2]) -> Result<Command, Illegal> {
    let pages = if opcode == op::TLBI_S2_IPA {
        let pages = pages(f, command)?;
        // §4.1.6: address bits above 55 are taken as zero.
        Some(Pages { addr: pages.addr & ones(56), ..pages })
    } else {
        None
    };
    let [first, _] = command;
    Ok(match (vmid(f, first), pages) {
        (None, _) => Command::Nothing,
        (Some(vmid), None) => Command::Translations(Invalidation::Vmid { vmid }),
        (Some(vmid), Some(pages)) => Command::Translations(Invalidation::Ipa { vmid, pages }),
    })
}

/// The SubstreamID of a command with `SSV`. Without substreams the command is taken as one without (`IHI0070 §4.5`).
fn substream(f: &Features, first: u64) -> Option<u32> {
    let head = StreamCommand0::from(first);
    (head.ssv() != 0 && f.ssid_bits != 0).then_some(low32(head.substream_id()))
}

/// `ATC_INV` (`IHI0070 §4.5.1`). Sizes beyond everything are refused.
///
/// The Global flag is not passed on: no answer to a translation request says that it holds for every PASID
/// (`IHI0070 §3.9.1`), so the address space that the command names is all that it can concern.
fn ats_invalidation(f: &Features, [first, second]: [u64; 2]) -> Option<AtsInvalidation> {
    let (head, tail) = (AtcInv0::from(first), AtcInv1::from(second));
    if tail.size() > op::ATC_INV_SIZE_ALL {
        return None;
    }
    let mask = ones(low32(tail.size()).saturating_add(12));
    let addr = tail.addr().wrapping_shl(12) & !mask;
    let substream = substream(f, first);
    Some(AtsInvalidation {
        stream: low32(head.stream_id()),
        substream,
        global: head.global() != 0 && substream.is_some(),
        addr,
        mask,
    })
}

/// The ASID of a `TLBI_*`; `None` if it names one that no entry can have.
fn asid(f: &Features, first: u64) -> Option<u16> {
    let asid = low16(TlbiCommand0::from(first).asid());
    (f.asid16 || asid <= 0xff).then_some(asid)
}

/// The VMID of a `TLBI_*`; `None` if it names one that no entry can have. Without stage 2 it is RES0, and every entry has
/// the same.
fn vmid(f: &Features, first: u64) -> Option<u16> {
    if !f.stage2 {
        return Some(0);
    }
    let vmid = low16(TlbiCommand0::from(first).vmid());
    (f.vmid16 || vmid <= 0xff).then_some(vmid)
}

/// What a `TLBI_*` by address names (`IHI0070 §4.4.1.1`).
fn pages(f: &Features, [first, second]: [u64; 2]) -> Result<Pages, Illegal> {
    let (head, tail) = (TlbiCommand0::from(first), TlbiCommand1::from(second));
    let single = Pages {
        addr: tail.addr().wrapping_shl(12),
        size: 4096,
        granule_log2: None,
        level: None,
        leaf: tail.leaf() != 0,
    };
    let granule_log2 = match tail.tg() {
        _ if !f.range_invalidation => return Ok(single),
        1 => 12u8,
        2 => 14,
        3 => 16,
        _ => return Ok(single),
    };
    // Level 1 has no blocks with 16 KiB granules: Reserved, treated as no hint.
    let level = match low8(tail.ttl()) {
        0 => None,
        1 if granule_log2 == 14 => None,
        level => Some(level),
    };
    if level.is_none() && head.num() == 0 && head.scale() == 0 && !f.leniency.commands {
        return Err(Illegal(first));
    }
    let granules = head.num().saturating_add(1);
    let size = low32(head.scale())
        .checked_add(u32::from(granule_log2))
        .and_then(|shift| shift_up(granules, shift))
        .unwrap_or(u64::MAX);
    Ok(Pages { size, granule_log2: Some(granule_log2), level, ..single })
}

/// `value << shift`, if no bit is lost.
fn shift_up(value: u64, shift: u32) -> Option<u64> {
    let shifted = value.checked_shl(shift)?;
    (shifted.checked_shr(shift) == Some(value)).then_some(shifted)
}

#[cfg(test)]
mod tests;
