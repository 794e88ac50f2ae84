//! An axis of a picture: its range, linear or logarithmic, with ticks at round numbers.

/// A range of values and the ticks on it.
#[derive(Debug)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// For values of any size; logarithmic if all are positive and the largest is more than 100 times the smallest.
    /// Values that are not finite have no say. `None` if no others are there.
    pub(crate) fn of_values(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let (low, high) = range(values)?;
        if low > 0.0 && high > 100.0 * low {
            return Some(Self::logarithmic(low, high));
        }
        Some(Self::even(low, high))
    }

    /// The same, and never logarithmic.
    pub(crate) fn of_even_values(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        range(values).map(|(low, high)| Self::even(low, high))
    }

    fn even(low: f64, high: f64) -> Self {
        let margin = if high - low > 1e-6 * high.abs().max(low.abs()) {
            0.0
        } else if high == 0.0 {
            0.5
        } else {
            0.1 * high.abs()
        };
        let (low, high) = (low - margin, high + margin);
        let step = round_step((high - low) / 5.0);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        Self::linear(first, last, step, |v| label(v, step))
    }

    /// For shares from 0 to 1, in percent.
    pub(crate) fn of_shares(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let (low, high) = range(values)?;
        let margin = ((0.05 - (high - low)) / 2.0).max(0.0);
        let low = (low - margin).clamp(0.0, 0.95);
        let high = (high + margin).clamp(low + 0.05, 1.0);
        let step = round_step((high - low) / 5.0);
        // Half a thousandth of a step keeps 1.0 from being rounded up to the tick above.
        let (first, last) = ((low / step + 5e-4).floor(), (high / step - 5e-4).ceil());
        let places = places(step * 100.0);
        Some(Self::linear(first, last, step, |v| {
            format!("{:.places$} %", v * 100.0)
        }))
    }

    /// For whole numbers from `first` to `last`.
    pub(crate) fn of_counts(first: usize, last: usize) -> Self {
        if first >= last {
            let at = first as f64;
            return Self {
                low: at - 1.0,
                high: at + 1.0,
                log: false,
                ticks: vec![(at, first.to_string())],
            };
        }
        let step = round_step((last - first) as f64 / 8.0).max(1.0) as usize;
        let mut at: Vec<usize> = (first.next_multiple_of(step)..=last)
            .step_by(step)
            .collect();
        if at.first().is_none_or(|&tick| 5 * (tick - first) > 3 * step) {
            at.insert(0, first);
        }
        Self {
            low: first as f64,
            high: last as f64,
            log: false,
            ticks: at.iter().map(|&n| (n as f64, n.to_string())).collect(),
        }
    }

    fn linear(first: f64, last: f64, step: f64, label: impl Fn(f64) -> String) -> Self {
        let count = (last - first).round() as usize;
        Self {
            low: first * step,
            high: last * step,
            log: false,
            ticks: (0..=count)
                .map(|i| (first + i as f64) * step)
                .map(|at| (at, label(at)))
                .collect(),
        }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let stride = (decades.clone().count() / 8).max(1);
        let factors: &[f64] = if high / low > 3000.0 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let marks = decades
            .step_by(stride)
            .flat_map(|d| factors.iter().map(move |f| f * 10_f64.powi(d)));
        let marks: Vec<f64> = marks.collect();
        // From the last mark below to the first above, or to the value itself where a stride leaves none.
        let below = marks.iter().copied().rfind(|&m| m <= low);
        let above = marks.iter().copied().find(|&m| m >= high);
        let (low, high) = (below.unwrap_or(low), above.unwrap_or(high));
        let shown = marks.into_iter().filter(|m| (low..=high).contains(m));
        Self {
            low,
            high,
            log: true,
            ticks: shown.map(|m| (m, label(m, m))).collect(),
        }
    }

    /// Whether equal distances are equal ratios.
    pub(crate) fn is_log(&self) -> bool {
        self.log
    }

    /// The ticks: values and what is written beside them.
    pub(crate) fn ticks(&self) -> &[(f64, String)] {
        &self.ticks
    }

    /// Where a value lies, 0 being the low end and 1 the high end.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if self.log {
            (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }
}

/// The smallest and the largest of the finite values.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|v| v.is_finite())
        .fold(None, |range, v| match range {
            None => Some((v, v)),
            Some((low, high)) => Some((v.min(low), v.max(high))),
        })
}

/// The least of 1, 2, 5, 10, .. times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0].into_iter();
    let mut fitting = factors.filter(|f| f * power >= least * (1.0 - 1e-9));
    fitting.next().unwrap_or(10.0) * power
}

/// How many decimal places tell multiples of `step` apart.
fn places(step: f64) -> usize {
    (-(step * 1.001).log10().floor()).max(0.0) as usize
}

/// A multiple of `step` with as many digits as it takes.
fn label(value: f64, step: f64) -> String {
    let places = places(step);
    if value.abs() < step / 2.0 {
        "0".to_owned()
    } else if places <= 4 && value.abs() < 1e5 {
        format!("{value:.places$}")
    } else {
        let digits = (value.abs() * 1.001).log10().floor() - (step * 1.001).log10().floor();
        let digits = digits.clamp(0.0, 8.0) as usize;
        format!("{value:.digits$e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        let labels: Vec<&str> = axis.ticks().iter().map(|(_, l)| l.as_str()).collect();
        labels.join(" ")
    }

    fn of(values: &[f64]) -> String {
        labels(&Axis::of_values(values.iter().copied()).unwrap())
    }

    fn shares(values: &[f64]) -> String {
        labels(&Axis::of_shares(values.iter().copied()).unwrap())
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(of(&[0.07, 0.41, 0.33]), "0 0.1 0.2 0.3 0.4 0.5");
        assert_eq!(of(&[12.0, 31.0]), "10 15 20 25 30 35");
        assert_eq!(of(&[1.0e6, 1.7e6]), "1.0e6 1.2e6 1.4e6 1.6e6 1.8e6");
        assert_eq!(of(&[-3.0, 3.0]), "-4 -2 0 2 4");
        assert_eq!(of(&[1e-7, 9e-7]), "0 2e-7 4e-7 6e-7 8e-7 1.0e-6");
    }

    #[test]
    fn ratios_above_a_hundred_are_logarithmic() {
        assert_eq!(
            of(&[0.003, 0.9]),
            "0.002 0.005 0.01 0.02 0.05 0.1 0.2 0.5 1"
        );
        assert_eq!(
            of(&[3e-7, 40.0]),
            "1e-7 1e-6 1e-5 0.0001 0.001 0.01 0.1 1 10 100"
        );
        let axis = Axis::of_values([0.01, 10.0].into_iter()).unwrap();
        assert!(axis.is_log());
        assert!((axis.position(0.1) - 1.0 / 3.0).abs() < 1e-12);
        // From end to end of what f64 can hold: a handful of ticks.
        let axis = Axis::of_values([1e-300, 1e300].into_iter()).unwrap();
        assert!(axis.ticks().len() < 12);
        assert!(axis.position(1e-300) >= 0.0 && axis.position(1e300) <= 1.0);
        let even = Axis::of_even_values([0.003, 0.9].into_iter()).unwrap();
        assert!(!even.is_log() && labels(&even) == "0 0.2 0.4 0.6 0.8 1.0");
        // Zero has no logarithm.
        assert!(!Axis::of_values([0.0, 10.0].into_iter()).unwrap().is_log());
    }

    #[test]
    fn constant_values_lie_in_the_middle() {
        for value in [0.0, 0.35, -5.0, 1e12] {
            let axis = Axis::of_values([value, value].into_iter()).unwrap();
            let at = axis.position(value);
            assert!((0.2..=0.8).contains(&at), "{value} at {at}");
            assert!(axis.ticks().len() >= 3);
        }
    }

    #[test]
    fn values_that_are_not_finite_have_no_say() {
        assert_eq!(
            of(&[f64::NAN, 12.0, f64::INFINITY, 31.0]),
            "10 15 20 25 30 35"
        );
        assert!(Axis::of_values([f64::NAN].into_iter()).is_none());
        assert!(Axis::of_shares(std::iter::empty()).is_none());
    }

    #[test]
    fn shares_are_in_percent_and_end_at_a_hundred() {
        assert_eq!(shares(&[0.91, 0.975]), "90 % 92 % 94 % 96 % 98 %");
        assert_eq!(shares(&[0.1, 1.0]), "0 % 20 % 40 % 60 % 80 % 100 %");
        assert_eq!(shares(&[1.0, 1.0]), "95 % 96 % 97 % 98 % 99 % 100 %");
        assert_eq!(shares(&[0.0]), "0 % 1 % 2 % 3 % 4 % 5 %");
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(labels(&Axis::of_counts(1, 1)), "1");
        assert_eq!(labels(&Axis::of_counts(1, 3)), "1 2 3");
        assert_eq!(labels(&Axis::of_counts(1, 10)), "2 4 6 8 10");
        assert_eq!(labels(&Axis::of_counts(1, 100)), "1 20 40 60 80 100");
        assert!((Axis::of_counts(1, 1).position(1.0) - 0.5).abs() < 1e-12);
    }
}
