//! How many rows a second does an epoch of regression train, on rows of numbers of which none is zero?
//!
//! What `epoch` asks of images, of tables: small dense nets with one output, where the rows' way through memory and what is
//! done once a row weigh as much as the products. Before anything is timed, some steps are compared with the oracle's in f64.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use mlp_benches::{is_measuring, print_peaks};
use mlp_core::nn::{Layer, Loss, Network};
use mlp_core::optim::Adam;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::Trainer;
use mlp_core::{Dataset, Inputs};
use oracle::rng::Rng;
use oracle::tolerance::relative_error;
use oracle::{network_f64, optim};

/// Inputs, hidden units and the output; rows of a step, and of an epoch.
const SETTINGS: [(&str, &[usize], usize, usize); 4] = [
    (
        "8-64-64-1 relu, Adam, batch 32",
        &[8, 64, 64, 1],
        32,
        20_000,
    ),
    (
        "50-128-128-1 relu, Adam, batch 256",
        &[50, 128, 128, 1],
        256,
        100_000,
    ),
    ("13-32-1 relu, Adam, batch 16", &[13, 32, 1], 16, 5000),
    ("10-100-1 relu, Adam, batch 200", &[10, 100, 1], 200, 20_000),
];

/// A table and what is to be learned of it: a wave along its first column, a slope along
/// its second.
struct Table {
    width: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Table {
    fn new(rows: usize, width: usize) -> Self {
        let x = Rng::new(5).uniform(rows * width, -2.0, 2.0);
        let row = |x: &[f32]| (1.5 * x[0]).sin() + 0.3 * x[1];
        let y = x.chunks(width).map(row).collect();
        Self { width, x, y }
    }

    fn dataset(&self, rows: usize) -> Dataset {
        let x = Matrix::from_vec(rows, self.width, &self.x[..rows * self.width]);
        let y = Matrix::from_vec(rows, 1, &self.y[..rows]);
        Dataset::values(Inputs::from_matrix(x), y).expect("a data set")
    }

    fn rows_in_f64(&self, rows: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let inputs = self.x.chunks(self.width).take(rows).map(wide).collect();
        (inputs, self.y[..rows].chunks(1).map(wide).collect())
    }
}

fn network(sizes: &[usize]) -> Network {
    let last = sizes.len() - 1;
    let hidden = sizes[1..last].iter();
    hidden
        .fold(Network::builder(sizes[0]), |net, &units| {
            net.dense(units, Activation::Relu)
        })
        .dense(sizes[last], Activation::Identity)
        .build()
        .expect("a network")
}

fn trainer(batch: usize, epochs: usize, threads: usize) -> Trainer<'static> {
    Trainer::new(Adam::new(1e-3))
        .loss(Loss::Mse)
        .batch_size(batch)
        .epochs(epochs)
        .threads(threads)
}

/// The same network and steps in f64, as the formulas stand.
struct Naive {
    net: network_f64::Network,
    /// Of weights and biases.
    states: Vec<[optim::State; 2]>,
}

impl Naive {
    /// From where that network begins.
    fn new(net: &Network) -> Self {
        let rule = optim::Optimizer::Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
        };
        let last = net.layers().len() - 1;
        let layer = |(l, layer): (usize, &Layer)| network_f64::Layer {
            inputs: layer.inputs(),
            outputs: layer.outputs(),
            activation: if l == last {
                network_f64::Activation::Identity
            } else {
                network_f64::Activation::Relu
            },
            weight: wide(&layer.weight().to_vec()),
            bias: wide(layer.bias()),
        };
        let layers: Vec<_> = net.layers().iter().enumerate().map(layer).collect();
        let states = layers
            .iter()
            .map(|layer| [&layer.weight, &layer.bias].map(|w| optim::State::new(rule, w.len())))
            .collect();
        let net = network_f64::Network {
            layers,
            loss: network_f64::Loss::Mse,
            l2: 0.0,
        };
        Self { net, states }
    }

    /// One step; the mean loss before it.
    fn step(&mut self, inputs: &[Vec<f64>], targets: &[Vec<f64>]) -> f64 {
        let loss = self.net.mean_loss(inputs, targets);
        let gradients = self.net.gradients(inputs, targets);
        let layers = self.net.layers.iter_mut().zip(&mut self.states);
        for ((layer, [weight, bias]), d) in layers.zip(gradients) {
            weight.step(&mut layer.weight, &d.d_weight);
            bias.step(&mut layer.bias, &d.d_bias);
        }
        loss
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&x| f64::from(x)).collect()
}

/// The losses of three steps in file order are those of the oracle.
fn check(table: &Table, sizes: &[usize], batch: usize, threads: usize) {
    let mut net = network(sizes);
    let mut naive = Naive::new(&net);
    let (inputs, targets) = table.rows_in_f64(3 * batch);
    let steps = inputs.chunks(batch).zip(targets.chunks(batch));
    let want = steps.map(|(x, y)| naive.step(x, y)).sum::<f64>() / 3.0;
    let history = trainer(batch, 1, threads)
        .shuffle(false)
        .fit(&mut net, &table.dataset(3 * batch), None)
        .expect("a fit");
    let loss = history.epochs[0].loss;
    assert!(
        relative_error(loss, want, 1e-2) < 1e-4,
        "{sizes:?}, {threads} threads: loss {loss}, oracle {want}"
    );
}

fn bench(criterion: &mut Criterion) {
    for (name, sizes, batch, rows) in SETTINGS {
        // Where nothing is measured, a few rows do.
        let rows = if is_measuring() { rows } else { 3 * batch };
        let table = Table::new(rows, sizes[0]);
        let data = table.dataset(rows);
        let mut group = criterion.benchmark_group(format!("table {name}"));
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(rows as u64));
        for (threads, name) in [(1, "1 thread"), (2, "2 threads")] {
            check(&table, sizes, batch, threads);
            let id = BenchmarkId::new("mlp-core", name);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|epochs| {
                    let history = trainer(batch, epochs as usize + 1, threads)
                        .fit(&mut network(sizes), black_box(&data), None)
                        .expect("a fit");
                    // The first epoch finds nothing in the caches yet.
                    let seconds = history.epochs[1..].iter().map(|epoch| epoch.seconds);
                    Duration::from_secs_f64(seconds.sum())
                });
            });
        }
        let mut naive = Naive::new(&network(sizes));
        let (inputs, targets) = table.rows_in_f64(batch);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function("naive, in f64", |bencher| {
            bencher.iter(|| naive.step(black_box(&inputs), &targets));
        });
        group.finish();
    }
}

fn main() {
    print_peaks();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
