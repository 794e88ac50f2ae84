//! How many rows of each class were taken for each class.

use std::collections::BTreeMap;

/// The confusion matrix `C[t][p]`: the rows of class t predicted as p. Of many classes nearly all counts are zero: only the
/// others are kept, so that the memory is that of the rows, not of the classes squared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: BTreeMap<(usize, usize), u64>,
}

impl ConfusionMatrix {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: BTreeMap::new(),
        }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, truth: usize, predicted: usize) {
        *self.counts.entry((truth, predicted)).or_default() += 1;
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// `C[truth][predicted]`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts.get(&(truth, predicted)).copied().unwrap_or(0)
    }

    /// All counts that are not zero, (true class, predicted class, rows), by the true class and then the predicted.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.counts.iter().map(|(&(t, p), &count)| (t, p, count))
    }

    /// All counts, row after row.
    pub fn rows(&self) -> impl Iterator<Item = Vec<u64>> {
        let row = |t| (0..self.classes).map(|p| self.count(t, p)).collect();
        (0..self.classes).map(row)
    }

    /// How many rows there are of each class.
    pub fn support(&self) -> Vec<u64> {
        self.sums(|(truth, _)| truth)
    }

    /// How many rows were predicted as each class.
    pub fn predicted(&self) -> Vec<u64> {
        self.sums(|(_, predicted)| predicted)
    }

    fn sums(&self, class: impl Fn((usize, usize)) -> usize) -> Vec<u64> {
        let mut sums = vec![0; self.classes];
        for (&at, count) in &self.counts {
            sums[class(at)] += count;
        }
        sums
    }
}
