//! Whole epochs (shuffle, gather, forward, loss, backward, update), beside the same in naive loops; and predictions.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mlp_core::dataset::{Dataset, Targets};
use mlp_core::nn::Scratch;
use mlp_core::tensor::Matrix;
use mlp_core::{Activation, Adam, Isa, Network, Optimizer, Sgd, Trainer};
use oracle::network::{self, Hidden, Order};

use super::clock::{fewest_seconds, fewest_seconds_of};
use super::table::{Line, Unit};
use crate::failure::Failure;
use crate::print;

/// A network and how it is trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    hidden: &'static [usize],
    activation: Activation,
    adam: bool,
    batch: usize,
    /// Epochs of which the fastest counts.
    epochs: usize,
    /// Rows that naive loops take for a small part of a second.
    naive_rows: usize,
}

/// A small net and a wide one.
pub(super) const WORKS: [Work; 2] = [
    Work {
        hidden: &[64],
        activation: Activation::Sigmoid,
        adam: false,
        batch: 128,
        epochs: 5,
        naive_rows: 2560,
    },
    Work {
        hidden: &[512, 512],
        activation: Activation::Relu,
        adam: true,
        batch: 128,
        epochs: 1,
        naive_rows: 256,
    },
];

/// The hidden units of the network that predicts.
const UNITS: usize = 128;

impl Work {
    fn shape(&self, data: &Dataset) -> Vec<usize> {
        let mut shape = vec![data.inputs().cols()];
        shape.extend(self.hidden);
        shape.push(data.target_width());
        shape
    }

    /// Seconds of the fastest epoch on so many threads, and the loss of the first one.
    fn seconds(&self, isa: Isa, threads: usize, data: &Dataset) -> Result<(f64, f64), Failure> {
        let mut builder = Network::builder(data.inputs().cols()).isa(isa);
        for &units in self.hidden {
            builder = builder.dense(units, self.activation);
        }
        let mut network = builder
            .dense(data.target_width(), Activation::Softmax)
            .build()?;
        let optimizer: Optimizer = if self.adam {
            Adam::new(1e-3).into()
        } else {
            Sgd::new(0.1).ema(0.9).into()
        };
        let history = Trainer::new(optimizer)
            .batch_size(self.batch)
            .epochs(self.epochs)
            .threads(threads)
            .fit(&mut network, data, None)?;
        let seconds = history.epochs.iter().map(|epoch| epoch.seconds);
        Ok((
            seconds.fold(f64::INFINITY, f64::min),
            history.epochs[0].loss,
        ))
    }

    /// Seconds that textbook loops would take for an epoch, from what they take for some rows.
    fn naive_seconds(&self, data: &Dataset) -> f64 {
        let rows = self.naive_rows.min(data.len());
        let some = data.select(&(0..rows).collect::<Vec<_>>());
        let x = some.inputs().to_matrix().to_vec();
        let Targets::Classes { labels, .. } = some.targets() else {
            return f64::NAN;
        };
        let hidden = match self.activation {
            Activation::Sigmoid => Hidden::Sigmoid,
            _ => Hidden::Relu,
        };
        let optimizer = if self.adam {
            network::Optimizer::Adam { lr: 1e-3 }
        } else {
            network::Optimizer::EmaMomentum { lr: 0.1, beta: 0.9 }
        };
        let mut naive =
            network::Network::new(&self.shape(data), hidden, optimizer, Order::DotProducts, 1);
        let order: Vec<usize> = (0..rows).collect();
        let start = Instant::now();
        black_box(naive.train_epoch(&x, labels, &order, self.batch));
        start.elapsed().as_secs_f64() * data.len() as f64 / rows as f64
    }

    /// Measures an epoch on one thread and on `threads`.
    pub(super) fn line(&self, isa: Isa, threads: usize, data: &Dataset) -> Result<Line, Failure> {
        let (one, loss) = self.seconds(isa, 1, data)?;
        let all = if threads > 1 {
            let (seconds, same) = self.seconds(isa, threads, data)?;
            if same.to_bits() != loss.to_bits() {
                return Err(Failure::Failed(format!(
                    "the loss of an epoch is {loss} on one thread and {same} on {threads}"
                )));
            }
            Some(seconds)
        } else {
            None
        };
        Ok(Line {
            what: format!(
                "epoch of {}, {}, batch {}",
                print::shape(self.shape(data)),
                if self.adam { "Adam" } else { "EMA momentum" },
                self.batch
            ),
            unit: Unit::Seconds,
            one,
            all,
            naive: Some(self.naive_seconds(data)),
            peak: None,
        })
    }
}

/// Measures one row and 10 000 through a network of one hidden layer.
pub(super) fn predictions(isa: Isa, threads: usize, data: &Dataset) -> Result<[Line; 2], Failure> {
    let (cols, classes) = (data.inputs().cols(), data.target_width());
    let network = Network::builder(cols)
        .dense(UNITS, Activation::Relu)
        .dense(classes, Activation::Softmax)
        .isa(isa)
        .build()?;
    let shape = print::shape([cols, UNITS, classes]);
    let many = data
        .inputs()
        .select(&(0..data.len().min(10_000)).collect::<Vec<_>>());
    let (budget, count) = (Duration::from_millis(300), many.rows());
    let inputs = many.to_matrix();

    let mut out = vec![0.0; classes];
    let mut scratch = Scratch::new(&network);
    let mut row = 0;
    let mut next = || {
        network.predict_into(black_box(inputs.row(row)), &mut scratch, &mut out);
        row = (row + 1) % count;
    };
    next();
    let one_row = fewest_seconds_of(100, budget, &mut next);

    let all = network.predict_on(&many, threads);
    if all != network.predict_on(&many, 1) {
        return Err(Failure::Failed(format!(
            "predictions on {threads} threads are not those on one"
        )));
    }
    let seconds = |threads| {
        fewest_seconds(budget, || {
            drop(black_box(network.predict_on(&many, threads)));
        })
    };
    let (one, many_threads) = (seconds(1), (threads > 1).then(|| seconds(threads)));
    Ok([
        Line {
            what: format!("one row through {shape}"),
            unit: Unit::Seconds,
            one: one_row,
            all: None,
            naive: None,
            peak: None,
        },
        Line {
            what: format!("{} rows through {shape}", print::grouped(count as u64)),
            unit: Unit::Seconds,
            one,
            all: many_threads,
            naive: Some(naive_prediction(&inputs, classes)),
            peak: None,
        },
    ])
}

/// Seconds that textbook loops would take for all rows, from what they take for some.
fn naive_prediction(inputs: &Matrix, classes: usize) -> f64 {
    let rows = inputs.rows().min(500);
    let sizes = [inputs.cols(), UNITS, classes];
    let optimizer = network::Optimizer::Sgd { lr: 0.0 };
    let mut naive = network::Network::new(&sizes, Hidden::Relu, optimizer, Order::DotProducts, 1);
    let x = &inputs.to_vec()[..rows * inputs.cols()];
    let seconds = fewest_seconds(Duration::ZERO, || {
        black_box(naive.forward(black_box(x), rows));
    });
    seconds * inputs.rows() as f64 / rows as f64
}

#[cfg(test)]
mod tests {
    use super::{WORKS, predictions};
    use mlp_core::Isa;
    use mlp_core::dataset::digits::digits;

    #[test]
    fn epochs_and_predictions_are_measured_beside_naive_loops() {
        let isa = Isa::detect().expect("an instruction set");
        let data = digits(150, 1).expect("digits");
        let line = WORKS[0].line(isa, 2, &data).expect("it trains");
        assert_eq!(line.what, "epoch of 784-64-10, EMA momentum, batch 128");
        assert!(line.one > 0.0 && line.all > Some(0.0) && line.naive > Some(0.0));
        let [one_row, rows] = predictions(isa, 2, &data).expect("it predicts");
        assert_eq!(rows.what, "150 rows through 784-128-10");
        assert!(one_row.one > 0.0 && rows.one > 0.0);
        assert!(rows.naive > Some(0.0) && rows.all > Some(0.0));
    }
}
