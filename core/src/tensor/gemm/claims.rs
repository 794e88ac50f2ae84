//! Units of work of which each thread takes the next as soon as it is free: one that starts late, or whose core is busy
//! with something else, takes fewer.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Units `0..all`, each taken once a round by one of `size` threads, which all have done with one round before any of them
/// begins the next.
#[derive(Debug)]
pub(super) struct Claims {
    all: usize,
    size: usize,
    taken: AtomicUsize,
}

impl Claims {
    pub(super) fn new(all: usize, size: usize) -> Self {
        Self {
            all,
            size,
            taken: AtomicUsize::new(0),
        }
    }

    /// The units that fall to this thread in a round. It must come to their end.
    pub(super) fn round(&self) -> impl Iterator<Item = usize> {
        // In a round there is a number for each unit, and one for each thread, which tells it that none is left.
        std::iter::from_fn(|| {
            let number = self.taken.fetch_add(1, Ordering::Relaxed) % (self.all + self.size);
            (number < self.all).then_some(number)
        })
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
        for size in [1, 2, 3] {
            let claims = Claims::new(UNITS, size);
            let counts: Vec<_> = (0..UNITS).map(|_| AtomicU32::new(0)).collect();
            let work = |member: Member<'_>| {
                for round in 1..=500 {
                    for unit in claims.round() {
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
