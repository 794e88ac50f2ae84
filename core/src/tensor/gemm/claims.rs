//! Units of work of which each thread takes the next as soon as it is free: one that starts late, or whose core is busy
//! with something else, takes fewer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::team::Broken;

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
    /// When another thread has raised the alarm.
    pub(super) fn work(&self, alarm: &Alarm, mut unit: impl FnMut(usize)) -> Result<(), Broken> {
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
            if alarm.0.load(Ordering::Acquire) {
                return Err(Broken);
            }
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

/// Whether a thread has left its unit undone.
#[derive(Debug, Default)]
pub(super) struct Alarm(AtomicBool);

/// Raises the alarm when its thread leaves by a panic.
pub(super) struct Guard<'a>(pub(super) &'a Alarm);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Alarm, Claims, Guard};
    use crate::team;

    #[test]
    fn every_unit_is_done_once_and_before_anybody_goes_on() {
        let claims: Vec<_> = (0..50).map(|_| Claims::new(7)).collect();
        let counts: Vec<_> = (0..350).map(|_| AtomicU32::new(0)).collect();
        let alarm = Alarm::default();
        let work = |_: team::Member<'_>| {
            for (claims, counts) in claims.iter().zip(counts.chunks(7)) {
                let done = claims.work(&alarm, |unit| {
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
        let (claims, alarm) = (Claims::new(2), Alarm::default());
        let work = |_: team::Member<'_>| {
            let _guard = Guard(&alarm);
            let _ = claims.work(&alarm, |unit| assert_eq!(unit, 0, "as planned"));
        };
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            team::run(2, work, work);
        }));
        assert!(run.is_err());
    }
}
