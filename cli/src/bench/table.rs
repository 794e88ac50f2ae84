//! The short table: what was measured on one thread, on all, and by naive loops, as text and as JSON.

use serde_json::{Value, json};

/// What a figure is of, and whether more of it is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Floating-point operations a second.
    Flops,
    /// Bytes a second.
    Bytes,
    /// Seconds: less is better.
    Seconds,
}

/// One thing measured.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) unit: Unit,
    /// On one thread, and on all of them where that was tried.
    pub(super) one: f64,
    pub(super) all: Option<f64>,
    /// By naive loops on one thread, where that is short.
    pub(super) naive: Option<f64>,
    /// What is possible at most, on one thread and on all.
    pub(super) peak: Option<[f64; 2]>,
}

/// `88.7 GFLOP/s`, `12.3 GB/s`, `1.62 us`.
pub(super) fn figure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Flops => format!("{:.1} GFLOP/s", value / 1e9),
        Unit::Bytes => format!("{:.1} GB/s", value / 1e9),
        Unit::Seconds if value >= 1.0 => format!("{value:.2} s"),
        Unit::Seconds if value >= 1e-3 => format!("{:.1} ms", 1e3 * value),
        Unit::Seconds => format!("{:.2} us", 1e6 * value),
    }
}

impl Line {
    /// How many times as fast as the naive loops one thread is.
    fn times_naive(&self) -> Option<f64> {
        self.naive.map(|naive| match self.unit {
            Unit::Seconds => naive / self.one,
            Unit::Flops | Unit::Bytes => self.one / naive,
        })
    }

    /// The shares of the peak.
    fn shares(&self) -> [Option<f64>; 2] {
        let [one, all] = self.peak.map_or([None; 2], |peaks| peaks.map(Some));
        let share = |value: Option<f64>, peak: Option<f64>| Some(value? / peak?);
        [share(Some(self.one), one), share(self.all, all)]
    }

    /// The line as text.
    pub(super) fn text(&self) -> String {
        let [one, all] = self.shares();
        let cell = |value: Option<f64>, share: Option<f64>| {
            let value = value.map_or_else(String::new, |value| figure(self.unit, value));
            let share = share.map_or_else(String::new, |share| format!("{share:.2}"));
            format!("{value:>14} {share:>5}")
        };
        let naive = match (self.naive, self.times_naive()) {
            (Some(naive), Some(times)) => {
                format!("{:>14} ({times:.0} x)", figure(self.unit, naive))
            }
            _ => String::new(),
        };
        let (one, all) = (cell(Some(self.one), one), cell(self.all, all));
        let line = format!("{:<48}{one}{all}{naive}", self.what);
        line.trim_end().to_owned()
    }

    /// The line for machines, in units without a prefix.
    pub(super) fn json(&self) -> Value {
        let [share_one, share_all] = self.shares();
        json!({
            "what": self.what,
            "unit": match self.unit {
                Unit::Flops => "FLOP/s",
                Unit::Bytes => "bytes/s",
                Unit::Seconds => "s",
            },
            "one_thread": self.one,
            "all_threads": self.all,
            "naive": self.naive,
            "times_naive": self.times_naive(),
            "share_of_peak": { "one_thread": share_one, "all_threads": share_all },
        })
    }
}

/// The names of the columns.
pub(super) fn header(threads: usize) -> String {
    let all = if threads > 1 {
        format!("{threads} threads")
    } else {
        String::new()
    };
    let header = format!(
        "{:<48}{:>14} {:>5}{all:>14} {:>5}{:>14}",
        "",
        "1 thread",
        "peak",
        if threads > 1 { "peak" } else { "" },
        "naive loops"
    );
    header.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Line, Unit, figure};

    #[test]
    fn figures_have_units_that_fit() {
        assert_eq!(figure(Unit::Flops, 88.71e9), "88.7 GFLOP/s");
        assert_eq!(figure(Unit::Bytes, 12.34e9), "12.3 GB/s");
        assert_eq!(figure(Unit::Seconds, 1.623e-6), "1.62 us");
        assert_eq!(figure(Unit::Seconds, 0.0123), "12.3 ms");
        assert_eq!(figure(Unit::Seconds, 2.5), "2.50 s");
    }

    #[test]
    fn shares_and_ratios() {
        let mut line = Line {
            what: "product".to_owned(),
            unit: Unit::Flops,
            one: 90e9,
            all: Some(160e9),
            naive: Some(1.5e9),
            peak: Some([100e9, 200e9]),
        };
        let text = line.text();
        for part in ["90.0 GFLOP/s  0.90", "160.0 GFLOP/s  0.80", "(60 x)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        line.unit = Unit::Seconds;
        (line.one, line.naive) = (0.5, Some(20.0));
        assert_eq!(line.json()["times_naive"], 40.0);
        line.naive = None;
        assert!(line.json()["times_naive"].is_null() && !line.text().contains('x'));
    }
}
