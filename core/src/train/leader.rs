//! The leader's part of a run: the order of the rows, the sums of the losses, the callbacks, and the word to stop.
//! (Checkpoints are in `snapshot`.)

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::end::diverged;
use super::run::{Run, read, write};
use super::share::Part;
use super::snapshot::Due;
use super::{Epoch, Flow, Monitor, Step, Stop, Trainer};
use crate::dataset::{Dataset, Targets};
use crate::error::Error;
use crate::nn::RowLoss;
use crate::rng::{Rng, mix};
use crate::team;

/// Sums over rows, in their order.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) rows: usize,
    pub(super) loss: f64,
    pub(super) hits: usize,
}

impl Totals {
    fn add(&mut self, results: &[RowLoss]) {
        self.rows += results.len();
        for result in results {
            self.loss += f64::from(result.loss);
            self.hits += usize::from(result.correct);
        }
    }

    fn loss(&self) -> f64 {
        self.loss / self.rows as f64
    }

    fn accuracy(&self, classes: bool) -> Option<f64> {
        classes.then(|| self.hits as f64 / self.rows as f64)
    }
}

/// The leader's state. Between two steps the position of the run is `epoch` and the `step`s of it that are done.
pub(super) struct Leader<'t, 'a> {
    pub(super) trainer: &'t mut Trainer<'a>,
    /// What the run is, for its checkpoints.
    pub(super) settings: Vec<(String, String)>,
    pub(super) patience: Option<usize>,
    /// When this process began the run, and the epoch, and how long another was at it before.
    run_begin: Instant,
    begin: Instant,
    pub(super) seconds_before: f64,
    pub(super) epoch_seconds_before: f64,
    rows_seconds: f64,
    pub(super) totals: Totals,
    pub(super) epoch: usize,
    pub(super) step: usize,
    pub(super) best: f64,
    pub(super) best_epoch: usize,
    pub(super) epochs: Vec<Epoch>,
    pub(super) stopped: Stop,
    pub(super) fault: Option<Error>,
    pub(super) due: Due,
}

impl<'t, 'a> Leader<'t, 'a> {
    pub(super) fn new(
        trainer: &'t mut Trainer<'a>,
        settings: Vec<(String, String)>,
        run_begin: Instant,
    ) -> Self {
        Self {
            settings,
            patience: trainer.patience,
            epochs: Vec::with_capacity(trainer.epochs.min(1 << 16)),
            run_begin,
            begin: run_begin,
            seconds_before: 0.0,
            epoch_seconds_before: 0.0,
            rows_seconds: 0.0,
            totals: Totals::default(),
            epoch: 1,
            step: 0,
            best: f64::INFINITY,
            best_epoch: 0,
            stopped: Stop::Finished,
            fault: None,
            due: Due::new(trainer.checkpoints.as_ref().map(|(every, _)| *every)),
            trainer,
        }
    }

    /// Seconds of the whole run.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds_before + self.run_begin.elapsed().as_secs_f64()
    }

    /// Seconds of the epoch under way.
    pub(super) fn epoch_seconds(&self) -> f64 {
        self.epoch_seconds_before + self.begin.elapsed().as_secs_f64()
    }

    /// Whether after so many epochs the patience is used up before the run's end.
    pub(super) fn patience_is_over(&self, done: usize, run: &Run<'_>) -> bool {
        self.patience
            .is_some_and(|patience| done - self.best_epoch >= patience)
            && done < run.epochs
    }

    /// Shuffles, and draws the masks of the first step. The order of an epoch depends on nothing but the seed and its
    /// number, or is the next that the legacy generator gives.
    pub(super) fn begin(&mut self, run: &Run<'_>, epoch: usize) {
        self.begin = Instant::now();
        self.epoch = epoch;
        if self.trainer.shuffle {
            let mut order = write(&run.order);
            for (i, row) in order.iter_mut().enumerate() {
                *row = i as u32;
            }
            match &mut self.trainer.legacy_random {
                Some(random) => random.shuffle(&mut order),
                None => Rng::stream(run.seed ^ mix(epoch as u64), "shuffle").shuffle(&mut order),
            }
        }
        // All up to those of the step to come: of the first, unless the run goes on within the epoch.
        for step in 0..=self.step {
            self.draw_masks(run, step * run.batch_size);
        }
    }

    /// Draws the masks of the step that begins at that row of the epoch, if there is one and a stream to draw from.
    /// Between a step's last barrier before the weights and the one after them nobody reads masks.
    pub(super) fn draw_masks(&mut self, run: &Run<'_>, row: usize) {
        if let (Some(masks), Some(random)) = (&run.masks, &mut self.trainer.legacy_random)
            && row < run.rows
        {
            write(masks).draw(random, run.batch_size.min(run.rows - row));
        }
    }

    /// Adds up the losses of a part; stops the run where they are not finite.
    pub(super) fn collect(&mut self, run: &Run<'_>, epoch: usize, part: Part) {
        self.step += usize::from(part.first);
        for block in &run.blocks {
            self.totals.add(read(block).results());
        }
        if !self.totals.loss.is_finite() {
            let layer = run
                .blocks
                .iter()
                .filter_map(|block| read(block).not_finite())
                .min();
            let what = match layer {
                Some(l) => format!(
                    "the loss is not finite, the outputs of layer {} being the first to go",
                    l + 1
                ),
                None => "the loss is not finite, though the outputs of all layers are".into(),
            };
            self.fault = Some(diverged(
                (run.train, &run.optimizer),
                (epoch, self.step),
                &what,
            ));
            run.stop.store(true, Ordering::Release);
        } else if part.last {
            // Before a barrier, so that all members obey after the same step.
            self.stop_if_asked(&run.stop);
        }
    }

    /// Before some of the rows held out are measured.
    pub(super) fn measuring(&mut self, run: &Run<'_>) {
        self.stop_if_asked(&run.cut);
    }

    fn stop_if_asked(&mut self, word: &AtomicBool) {
        if (self.trainer.stop_when)() {
            self.stopped = Stop::Callback;
            word.store(true, Ordering::Release);
        }
    }

    pub(super) fn after_step(&mut self, run: &Run<'_>, epoch: usize, rows_done: usize) {
        run.steps.store(self.step, Ordering::Relaxed);
        let seconds = self.trainer.on_step.is_some().then(|| self.epoch_seconds());
        if let (Some(on_step), Some(seconds)) = (&mut self.trainer.on_step, seconds) {
            let rows = run.rows;
            on_step(&Step {
                epoch,
                epochs: run.epochs,
                step: self.step,
                steps: rows.div_ceil(run.batch_size),
                rows_done,
                rows,
                loss: self.totals.loss(),
                accuracy: self.totals.accuracy(has_classes(run.train)),
                seconds,
            });
        }
        self.due.step();
        self.save_if_due(run);
    }

    pub(super) fn rows_done(&mut self) {
        self.rows_seconds = self.epoch_seconds();
    }

    pub(super) fn after_epoch(&mut self, run: &Run<'_>, epoch: usize) {
        let classes = has_classes(run.train);
        let validation = run.validation.map(|data| {
            let mut totals = Totals::default();
            for (index, block) in run.blocks.iter().enumerate() {
                let own = team::share(data.len(), 4, index, run.blocks.len());
                totals.add(read(block).measured(own.len()));
            }
            totals
        });
        let judged = validation.unwrap_or(self.totals);
        if !judged.loss().is_finite() {
            let what = "the validation loss is not finite";
            self.fault = Some(diverged(
                (run.train, &run.optimizer),
                (epoch, self.step),
                what,
            ));
            run.stop.store(true, Ordering::Release);
            return;
        }
        let score = match self.trainer.monitor {
            Monitor::Loss => judged.loss(),
            Monitor::Accuracy => -judged.accuracy(classes).unwrap_or(0.0),
        };
        let best = score < self.best - self.trainer.min_delta;
        if best {
            (self.best, self.best_epoch) = (score, epoch);
        }
        let record = Epoch {
            epoch,
            epochs: run.epochs,
            loss: self.totals.loss(),
            accuracy: self.totals.accuracy(classes),
            validation_loss: validation.map(|totals| totals.loss()),
            validation_accuracy: validation.and_then(|totals| totals.accuracy(classes)),
            seconds: self.epoch_seconds(),
            rows_per_second: self.totals.rows as f64 / self.rows_seconds,
            best,
        };
        let told = (self.trainer.on_epoch)(&record) == Flow::Stop;
        if self.patience_is_over(epoch, run) {
            self.stopped = Stop::Patience;
            run.stop.store(true, Ordering::Release);
        } else if (told || (self.trainer.stop_when)()) && epoch < run.epochs {
            self.stopped = Stop::Callback;
            run.stop.store(true, Ordering::Release);
        }
        self.epochs.push(record);
        self.due.epoch(epoch);
        (self.epoch, self.step) = (epoch + 1, 0);
        self.totals = Totals::default();
        self.epoch_seconds_before = 0.0;
        run.keep
            .store(best && self.patience.is_some(), Ordering::Release);
    }
}

fn has_classes(data: &Dataset) -> bool {
    matches!(data.targets(), Targets::Classes { .. })
}
