// SPDX-License-Identifier: GPL-2.0-or-later
//! The configuration cache: what the tables say about one requester and one of its address spaces.
//!
//! On Arm an entry is an STE with one of its CDs, on VT-d a context entry with a PASID entry. `V` words each,
//! which only the model understands.

use super::request::{StreamId, SubstreamId};
use super::sequence::{Moment, Sequence, Stamp, Stamps};
use super::set_cache::{Key, SetCache};

const STREAM_STAMPS_LOG2: u32 = 16;
/// More streams than this are forgotten by forgetting all, unless the cache is exact.
const MAX_STREAMS: u32 = 64;

// The second word of a key.
const VALID: u64 = 1;
const HAS_SUBSTREAM: u64 = 2;

/// The table with its stamps.
#[derive(Debug)]
pub struct ContextCache<const V: usize> {
    table: SetCache<V>,
    all: Stamp,
    streams: Stamps,
    exact: bool,
}

impl<const V: usize> ContextCache<V> {
    /// Room for about `entries` pairs of stream and substream. An exact cache forgets what it is told to
    /// forget, and nothing else.
    #[must_use]
    pub fn new(entries: usize, exact: bool) -> Self {
        Self::with_stamps(entries, exact, STREAM_STAMPS_LOG2)
    }

    pub(crate) fn with_stamps(entries: usize, exact: bool, streams_log2: u32) -> Self {
        Self { table: SetCache::new(entries), all: Stamp::new(), streams: Stamps::new(streams_log2), exact }
    }

    /// The words of a pair, if they are cached and were true at `now`.
    #[must_use]
    #[inline(always)]
    pub fn lookup(&self, now: Moment, stream: StreamId, substream: Option<SubstreamId>) -> Option<[u64; V]> {
        let key = key(stream, substream);
        let (birth, value) = self.table.find(index(key), key)?;
        (birth <= now && self.is_alive(key, birth)).then_some(value)
    }

    /// Enters the words of a pair, whose tables were read after `birth`. `false` if it did not.
    pub fn insert(
        &self,
        sequence: &Sequence,
        birth: Moment,
        (stream, substream): (StreamId, Option<SubstreamId>),
        value: [u64; V],
    ) -> bool {
        let key = key(stream, substream);
        self.table.publish(index(key), key, (sequence, birth), value, |key, birth| !self.is_alive(key, birth))
    }

    /// Forgets everything.
    pub fn invalidate_all(&self, at: Moment) {
        self.all.raise(at);
    }

    /// Forgets a stream with all its substreams.
    pub fn invalidate_stream(&self, at: Moment, stream: StreamId) {
        let by_stamp = !self.exact || self.streams.is_exact(u64::from(stream));
        if !by_stamp && self.table.remove_everywhere(|key, _| stream_of(key) == u64::from(stream)) {
            return;
        }
        self.streams.raise(u64::from(stream), at);
    }

    /// Forgets the streams `first..=last`.
    pub fn invalidate_streams(&self, at: Moment, first: StreamId, last: StreamId) {
        if last.saturating_sub(first) < MAX_STREAMS {
            for stream in first..=last {
                self.invalidate_stream(at, stream);
            }
            return;
        }
        let range = u64::from(first)..=u64::from(last);
        let is_everything = first == 0 && last == StreamId::MAX;
        if self.exact
            && !is_everything
            && self.table.remove_everywhere(|key, _| range.contains(&stream_of(key)))
        {
            return;
        }
        self.all.raise(at);
    }

    /// Forgets one pair.
    pub fn invalidate_pair(&self, at: Moment, stream: StreamId, substream: Option<SubstreamId>) {
        let key = key(stream, substream);
        if !self.table.remove(index(key), |found, _| found == key) {
            self.invalidate_stream(at, stream);
        }
    }

    /// Forgets what is `doomed`, by stream, substream and words. Looks through the whole table.
    pub fn invalidate_matching(
        &self,
        at: Moment,
        doomed: impl Fn(StreamId, Option<SubstreamId>, [u64; V]) -> bool,
    ) {
        let matches = |key: Key, value| {
            let (stream, substream) = pair(key);
            doomed(stream, substream, value)
        };
        if !self.table.remove_everywhere(matches) {
            self.all.raise(at);
        }
    }

    fn is_alive(&self, key: Key, birth: Moment) -> bool {
        self.all.spares(birth) && self.streams.spares(stream_of(key), birth)
    }
}

fn key(stream: StreamId, substream: Option<SubstreamId>) -> Key {
    let flags = if substream.is_some() { VALID | HAS_SUBSTREAM } else { VALID };
    [(u64::from(stream) << 32) | u64::from(substream.unwrap_or(0)), flags]
}

fn pair(key: Key) -> (StreamId, Option<SubstreamId>) {
    let [pair, flags] = key;
    let half = |bits: u64| u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    (half(stream_of(key)), (flags & HAS_SUBSTREAM != 0).then(|| half(pair)))
}

fn stream_of([pair, _]: Key) -> u64 {
    pair >> 32
}

/// Neighbouring substreams of a stream lie in neighbouring sets.
fn index([pair, flags]: Key) -> u64 {
    let spread = (stream_of([pair, flags]) ^ (flags << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (pair & 0xffff_ffff) ^ (pair & 0xffff_ffff).wrapping_shr(10) ^ spread
}

#[cfg(all(test, not(loom)))]
mod tests;
