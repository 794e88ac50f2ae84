//! Experiments of published documents come out as printed: `NumPy`'s generator, the order of its draws, the settings.
//!
//! The loops of the document stand here in f64, as it has them, and are run beside ours on small digits. With MNIST at hand
//! (in the folder `MLP_FAST_DATA`) what the document printed is met too.

use std::path::PathBuf;

use mlp_core::dataset::source::{SourceOptions, open};
use mlp_core::dataset::{Dataset, Scaling, ScalingKind, Targets};
use mlp_core::nn::{DrawOrder, Init, Loss, Network};
use mlp_core::rng::LegacyRandom;
use mlp_core::train::{History, Reduction, Trainer};
use mlp_core::{Activation, Sgd};

/// MNIST's training and test rows, if they are there.
fn mnist() -> Option<(Dataset, Dataset)> {
    let Some(folder) = std::env::var_os("MLP_FAST_DATA") else {
        println!(
            "MLP_FAST_DATA names no folder with mnist in it: what was printed is not looked at"
        );
        return None;
    };
    let options = SourceOptions {
        data_dir: Some(PathBuf::from(folder)),
        ..SourceOptions::default()
    };
    let loaded = open("mnist", &options).expect("MLP_FAST_DATA holds mnist");
    let test = loaded.test.expect("mnist has a test part");
    Some((unit(loaded.train), unit(test)))
}

fn digits(rows: usize) -> Dataset {
    let options = SourceOptions {
        digits_rows: Some(rows),
        ..SourceOptions::default()
    };
    unit(open("digits", &options).expect("digits are built in").train)
}

/// Pixels / 255.
fn unit(data: Dataset) -> Dataset {
    let scaling = Scaling::fit(&ScalingKind::Unit, data.inputs()).expect("a scaling");
    data.scaled(scaling).expect("scaled rows")
}

/// 784-`hidden`-10 without biases, the weights 0.2 random((inputs, outputs)) - 0.1.
fn network(hidden: usize, activation: Activation, random: &mut LegacyRandom) -> Network {
    Network::builder(784)
        .dense_no_bias(hidden, activation)
        .dense_no_bias(10, Activation::Identity)
        .init(Init::Uniform(0.1))
        .draw_order(DrawOrder::InOut)
        .build_from(random)
        .expect("a network")
}

/// What the document's loops are told.
#[derive(Clone, Copy)]
struct Run {
    alpha: f64,
    batch: usize,
    epochs: usize,
    /// Probability of a zero among the hidden units.
    dropout: f32,
}

impl Run {
    /// The same by our trainer. The document's way back through dropout lacks the factor 1 / (1 - rate) of its way
    /// forward, so its first layer learns at a lower rate.
    fn ours(
        self,
        net: &mut Network,
        random: &mut LegacyRandom,
        data: (&Dataset, Option<&Dataset>),
        threads: usize,
    ) -> History {
        net.set_dropout(1, self.dropout).expect("a rate");
        Trainer::new(Sgd::new(self.alpha))
            .loss(Loss::HalfSquaredError)
            .report(Loss::SquaredError)
            .reduction(Reduction::Sum)
            .layer_rates(&[1.0 - f64::from(self.dropout), 1.0])
            .batch_size(self.batch)
            .epochs(self.epochs)
            .shuffle(false)
            .legacy_random(random)
            .threads_exactly(threads)
            .fit(net, data.0, data.1)
            .expect("a fit")
    }
}

/// The document's network in f64: weights `[inputs][outputs]`, as it has them.
struct Document {
    hidden: usize,
    weights_0_1: Vec<f64>,
    weights_1_2: Vec<f64>,
}

impl Document {
    fn new(hidden: usize, random: &mut LegacyRandom) -> Self {
        let mut draw = |n| (0..n).map(|_| 0.2 * random.random_sample() - 0.1).collect();
        Self {
            hidden,
            weights_0_1: draw(784 * hidden),
            weights_1_2: draw(hidden * 10),
        }
    }

    /// Mean error and share of rows that are right, for each epoch.
    fn train(&mut self, run: Run, random: &mut LegacyRandom, data: &Dataset) -> Vec<(f64, f64)> {
        let pixels = data.inputs().to_matrix();
        let Targets::Classes { labels, .. } = data.targets() else {
            panic!("digits are classes");
        };
        let rows: Vec<usize> = (0..data.len()).collect();
        let mut told = Vec::new();
        for _ in 0..run.epochs {
            let (mut error, mut correct) = (0.0, 0);
            for batch in rows.chunks(run.batch) {
                let masks: Vec<Vec<f64>> = batch
                    .iter()
                    .map(|_| self.mask(run.dropout, random))
                    .collect();
                let mut steps = (
                    vec![0.0; self.weights_0_1.len()],
                    vec![0.0; self.weights_1_2.len()],
                );
                for (&row, mask) in batch.iter().zip(&masks) {
                    let layer_0: Vec<f64> = pixels.row(row).iter().map(|&x| f64::from(x)).collect();
                    let label = labels[row] as usize;
                    let layer_2 = self.row(
                        &layer_0,
                        mask,
                        1.0 / (1.0 - f64::from(run.dropout)),
                        label,
                        &mut steps,
                    );
                    let best = (0..10)
                        .rev()
                        .max_by(|&a, &b| layer_2[a].total_cmp(&layer_2[b]));
                    correct += usize::from(best == Some(label));
                    error += (0..10)
                        .map(|o| (f64::from(u8::from(o == label)) - layer_2[o]).powi(2))
                        .sum::<f64>();
                }
                for (weights, step) in [
                    (&mut self.weights_0_1, steps.0),
                    (&mut self.weights_1_2, steps.1),
                ] {
                    for (w, step) in weights.iter_mut().zip(step) {
                        *w += run.alpha * step;
                    }
                }
            }
            told.push((
                error / rows.len() as f64,
                correct as f64 / rows.len() as f64,
            ));
        }
        told
    }

    fn mask(&self, rate: f32, random: &mut LegacyRandom) -> Vec<f64> {
        let mut draw = || match rate {
            0.0 => 1.0,
            0.5 => random.randint(0, 2) as f64,
            _ => f64::from(u8::from(random.random_sample() >= f64::from(rate))),
        };
        (0..self.hidden).map(|_| draw()).collect()
    }

    /// One row forward, and back into the steps.
    fn row(
        &self,
        layer_0: &[f64],
        mask: &[f64],
        scale: f64,
        label: usize,
        steps: &mut (Vec<f64>, Vec<f64>),
    ) -> Vec<f64> {
        let hidden = self.hidden;
        let mut layer_1 = vec![0.0; hidden];
        for (x, weights) in layer_0.iter().zip(self.weights_0_1.chunks(hidden)) {
            for (sum, w) in layer_1.iter_mut().zip(weights) {
                *sum += x * w;
            }
        }
        for (x, mask) in layer_1.iter_mut().zip(mask) {
            *x = x.max(0.0) * mask * scale;
        }
        let mut layer_2 = vec![0.0; 10];
        for (x, weights) in layer_1.iter().zip(self.weights_1_2.chunks(10)) {
            for (sum, w) in layer_2.iter_mut().zip(weights) {
                *sum += x * w;
            }
        }
        let delta_2: Vec<f64> = (0..10)
            .map(|o| f64::from(u8::from(o == label)) - layer_2[o])
            .collect();
        // The derivative of relu, as the document has it, is 1; so only the mask comes in.
        let delta_1 = mask
            .iter()
            .zip(self.weights_1_2.chunks(10))
            .map(|(mask, weights)| {
                mask * weights
                    .iter()
                    .zip(&delta_2)
                    .map(|(w, d)| w * d)
                    .sum::<f64>()
            });
        let delta_1: Vec<f64> = delta_1.collect();
        for (step, x) in steps.0.chunks_mut(hidden).zip(layer_0) {
            for (step, d) in step.iter_mut().zip(&delta_1) {
                *step += x * d;
            }
        }
        for (step, x) in steps.1.chunks_mut(10).zip(&layer_1) {
            for (step, d) in step.iter_mut().zip(&delta_2) {
                *step += x * d;
            }
        }
        layer_2
    }
}

#[test]
fn the_first_weights_are_those_printed() {
    let net = network(40, Activation::Relu, &mut LegacyRandom::new(1));
    let weight = net.layers()[0].weight();
    let printed = [
        [0.076_661_22, 0.024_734_44, 0.050_188_49],
        [-0.096_023_97, -0.094_757_8, -0.094_338_7],
        [-0.052_030_45, -0.001_246_06, 0.023_991_14],
    ];
    for (input, row) in (2..5).zip(printed) {
        for (unit, expected) in row.into_iter().enumerate() {
            // Half of the last digit printed, and of the last bit of an f32.
            assert!((f64::from(weight.row(unit)[input]) - expected).abs() < 0.5e-8 + 0.4e-8);
        }
    }
}

/// Naive, then dropout on the same weights and the same stream; then batches, one longer than the reduction's block.
#[test]
fn the_loops_of_the_document() {
    let data = digits(600);
    let naive = Run {
        alpha: 0.005,
        batch: 1,
        epochs: 2,
        dropout: 0.0,
    };
    let half = Run {
        dropout: 0.5,
        ..naive
    };
    let batches = Run {
        alpha: 0.001,
        batch: 100,
        epochs: 4,
        ..half
    };
    let whole = Run {
        alpha: 0.0005,
        batch: 600,
        ..batches
    };
    let fifth = Run {
        dropout: 0.2,
        batch: 250,
        ..batches
    };
    let mut theirs = LegacyRandom::new(1);
    let mut ours = LegacyRandom::new(1);
    let mut document = Document::new(40, &mut theirs);
    let mut net = network(40, Activation::StraightThroughRelu, &mut ours);
    for (stage, run) in [naive, half, batches, whole, fifth].into_iter().enumerate() {
        let expected = document.train(run, &mut theirs, &data);
        let history = run.ours(&mut net, &mut ours, (&data, None), 1 + stage % 3);
        assert_eq!(
            ours, theirs,
            "stage {stage}: as many draws, whatever they are for"
        );
        for (epoch, (error, correct)) in history.epochs.iter().zip(expected) {
            let accuracy = epoch.accuracy.expect("digits are classes");
            assert!(
                (epoch.loss - error).abs() < 1e-4 * error
                    && (accuracy - correct).abs() <= 1.0 / 600.0,
                "stage {stage}: {epoch}, and not {error}, {correct}"
            );
        }
    }
}

#[test]
fn threads_change_nothing_of_what_is_drawn() {
    let data = digits(700);
    let run = |threads| {
        let mut random = LegacyRandom::new(7);
        let mut net = Network::builder(784)
            .dropout(0.25)
            .dense(20, Activation::Tanh)
            .dropout(0.5)
            .dense(10, Activation::Softmax)
            .bias_init(Init::Normal(1.0))
            .build_from(&mut random)
            .expect("a network");
        let history = Trainer::new(Sgd::new(0.1))
            .batch_size(650)
            .epochs(3)
            .legacy_random(&mut random)
            .threads_exactly(threads)
            .fit(&mut net, &data, None)
            .expect("a fit");
        let weights = net
            .layers()
            .iter()
            .flat_map(|layer| [layer.weight().to_vec(), layer.bias().to_vec()]);
        let bits: Vec<u32> = weights.flatten().map(f32::to_bits).collect();
        let losses: Vec<u64> = history
            .epochs
            .iter()
            .map(|epoch| epoch.loss.to_bits())
            .collect();
        (bits, losses, random)
    };
    let one = run(1);
    assert!(run(2) == one && run(5) == one);
}

/// Epochs, and the test part after the last, as printed: (error, share right).
const PRINTED: [usize; 7] = [0, 50, 100, 150, 200, 250, 299];
const NAIVE: [(f64, f64); 8] = [
    (0.722, 0.537),
    (0.204, 0.966),
    (0.167, 0.984),
    (0.145, 0.991),
    (0.130, 0.998),
    (0.120, 0.999),
    (0.113, 0.999),
    (0.614, 0.718),
];
const DROPOUT: [(f64, f64); 8] = [
    (0.606, 0.655),
    (0.435, 0.767),
    (0.437, 0.782),
    (0.415, 0.811),
    (0.394, 0.828),
    (0.380, 0.838),
    (0.373, 0.84),
    (0.418, 0.813),
];

/// In f32 the naive run keeps all digits printed; after 300 000 steps of dropout the third may be one off.
#[test]
fn first_1000_of_mnist_as_printed() {
    let Some((all, test)) = mnist() else { return };
    let first = all.take(1000);
    let mut random = LegacyRandom::new(1);
    let mut net = network(40, Activation::StraightThroughRelu, &mut random);
    for (dropout, printed, within) in [(0.0, NAIVE, 0.000_5), (0.5, DROPOUT, 0.001_5)] {
        let run = Run {
            alpha: 0.005,
            batch: 1,
            epochs: 300,
            dropout,
        };
        let history = run.ours(&mut net, &mut random, (&first, Some(&test)), 1);
        let mut told: Vec<_> = PRINTED
            .iter()
            .map(|&epoch| {
                (
                    Some(history.epochs[epoch].loss),
                    history.epochs[epoch].accuracy,
                )
            })
            .collect();
        let last = &history.epochs[299];
        told.push((last.validation_loss, last.validation_accuracy));
        for ((error, right), printed) in told.into_iter().zip(printed) {
            let (error, right) = (error.expect("a loss"), right.expect("an accuracy"));
            println!("dropout {dropout}: {error:.4} {right:.4}, printed {printed:?}");
            assert!((error - printed.0).abs() < within && (right - printed.1).abs() < within);
        }
    }
}
