//! How far a training run is, on standard error: a bar on a terminal, one plain line per epoch elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mlp_core::train::{Epoch, Step};

/// A step takes some 20 us on a small network; to draw each would cost more than to compute it.
const BETWEEN_DRAWS: Duration = Duration::from_millis(100);

/// A bar with the time that is left, on a terminal.
pub(crate) fn bar(length: u64, quiet: bool) -> Option<ProgressBar> {
    (io::stderr().is_terminal() && !quiet).then(|| {
        let style = ProgressStyle::with_template("{bar:24} {msg}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
    })
}

/// What is shown of a run while it runs.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    drawn: Cell<Instant>,
    /// How far apart lines of epochs are at least, and when the run began and the last line was written.
    between: Duration,
    began: Instant,
    written: Cell<Instant>,
}

impl Progress {
    /// For a run over so many rows in all: all epochs together. `verbose` keeps a line for each epoch above the bar.
    pub(crate) fn new(rows: u64, quiet: bool, verbose: bool) -> Self {
        let bar = bar(rows, quiet);
        Self {
            lines: !quiet && (bar.is_none() || verbose),
            bar,
            drawn: Cell::new(Instant::now()),
            between: Duration::ZERO,
            began: Instant::now(),
            written: Cell::new(Instant::now()),
        }
    }

    /// For a run of hundreds of epochs: where there is no terminal, a line every ten seconds, with the time that is left.
    pub(crate) fn sparse(rows: u64, quiet: bool) -> Self {
        Self {
            between: Duration::from_secs(10),
            ..Self::new(rows, quiet, false)
        }
    }

    /// Moves the bar, at most ten times a second.
    pub(crate) fn step(&self, step: &Step) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.get().elapsed() < BETWEEN_DRAWS {
            return;
        }
        self.drawn.set(Instant::now());
        bar.set_position(((step.epoch - 1) * step.rows + step.rows_done) as u64);
        bar.set_message(message(step));
    }

    /// Tells of a finished epoch.
    pub(crate) fn epoch(&self, epoch: &Epoch) {
        if !self.lines || self.written.get().elapsed() < self.between {
            return;
        }
        self.written.set(Instant::now());
        let left = if self.between.is_zero() {
            String::new()
        } else {
            let spent = self.began.elapsed().as_secs_f64();
            let left = spent * (epoch.epochs - epoch.epoch) as f64 / epoch.epoch as f64;
            format!("; about {} left", crate::print::duration(left))
        };
        match &self.bar {
            Some(bar) => bar.println(format!("{epoch}{left}")),
            None => drop(writeln!(io::stderr(), "{epoch}{left}")),
        }
    }

    /// The run begins after so many rows, which another has done.
    pub(crate) fn begin_at(&self, rows: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(rows);
            bar.reset_eta();
        }
    }

    /// Tells of something that is not as it should be, above the bar, quiet or not.
    pub(crate) fn warn(&self, sentence: &str) {
        match &self.bar {
            Some(bar) => bar.println(sentence),
            None => drop(writeln!(io::stderr(), "{sentence}")),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `epoch 3/10  loss 0.1234  accuracy 96.31 %  81 234 rows/s`.
fn message(step: &Step) -> String {
    let accuracy = step.accuracy.map_or_else(String::new, |accuracy| {
        format!("  accuracy {}", crate::print::percent(accuracy))
    });
    format!(
        "epoch {}/{}  loss {:.4}{accuracy}  {} rows/s",
        step.epoch,
        step.epochs,
        step.loss,
        crate::print::grouped((step.rows_done as f64 / step.seconds) as u64),
    )
}
