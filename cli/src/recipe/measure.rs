//! What a finished run measures: the numbers that a recipe asks for.

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::metrics::{Classification, predicted_class};
use mlp_core::tensor::Matrix;
use mlp_core::train::Epoch;

use super::perform::Trained;
use super::recipe_file::Run;
use super::walk;
use super::wanted::{Compared, Measure, Part, Score, Series};
use crate::failure::Failure;
use crate::measured::Measured;

/// The measures of one run.
pub(super) struct Measures<'a> {
    run: &'a Run,
    trained: &'a Trained,
    /// What was measured already, by part.
    known: Vec<(Part, Measured)>,
}

impl<'a> Measures<'a> {
    pub(super) fn new(run: &'a Run, trained: &'a Trained) -> Self {
        Self {
            run,
            trained,
            known: Vec::new(),
        }
    }

    /// All wanted values beside the published ones.
    pub(super) fn compare_all(mut self) -> Result<Vec<Vec<Compared>>, Failure> {
        let run = self.run;
        run.wanted
            .iter()
            .map(|wanted| wanted.compare(&self.ours(&wanted.measure)?))
            .collect()
    }

    fn ours(&mut self, measure: &Measure) -> Result<Vec<f64>, Failure> {
        let trained = self.trained;
        match measure {
            Measure::Epochs(series, at) => at
                .iter()
                .map(|&epoch| {
                    let found = trained.epochs.get(epoch - 1).and_then(|e| series.of(e));
                    found.ok_or_else(|| {
                        Failure::Failed(format!("epoch {epoch} has no {}", series.name()))
                    })
                })
                .collect(),
            Measure::Score(score, part) => score.of(self.measured(*part)?),
            Measure::Rows(part) => Ok(vec![rows_of(trained, *part)?.len() as f64]),
            Measure::Output(input) => {
                let mut inputs = one_row(input);
                if let Some(scaling) = trained.parts.train.inputs().scaling() {
                    inputs = inputs.with_scaling(scaling.clone())?;
                }
                if inputs.cols() != trained.network.inputs() {
                    return Err(Failure::Failed(format!(
                        "`input` has {} numbers, the network {} inputs",
                        inputs.cols(),
                        trained.network.inputs()
                    )));
                }
                let outputs = trained.network.predict_on(&inputs, 1);
                Ok(wide(outputs.row(0)))
            }
            Measure::Inputs(count) => {
                let rows = trained.parts.train.clone().take(*count);
                Ok(wide(&rows.inputs().to_matrix().to_vec()))
            }
            Measure::Probabilities(count) => {
                let rows = trained.parts.train.clone().take(*count);
                Ok(wide(&trained.network.predict_on(rows.inputs(), 1).to_vec()))
            }
            Measure::Predictions(count) => {
                let rows = rows_of(trained, Part::Test)?.clone().take(*count);
                let outputs = trained.network.predict_on(rows.inputs(), 1);
                let names = rows.targets().names();
                let named = (0..outputs.rows()).map(|row| {
                    let class = predicted_class(outputs.row(row));
                    // Classes that are no numbers, or have no names, are told by their place.
                    let number = names.get(class).and_then(|name| name.parse().ok());
                    number.unwrap_or(class as f64)
                });
                Ok(named.collect())
            }
            Measure::Walk(names) => {
                let lines = walk::lines(self.run, trained)?;
                names
                    .iter()
                    .map(|name| {
                        let line = lines.iter().find(|line| line.name == *name);
                        line.map(|line| f64::from(line.value)).ok_or_else(|| {
                            Failure::Failed(format!("the walk has no number `{name}`"))
                        })
                    })
                    .collect()
            }
            Measure::FirstWeights([from, to], [first, last]) => {
                let weight = trained.first.layers()[0].weight();
                if *last > weight.rows() || *to > weight.cols() {
                    return Err(Failure::Failed(format!(
                        "the first layer has weights of {} inputs and {} units",
                        weight.cols(),
                        weight.rows()
                    )));
                }
                let of = |input| (*first..*last).map(move |unit| (unit, input));
                let places = (*from..*to).flat_map(of);
                Ok(places
                    .map(|(unit, input)| f64::from(weight.row(unit)[input]))
                    .collect())
            }
        }
    }

    fn measured(&mut self, part: Part) -> Result<&Measured, Failure> {
        if let Some(at) = self.known.iter().position(|(known, _)| *known == part) {
            return Ok(&self.known[at].1);
        }
        let rows = rows_of(self.trained, part)?;
        let threads = self.run.args.machine.threads();
        let outputs = self.trained.network.predict_on(rows.inputs(), threads);
        self.known
            .push((part, Measured::new(rows.targets(), &outputs)?));
        Ok(&self.known[self.known.len() - 1].1)
    }
}

/// One row as data.
pub(super) fn one_row(values: &[f64]) -> Inputs {
    Inputs::from_matrix(Matrix::from_fn(1, values.len(), |_, c| values[c] as f32))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn rows_of(trained: &Trained, part: Part) -> Result<&Dataset, Failure> {
    let parts = &trained.parts;
    let (rows, name) = match part {
        Part::Train => (Some(&parts.train), "training"),
        Part::HeldOut => (parts.held_out.as_ref(), "held-out"),
        Part::Test => (parts.test.as_ref(), "test"),
    };
    rows.ok_or_else(|| Failure::Failed(format!("there are no {name} rows to measure on")))
}

impl Series {
    fn of(self, epoch: &Epoch) -> Option<f64> {
        match self {
            Self::Loss => Some(epoch.loss),
            Self::Accuracy => epoch.accuracy,
            Self::ValidationLoss => epoch.validation_loss,
            Self::ValidationAccuracy => epoch.validation_accuracy,
        }
    }
}

impl Score {
    fn of(self, measured: &Measured) -> Result<Vec<f64>, Failure> {
        match (self, measured) {
            (Self::Mse, Measured::Values(values)) => Ok(vec![values.mse]),
            (Self::Mse, Measured::Classes(_)) | (_, Measured::Values(_)) => Err(Failure::Failed(
                format!("`{}` does not go with answers of this kind", self.name()),
            )),
            (_, Measured::Classes(classes)) => Ok(self.of_classes(classes)),
        }
    }

    fn of_classes(self, of: &Classification) -> Vec<f64> {
        let matrix = &of.confusion_matrix;
        let each =
            |f: fn(&mlp_core::metrics::ClassScores) -> f64| of.per_class.iter().map(f).collect();
        match self {
            Self::Accuracy => vec![of.accuracy],
            Self::LogLoss => vec![of.log_loss.unwrap_or(f64::NAN)],
            Self::Mse => Vec::new(),
            Self::Confusion => matrix.rows().flatten().map(|n| n as f64).collect(),
            Self::ConfusionByPredicted => (0..matrix.classes())
                .flat_map(|p| (0..matrix.classes()).map(move |t| matrix.count(t, p) as f64))
                .collect(),
            Self::Precision => each(|class| class.precision),
            Self::Recall => each(|class| class.recall),
            Self::F1 => each(|class| class.f1),
            Self::Support => each(|class| class.support as f64),
            Self::Predicted => {
                let predicted = matrix.predicted();
                predicted.into_iter().map(|n| n as f64).collect()
            }
        }
    }
}
