//! The connections: few, and fewer of one source. When all places are taken, somebody who has not said what they
//! want makes room: of the source that holds most such places, the one that waited longest.

use super::connection::{Phase, Place, WRITING_SECONDS};
use std::net::IpAddr;

const PLACES_MAX: usize = 48;
const OF_ONE_SOURCE_MAX: usize = 8;

/// The connections, oldest first.
#[derive(Default)]
pub struct Places(pub Vec<Place>, u32);

impl Places {
    /// Takes a new one in; where it is. `None`: there was no room, and it is closed.
    pub fn take_in(&mut self, mut place: Place) -> Option<usize> {
        let of_source = self.0.iter().filter(|other| other.source == place.source).count();
        if of_source >= OF_ONE_SOURCE_MAX {
            self.make_room(Some(place.source))?;
        }
        if self.0.len() >= PLACES_MAX {
            self.make_room(None)?;
        }
        self.1 = self.1.wrapping_add(1);
        place.id = self.1;
        self.0.push(place);
        Some(self.0.len() - 1)
    }

    /// The connection of this number, if it waits for the agent.
    pub fn thinking(&mut self, id: u32) -> Option<&mut Place> {
        self.0.iter_mut().find(|place| place.id == id && matches!(place.phase, Phase::Thinking))
    }

    /// The gate is open: what waited for it goes out.
    pub fn let_go(&mut self, now: u64) {
        for place in &mut self.0 {
            if let Phase::Holding(bytes) = &mut place.phase {
                let bytes = std::mem::take(bytes);
                place.phase = Phase::Writing(bytes, 0);
                place.until = now + WRITING_SECONDS;
                place.write(now);
            }
        }
    }

    /// Forgets what is over.
    pub fn sweep(&mut self) {
        self.0.retain(|place| !matches!(place.phase, Phase::Gone));
    }

    /// Ends one connection, of this source or of any. First those that are answered and only linger, then those that
    /// have asked nothing yet, then those that do not take their answer; never one that the agent works for.
    fn make_room(&mut self, source: Option<IpAddr>) -> Option<()> {
        let rank = |place: &Place| match place.phase {
            Phase::Gone | Phase::Draining(_) => Some(0),
            Phase::Reading(_) => Some(1),
            Phase::Writing(..) => Some(2),
            Phase::Thinking | Phase::Holding(_) => None,
        };
        let mut chosen: Option<(usize, (u8, usize))> = None;
        for (at, place) in self.0.iter().enumerate() {
            if source.is_some_and(|source| source != place.source) {
                continue;
            }
            let Some(rank) = rank(place) else { continue };
            let fellows = self.0.iter().filter(|other| other.source == place.source).count();
            // Least rank first, then most fellows; the first of equals is the oldest.
            let key = (rank, PLACES_MAX - fellows.min(PLACES_MAX));
            if chosen.is_none_or(|(_, best)| key < best) {
                chosen = Some((at, key));
            }
        }
        self.0.remove(chosen?.0);
        Some(())
    }
}
