//! Data to train on: [`Dataset`] pairs [`Inputs`], `[rows, features]`, with [`Targets`], a class or some values a row.
//!
//! Readers (feature `files`) fill it from CSV (`csv`; by `cache` where it is larger than memory), from IDX (`idx`), or
//! from whatever a person names (`source`). Inputs stay as they came, bytes as bytes; a [`Scaling`] fitted on the training
//! rows is applied when rows are gathered into a batch. Classes are kept as numbers: one-hot targets exist only inside the
//! loss.

#[cfg(feature = "files")]
pub mod cache;
#[cfg(feature = "files")]
pub mod csv;
pub mod digits;
mod fingerprint;
mod gather;
#[cfg(feature = "files")]
pub mod idx;
mod inputs;
#[cfg(feature = "files")]
pub mod options;
mod pages;
pub mod scaling;
mod shared;
mod slice;
#[cfg(feature = "files")]
pub mod source;
mod sparse;
mod split;
#[cfg(feature = "files")]
pub mod suggest;
mod target_scaling;

use std::collections::HashSet;

use crate::error::{Error, Kind, shown};
use crate::tensor::Matrix;

pub use inputs::Inputs;
pub use scaling::{Scaling, ScalingKind};
pub use shared::{Block, Layout};
pub use target_scaling::TargetScaling;

/// Inputs and what they should lead to, row by row.
#[derive(Clone, Debug)]
pub struct Dataset {
    inputs: Inputs,
    targets: Targets,
}

/// What each row should lead to.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One class a row: `names[labels[row]]`.
    Classes {
        /// The number of the class of each row.
        labels: Vec<u32>,
        /// The names of the classes, at least two.
        names: Vec<String>,
    },
    /// One or more numbers a row.
    Values {
        /// `[rows, values]`.
        values: Matrix,
        /// The names of the values.
        names: Vec<String>,
    },
}

impl Targets {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes { labels, .. } => labels.len(),
            Self::Values { values, .. } => values.rows(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The width of the output that fits: the number of classes, or of values.
    pub fn width(&self) -> usize {
        self.names().len()
    }

    /// The names of the classes, or of the values.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes { names, .. } | Self::Values { names, .. } => names,
        }
    }

    /// Moves values to large pages of memory: for rows that will be met often, in random order.
    pub(crate) fn move_to_large_pages(&self) {
        if let Self::Values { values, .. } = self {
            pages::make_large(values.view().data());
        }
    }

    #[track_caller]
    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes { labels, names } => Self::Classes {
                labels: rows.iter().map(|&row| labels[row]).collect(),
                names: names.clone(),
            },
            Self::Values { values, names } => {
                let mut selected = Matrix::zeros(rows.len(), values.cols());
                for (to, &from) in rows.iter().enumerate() {
                    selected.row_mut(to).copy_from_slice(values.row(from));
                }
                Self::Values {
                    values: selected,
                    names: names.clone(),
                }
            }
        }
    }
}

impl Dataset {
    /// Inputs with a class for each row, `names[labels[row]]`.
    ///
    /// # Errors
    /// When there is not one label for each row, a label has no name, or there are fewer than two or equal names.
    pub fn classes(inputs: Inputs, labels: Vec<u32>, names: Vec<String>) -> Result<Self, Error> {
        if let Some(label) = labels.iter().find(|&&label| label as usize >= names.len()) {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "label {label} has no name: there are {} classes",
                    names.len()
                ),
            ));
        }
        if names.len() < 2 {
            return Err(Error::new(
                Kind::Data,
                format!("at least two classes are needed, {} given", names.len()),
            ));
        }
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|&name| !seen.insert(name)) {
            return Err(Error::new(
                Kind::Data,
                format!("two classes are named `{}`", shown(name)),
            ));
        }
        Self::pair(inputs, Targets::Classes { labels, names })
    }

    /// Inputs with the values that each row should lead to, `[rows, values]`, named `target`, or `target 1`, `target 2`..
    ///
    /// # Errors
    /// When there is not one row of values for each row of inputs, or they have no columns.
    pub fn values(inputs: Inputs, values: Matrix) -> Result<Self, Error> {
        let names = match values.cols() {
            1 => vec!["target".to_owned()],
            n => (1..=n).map(|i| format!("target {i}")).collect(),
        };
        Self::named_values(inputs, values, names)
    }

    /// [`values`](Self::values) with these names.
    ///
    /// # Errors
    /// When there is not one row of values for each row of inputs, they have no columns, or not one name for each.
    pub fn named_values(inputs: Inputs, values: Matrix, names: Vec<String>) -> Result<Self, Error> {
        if values.cols() == 0 || values.cols() != names.len() {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "{} names were given for {} target columns",
                    names.len(),
                    values.cols()
                ),
            ));
        }
        Self::pair(inputs, Targets::Values { values, names })
    }

    fn pair(inputs: Inputs, targets: Targets) -> Result<Self, Error> {
        if inputs.rows() != targets.len() {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "there are {} rows of inputs, but {} targets",
                    inputs.rows(),
                    targets.len()
                ),
            ));
        }
        // Batches name their rows by u32.
        if u32::try_from(inputs.rows()).is_err() {
            return Err(Error::new(
                Kind::Data,
                format!(
                    "{} rows are more than the {} that a dataset holds",
                    inputs.rows(),
                    u32::MAX
                ),
            ));
        }
        Ok(Self { inputs, targets })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.inputs.rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The targets.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The width of the output that fits: the number of classes, or of values.
    pub fn target_width(&self) -> usize {
        self.targets.width()
    }

    /// Its inputs, without the targets.
    #[must_use]
    pub fn into_inputs(self) -> Inputs {
        self.inputs
    }

    /// How many rows each class has; nothing for values.
    pub fn class_counts(&self) -> Vec<usize> {
        let Targets::Classes { labels, names } = &self.targets else {
            return Vec::new();
        };
        let mut counts = vec![0; names.len()];
        for &label in labels {
            counts[label as usize] += 1;
        }
        counts
    }

    /// Makes sure that there is something to learn: rows of at least two classes, or values.
    ///
    /// # Errors
    /// When all rows have the same class.
    pub fn several_classes(&self) -> Result<(), Error> {
        let Targets::Classes { labels, names } = &self.targets else {
            return Ok(());
        };
        match labels.first() {
            Some(first) if labels.iter().all(|label| label == first) => Err(Error::new(
                Kind::Data,
                format!(
                    "all rows have the same class, `{}`; at least two are needed",
                    names[*first as usize]
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Bytes of memory that the inputs and the targets take, names not counted.
    pub fn size_in_memory(&self) -> usize {
        let targets = match &self.targets {
            Targets::Classes { labels, .. } => size_of_val(labels.as_slice()),
            Targets::Values { values, .. } => size_of_val(values.view().data()),
        };
        self.inputs.size_in_memory() + targets
    }

    /// Bytes that the inputs take where they are kept, if that is elsewhere: in a file that is mapped into memory.
    pub fn size_elsewhere(&self) -> usize {
        self.inputs.size_elsewhere()
    }

    /// A copy of these rows, in this order.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(rows),
            targets: self.targets.select(rows),
        }
    }

    /// [`select`](Self::select) of ascending rows, where the others are no longer needed.
    fn into_selected(self, rows: &[usize]) -> Self {
        Self {
            targets: self.targets.select(rows),
            inputs: self.inputs.into_selected(rows),
        }
    }

    /// Random rows to train on, `train_share` of all (rounded), and the rest, each in the order of the data.
    ///
    /// # Errors
    /// When the share is not between 0 and 1, or one side would be empty.
    pub fn split(&self, train_share: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (train, held_out) = split::random(self.len(), train_share, seed)?;
        Ok((self.select(&train), self.select(&held_out)))
    }

    /// The first rows to train on, `train_share` of all (rounded), and the last.
    ///
    /// # Errors
    /// When the share is not between 0 and 1, or one side would be empty.
    pub fn split_last(&self, train_share: f64) -> Result<(Self, Self), Error> {
        let (train, held_out) = split::last(self.len(), train_share)?;
        Ok((self.select(&train), self.select(&held_out)))
    }

    /// [`split`](Self::split) that gives every class the same share, as far as whole rows go.
    ///
    /// # Errors
    /// When the targets are not classes, the share is not between 0 and 1, or one side would be empty.
    pub fn split_stratified(&self, train_share: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (train, held_out) = self.stratified_sides(train_share, seed)?;
        Ok((self.select(&train), self.select(&held_out)))
    }

    fn stratified_sides(&self, train_share: f64, seed: u64) -> Result<split::Sides, Error> {
        let Targets::Classes { labels, names } = &self.targets else {
            return Err(Error::new(
                Kind::Setting,
                "a stratified split needs classes, and these targets are values",
            ));
        };
        split::stratified(labels, names.len(), train_share, seed)
    }

    /// [`split`](Self::split), without a copy of the rows to train on where they are bytes.
    ///
    /// # Errors
    /// As for [`split`](Self::split).
    pub fn into_split(self, train_share: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (train, held_out) = split::random(self.len(), train_share, seed)?;
        let held_out = self.select(&held_out);
        Ok((self.into_selected(&train), held_out))
    }

    /// [`split_stratified`](Self::split_stratified), likewise.
    ///
    /// # Errors
    /// As for [`split_stratified`](Self::split_stratified).
    pub fn into_split_stratified(self, train_share: f64, seed: u64) -> Result<(Self, Self), Error> {
        let (train, held_out) = self.stratified_sides(train_share, seed)?;
        let held_out = self.select(&held_out);
        Ok((self.into_selected(&train), held_out))
    }

    /// The same rows, their inputs seen through this scaling, which takes the place of the one that they had.
    ///
    /// # Errors
    /// When it is a scaling of another number of columns.
    pub fn scaled(self, scaling: Scaling) -> Result<Self, Error> {
        Ok(Self {
            inputs: self.inputs.with_scaling(scaling)?,
            targets: self.targets,
        })
    }

    /// The same rows with the classes numbered as in `names`, which is how a model that was trained on other data
    /// numbers them.
    ///
    /// # Errors
    /// When the targets are not classes, or a row has a class that is not among them.
    pub fn with_classes(self, names: &[String]) -> Result<Self, Error> {
        let Targets::Classes { labels, names: old } = self.targets else {
            return Err(Error::new(
                Kind::Data,
                "classes are expected, and these targets are values",
            ));
        };
        let known = || {
            let known: Vec<String> = names.iter().take(10).map(|name| shown(name)).collect();
            known.join(", ") + if names.len() > 10 { ", .." } else { "" }
        };
        let number: Vec<Option<usize>> = old
            .iter()
            .map(|name| names.iter().position(|known| known == name))
            .collect();
        let labels = labels
            .iter()
            .enumerate()
            .map(|(row, &label)| {
                number[label as usize].map(|label| label as u32).ok_or_else(|| {
                    Error::new(
                        Kind::Data,
                        format!(
                            "row {} has class `{}`, which is not among the {} classes that are expected: {}",
                            row + 1,
                            shown(&old[label as usize]),
                            names.len(),
                            known()
                        ),
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        Self::classes(self.inputs, labels, names.to_vec())
    }
}
