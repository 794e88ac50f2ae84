//! Training: the one place where networks, losses, optimisers and data meet.
//!
//! [`Trainer`] holds the settings; [`Trainer::fit`] runs them on a team of threads (`fit`), each of which owns rows of
//! the batch (`block`) and a part of every layer's weights (`share`).

mod block;
mod fit;
mod history;
mod layer_rows;
mod leader;
mod mask;
mod memory;
mod schedule;
mod share;

pub use history::{Epoch, Flow, History, Step, Stop};
pub use memory::{Extent, Memory};
pub use schedule::Schedule;

use std::fmt;

use crate::dataset::{Dataset, Targets};
use crate::error::{Error, Kind};
use crate::nn::{Loss, Network};
use crate::optim::{Optimizer, Penalty};
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
    loss: Option<Loss>,
    batch_size: Option<usize>,
    epochs: usize,
    threads: Threads,
    seed: u64,
    shuffle: bool,
    reduction: Reduction,
    penalty: Penalty,
    patience: Option<usize>,
    monitor: Monitor,
    on_epoch: OnEpoch<'a>,
    on_step: OnStep<'a>,
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
            .field("loss", &self.loss)
            .field("batch_size", &self.batch_size)
            .field("epochs", &self.epochs)
            .field("threads", &self.threads)
            .field("seed", &self.seed)
            .field("shuffle", &self.shuffle)
            .field("reduction", &self.reduction)
            .field("penalty", &self.penalty)
            .field("patience", &self.patience)
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
            loss: None,
            batch_size: Some(128),
            epochs: 10,
            threads: Threads::AtMost(team::available_threads()),
            seed: 1,
            shuffle: true,
            reduction: Reduction::Mean,
            penalty: Penalty::default(),
            patience: None,
            monitor: Monitor::Loss,
            on_epoch: Box::new(|_| Flow::Continue),
            on_step: Box::new(|_| {}),
        }
    }

    /// What is minimised.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = Some(loss);
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

    /// Exactly that many threads, even where they do not pay: for tests and measurements.
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
        self.on_step = Box::new(callback);
        self
    }

    /// Trains `network` on `train`, measuring on `validation` after every epoch. All memory is taken before the first
    /// step.
    ///
    /// # Errors
    /// When a setting is out of its range or does not go with the network or the data; when the numbers are no longer
    /// finite ([`Kind::Diverged`], naming epoch, step and layer): the network then keeps the weights it came with.
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

    fn check(
        &self,
        network: &Network,
        train: &Dataset,
        validation: Option<&Dataset>,
        loss: Loss,
    ) -> Result<(), Error> {
        let fault = |kind, message: String| Err(Error::new(kind, message));
        self.optimizer.check()?;
        self.penalty.check()?;
        let (Threads::AtMost(threads) | Threads::Exactly(threads)) = self.threads;
        for (value, what) in [
            (self.epochs, "epochs"),
            (self.batch_size.unwrap_or(1), "the batch size"),
            (threads, "threads"),
            (self.patience.unwrap_or(1), "the patience"),
        ] {
            if value == 0 {
                return fault(Kind::Setting, format!("{what} must be at least 1, not 0"));
            }
        }
        for data in [Some(train), validation].into_iter().flatten() {
            if data.is_empty() {
                return fault(
                    Kind::Data,
                    "there are no rows to train or validate on".into(),
                );
            }
            if u32::try_from(data.len()).is_err() {
                return fault(
                    Kind::Data,
                    format!("{} rows are more than 2^32 - 1", data.len()),
                );
            }
            if data.inputs().cols() != network.inputs() {
                let (cols, inputs) = (data.inputs().cols(), network.inputs());
                return fault(
                    Kind::Data,
                    format!("the data has {cols} columns, the network {inputs} inputs"),
                );
            }
            let classes = match data.targets() {
                Targets::Classes { names, .. } => Some(names.len()),
                Targets::Values { .. } => {
                    let (width, outputs) = (data.target_width(), network.outputs());
                    if width != outputs {
                        return fault(
                            Kind::Data,
                            format!("{width} target values need {width} outputs, not {outputs}"),
                        );
                    }
                    None
                }
            };
            loss.check(network.output_activation(), network.outputs(), classes)?;
        }
        if self.monitor == Monitor::Accuracy && matches!(train.targets(), Targets::Values { .. }) {
            return fault(
                Kind::Setting,
                "values have no accuracy to monitor: monitor the loss".into(),
            );
        }
        Ok(())
    }
}
