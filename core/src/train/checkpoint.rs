//! Where a run stands between two steps: everything that decides what comes after.
//!
//! A run that goes on from a [`Checkpoint`] ends with the bits of one that was never interrupted, whatever the number of
//! threads and the instruction set before and after. What there is to keep:
//!
//! | what | where |
//! | --- | --- |
//! | weights, biases, the optimiser's moments, the best weights so far | [`LayerState`], in the order of a model file |
//! | the optimiser's and the schedule's step t | (`epoch` - 1) * steps of an epoch + `step` |
//! | the generators | an epoch's order and its dropout come from the seed, the epoch and the row's place alone; a legacy generator is given in the state it began in, and draws again what it drew |
//! | the losses of the epoch under way, the epochs before it | `loss_sum`, `hits`, `history` |
//! | early stopping | `best_score`, `best_epoch`; the patience used up is the number of epochs since |
//!
//! Floats are kept as they are, never as decimals of a few digits.

use std::fmt;

use super::{Epoch, Schedule};
use crate::error::{Error, Kind};
use crate::nn::{Layer, Network};

/// How often a run hands out a [`Checkpoint`]; it always does at its end, if it is finished or was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// After each so many epochs.
    Epochs(usize),
    /// After each so many steps of the optimiser.
    Steps(usize),
    /// After the first step that ends so many seconds after the last checkpoint.
    Seconds(f64),
    /// At the end alone.
    Run,
}

/// A run between two of its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Names and values of all that the bits of the result depend on, but for the number of epochs: a run that goes on
    /// must have the same.
    pub settings: Vec<(String, String)>,
    /// How many epochs were asked for.
    pub epochs: usize,
    /// The epoch under way, from 1; one past the last where all are done.
    pub epoch: usize,
    /// The steps of that epoch that are done.
    pub step: usize,
    /// The sum of the losses of the rows of those steps.
    pub loss_sum: f64,
    /// How many of those rows were hit; of classes only.
    pub hits: usize,
    /// The best of what is monitored, the smaller the better; none before the first epoch is done.
    pub best_score: Option<f64>,
    /// The epoch of the best, from 1; 0 if there is none.
    pub best_epoch: usize,
    /// The epochs done.
    pub history: Vec<Epoch>,
    /// Seconds that the run has taken.
    pub seconds: f64,
    /// Seconds of them in the epoch under way.
    pub epoch_seconds: f64,
    /// Whether the run came to its end: all epochs done, or its patience used up.
    pub finished: bool,
    /// The layers, from the inputs on.
    pub layers: Vec<LayerState>,
}

/// The numbers of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerState {
    /// How many numbers come out of it.
    pub outputs: usize,
    /// How many go in.
    pub inputs: usize,
    /// Of the weights, `[outputs, inputs]`, row by row.
    pub weight: ParameterState,
    /// Of the biases, `[outputs]`, if there are any.
    pub bias: Option<ParameterState>,
}

/// Some parameters and what is kept about each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterState {
    /// Their values.
    pub value: Vec<f32>,
    /// The optimiser's first moments, empty if it keeps none.
    pub m: Vec<f32>,
    /// Its second moments, likewise.
    pub v: Vec<f32>,
    /// The values of the best epoch, empty where there is none or nobody asks.
    pub best: Vec<f32>,
}

/// What a run keeps about each parameter besides its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeps {
    pub(super) moments: usize,
    pub(super) best: bool,
}

impl ParameterState {
    fn zeroed(len: usize, keeps: Keeps) -> Self {
        let room = |wanted: bool| vec![0.0; if wanted { len } else { 0 }];
        Self {
            value: room(true),
            m: room(keeps.moments >= 1),
            v: room(keeps.moments >= 2),
            best: room(keeps.best),
        }
    }

    /// Its parts by name: the values, the moments and the best values.
    pub fn parts(&self) -> [(&'static str, &Vec<f32>); 4] {
        [
            ("value", &self.value),
            ("m", &self.m),
            ("v", &self.v),
            ("best", &self.best),
        ]
    }

    fn check(&self, name: &str, len: usize, keeps: Keeps) -> Result<(), Error> {
        let wanted = [true, keeps.moments >= 1, keeps.moments >= 2, keeps.best];
        for ((part, values), wanted) in self.parts().into_iter().zip(wanted) {
            let (expected, found) = (if wanted { len } else { 0 }, values.len());
            if found != expected {
                return fault(format!(
                    "expected {expected} numbers in the {part} of {name}, found {found}"
                ));
            }
        }
        let mut known = self.value.iter().chain(&self.best);
        match known.find(|x| !x.is_finite()) {
            Some(x) => fault(format!("expected finite numbers in {name}, found {x}")),
            None => Ok(()),
        }
    }
}

impl LayerState {
    /// Zeros for that layer.
    pub(super) fn zeroed(layer: &Layer, keeps: Keeps) -> Self {
        let bias = || ParameterState::zeroed(layer.outputs(), keeps);
        Self {
            outputs: layer.outputs(),
            inputs: layer.inputs(),
            weight: ParameterState::zeroed(layer.outputs() * layer.inputs(), keeps),
            bias: layer.has_bias().then(bias),
        }
    }

    /// Whether all weights and biases are finite.
    pub(super) fn is_finite(&self) -> bool {
        let of = |state: &ParameterState| state.value.iter().all(|x| x.is_finite());
        of(&self.weight) && self.bias.as_ref().is_none_or(of)
    }
}

/// What a run has that goes on from a checkpoint.
pub(super) struct Successor<'a> {
    pub(super) settings: &'a [(String, String)],
    pub(super) network: &'a Network,
    pub(super) schedule: Schedule,
    pub(super) epochs: usize,
    pub(super) steps_per_epoch: usize,
    pub(super) rows: usize,
    pub(super) moments: usize,
    pub(super) patience: bool,
}

impl Checkpoint {
    /// Whether a run of these settings can go on from here, and whether the parts fit each other.
    pub(super) fn check(&self, run: &Successor<'_>) -> Result<(), Error> {
        for (name, value) in run.settings {
            let kept = self.settings.iter().find(|(kept, _)| kept == name);
            match kept {
                Some((_, kept)) if kept == value => {}
                Some((_, kept)) => {
                    return fault(format!(
                        "the run it holds has {name} {kept}, this one {value}"
                    ));
                }
                None => {
                    return fault(format!(
                        "the run it holds has no {name}, this one has {value}"
                    ));
                }
            }
        }
        if let Some((name, value)) = self
            .settings
            .iter()
            .find(|(kept, _)| !run.settings.iter().any(|(name, _)| name == kept))
        {
            return fault(format!(
                "the run it holds has {name} {value}, this one has none"
            ));
        }
        self.check_epochs(run)?;
        self.check_parts(run)
    }

    fn check_epochs(&self, run: &Successor<'_>) -> Result<(), Error> {
        if self.epochs == run.epochs {
            return Ok(());
        }
        if run.schedule != Schedule::Constant {
            return fault(format!(
                "the run it holds has {} epochs, this one {}: under the {} schedule every step depends on their \
                 number, only under the constant one can there be more",
                self.epochs,
                run.epochs,
                run.schedule.name()
            ));
        }
        let begun = if self.step == 0 {
            self.history.len()
        } else {
            self.epoch
        };
        if run.epochs < begun {
            return fault(format!(
                "the run it holds has come to epoch {begun} already, this one has {} epochs",
                run.epochs
            ));
        }
        Ok(())
    }

    fn check_parts(&self, run: &Successor<'_>) -> Result<(), Error> {
        let sound = self.epoch == self.history.len() + 1
            && self.epoch <= self.epochs.saturating_add(1)
            && self.step <= run.steps_per_epoch
            && self.best_epoch <= self.history.len()
            && self.best_score.is_some_and(f64::is_finite) == (self.best_epoch > 0)
            && self.hits <= run.rows
            && [self.loss_sum, self.seconds, self.epoch_seconds]
                .iter()
                .all(|x| x.is_finite());
        if !sound {
            return fault("what it says of the run's position does not fit together");
        }
        let layers = run.network.layers();
        if layers.len() != self.layers.len() {
            let (expected, found) = (layers.len(), self.layers.len());
            return fault(format!("expected {expected} layers, found {found}"));
        }
        let keeps = Keeps {
            moments: run.moments,
            best: run.patience && self.best_epoch > 0,
        };
        for (l, (layer, state)) in layers.iter().zip(&self.layers).enumerate() {
            let weights = layer.inputs() * layer.outputs();
            state
                .weight
                .check(&format!("layers.{l}.weight"), weights, keeps)?;
            if (state.outputs, state.inputs, state.bias.is_some())
                != (layer.outputs(), layer.inputs(), layer.has_bias())
            {
                return fault(format!("expected layers.{l} to be as in the network"));
            }
            if let Some(bias) = &state.bias {
                bias.check(&format!("layers.{l}.bias"), layer.outputs(), keeps)?;
            }
        }
        Ok(())
    }
}

/// Where it stands: `epoch 3 of 10, step 17`.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.history.len();
        match self.step {
            0 => write!(f, "after epoch {done} of {}", self.epochs),
            step => write!(
                f,
                "in epoch {} of {}, after step {step}",
                self.epoch, self.epochs
            ),
        }
    }
}

fn fault<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(Kind::Checkpoint, message))
}
