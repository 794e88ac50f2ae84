//! What a training run tells while it goes and when it is done.

use std::fmt;

/// One epoch, done.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Which epoch, from 1.
    pub epoch: usize,
    /// How many were asked for.
    pub epochs: usize,
    /// The mean loss of the training rows, each taken as the weights were when its batch came.
    pub loss: f64,
    /// The share of training rows hit, likewise; of classes only.
    pub accuracy: Option<f64>,
    /// The mean loss of the validation rows after the epoch.
    pub validation_loss: Option<f64>,
    /// The share of validation rows hit after the epoch; of classes only.
    pub validation_accuracy: Option<f64>,
    /// Seconds that the epoch took, validation included.
    pub seconds: f64,
    /// Training rows a second, validation not included.
    pub rows_per_second: f64,
    /// Whether what is monitored is the best so far.
    pub best: bool,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {}/{}: loss {:.4}",
            self.epoch, self.epochs, self.loss
        )?;
        if let Some(accuracy) = self.accuracy {
            write!(f, ", accuracy {:.2} %", 100.0 * accuracy)?;
        }
        if let Some(loss) = self.validation_loss {
            write!(f, "; validation loss {loss:.4}")?;
        }
        if let Some(accuracy) = self.validation_accuracy {
            write!(f, ", accuracy {:.2} %", 100.0 * accuracy)?;
        }
        write!(
            f,
            "; {:.2} s, {:.0} rows/s",
            self.seconds, self.rows_per_second
        )
    }
}

/// One step within an epoch, done.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which epoch, from 1.
    pub epoch: usize,
    /// How many epochs were asked for.
    pub epochs: usize,
    /// Which step of the epoch, from 1.
    pub step: usize,
    /// How many steps an epoch has.
    pub steps: usize,
    /// Training rows seen in this epoch.
    pub rows_done: usize,
    /// Training rows in an epoch.
    pub rows: usize,
    /// The mean loss of the rows seen in this epoch.
    pub loss: f64,
    /// The share of rows hit in this epoch; of classes only.
    pub accuracy: Option<f64>,
    /// Seconds since the epoch began.
    pub seconds: f64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All epochs are done.
    Finished,
    /// What is monitored has not become better for as many epochs as the patience allowed.
    Patience,
    /// The callback said so, or whoever is asked by [`stop_when`](super::Trainer::stop_when).
    Callback,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// All epochs, in order.
    pub epochs: Vec<Epoch>,
    /// The epoch at which what is monitored was best, from 1; the weights are this epoch's if there was a patience.
    pub best_epoch: usize,
    /// Why it ended.
    pub stopped: Stop,
    /// Seconds in all.
    pub seconds: f64,
    /// Threads that ran (fewer than allowed where more would not pay).
    pub threads: usize,
}

/// What a callback decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after this epoch.
    Stop,
}

impl From<()> for Flow {
    fn from((): ()) -> Self {
        Self::Continue
    }
}
