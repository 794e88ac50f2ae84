//! How long a call takes: the best of many, since what disturbs it on a busy machine only ever adds.

use std::time::{Duration, Instant};

/// The fewest seconds that a call took, of all calls that fit into `budget`, and of two at least.
pub(super) fn fewest_seconds(budget: Duration, mut call: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    let mut calls = 0;
    while calls < 2 || begin.elapsed() < budget {
        let start = Instant::now();
        call();
        best = best.min(start.elapsed().as_secs_f64());
        calls += 1;
    }
    best
}

/// The same for a call that is over before the clock can tell: `times` of them are taken together.
pub(super) fn fewest_seconds_of(times: u32, budget: Duration, mut call: impl FnMut()) -> f64 {
    let together = fewest_seconds(budget, || (0..times).for_each(|_| call()));
    together / f64::from(times)
}

#[cfg(test)]
mod tests {
    use super::{fewest_seconds, fewest_seconds_of};
    use std::time::Duration;

    #[test]
    fn the_shortest_call_counts() {
        let mut calls = 0;
        let seconds = fewest_seconds(Duration::ZERO, || {
            calls += 1;
            if calls == 1 {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        assert_eq!(calls, 2);
        assert!(seconds < 0.05, "{seconds}");
        let mut calls = 0;
        fewest_seconds_of(7, Duration::ZERO, || calls += 1);
        assert_eq!(calls, 14);
    }
}
