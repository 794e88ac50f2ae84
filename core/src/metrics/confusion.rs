//! How many rows of each class were taken for each class.

/// The confusion matrix `C[t][p]`: the rows of class t predicted as p. Of many classes nearly all counts are zero: only the
/// others are kept, so that the memory is that of the rows, not of the classes squared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// Of each class the classes that it was predicted as, in ascending order, and how often.
    rows: Vec<Vec<(usize, u64)>>,
}

impl ConfusionMatrix {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            rows: vec![Vec::new(); classes],
        }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, truth: usize, predicted: usize) {
        let row = &mut self.rows[truth];
        match row.binary_search_by_key(&predicted, |&(p, _)| p) {
            Ok(at) => row[at].1 += 1,
            Err(at) => row.insert(at, (predicted, 1)),
        }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.rows.len()
    }

    /// `C[truth][predicted]`.
    ///
    /// # Panics
    /// When there is no class `truth`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let row = &self.rows[truth];
        let found = row.binary_search_by_key(&predicted, |&(p, _)| p);
        found.map_or(0, |at| row[at].1)
    }

    /// All counts that are not zero, (true class, predicted class, rows), by the true class and then the predicted.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(t, row)| row.iter().map(move |&(p, count)| (t, p, count)))
    }

    /// All counts, row after row.
    pub fn rows(&self) -> impl Iterator<Item = Vec<u64>> {
        self.rows.iter().map(|row| {
            let mut counts = vec![0; self.classes()];
            for &(p, count) in row {
                counts[p] = count;
            }
            counts
        })
    }

    /// How many rows there are of each class.
    pub fn support(&self) -> Vec<u64> {
        let of = |row: &Vec<(usize, u64)>| row.iter().map(|&(_, count)| count).sum();
        self.rows.iter().map(of).collect()
    }

    /// How many rows were predicted as each class.
    pub fn predicted(&self) -> Vec<u64> {
        let mut sums = vec![0; self.classes()];
        for (_, p, count) in self.counts() {
            sums[p] += count;
        }
        sums
    }
}
