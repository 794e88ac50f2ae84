//! How to read data: the options that all readers share.

use super::Dataset;
use crate::error::Error;

/// How to read data.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Whether a CSV starts with the names of its columns.
    pub header: Header,
    /// The label column of a CSV: its name, or its number, 1 being the first and -1 the last. Without it, see
    /// [`csv`](super::csv).
    pub label: Option<String>,
    /// Whether labels are classes or values.
    pub task: Task,
    /// What becomes of the labels.
    pub labels: LabelUse,
    /// Which classes are read, and as what.
    pub choice: ClassChoice,
    /// What the model expects, when data is read for a model that exists already.
    pub expected: Option<Expected>,
}

/// Whether a CSV starts with the names of its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// By the rule told in [`csv`](super::csv).
    #[default]
    Auto,
    /// The first line is names.
    Yes,
    /// The first line is data.
    No,
}

/// Whether labels are classes or values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    /// Classes if any label is text, or if all are whole numbers, of which at most [`AUTO_CLASSES`] differ; else values.
    #[default]
    Auto,
    /// Classes, whatever they look like.
    Classes,
    /// Numbers.
    Values,
}

/// The most different whole numbers that [`Task::Auto`] takes for classes.
pub const AUTO_CLASSES: usize = 100;

/// Which classes are read, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClassChoice {
    /// All, as they are.
    #[default]
    All,
    /// Rows of these classes, in this order: see [`Dataset::only_classes`].
    Only(Vec<String>),
    /// This class, and all others as one: see [`Dataset::one_vs_rest`].
    OneVsRest(String),
}

impl ClassChoice {
    /// The data set after this choice.
    ///
    /// # Errors
    /// When the targets are not classes, or a class is not there.
    pub fn of(&self, data: Dataset) -> Result<Dataset, Error> {
        match self {
            Self::All => Ok(data),
            Self::Only(names) => data.only_classes(names),
            Self::OneVsRest(name) => data.one_vs_rest(name),
        }
    }
}

/// What becomes of the labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelUse {
    /// There must be labels: to train, to evaluate.
    #[default]
    Required,
    /// Labels are recognised, so that they are not taken for inputs, and left out: to predict.
    Ignored,
}

/// What a model expects of data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The number of inputs.
    pub inputs: usize,
    /// The names of the inputs, if it was trained on named columns.
    pub columns: Option<Vec<String>>,
    /// The label column that it was trained on, its number if it had no name; other data need not have it.
    pub label: Option<String>,
    /// The names of the classes, in its order; none if it predicts values.
    pub classes: Option<Vec<String>>,
}
