//! Accuracy, log loss, the confusion matrix, and precision, recall and F1 of each class.

use super::ConfusionMatrix;
use crate::error::{Error, Kind};
use crate::tensor::Matrix;

/// The most classes whose confusion matrix is told with all its zeros.
#[cfg(feature = "files")]
const MOST_IN_ROWS: usize = 1000;

/// How well predicted probabilities fit the true classes.
///
/// With `C[t][p]` the rows of class t predicted as p: precision of k is `C[k][k] / sum_t C[t][k]`, recall is
/// `C[k][k] / sum_p C[k][p]`, F1 is `2 C[k][k] / (sum_t C[t][k] + sum_p C[k][p])`; each is 0 where it would divide by zero.
/// These are the numbers of scikit-learn's `precision_recall_fscore_support(.., labels=all classes, zero_division=0)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The share of rows whose predicted class is the true one.
    pub accuracy: f64,
    /// The mean of `-ln p(true class)`, in nats, the f32 probabilities widened to f64 and clipped to `[eps, 1 - eps]`,
    /// `eps = 2^-52`: scikit-learn's `log_loss` of the predictions as a `float64` array, which is what reading them from a
    /// file gives. (Of a `float32` array it clips at `2^-23`, and so forgives confident mistakes.) Rows are not scaled to
    /// sum to one. `None` when an output lies outside 0 to 1: then the outputs are scores, not probabilities.
    pub log_loss: Option<f64>,
    /// How many rows of each class were predicted as each class.
    pub confusion_matrix: ConfusionMatrix,
    /// The scores of each class, in the order of the names.
    pub per_class: Vec<ClassScores>,
    /// The plain means over all classes, those without any row included.
    pub macro_avg: Averages,
    /// The means over all classes weighted by their support.
    pub weighted_avg: Averages,
}

/// The scores of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassScores {
    /// The name of the class.
    pub name: String,
    /// Of the rows predicted as this class, the share that is of it; 0 if there are none.
    pub precision: f64,
    /// Of the rows of this class, the share predicted as it; 0 if there are none.
    pub recall: f64,
    /// The harmonic mean of precision and recall; 0 if the class is neither present nor predicted.
    pub f1: f64,
    /// The number of rows of this class.
    pub support: u64,
}

/// Means of the scores over the classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1.
    pub f1: f64,
    /// The number of rows.
    pub support: u64,
}

impl Classification {
    /// Compares `probabilities` (one row for each label; a column for each class, or one column, the probability of the
    /// second of two classes) with the true `labels`, indices into `names`.
    ///
    /// The predicted class is the column with the largest value, the first of equals; with one column it is the second
    /// class where `p >= 0.5`.
    ///
    /// # Errors
    /// When there are no rows, or when an output is NaN.
    ///
    /// # Panics
    /// When rows and labels differ in number, columns do not fit the names, or a label is not less than the number of names.
    #[track_caller]
    pub fn new(names: &[String], labels: &[u32], probabilities: &Matrix) -> Result<Self, Error> {
        let classes = names.len();
        check_shapes(classes, labels, probabilities);
        if labels.is_empty() {
            return Err(Error::new(
                Kind::Data,
                "there are no rows to measure: expected at least one",
            ));
        }
        let mut confusion = ConfusionMatrix::new(classes);
        let mut log_loss = 0.0;
        let mut are_probabilities = true;
        for (r, &label) in labels.iter().enumerate() {
            let row = probabilities.row(r);
            if let Some(c) = row.iter().position(|p| p.is_nan()) {
                return Err(Error::new(
                    Kind::Data,
                    format!(
                        "the prediction for row {}, output {} is not a number",
                        r + 1,
                        c + 1
                    ),
                ));
            }
            are_probabilities &= row.iter().all(|p| (0.0..=1.0).contains(p));
            let (predicted, p) = predict(row, label);
            confusion.add(label as usize, predicted);
            log_loss -= p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
        }
        let rows = labels.len() as f64;
        let hits: u64 = (0..classes).map(|k| confusion.count(k, k)).sum();
        let per_class = per_class(names, &confusion);
        Ok(Self {
            accuracy: hits as f64 / rows,
            log_loss: are_probabilities.then_some(log_loss / rows),
            macro_avg: average(&per_class, |_| 1.0),
            weighted_avg: average(&per_class, |class| class.support as f64),
            confusion_matrix: confusion,
            per_class,
        })
    }

    /// The number of rows that were compared.
    pub fn rows(&self) -> u64 {
        self.macro_avg.support
    }

    /// As JSON: `accuracy`, `log_loss`, `confusion_matrix` (rows true, columns predicted; of more than 1000 classes the
    /// counts that are not zero, as `[true, predicted, rows]`, classes numbered from 0), `per_class` (objects with `name`,
    /// `precision`, `recall`, `f1`, `support`), `macro_avg` and `weighted_avg`.
    #[cfg(feature = "files")]
    pub fn to_json(&self) -> serde_json::Value {
        let average = |a: &Averages| serde_json::json!({"precision": a.precision, "recall": a.recall, "f1": a.f1, "support": a.support});
        let per_class: Vec<_> = self
            .per_class
            .iter()
            .map(|c| serde_json::json!({"name": c.name, "precision": c.precision, "recall": c.recall, "f1": c.f1, "support": c.support}))
            .collect();
        let confusion_matrix = if self.per_class.len() > MOST_IN_ROWS {
            serde_json::json!(self.confusion_matrix.counts().collect::<Vec<_>>())
        } else {
            serde_json::json!(self.confusion_matrix.rows().collect::<Vec<_>>())
        };
        serde_json::json!({
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "confusion_matrix": confusion_matrix,
            "per_class": per_class,
            "macro_avg": average(&self.macro_avg),
            "weighted_avg": average(&self.weighted_avg),
        })
    }
}

#[track_caller]
fn check_shapes(classes: usize, labels: &[u32], probabilities: &Matrix) {
    let (rows, cols) = (probabilities.rows(), probabilities.cols());
    assert_eq!(
        rows,
        labels.len(),
        "{rows} rows of probabilities for {} labels",
        labels.len()
    );
    assert!(
        cols == classes && classes > 1 || cols == 1 && classes == 2,
        "{cols} columns of probabilities for {classes} classes"
    );
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        panic!("label {label} of {classes} classes");
    }
}

/// The class that a row of outputs predicts: that of the largest, the first of equals; of a single output, which is the
/// probability of the second of two classes, 1 where it is at least 1/2.
pub fn predicted_class(outputs: &[f32]) -> usize {
    if let &[p] = outputs {
        return usize::from(p >= 0.5);
    }
    let mut best = 0;
    for (c, p) in outputs.iter().enumerate() {
        if *p > outputs[best] {
            best = c;
        }
    }
    best
}

/// The predicted class of a row, and the probability it gave to the true one.
fn predict(row: &[f32], label: u32) -> (usize, f64) {
    let of_label = match *row {
        [second] if label == 1 => f64::from(second),
        [second] => 1.0 - f64::from(second),
        _ => f64::from(row[label as usize]),
    };
    (predicted_class(row), of_label)
}

fn per_class(names: &[String], confusion: &ConfusionMatrix) -> Vec<ClassScores> {
    let share = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 / whole as f64
        }
    };
    let (support, predicted) = (confusion.support(), confusion.predicted());
    names
        .iter()
        .enumerate()
        .map(|(k, name)| {
            let hits = confusion.count(k, k);
            let support = support[k];
            ClassScores {
                name: name.clone(),
                precision: share(hits, predicted[k]),
                recall: share(hits, support),
                f1: share(2 * hits, predicted[k] + support),
                support,
            }
        })
        .collect()
}

fn average(per_class: &[ClassScores], weight: impl Fn(&ClassScores) -> f64) -> Averages {
    let total: f64 = per_class.iter().map(&weight).sum();
    let mean = |score: fn(&ClassScores) -> f64| {
        per_class.iter().map(|c| weight(c) * score(c)).sum::<f64>() / total
    };
    Averages {
        precision: mean(|c| c.precision),
        recall: mean(|c| c.recall),
        f1: mean(|c| c.f1),
        support: per_class.iter().map(|c| c.support).sum(),
    }
}
