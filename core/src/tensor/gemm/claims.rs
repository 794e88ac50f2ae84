//! Units of work of which each thread takes the next as soon as it is free: one that starts late, or whose core is busy
//! with something else, takes fewer.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::team::{Broken, Member};

/// Polls before a waiting thread lets others run: some microseconds.
const SPINS: usize = 1024;

/// Units `0..all`, each taken once.
#[derive(Debug)]
pub(super) struct Claims {
    all: usize,
    taken: AtomicUsize,
    done: AtomicUsize,
}

impl Claims {
    pub(super) fn new(all: usize) -> Self {
        Self {
            all,
            taken: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        }
    }

    /// Does units as long as there are any, then waits for those that others have taken; what was done by all is seen
    /// after.
    ///
    /// # Errors
    /// When another member of the team has panicked.
    pub(super) fn work(
        &self,
        member: &Member<'_>,
        mut unit: impl FnMut(usize),
    ) -> Result<(), Broken> {
        loop {
            let index = self.taken.fetch_add(1, Ordering::Relaxed);
            if index >= self.all {
                break;
            }
            unit(index);
            self.done.fetch_add(1, Ordering::Release);
        }
        let mut polls = 0;
        while self.done.load(Ordering::Acquire) < self.all {
            member.check()?;
            polls += 1;
            if polls < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::Claims;
    use crate::team::{self, Broken, Member};

    #[test]
    fn every_unit_is_done_once_and_before_anybody_goes_on() {
        const UNITS: usize = 7;
        let rounds: Vec<_> = (0..500).map(|_| Claims::new(UNITS)).collect();
        let counts: Vec<_> = (0..500 * UNITS).map(|_| AtomicU32::new(0)).collect();
        let begun = AtomicU32::new(0);
        let work = |member: Member<'_>| {
            let mut is_first = true;
            for (claims, counts) in rounds.iter().zip(counts.chunks(UNITS)) {
                let done = claims.work(&member, |unit| {
                    // Whoever comes first keeps its unit until another has one: nobody does everything alone.
                    if std::mem::take(&mut is_first) {
                        begun.fetch_add(1, Ordering::Relaxed);
                        while begun.load(Ordering::Relaxed) < 2 {
                            std::thread::yield_now();
                        }
                    }
                    counts[unit].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.is_ok());
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
            }
        };
        team::run(3, work, work);
    }

    #[test]
    fn a_panic_releases_those_who_wait() {
        let (claims, begun, released) = (
            Claims::new(2),
            AtomicBool::new(false),
            AtomicBool::new(false),
        );
        let work = |member: Member<'_>| {
            let done = claims.work(&member, |unit| {
                if unit == 1 {
                    begun.store(true, Ordering::Release);
                    panic!("as planned");
                }
                // Whoever has the first unit keeps it until another has the second one.
                while !begun.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            });
            released.store(done == Err(Broken), Ordering::Release);
        };
        let run = catch_unwind(AssertUnwindSafe(|| team::run(2, work, work)));
        assert!(run.is_err());
        assert!(released.load(Ordering::Acquire));
    }
}
