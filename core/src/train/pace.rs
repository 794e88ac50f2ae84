//! Whether all members of a team work on a step, or the leader does the work of all: a choice that changes no bit.
//!
//! A small step pays for a second thread only where the cores are near each other and nobody else wants one. Neither can be
//! known beforehand, nor does it stay as it is, so both ways are timed, by stretches of some steps: the one that was
//! faster goes on, and the other is tried again after a while, which doubles as long as it loses, or at once when stretches
//! have become much slower than others before them. What was slow for but a moment is tried again soon.
//!
//! A long step pays for all wherever each has a core, and a trial of the leader alone would cost much: there is one only
//! while members share a core, because another process has the other, and take turns on it.

use std::time::{Duration, Instant};

/// Steps between two looks at the clock, at most,
const STRETCH: usize = 32;

/// and their floating-point operations, unless one step has more: a trial costs some stretches.
const FLOPS: usize = 2_500_000_000;

/// Seconds of a step that surely pays for all members where each has a core: the leader is tried alone only while they
/// share one,
const LONG: f64 = 0.2e-3;

/// which is when the leader, who waits for the others to have it, has slept for more than this part of a few stretches.
const SHARED: f64 = 0.25;

/// Seconds from which on nothing is tried: beside so much work it costs little that members who share a core take turns.
const LONGEST: f64 = 2e-3;

/// All together are faster only if they take less than this part of what the leader takes alone: others may want a core.
const WORTH: f64 = 0.9;

/// A way counts when so many stretches of it have passed, one for the caches to be full of what it needs and three to
/// judge by: the one in the middle, for a lone slow one tells of something else that was done meanwhile;
const FIRST: usize = 4;

/// and of all together so many seconds, unless they are faster before, but after a time alone no more than a quarter of
/// it: threads may begin on one core, and are not moved apart at once.
const SETTLING: f64 = 0.06;

/// Stretches until the other way is tried, at first: where all work, and where the leader does.
const SOON: [usize; 2] = [128, 8];

/// And at most.
const LATE: usize = 1024;

/// By how much a stretch is slower than the best for the other way to be tried at once.
const SUSPICIOUS: f64 = 1.5;

/// What the leader says of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// All work on its steps,
    Together,
    /// or the leader does, and the others sleep,
    Alone,
    /// or the leader does, and the others wait at every barrier as before: a sleeper may wake on another core.
    Tried,
    /// or there is none.
    Stop,
}

impl Word {
    /// The word that is that number.
    pub(super) fn of(number: u8) -> Self {
        [Self::Together, Self::Alone, Self::Tried, Self::Stop][usize::from(number)]
    }
}

/// The choice, and what it was made from.
#[derive(Debug)]
pub(super) struct Pace {
    /// Steps of a stretch.
    steps: usize,
    alone: bool,
    /// Seconds of a step when all work, and when the leader does: the last that counted.
    seconds: [Option<f64>; 2],
    /// Seconds of a step in the last stretches.
    last: [f64; 3],
    /// How many stretches up to the last saw the members share a core.
    shared: usize,
    /// When the stretch began, and how long the leader had slept.
    begun: Option<(Instant, Duration)>,
    /// Stretches and seconds of this way since the other was left, and whether it is but tried.
    stretches: usize,
    spent: f64,
    /// Seconds that all together have until they are judged.
    settling: f64,
    is_trial: bool,
    /// Stretches until the other way is tried, and what that was the last time, of either way.
    until_trial: usize,
    pauses: [usize; 2],
}

impl Pace {
    /// For steps of so many floating-point operations.
    pub(super) fn new(flops: usize) -> Self {
        Self {
            steps: (FLOPS / flops.max(1)).clamp(1, STRETCH),
            alone: false,
            seconds: [None; 2],
            last: [0.0; 3],
            shared: 0,
            begun: None,
            stretches: 0,
            spent: 0.0,
            settling: SETTLING,
            is_trial: false,
            until_trial: 1,
            pauses: SOON,
        }
    }

    /// How many steps a stretch has.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Who works in the stretch that begins; one of so many steps has ended, if it is not the first. The leader has slept
    /// for so long in all.
    pub(super) fn next(&mut self, slept: Duration) -> Word {
        let now = (Instant::now(), slept);
        if let Some((begun, before)) = self.begun.replace(now) {
            let seconds = now.0.duration_since(begun).as_secs_f64();
            let slept = slept.saturating_sub(before).as_secs_f64();
            self.stretch(seconds / self.steps as f64, slept > SHARED * seconds);
        }
        match (self.alone, self.is_trial) {
            (false, _) => Word::Together,
            // Those who wait for so long would sleep in any case.
            (true, true) if !self.is_long() => Word::Tried,
            (true, _) => Word::Alone,
        }
    }

    /// Nothing is known of the time until the next stretch begins.
    pub(super) fn pause(&mut self) {
        self.begun = None;
    }

    /// Whether steps are [`LONG`] when all work.
    fn is_long(&self) -> bool {
        self.seconds[0].is_some_and(|together| together > LONG)
    }

    /// A stretch has ended, whose steps took so long; whether the members seem to share a core.
    fn stretch(&mut self, step: f64, is_shared: bool) {
        self.shared = if is_shared { self.shared + 1 } else { 0 };
        self.last[self.stretches % 3] = step;
        self.stretches += 1;
        self.spent += step * self.steps as f64;
        let [a, b, c] = self.last;
        let step = a.min(b).max(a.max(b).min(c));
        let (own, other) = (usize::from(self.alone), usize::from(!self.alone));
        let worth = if self.alone { WORTH.recip() } else { WORTH };
        let loses = self.seconds[other].is_some_and(|seconds| seconds * worth < step);
        let is_settled = self.alone || self.spent >= self.settling || self.is_trial && !loses;
        if self.stretches < FIRST || !is_settled {
            return;
        }
        let before = self.seconds[own].replace(step);
        if !self.alone && step > LONGEST {
            return;
        }
        if std::mem::take(&mut self.is_trial) {
            if loses {
                self.pauses[other] = (2 * self.pauses[other]).min(LATE);
                self.turn();
            } else {
                self.pauses[own] = SOON[own];
                self.until_trial = SOON[own];
            }
            return;
        }
        let is_suspicious = before.is_some_and(|before| step > SUSPICIOUS * before);
        self.until_trial = self.until_trial.saturating_sub(1);
        let may_pay = self.alone || !self.is_long() || self.shared >= self.last.len();
        if may_pay && (is_suspicious || self.until_trial == 0) {
            if is_suspicious {
                self.pauses[own] = SOON[own];
            }
            self.turn();
            self.is_trial = true;
        }
    }

    /// Goes over to the other way.
    fn turn(&mut self) {
        self.alone = !self.alone;
        self.settling = (self.spent / 4.0).min(SETTLING);
        (self.stretches, self.spent) = (0, 0.0);
        self.until_trial = self.pauses[usize::from(self.alone)];
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LONG, LONGEST, Pace};

    /// Floating-point operations of a short step and of a long one.
    const FEW: usize = 10_000_000;
    const MANY: usize = 500_000_000;

    /// How many of so many stretches the leader works alone, and whether it does at the end.
    fn run(pace: &mut Pace, stretches: usize, together: f64, alone: f64) -> (usize, bool) {
        run_on(pace, stretches, together, alone, false)
    }

    /// The same where the members share a core, or do not.
    fn run_on(
        pace: &mut Pace,
        stretches: usize,
        together: f64,
        alone: f64,
        is_shared: bool,
    ) -> (usize, bool) {
        let mut count = 0;
        for _ in 0..stretches {
            count += usize::from(pace.alone);
            let step = if pace.alone { alone } else { together };
            pace.stretch(step, is_shared && !pace.alone);
        }
        (count, pace.alone)
    }

    #[test]
    fn the_faster_way_goes_on_and_the_other_is_tried_now_and_then() {
        let mut pace = Pace::new(FEW);
        let (count, alone) = run(&mut pace, 1280, 20e-6, 30e-6);
        assert!((FIRST..=5 * FIRST).contains(&count) && !alone, "{count}");
        // One slow stretch now and then is nothing.
        for _ in 0..5 {
            run(&mut pace, 1, 200e-6, 200e-6);
            let (count, alone) = run(&mut pace, 5, 20e-6, 30e-6);
            assert!(count == 0 && !alone, "{count}");
        }
        // A slow moment costs but a few stretches more.
        run(&mut pace, 6, 100e-6, 30e-6);
        let (count, alone) = run(&mut pace, 40, 20e-6, 30e-6);
        assert!((1..=12).contains(&count) && !alone, "{count}");
        // The cores move apart: that is seen at once, and that they are together again after a while.
        let (count, _) = run(&mut pace, 1280, 50e-6, 30e-6);
        assert!(count >= 1000, "{count}");
        let (_, alone) = run(&mut pace, 1100, 20e-6, 30e-6);
        assert!(!alone);
        let mut pace = Pace::new(FEW);
        let (count, _) = run(&mut pace, 5000, 40e-6, 30e-6);
        assert!(count >= 4500, "{count}");
    }

    #[test]
    fn long_steps_are_tried_alone_only_while_a_core_is_shared() {
        let mut pace = Pace::new(MANY);
        assert_eq!(run(&mut pace, 5000, 2.0 * LONG, LONG), (0, false));
        // A stranger takes a core: it is noticed at once, and the rest is the leader's, but for trials.
        let (together, alone) = (6.5 * LONG, 6.0 * LONG);
        let (count, _) = run_on(&mut pace, 1000, together, alone, true);
        assert!(count >= 800, "{count}");
        // It goes: that is noticed after a while.
        let (_, is_alone) = run(&mut pace, 1100, 3.0 * LONG, alone);
        assert!(!is_alone);
        assert_eq!(run(&mut pace, 5000, 3.0 * LONG, alone), (0, false));
        // All lose by turns what they win by two cores' caches.
        let (count, is_alone) = run_on(&mut pace, 5000, 5.0 * LONG, alone, true);
        assert!(count <= 100 && !is_alone, "{count}");
        let mut pace = Pace::new(MANY);
        let steps = [2.0 * LONGEST, LONGEST];
        assert_eq!(run_on(&mut pace, 200, steps[0], steps[1], true), (0, false));
    }
}
