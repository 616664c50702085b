// SPDX-License-Identifier: GPL-2.0-or-later
//! A network card whose other end sends every frame back: what comes back is what was sent. With vhost another program reads
//! the frames out of this guest's memory and writes them into it, and keeps translations of its own.
//!
//! A frame may be lost on the way, as on any wire: DPDK drops one that it has no translation for. Then it is sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use sva_guest::kernel;

use super::network::{self, Card, HEAD};
use crate::ensure;
use crate::report::{CheckResult, Report, Stop};
use crate::session::Context;

const FRAMES: u64 = 20_000;
/// As many are lost at most.
const LOST: u64 = FRAMES / 20;
/// As many as are under way at once: less than the card's queues hold, and less than the socket does.
const AT_ONCE: usize = 32;
/// Without a frame for so long, those that are under way are lost.
const SILENCE: Duration = Duration::from_millis(300);

/// Frames of all lengths come back as they were sent.
pub fn frames(_: &Context) -> CheckResult {
    let cards = network::cards()?;
    let [card] = cards.as_slice() else {
        return Err(format!("{} network cards in this machine, expected 1", cards.len()).into());
    };
    let (bytes, lost) = exchange(card)?;
    let report = Report::new(format!(
        "{} at {}: {FRAMES} frames there and back, {} KiB, {lost} sent again",
        card.name,
        card.place.words(),
        bytes >> 10
    ));
    // Every frame is mapped for the card and unmapped again. Where that is strict, each unmapping waits for the IOMMU.
    let report = card.place.claim(report, FRAMES);
    Ok(match (card.place.domain.as_str(), kernel::machine()) {
        ("DMA", "aarch64") => report.at_least("commands", 2 * FRAMES).at_least("syncs", FRAMES),
        ("DMA", _) => report.at_least("descriptors", 2 * FRAMES).at_least("waits", FRAMES),
        _ => report,
    })
}

/// Sends all frames and receives them again: how many bytes, and how many frames were lost.
fn exchange(card: &Card) -> Result<(usize, u64), Stop> {
    let send = |number: u64, frame: &[u8]| {
        card.send(frame).map_err(|e| Stop::from(format!("{}: sending frame {number}: {e}", card.name)))
    };
    let mut buffer = [0; 2048];
    let (mut bytes, mut lost, mut next) = (0, 0, 0);
    let mut under_way: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    while next < FRAMES || !under_way.is_empty() {
        while next < FRAMES && under_way.len() < AT_ONCE {
            let frame = network::frame(card, card, next);
            send(next, &frame)?;
            bytes += frame.len();
            under_way.insert(next, frame);
            next += 1;
        }
        let Some(len) = card.receive_within(&mut buffer, SILENCE)? else {
            lost += under_way.len() as u64;
            ensure!(lost <= LOST, "of {next} frames {lost} were lost; {}", card.counts());
            under_way.iter().try_for_each(|(number, frame)| send(*number, frame))?;
            continue;
        };
        let got = buffer.get(..len).unwrap_or_default();
        let number = got.iter().skip(HEAD).take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        // One that was taken for lost may come twice.
        let want = under_way.remove(&number).unwrap_or_else(|| network::frame(card, card, number));
        if got != want || number >= next {
            let at = got.iter().zip(&want).position(|(a, b)| a != b).unwrap_or(got.len().min(want.len()));
            return Err(format!(
                "{}: frame {number} of {} bytes arrived with {len} bytes and differs at {at}",
                card.name,
                want.len()
            )
            .into());
        }
    }
    Ok((bytes, lost))
}
