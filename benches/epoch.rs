//! How many rows a second does a whole epoch train (shuffle, gather, forward, loss, backward, update), beside the same epoch
//! in naive loops?
//!
//! The data are MNIST's images where `$MLP_FAST_DATA` holds them (of their pixels 81 % are zero, and are skipped), else the
//! built-in digits. An epoch is timed by the training loop itself, after a first one. The throughput is in rows, so that wide
//! nets and naive loops may take fewer of them: an epoch of 60 000 rows takes 60 000 / that. "dot products" is the
//! textbook's loop order, "along rows" the one that a compiler can vectorise (see `oracle::network`). Before anything is
//! timed, the core's training is compared with the naive one's: the same losses from the same weights.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use mlp_benches::images::PIXELS;
use mlp_benches::{Images, is_measuring, print_peaks};
use mlp_core::nn::Network;
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::Trainer;
use oracle::network::{self, Hidden, Order};
use oracle::rng::Rng;
use oracle::tolerance::relative_error;

/// How the weights move.
#[derive(Clone, Copy)]
enum Rule {
    Sgd,
    Ema,
    Adam,
}

/// A network and how it is trained.
struct Setting {
    name: &'static str,
    /// Inputs, hidden units, outputs.
    sizes: &'static [usize],
    hidden: Hidden,
    rule: Rule,
    batch: usize,
    /// Rows of an epoch, of ours and of the naive loops.
    rows: usize,
    naive_rows: usize,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        name: "784-128-10 relu, Adam, batch 128",
        sizes: &[PIXELS, 128, 10],
        hidden: Hidden::Relu,
        rule: Rule::Adam,
        batch: 128,
        rows: 60_000,
        naive_rows: 1280,
    },
    Setting {
        name: "784-64-10 sigmoid, EMA momentum, batch 128",
        sizes: &[PIXELS, 64, 10],
        hidden: Hidden::Sigmoid,
        rule: Rule::Ema,
        batch: 128,
        rows: 60_000,
        naive_rows: 1280,
    },
    Setting {
        name: "784-64-64-10 relu, Adam, batch 32",
        sizes: &[PIXELS, 64, 64, 10],
        hidden: Hidden::Relu,
        rule: Rule::Adam,
        batch: 32,
        rows: 60_000,
        naive_rows: 1280,
    },
    Setting {
        name: "784-40-10 sigmoid, SGD, one row a step",
        sizes: &[PIXELS, 40, 10],
        hidden: Hidden::Sigmoid,
        rule: Rule::Sgd,
        batch: 1,
        rows: 1000,
        naive_rows: 500,
    },
    Setting {
        name: "784-785-10 relu, SGD, full batch",
        sizes: &[PIXELS, 785, 10],
        hidden: Hidden::Relu,
        rule: Rule::Sgd,
        batch: 40_000,
        rows: 40_000,
        naive_rows: 128,
    },
    Setting {
        name: "784-512-512-10 relu, Adam, batch 128",
        sizes: &[PIXELS, 512, 512, 10],
        hidden: Hidden::Relu,
        rule: Rule::Adam,
        batch: 128,
        rows: 60_000,
        naive_rows: 128,
    },
];

impl Setting {
    fn network(&self) -> Network {
        let last = self.sizes.len() - 1;
        let activation = match self.hidden {
            Hidden::Relu => Activation::Relu,
            Hidden::Sigmoid => Activation::Sigmoid,
        };
        self.sizes[1..last]
            .iter()
            .fold(Network::builder(PIXELS), |net, &units| {
                net.dense(units, activation)
            })
            .dense(self.sizes[last], Activation::Softmax)
            .build()
            .expect("a network")
    }

    fn naive(&self, order: Order) -> network::Network {
        let optimizer = match self.rule {
            Rule::Sgd => network::Optimizer::Sgd { lr: 0.05 },
            Rule::Ema => network::Optimizer::EmaMomentum {
                lr: 0.05,
                beta: 0.9,
            },
            Rule::Adam => network::Optimizer::Adam { lr: 1e-3 },
        };
        network::Network::new(self.sizes, self.hidden, optimizer, order, 1)
    }

    fn trainer(&self, epochs: usize, threads: usize) -> Trainer<'static> {
        let optimizer: Optimizer = match self.rule {
            Rule::Sgd => Sgd::new(0.05).into(),
            Rule::Ema => Sgd::new(0.05).ema(0.9).into(),
            Rule::Adam => Adam::new(1e-3).into(),
        };
        Trainer::new(optimizer)
            .batch_size(self.batch)
            .epochs(epochs)
            .threads(threads)
    }

    /// From the same weights, in file order, the core and the naive loops in both orders lose the same.
    fn check(&self, images: &Images, threads: usize) {
        let rows = (3 * self.batch).min(384);
        let mut net = self.network();
        let first = self.naive(Order::Rows);
        for (l, size) in self.sizes.windows(2).enumerate() {
            let (inputs, outputs) = (size[0], size[1]);
            let weight = first.weight(l);
            let transposed = Matrix::from_fn(outputs, inputs, |o, i| weight[i * outputs + o]);
            net.set_weight(l, &transposed);
        }
        let data = images.dataset(rows).expect("the images are a data set");
        let history = self
            .trainer(2, threads)
            .shuffle(false)
            .fit(&mut net, &data, None)
            .expect("a fit");
        let order: Vec<usize> = (0..rows).collect();
        let (x, labels) = (images.floats(rows), &images.labels[..rows]);
        for order_of_loops in [Order::Rows, Order::DotProducts] {
            let mut naive = self.naive(order_of_loops);
            for epoch in &history.epochs {
                let want = f64::from(naive.train_epoch(&x, labels, &order, self.batch));
                assert!(
                    relative_error(epoch.loss, want, 1e-2) < 1e-3,
                    "{}, {threads} threads, epoch {}: loss {}, naive {want}",
                    self.name,
                    epoch.epoch,
                    epoch.loss
                );
            }
        }
    }
}

fn bench(criterion: &mut Criterion) {
    // Where nothing is measured, a few rows do.
    let share = if is_measuring() { 1 } else { 100 };
    let most = SETTINGS.iter().map(|setting| setting.rows).max();
    let (name, images) = Images::best(most.unwrap_or(0) / share);
    for setting in &SETTINGS {
        let rows = (setting.rows / share).max(128);
        let data = images.dataset(rows).expect("the images are a data set");
        let mut group = criterion.benchmark_group(format!("epoch {}, {name}", setting.name));
        group.sampling_mode(SamplingMode::Flat);
        for (threads, name) in [(1, "1 thread"), (2, "2 threads")] {
            setting.check(&images, threads);
            group.throughput(Throughput::Elements(rows as u64));
            let id = BenchmarkId::new("mlp-core", name);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|epochs| {
                    let mut net = setting.network();
                    let history = setting
                        .trainer(epochs as usize + 1, threads)
                        .fit(&mut net, black_box(&data), None)
                        .expect("a fit");
                    // The first epoch finds nothing in the caches yet.
                    let seconds = history.epochs[1..].iter().map(|epoch| epoch.seconds);
                    Duration::from_secs_f64(seconds.sum())
                });
            });
        }
        let rows = (setting.naive_rows / share).max(4);
        let (x, labels) = (images.floats(rows), &images.labels[..rows]);
        for (order, name) in [
            (Order::DotProducts, "naive, dot products"),
            (Order::Rows, "naive, along rows"),
        ] {
            let mut naive = setting.naive(order);
            let mut rng = Rng::new(1);
            let mut shuffled: Vec<usize> = (0..rows).collect();
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    for last in (1..rows).rev() {
                        shuffled.swap(last, rng.below(last as u64 + 1) as usize);
                    }
                    naive.train_epoch(black_box(&x), labels, &shuffled, setting.batch)
                });
            });
        }
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
