//! Training: the one place where networks, losses, optimisers and data meet.
//!
//! [`Trainer`] holds the settings; [`Trainer::fit`] runs them on a team of threads (`fit`), each of which owns rows of
//! the batch (`block`) and a part of every layer's weights (`share`). A [`Checkpoint`] is where a run stands between two
//! steps.

mod block;
mod check;
mod checkpoint;
mod drawn;
mod end;
mod first;
mod fit;
mod given;
mod history;
mod identity;
mod layer_rows;
mod leader;
mod mask;
mod memory;
mod pace;
mod phases;
mod relay;
mod run;
mod schedule;
mod segments;
mod share;
mod sharing;
mod skipped;
mod snapshot;

pub use checkpoint::{Checkpoint, Every, LayerState, ParameterState};
pub use history::{Epoch, Flow, History, Step, Stop};
pub use memory::{Extent, Memory};
pub use schedule::Schedule;

use std::fmt;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::nn::{Loss, Network};
use crate::optim::{Optimizer, Penalty};
use crate::rng::LegacyRandom;
use crate::team;

/// How the gradients of a batch's rows become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// What decides which epoch is the best: of the validation rows if there are any, else of the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Monitor {
    /// The smallest loss.
    #[default]
    Loss,
    /// The greatest accuracy.
    Accuracy,
}

type OnEpoch<'a> = Box<dyn FnMut(&Epoch) -> Flow + 'a>;
type OnStep<'a> = Box<dyn FnMut(&Step) + 'a>;
type StopWhen<'a> = Box<dyn FnMut() -> bool + 'a>;
type OnCheckpoint<'a> = Box<dyn FnMut(&Checkpoint) + 'a>;

/// The settings of a training run.
///
/// ```
/// use mlp_core::{Activation, Adam, Dataset, Matrix, Network, Trainer};
///
/// let inputs = Matrix::from_vec(4, 2, &[0., 0., 0., 1., 1., 0., 1., 1.]);
/// let xor = Dataset::classes(inputs.into(), vec![0, 1, 1, 0], vec!["no".into(), "yes".into()])?;
/// let mut net = Network::builder(2).dense(8, Activation::Tanh).dense(2, Activation::Softmax).build()?;
/// let history = Trainer::new(Adam::new(0.05)).epochs(200).batch_size(4).fit(&mut net, &xor, None)?;
/// assert_eq!(history.epochs.last().and_then(|epoch| epoch.accuracy), Some(1.0));
/// # Ok::<(), mlp_core::Error>(())
/// ```
pub struct Trainer<'a> {
    optimizer: Optimizer,
    schedule: Schedule,
    layer_rates: Vec<f64>,
    loss: Option<Loss>,
    reported: Option<Loss>,
    batch_size: Option<usize>,
    drop_last: bool,
    epochs: usize,
    threads: Threads,
    seed: u64,
    legacy_random: Option<&'a mut LegacyRandom>,
    shuffle: bool,
    reduction: Reduction,
    penalty: Penalty,
    patience: Option<usize>,
    min_delta: f64,
    monitor: Monitor,
    on_epoch: OnEpoch<'a>,
    on_step: Option<OnStep<'a>>,
    stop_when: StopWhen<'a>,
    checkpoints: Option<(Every, OnCheckpoint<'a>)>,
    resume: Option<Box<Checkpoint>>,
}

#[derive(Clone, Copy, Debug)]
enum Threads {
    AtMost(usize),
    Exactly(usize),
}

impl fmt::Debug for Trainer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("optimizer", &self.optimizer)
            .field("schedule", &self.schedule)
            .field("layer_rates", &self.layer_rates)
            .field("loss", &self.loss)
            .field("reported", &self.reported)
            .field("batch_size", &self.batch_size)
            .field("drop_last", &self.drop_last)
            .field("epochs", &self.epochs)
            .field("threads", &self.threads)
            .field("seed", &self.seed)
            .field("legacy_random", &self.legacy_random.is_some())
            .field("shuffle", &self.shuffle)
            .field("reduction", &self.reduction)
            .field("penalty", &self.penalty)
            .field("patience", &self.patience)
            .field("min_delta", &self.min_delta)
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}

impl<'a> Trainer<'a> {
    /// A run with that optimiser and else: the loss that goes with the last layer's activation, batches of 128 rows,
    /// 10 epochs, all cores, seed 1, shuffled, mean gradients, a constant learning rate, no penalty, no early stop.
    pub fn new(optimizer: impl Into<Optimizer>) -> Self {
        Self {
            optimizer: optimizer.into(),
            schedule: Schedule::Constant,
            layer_rates: Vec::new(),
            loss: None,
            reported: None,
            batch_size: Some(128),
            drop_last: false,
            epochs: 10,
            threads: Threads::AtMost(team::available_threads()),
            seed: 1,
            legacy_random: None,
            shuffle: true,
            reduction: Reduction::Mean,
            penalty: Penalty::default(),
            patience: None,
            min_delta: 0.0,
            monitor: Monitor::Loss,
            on_epoch: Box::new(|_| Flow::Continue),
            on_step: None,
            stop_when: Box::new(|| false),
            checkpoints: None,
            resume: None,
        }
    }

    /// What is minimised.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = Some(loss);
        self
    }

    /// The loss that epochs and steps report, and that is monitored, in place of the one that is minimised. One that takes
    /// logits (a cross-entropy) can be reported only where it is minimised.
    #[must_use]
    pub fn report(mut self, loss: Loss) -> Self {
        self.reported = Some(loss);
        self
    }

    /// Times the learning rate in each layer, from the inputs on; a layer of rate 0 stays as it is. To teach a trained
    /// network something new, its first layers are often given less than its last (Howard & Ruder 2018).
    #[must_use]
    pub fn layer_rates(mut self, rates: &[f64]) -> Self {
        self.layer_rates = rates.to_vec();
        self
    }

    /// How the learning rate goes over the run.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Rows a step; the last step of an epoch takes what is left.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = Some(rows);
        self
    }

    /// All rows in one step.
    #[must_use]
    pub fn full_batch(mut self) -> Self {
        self.batch_size = None;
        self
    }

    /// Whether the rows of an epoch that do not fill a batch are left out, as long as there is a whole one.
    #[must_use]
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Passes over the data.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// At most that many threads; fewer run where there are fewer cores or the work is too small to pay. The number
    /// never changes a bit of the result.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Threads::AtMost(threads);
        self
    }

    /// Exactly that many threads (at least 1, at most 64), even where they do not pay: for tests and measurements.
    #[must_use]
    pub fn threads_exactly(mut self, threads: usize) -> Self {
        self.threads = Threads::Exactly(threads);
        self
    }

    /// The seed of the order of rows and of dropout.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes the order of rows and the dropout from `NumPy`'s legacy generator, in place of the seed: each epoch, if it
    /// shuffles, takes the rows in the order of the next `permutation(rows)`; then each step, if anything is dropped, draws
    /// a mask for each layer that is, from the inputs on: `randint(2, size=(rows, units))` at rate 1/2, 1 being kept, else
    /// `random_sample((rows, units)) >= rate`. The generator is left where the run leaves it.
    #[must_use]
    pub fn legacy_random(mut self, random: &'a mut LegacyRandom) -> Self {
        self.legacy_random = Some(random);
        self
    }

    /// Whether each epoch takes the rows in a new random order, or in the order of the data.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// How the gradients of a batch's rows become one.
    #[must_use]
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Adds l1 sign(w) to the gradient of every weight (not of biases): the penalty l1 sum |w|.
    #[must_use]
    pub fn l1(mut self, l1: f64) -> Self {
        self.penalty.l1 = l1;
        self
    }

    /// Adds l2 w to the gradient of every weight (not of biases): the penalty l2/2 sum w^2.
    #[must_use]
    pub fn l2(mut self, l2: f64) -> Self {
        self.penalty.l2 = l2;
        self
    }

    /// Stops once what is monitored has not become better for that many epochs, and gives back the best weights.
    #[must_use]
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// An epoch is better than the best before it by more than that (of loss, or of accuracy from 0 to 1); 0 unless told.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }

    /// What decides which epoch is the best.
    #[must_use]
    pub fn monitor(mut self, monitor: Monitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// Is called after every epoch, on the calling thread; it may return [`Flow::Stop`], or nothing.
    #[must_use]
    pub fn on_epoch<F: Into<Flow>>(mut self, mut callback: impl FnMut(&Epoch) -> F + 'a) -> Self {
        self.on_epoch = Box::new(move |epoch| callback(epoch).into());
        self
    }

    /// Is called after every step, on the calling thread, while the others go on: keep it short.
    #[must_use]
    pub fn on_step(mut self, callback: impl FnMut(&Step) + 'a) -> Self {
        self.on_step = Some(Box::new(callback));
        self
    }

    /// Is asked in every step, and between the rows held out while they are measured, on the calling thread, whether the run
    /// shall stop there, before its end.
    #[must_use]
    pub fn stop_when(mut self, asked: impl FnMut() -> bool + 'a) -> Self {
        self.stop_when = Box::new(asked);
        self
    }

    /// Hands out a [`Checkpoint`] so often, and once more when the run is finished or was stopped, on the calling thread
    /// while the others wait. None is made of weights that are not finite: the one before is then the last.
    #[must_use]
    pub fn checkpoints(mut self, every: Every, save: impl FnMut(&Checkpoint) + 'a) -> Self {
        self.checkpoints = Some((every, Box::new(save)));
        self
    }

    /// The next [`fit`](Self::fit) goes on from that checkpoint, with its weights, and ends with the bits of a run that was
    /// never interrupted. It must have the same settings, network and data; threads and instruction set may be others, and
    /// under a [constant schedule](Schedule::Constant) the number of epochs too.
    #[must_use]
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.resume = Some(Box::new(checkpoint));
        self
    }

    /// Trains `network` on `train`, measuring on `validation` after every epoch. All memory is taken before the first
    /// step.
    ///
    /// # Errors
    /// When a setting is out of its range or does not go with the network or the data; when the numbers are no longer
    /// finite ([`Kind::Diverged`](crate::Kind::Diverged), naming epoch, step and layer): the network then keeps the weights
    /// it came with; when there is no memory for the run ([`Kind::Memory`](crate::Kind::Memory)); when the checkpoint to go on from is of another run ([`Kind::Checkpoint`](crate::Kind::Checkpoint),
    /// naming the first setting that differs).
    pub fn fit(
        &mut self,
        network: &mut Network,
        train: &Dataset,
        validation: Option<&Dataset>,
    ) -> Result<History, Error> {
        let loss = self
            .loss
            .unwrap_or_else(|| Loss::default_for(network.output_activation()));
        self.check(network, train, validation, loss)?;
        fit::fit(self, loss, network, train, validation)
    }
}
