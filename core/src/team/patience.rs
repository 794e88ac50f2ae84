//! How long a member of a team polls before it sleeps: that is learned. Who wakes from sleep has lost microseconds, so as
//! long as polling ends in time it is given more time, up to 100 microseconds. But where threads are more than cores, or a
//! core is busy with something else, who polls may keep the one that it waits for from running: each wait that ends in
//! sleep cuts the next to a quarter, down to one microsecond, and a step then costs little more than its work.
//!
//! Threads that sleep so soon are never seen to want a core each, and may be left to share one beside another that is free:
//! so for a tenth of the time nothing is learned, and who polls in vain polls long.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a member polls before it goes to sleep, when waits have been short,
const LONGEST: Duration = Duration::from_micros(if cfg!(all(loom, test)) { 0 } else { 100 });

/// and when they have not;
const SHORTEST: Duration = Duration::from_micros(if cfg!(all(loom, test)) { 0 } else { 1 });

/// for that long it is [`LONGEST`] in any case,
const TRIAL: Duration = Duration::from_millis(40);

/// once in so long a time.
const PERIOD: Duration = Duration::from_millis(400);

/// How long a member polls the next time.
#[derive(Debug)]
pub(super) struct Patience {
    time: Cell<Duration>,
    trial: Cell<Instant>,
    slept: Cell<Duration>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            time: Cell::new(LONGEST),
            trial: Cell::new(Instant::now()),
            slept: Cell::new(Duration::ZERO),
        }
    }

    pub(super) fn time(&self) -> Duration {
        self.time.get()
    }

    /// After polling has not ended in time.
    pub(super) fn has_slept(&self, time: Duration) {
        self.slept.set(self.slept.get() + time);
    }

    /// For how long in all.
    pub(super) fn slept(&self) -> Duration {
        self.slept.get()
    }

    /// Polling has ended in time.
    pub(super) fn grow(&self) {
        self.time.set((self.time.get() * 2).min(LONGEST));
    }

    /// It has not.
    pub(super) fn shrink(&self) {
        let since = self.trial.get().elapsed();
        if since > PERIOD {
            self.trial.set(Instant::now());
            self.time.set(LONGEST);
        } else if since > TRIAL {
            self.time.set((self.time.get() / 4).max(SHORTEST));
        }
    }
}
