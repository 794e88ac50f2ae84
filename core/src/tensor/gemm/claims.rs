//! Units of work of which each thread takes the next as soon as it is free: one that starts late, or whose core is busy
//! with something else, takes fewer. Every other thread takes them from the far end, so that, where all goes as it went
//! before, each finds what it had before in its own cache.

use std::sync::atomic::{AtomicU64, Ordering};

/// A unit taken from the far end, in a count that has those from the near one in its lower half.
const FAR: u64 = 1 << 32;

/// Units each taken once a round by one of `size` threads, which all have done with one round before any of them begins
/// the next. (In cache lines of their own, as all write to them.)
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Claims {
    size: usize,
    /// Whether they begin a round at about the same time: then each has its own unit if there are no more.
    together: bool,
    taken: AtomicU64,
}

impl Claims {
    pub(super) fn new(size: usize, together: bool) -> Self {
        Self {
            size,
            together,
            taken: AtomicU64::new(0),
        }
    }

    /// The number of threads.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The units of `0..all` that fall to this thread in a round. It must come to their end.
    pub(super) fn round(&self, all: usize, thread: usize) -> impl Iterator<Item = usize> {
        let own = self.together && all <= self.size;
        let mut unit = Some(thread).filter(|&unit| unit < all);
        std::iter::from_fn(move || {
            if own {
                unit.take()
            } else {
                self.next(all, thread.is_multiple_of(2))
            }
        })
    }

    fn next(&self, all: usize, is_near: bool) -> Option<usize> {
        let one = if is_near { 1 } else { FAR };
        let taken = self.taken.fetch_add(one, Ordering::Relaxed);
        let (near, far) = ((taken % FAR) as usize, (taken / FAR) as usize);
        if near + far < all {
            return Some(if is_near { near } else { all - 1 - far });
        }
        // Each hears once that none is left; the last one has the next round begin anew.
        if near + far == all + self.size - 1 {
            self.taken.store(0, Ordering::Relaxed);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Claims;
    use crate::team::{self, Member};

    #[test]
    fn every_unit_is_taken_once_in_every_round() {
        const UNITS: usize = 7;
        for (size, together) in [(1, false), (2, false), (3, false), (2, true), (8, true)] {
            let claims = Claims::new(size, together);
            let counts: Vec<_> = (0..UNITS).map(|_| AtomicU32::new(0)).collect();
            let work = |member: Member<'_>| {
                for round in 1..=500 {
                    for unit in claims.round(UNITS, member.index()) {
                        counts[unit].fetch_add(1, Ordering::Relaxed);
                    }
                    member.wait().expect("nobody panics");
                    for count in &counts {
                        assert_eq!(count.load(Ordering::Relaxed), round);
                    }
                    member.wait().expect("nobody panics");
                }
            };
            team::run(size, work, work);
        }
    }
}
