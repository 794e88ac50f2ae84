//! How many rows a second does a whole epoch train (shuffle, gather, forward, loss, backward, update; also the start of the
//! run: packing, memory, threads), beside the same epoch in naive loops?
//!
//! The data are the built-in digits. The throughput is in rows, so that naive loops may take fewer of them. "dot products"
//! is the textbook's loop order, "along rows" the one that a compiler can vectorise (see `oracle::network`). Before it is
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

/// A network and how it is trained.
struct Setting {
    name: &'static str,
    /// Inputs, hidden units, outputs.
    sizes: &'static [usize],
    batch: usize,
    adam: bool,
    /// Rows of an epoch, of ours and of the naive loops.
    rows: usize,
    naive_rows: usize,
}

const SETTINGS: [Setting; 5] = [
    Setting {
        name: "784-128-10, Adam, batch 128",
        sizes: &[PIXELS, 128, 10],
        batch: 128,
        adam: true,
        rows: 12_800,
        naive_rows: 640,
    },
    Setting {
        name: "784-64-10, EMA momentum, batch 128",
        sizes: &[PIXELS, 64, 10],
        batch: 128,
        adam: false,
        rows: 12_800,
        naive_rows: 1280,
    },
    Setting {
        name: "784-64-64-10, Adam, batch 32",
        sizes: &[PIXELS, 64, 64, 10],
        batch: 32,
        adam: true,
        rows: 12_800,
        naive_rows: 1280,
    },
    Setting {
        name: "784-40-10, EMA momentum, batch 1",
        sizes: &[PIXELS, 40, 10],
        batch: 1,
        adam: false,
        rows: 6400,
        naive_rows: 640,
    },
    Setting {
        name: "784-512-512-10, Adam, batch 128",
        sizes: &[PIXELS, 512, 512, 10],
        batch: 128,
        adam: true,
        rows: 6400,
        naive_rows: 128,
    },
];

impl Setting {
    fn network(&self) -> Network {
        let last = self.sizes.len() - 1;
        let hidden = &self.sizes[1..last];
        hidden
            .iter()
            .fold(Network::builder(PIXELS), |net, &units| {
                net.dense(units, Activation::Relu)
            })
            .dense(self.sizes[last], Activation::Softmax)
            .build()
            .expect("a network")
    }

    fn naive(&self, order: Order) -> network::Network {
        let optimizer = if self.adam {
            network::Optimizer::Adam { lr: 1e-3 }
        } else {
            network::Optimizer::EmaMomentum {
                lr: 0.01,
                beta: 0.9,
            }
        };
        network::Network::new(self.sizes, Hidden::Relu, optimizer, order, 1)
    }

    fn trainer(&self, threads: usize) -> Trainer<'static> {
        let optimizer: Optimizer = if self.adam {
            Adam::new(1e-3).into()
        } else {
            Sgd::new(0.01).ema(0.9).into()
        };
        Trainer::new(optimizer)
            .batch_size(self.batch)
            .epochs(1)
            .threads(threads)
    }

    /// From the same weights, in file order, both lose the same.
    fn check(&self, images: &Images, threads: usize) {
        let rows = 3 * self.batch;
        let mut naive = self.naive(Order::Rows);
        let mut net = self.network();
        for (l, size) in self.sizes.windows(2).enumerate() {
            let (inputs, outputs) = (size[0], size[1]);
            let weight = naive.weight(l);
            let transposed = Matrix::from_fn(outputs, inputs, |o, i| weight[i * outputs + o]);
            net.set_weight(l, &transposed);
        }
        let data = images.dataset(rows).expect("the digits are a data set");
        let history = self
            .trainer(threads)
            .shuffle(false)
            .fit(&mut net, &data, None)
            .expect("a fit");
        let order: Vec<usize> = (0..rows).collect();
        let (x, labels) = (images.floats(rows), &images.labels[..rows]);
        let want = f64::from(naive.train_epoch(&x, labels, &order, self.batch));
        let got = history.epochs[0].loss;
        assert!(
            relative_error(got, want, 1e-2) < 1e-3,
            "{}, {threads} threads: loss {got}, naive {want}",
            self.name
        );
    }
}

fn bench(criterion: &mut Criterion) {
    // Where nothing is measured, a few rows do.
    let share = if is_measuring() { 1 } else { 20 };
    let images = Images::new(SETTINGS[0].rows / share);
    for setting in &SETTINGS {
        let rows = setting.rows / share;
        let data = images.dataset(rows).expect("the digits are a data set");
        let mut group = criterion.benchmark_group(format!("epoch {}", setting.name));
        group.sampling_mode(SamplingMode::Flat);
        for (threads, name) in [(1, "1 thread"), (2, "2 threads")] {
            setting.check(&images, threads);
            let mut net = setting.network();
            let mut trainer = setting.trainer(threads);
            group.throughput(Throughput::Elements(rows as u64));
            let id = BenchmarkId::new("mlp-core", name);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let history = trainer.fit(&mut net, black_box(&data), None);
                    history.expect("a fit").epochs[0].loss
                });
            });
        }
        let rows = setting.naive_rows / share;
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
