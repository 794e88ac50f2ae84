//! Checkpoints of a run under way: when one is due, how it is taken, and how a run begins from one.
//!
//! One is taken by the leader right after a barrier behind which nobody writes weights before the leader comes to the
//! next one: the others only read them then, as the leader does. It may allocate, a step may not.

use std::time::Instant;

use super::checkpoint::{Keeps, LayerState, Successor};
use super::leader::{Leader, Totals};
use super::run::{Run, read, write};
use super::{Checkpoint, Every, Stop};
use crate::error::Error;

/// Where a run begins: the epoch, and how many of its steps are done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) epoch: usize,
    pub(super) step: usize,
}

impl Start {
    pub(super) const FRESH: Self = Self { epoch: 1, step: 0 };

    /// The steps of all epochs that are done: t of the last one.
    pub(super) fn steps(self, per_epoch: usize) -> usize {
        (self.epoch - 1) * per_epoch + self.step
    }

    /// The rows of that epoch that are done.
    pub(super) fn rows_done(self, epoch: usize, batch_size: usize) -> usize {
        if epoch == self.epoch {
            self.step * batch_size
        } else {
            0
        }
    }
}

/// When the next checkpoint is due.
#[derive(Debug)]
pub(super) struct Due {
    every: Option<Every>,
    last: Instant,
    steps: usize,
    now: bool,
}

impl Due {
    pub(super) fn new(every: Option<Every>) -> Self {
        Self {
            every,
            last: Instant::now(),
            steps: 0,
            now: false,
        }
    }

    /// A step is done.
    pub(super) fn step(&mut self) {
        self.steps += 1;
        self.now |= match self.every {
            Some(Every::Steps(steps)) => self.steps >= steps,
            Some(Every::Seconds(seconds)) => self.last.elapsed().as_secs_f64() >= seconds,
            _ => false,
        };
    }

    /// An epoch is done.
    pub(super) fn epoch(&mut self, epoch: usize) {
        self.now |=
            matches!(self.every, Some(Every::Epochs(epochs)) if epoch.is_multiple_of(epochs));
    }

    /// Whether one is due, which then is the last.
    fn take(&mut self) -> bool {
        let now = self.now;
        if now {
            *self = Self::new(self.every);
        }
        now
    }
}

impl Leader<'_, '_> {
    /// Hands out a checkpoint if one is due.
    pub(super) fn save_if_due(&mut self, run: &Run<'_>) {
        if self.due.take() {
            self.save(run, false);
        }
    }

    /// Hands out the checkpoint of the end.
    pub(super) fn save_at_end(&mut self, run: &Run<'_>) {
        if self.fault.is_none() {
            self.save(run, self.stopped != Stop::Callback);
        }
    }

    fn save(&mut self, run: &Run<'_>, finished: bool) {
        if self.trainer.checkpoints.is_none() {
            return;
        }
        let checkpoint = self.snapshot(run, finished);
        let sound = checkpoint.layers.iter().all(LayerState::is_finite);
        if let Some((_, save)) = self.trainer.checkpoints.as_mut().filter(|_| sound) {
            save(&checkpoint);
        }
    }

    fn snapshot(&self, run: &Run<'_>, finished: bool) -> Checkpoint {
        let keeps = Keeps {
            moments: run.optimizer.moments(),
            best: self.patience.is_some() && self.best_epoch > 0,
        };
        let layer = |(l, layer)| {
            let mut state = LayerState::zeroed(layer, keeps);
            for share in &run.shares {
                read(share).export(l, &mut state);
            }
            state
        };
        Checkpoint {
            settings: self.settings.clone(),
            epochs: run.epochs,
            epoch: self.epoch,
            step: self.step,
            loss_sum: self.totals.loss,
            hits: self.totals.hits,
            best_score: (self.best_epoch > 0).then_some(self.best),
            best_epoch: self.best_epoch,
            history: self.epochs.clone(),
            seconds: self.seconds(),
            epoch_seconds: if self.step == 0 {
                0.0
            } else {
                self.epoch_seconds()
            },
            finished,
            layers: run.network.layers().iter().enumerate().map(layer).collect(),
        }
    }

    /// Brings a generator that has a stream to where it was: draws what the run before drew, to no avail.
    fn catch_up(&mut self, checkpoint: &Checkpoint, run: &Run<'_>) {
        if self.trainer.legacy_random.is_none() {
            return;
        }
        for epoch in 1..checkpoint.epoch {
            self.begin(run, epoch);
            for row in (0..run.rows).step_by(run.batch_size).skip(1) {
                self.draw_masks(run, row);
            }
        }
    }

    /// Takes over what the leader of the run before knew.
    fn take_over(&mut self, checkpoint: &Checkpoint, run: &Run<'_>) {
        self.epoch = checkpoint.epoch;
        self.step = checkpoint.step;
        self.totals = Totals {
            rows: (checkpoint.step * run.batch_size).min(run.rows),
            loss: checkpoint.loss_sum,
            hits: checkpoint.hits,
        };
        self.seconds_before = checkpoint.seconds;
        self.epoch_seconds_before = checkpoint.epoch_seconds;
        self.best = checkpoint.best_score.unwrap_or(f64::INFINITY);
        self.best_epoch = checkpoint.best_epoch;
        self.epochs.extend_from_slice(&checkpoint.history);
        for epoch in &mut self.epochs {
            epoch.epochs = run.epochs;
        }
    }
}

/// Makes the run stand where the checkpoint stood.
pub(super) fn go_on(
    checkpoint: &Checkpoint,
    leader: &mut Leader<'_, '_>,
    run: &Run<'_>,
) -> Result<Start, Error> {
    checkpoint.check(&Successor {
        settings: &leader.settings,
        network: run.network,
        schedule: run.schedule,
        epochs: run.epochs,
        steps_per_epoch: run.rows.div_ceil(run.batch_size),
        rows: run.rows,
        moments: run.optimizer.moments(),
        patience: leader.patience.is_some(),
    })?;
    leader.catch_up(checkpoint, run);
    leader.take_over(checkpoint, run);
    for share in &run.shares {
        let mut share = write(share);
        for (l, state) in checkpoint.layers.iter().enumerate() {
            share.import(run.isa, l, state);
        }
    }
    let mut start = Start {
        epoch: checkpoint.epoch,
        step: checkpoint.step,
    };
    if leader.patience_is_over(checkpoint.history.len(), run) {
        leader.stopped = Stop::Patience;
        start.epoch = run.epochs + 1;
    }
    Ok(start)
}
