//! The threads of one fit: started together, marching in step, gone when the call returns.
//!
//! [`run`] starts the members of a team in a scope; the calling thread is member 0, the leader. All meet at
//! [`Member::wait`], a barrier that polls for a while, as `patience` has it, and then sleeps. If a member panics, the others are released with
//! [`Broken`] and the panic reaches the caller of [`run`].

#[cfg(all(loom, test))]
mod every_order;
mod patience;

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use patience::Patience;
use sync::{AtomicBool, AtomicUsize, Condvar, Mutex, fence};

/// What the barrier is made of.
#[cfg(not(all(loom, test)))]
mod sync {
    pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, fence};
    pub(super) use std::sync::{Condvar, Mutex};
}

/// The same from a library that tries every order in which threads can meet.
#[cfg(all(loom, test))]
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
    pub(super) use loom::sync::{Condvar, Mutex};
}

/// The largest team.
pub const MOST_THREADS: usize = 64;

/// Polls between looks at the clock: half a microsecond or less.
const POLLS: usize = if cfg!(all(loom, test)) { 1 } else { 16 };

/// Polls after which whoever is waited for may need the core: some twenty microseconds.
const MANY_POLLS: u32 = 1000;

/// Another member of the team has panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// How many threads the affinity mask and the control group allow this process.
pub fn available_threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS)
}

/// A barrier for a fixed number of threads.
#[derive(Debug)]
struct Barrier {
    size: usize,
    arrived: AtomicUsize,
    polled: Polled,
    lock: Mutex<()>,
    wake: Condvar,
}

/// What those who wait look at: in a cache line of its own, and the one that processors fetch beside it, as all write to
/// what lies around it.
#[derive(Debug)]
#[repr(align(128))]
struct Polled {
    generation: AtomicUsize,
    sleepers: AtomicUsize,
    broken: AtomicBool,
}

impl Polled {
    fn has_passed(&self, generation: usize) -> bool {
        self.generation.load(Ordering::Acquire) != generation || self.broken.load(Ordering::Acquire)
    }
}

impl Barrier {
    fn new(size: usize) -> Self {
        Self {
            size,
            arrived: AtomicUsize::new(0),
            polled: Polled {
                generation: AtomicUsize::new(0),
                sleepers: AtomicUsize::new(0),
                broken: AtomicBool::new(false),
            },
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    fn wait(&self, patience: &Patience) -> Result<(), Broken> {
        if self.size == 1 {
            return Ok(());
        }
        let generation = self.polled.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.store(0, Ordering::Relaxed);
            self.release(generation.wrapping_add(1));
        } else if self.poll(generation, patience.time()) {
            patience.grow();
        } else {
            patience.shrink();
            let begin = Instant::now();
            self.sleep(generation);
            patience.has_slept(begin.elapsed());
        }
        self.check()
    }

    fn check(&self) -> Result<(), Broken> {
        if self.polled.broken.load(Ordering::Acquire) {
            Err(Broken)
        } else {
            Ok(())
        }
    }

    /// Opens the next generation. A sleeper counts itself before it looks at the generation for the last time, and
    /// the generation is written before the sleepers are counted, with a fence between the two on either side: one of
    /// them sees the other.
    fn release(&self, generation: usize) {
        self.polled.generation.store(generation, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.polled.sleepers.load(Ordering::Relaxed) > 0 {
            self.wake_all();
        }
    }

    /// Whether the generation has passed before patience was at an end.
    fn poll(&self, generation: usize, patience: Duration) -> bool {
        let mut start = None;
        loop {
            for _ in 0..POLLS {
                if self.polled.has_passed(generation) {
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.get_or_insert_with(Instant::now).elapsed() >= patience {
                return false;
            }
        }
    }

    fn sleep(&self, generation: usize) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.polled.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while !self.polled.has_passed(generation) {
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.polled.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes those who sleep. Whoever was about to has the lock until it does; and it is free again before they wake, for
    /// which they need it.
    fn wake_all(&self) {
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }

    fn break_up(&self) {
        self.polled.broken.store(true, Ordering::Release);
        self.wake_all();
    }
}

/// One thread of a team.
#[derive(Debug)]
pub struct Member<'a> {
    index: usize,
    barrier: &'a Barrier,
    patience: Patience,
}

impl<'a> Member<'a> {
    fn new(index: usize, barrier: &'a Barrier) -> Self {
        Self {
            index,
            barrier,
            patience: Patience::new(),
        }
    }

    /// Which member this is: 0 is the calling thread.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.barrier.size
    }

    /// Whether all the others are still at work, or through with it.
    ///
    /// # Errors
    /// When another member has panicked.
    #[inline]
    pub fn check(&self) -> Result<(), Broken> {
        self.barrier.check()
    }

    /// Waits for all the others; what each wrote before is seen by all after.
    ///
    /// # Errors
    /// When another member has panicked: return at once.
    #[inline]
    pub fn wait(&self) -> Result<(), Broken> {
        self.barrier.wait(&self.patience)
    }

    /// How long this member has slept at the barrier.
    pub fn slept(&self) -> Duration {
        self.patience.slept()
    }

    /// Polls until something is so that another member will soon have done. After a while it lets others have the core.
    ///
    /// # Errors
    /// When another member has panicked.
    #[inline]
    pub fn wait_until(&self, is_so: impl Fn() -> bool) -> Result<(), Broken> {
        let mut polls = 0_u32;
        while !is_so() {
            self.check()?;
            polls = polls.saturating_add(1);
            if polls < MANY_POLLS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        Ok(())
    }
}

/// Breaks the barrier up when a member leaves by a panic.
struct Alarm<'a>(&'a Barrier);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_up();
        }
    }
}

/// Runs a team of `size` threads, at least one and at most 64: `lead` on the calling thread as member 0, `follow` on the
/// others; gives what `lead` returned, once all have ended. `follow` meets at the barrier as often as `lead` does.
///
/// # Panics
/// With the panic of a member, once all have ended.
pub fn run<T>(
    size: usize,
    lead: impl FnOnce(Member<'_>) -> T,
    follow: impl Fn(Member<'_>) + Sync,
) -> T {
    let barrier = Barrier::new(size.clamp(1, MOST_THREADS));
    std::thread::scope(|scope| {
        // Before the first of them starts: where one cannot be started, those that have been are not to wait for it.
        let _alarm = Alarm(&barrier);
        for index in 1..barrier.size {
            let (barrier, follow) = (&barrier, &follow);
            scope.spawn(move || {
                let _alarm = Alarm(barrier);
                follow(Member::new(index, barrier));
            });
        }
        lead(Member::new(0, &barrier))
    })
}

/// The part of `total` that falls to member `index` of `size`, in multiples of `unit` but for the last.
///
/// # Panics
/// When `unit` or `size` is zero.
pub fn share(total: usize, unit: usize, index: usize, size: usize) -> std::ops::Range<usize> {
    let units = total.div_ceil(unit);
    let cut = |i: usize| (units * i / size * unit).min(total);
    cut(index)..cut(index + 1)
}

/// The most that falls to any member when up to `total` are shared out: of fewer a member can have more than of all.
///
/// # Panics
/// When `unit` or `size` is zero.
pub fn largest_share(total: usize, unit: usize, size: usize) -> usize {
    total.div_ceil(unit).div_ceil(size).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::{Broken, Member, largest_share, run, share};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn nobody_passes_before_all_have_come() {
        for size in [1, 2, 3, 8] {
            let count = AtomicUsize::new(0);
            let work = |member: Member<'_>| {
                for round in 1..=2000 {
                    count.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(member.wait(), Ok(()));
                    assert_eq!(count.load(Ordering::Relaxed), round * size);
                    assert_eq!(member.wait(), Ok(()));
                }
            };
            run(size, work, work);
        }
    }

    #[test]
    fn a_panic_releases_the_others_and_reaches_the_caller() {
        for culprit in [0, 2] {
            let released = AtomicUsize::new(0);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let work = |member: Member<'_>| {
                    // Whoever comes late to this one may already hear of the panic.
                    let heard = member.wait().is_err();
                    assert!(heard || member.index() != culprit, "on purpose");
                    while member.wait() != Err(Broken) {}
                    released.fetch_add(1, Ordering::Relaxed);
                };
                run(4, work, work);
            }));
            assert!(result.is_err());
            assert_eq!(released.load(Ordering::Relaxed), 3);
        }
    }

    #[test]
    fn what_a_member_waits_for_comes_or_a_panic_does() {
        let done = AtomicUsize::new(0);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let lead = |member: Member<'_>| {
                for round in 1..=100 {
                    let is_so = || done.load(Ordering::Acquire) >= round;
                    assert_eq!(member.wait_until(is_so), Ok(()));
                }
                assert_eq!(member.wait_until(|| false), Err(Broken));
                done.store(1000, Ordering::Release);
            };
            run(2, lead, |_| {
                for round in 1..=100 {
                    done.store(round, Ordering::Release);
                }
                panic!("on purpose");
            });
        }));
        assert!(result.is_err());
        assert_eq!(done.load(Ordering::Acquire), 1000);
    }

    #[test]
    fn shares_cover_everything_once() {
        for (total, unit, size) in [(784, 4, 3), (10, 16, 2), (0, 4, 2), (64, 16, 8)] {
            let shares: Vec<_> = (0..size)
                .map(|index| share(total, unit, index, size))
                .collect();
            assert_eq!(shares[0].start, 0);
            assert_eq!(shares[size - 1].end, total);
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start
                && pair[0].end % unit == 0
                || pair[0].end == total));
        }
    }

    #[test]
    fn no_share_of_fewer_is_larger_than_the_largest() {
        for size in 1..=16 {
            for total in 0..=130 {
                let most = (0..=total)
                    .flat_map(|fewer| {
                        (0..size).map(move |index| share(fewer, 4, index, size).len())
                    })
                    .max();
                let largest = largest_share(total, 4, size);
                assert!(most <= Some(largest), "{total} among {size}");
                assert!(most > Some(largest).map(|most| most.saturating_sub(4)) || total == 0);
            }
        }
    }
}
