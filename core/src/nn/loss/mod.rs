//! Losses of one row: a number to minimise, and its gradient by the output layer's pre-activations z.
//!
//! With p the outputs, y the targets, n the number of outputs:
//!
//! | name | loss of a row | dL/dp |
//! |---|---|---|
//! | `mse` | mean of (p - y)^2 | 2 (p - y) / n |
//! | `squared-error` | sum of (p - y)^2 | 2 (p - y) |
//! | `half-squared-error` | half the sum of (p - y)^2 | p - y |
//! | `mae` | mean of \|p - y\| | sign(p - y) / n, 0 at 0 |
//! | `huber:d` | mean of (p - y)^2 / 2, or d (\|p - y\| - d / 2) further out than d | clamp(p - y, -d, d) / n |
//! | `binary-cross-entropy` | mean of -y log p - (1 - y) log(1 - p), p = sigmoid(z) | by z: (p - y) / n |
//! | `cross-entropy` | -sum of y log p, p = softmax(z) | by z: p sum(y) - y, that is p - y |
//!
//! **The two that go with their activation** (binary cross-entropy with sigmoid, cross-entropy with softmax;
//! [`Loss::from_logits`]) take the logits z and apply the activation themselves: log p never sees a p that rounded to 0,
//! and the two derivatives collapse into p - y, of a mean into (p - y) / n. No finite logit gives NaN. All others take f(z)
//! and go with every activation; their gradient is carried through f' here, softmax's full Jacobian included.
//!
//! **A row's way.** [`loss_forward`] turns the row that the output layer handed over into the final outputs p and tells
//! the loss; [`loss_backward`] is the same call and then turns p into dL/dz. So evaluation gives the bits of training,
//! and p those of `activation_forward`. The gradient is of this row alone, not divided by the batch.
//!
//! Rows are whole lines, padded with zeros on the way in and out. Sums run in the order of `tensor::reduce`.
//! References: Huber 1964; Bishop 2006, sections 4.3.6 and 5.2 (canonical links).
//!
//! A loss is added here and nowhere else: a variant, a name, a line in `name`, `parse`, `check`, and the
//! `match`es in `row.rs`.

mod class_rows;
mod row;
mod single_rows;

use crate::choice;
use crate::error::{Error, Kind};
use crate::tensor::activation::Activation;

pub use class_rows::class_losses_backward;
pub use row::{loss_backward, loss_forward};
pub use single_rows::single_losses_backward;

/// What training makes small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// The mean squared error over the outputs (without a factor 1/2).
    Mse,
    /// The sum of squared errors of the outputs.
    SquaredError,
    /// Half the sum of squared errors of the outputs, whose gradient is p - y.
    HalfSquaredError,
    /// The mean absolute error over the outputs.
    Mae,
    /// Squared (halved) within this distance, linear beyond; the mean over the outputs.
    Huber(f32),
    /// Cross-entropy of independent yes-or-no outputs, from logits; the mean over the outputs. With sigmoid.
    BinaryCrossEntropy,
    /// Cross-entropy of one choice among the outputs, from logits. With softmax. A logit is taken for no further below the
    /// greatest than f32 can tell, 3.4e38, even where it is -inf.
    CrossEntropy,
}

/// What one row came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowLoss {
    /// The loss of this row, not divided by the batch.
    pub loss: f32,
    /// Whether the prediction is the target's class: the first greatest output, or, of a single output, p >= 1/2
    /// being class 1. Always false for targets that are values, and where NaN is involved.
    pub correct: bool,
}

impl Loss {
    /// All names, as [`parse`](Self::parse) takes them; `huber` also with a number.
    pub const NAMES: &[&str] = &[
        "mse",
        "squared-error",
        "half-squared-error",
        "mae",
        "huber",
        "binary-cross-entropy",
        "cross-entropy",
    ];

    /// The name, with its number if it has one: "huber:1".
    pub fn name(self) -> String {
        match self {
            Self::Mse => "mse".into(),
            Self::SquaredError => "squared-error".into(),
            Self::HalfSquaredError => "half-squared-error".into(),
            Self::Mae => "mae".into(),
            Self::Huber(distance) => format!("huber:{distance}"),
            Self::BinaryCrossEntropy => "binary-cross-entropy".into(),
            Self::CrossEntropy => "cross-entropy".into(),
        }
    }

    /// The loss of that [`name`](Self::name). Without a number `huber` has the distance 1.
    ///
    /// # Errors
    /// When there is no such name, or the distance is not a positive number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let what = "loss";
        let (name, number) = choice::parse(what, Self::NAMES, text)?;
        let loss = match (name, number) {
            ("huber", distance) => Self::Huber(distance.unwrap_or(1.0) as f32),
            (_, Some(_)) => return Err(choice::no_number(what, text)),
            ("mse", _) => Self::Mse,
            ("squared-error", _) => Self::SquaredError,
            ("half-squared-error", _) => Self::HalfSquaredError,
            ("mae", _) => Self::Mae,
            ("binary-cross-entropy", _) => Self::BinaryCrossEntropy,
            ("cross-entropy", _) => Self::CrossEntropy,
            _ => return Err(choice::unknown(what, Self::NAMES, text)),
        };
        loss.check_number()?;
        Ok(loss)
    }

    /// The loss that an output activation is usually trained with.
    pub fn default_for(output: Activation) -> Self {
        match output {
            Activation::Softmax => Self::CrossEntropy,
            Activation::Sigmoid => Self::BinaryCrossEntropy,
            _ => Self::Mse,
        }
    }

    /// Whether the output layer hands over its logits z, the loss applying the activation itself.
    pub fn from_logits(self) -> bool {
        matches!(self, Self::BinaryCrossEntropy | Self::CrossEntropy)
    }

    /// Whether the loss goes with an output layer of that activation and width, and with targets of that many classes
    /// (`None`: the targets are values, `outputs` to a row).
    ///
    /// # Errors
    /// When cross-entropy is without softmax or binary cross-entropy without sigmoid, when there is not one output per
    /// class (a single one may stand for two classes), when softmax has a single output, or the Huber distance is bad.
    pub fn check(
        self,
        output: Activation,
        outputs: usize,
        classes: Option<usize>,
    ) -> Result<(), Error> {
        self.check_number()?;
        let fault = |message| Err(Error::new(Kind::Setting, message));
        let partner = match self {
            Self::BinaryCrossEntropy => Some(Activation::Sigmoid),
            Self::CrossEntropy => Some(Activation::Softmax),
            Self::Mse
            | Self::SquaredError
            | Self::HalfSquaredError
            | Self::Mae
            | Self::Huber(_) => None,
        };
        if let Some(partner) = partner.filter(|&partner| partner != output) {
            return fault(format!(
                "loss `{}` needs `{}` as the last layer's activation, not `{}`",
                self.name(),
                partner.name(),
                output.name()
            ));
        }
        if output == Activation::Softmax && outputs < 2 {
            return fault(format!(
                "softmax over {outputs} output is always 1; take `sigmoid` for one output, or one output per class"
            ));
        }
        match classes {
            Some(classes) if classes != outputs && !(outputs == 1 && classes == 2) => {
                fault(format!(
                    "{classes} classes need {classes} outputs, not {outputs} (two classes may have one)"
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_number(self) -> Result<(), Error> {
        match self {
            Self::Huber(distance) if !(distance > 0.0 && distance.is_finite()) => Err(Error::new(
                Kind::Setting,
                format!("loss `{}` needs a positive distance", self.name()),
            )),
            _ => Ok(()),
        }
    }
}
