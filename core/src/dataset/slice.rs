//! A data set in parts or in another order: some of its rows, some of its classes, one class against the rest.

use super::{Dataset, Targets};
use crate::error::{Error, Kind};
use crate::rng::Rng;

/// A message names so many classes at most.
const MOST_TOLD: usize = 20;

impl Dataset {
    /// The first `rows` rows, or all if there are not so many.
    #[must_use]
    pub fn take(self, rows: usize) -> Self {
        if rows >= self.len() {
            return self;
        }
        self.into_selected(&(0..rows).collect::<Vec<_>>())
    }

    /// All but the first `rows` rows; none if there are not more.
    #[must_use]
    pub fn skip(self, rows: usize) -> Self {
        if rows == 0 {
            return self;
        }
        let rows = rows.min(self.len())..self.len();
        self.into_selected(&rows.collect::<Vec<_>>())
    }

    /// All rows in a random order: that of `Rng::stream(seed, "rows")`.
    #[must_use]
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        Rng::stream(seed, "rows").shuffle(&mut order);
        self.select(&order)
    }

    /// The rows of these classes, in the order of the data; the classes are numbered in the order named.
    ///
    /// # Errors
    /// When the targets are not classes, there is no such class, one is named twice or fewer than two are named.
    pub fn only_classes(&self, names: &[String]) -> Result<Self, Error> {
        let labels = self.labels()?;
        let kept = names
            .iter()
            .map(|name| self.class(name))
            .collect::<Result<Vec<_>, _>>()?;
        let number = |label: &u32| kept.iter().position(|kept| kept == label);
        let rows: Vec<usize> = (0..labels.len())
            .filter(|&row| number(&labels[row]).is_some())
            .collect();
        let labels = labels.iter().filter_map(number).map(|i| i as u32);
        Self::classes(self.inputs.select(&rows), labels.collect(), names.to_vec())
    }

    /// The same rows in two classes: `not NAME`, and the one of that name, which is the second, so that a single output
    /// is its probability.
    ///
    /// # Errors
    /// When the targets are not classes, or there is no such class.
    pub fn one_vs_rest(self, name: &str) -> Result<Self, Error> {
        let labels = self.labels()?;
        let class = self.class(name)?;
        let labels = labels.iter().map(|&label| u32::from(label == class));
        let labels = labels.collect();
        let names = vec![format!("not {name}"), name.to_owned()];
        Self::classes(self.inputs, labels, names)
    }

    fn labels(&self) -> Result<&[u32], Error> {
        match &self.targets {
            Targets::Classes { labels, .. } => Ok(labels),
            Targets::Values { .. } => Err(Error::new(
                Kind::Setting,
                "classes can be chosen among classes, and these targets are values",
            )),
        }
    }

    /// The number of the class of that name.
    fn class(&self, name: &str) -> Result<u32, Error> {
        let names = self.targets.names();
        match names.iter().position(|known| known == name) {
            Some(class) => Ok(class as u32),
            None => Err(Error::new(
                Kind::Setting,
                format!(
                    "there is no class `{name}`; there are: {}",
                    names[..names.len().min(MOST_TOLD)].join(", ")
                ),
            )),
        }
    }
}
