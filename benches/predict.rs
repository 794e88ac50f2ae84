//! How long does a prediction take: one row through the crate without an allocation, and 10 000 rows, beside naive loops?
//!
//! The network is 784-128-10. "images" are MNIST's where `$MLP_FAST_DATA` holds them, else the built-in digits: most of their
//! pixels are zero, and are skipped. "dense" are random numbers. Every prediction is compared with the naive loops' before
//! it is timed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use mlp_benches::images::PIXELS;
use mlp_benches::{Images, is_measuring, print_peaks};
use mlp_core::dataset::Inputs;
use mlp_core::nn::{Network, Scratch};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use oracle::network::{self, Hidden, Optimizer, Order};
use oracle::rng::Rng;

const SIZES: [usize; 3] = [PIXELS, 128, 10];

/// How far probabilities may lie from those of the naive loops, which sum in another order.
const NEAR: f32 = 1e-5;

/// The same network of random weights twice.
fn networks(order: Order) -> (Network, network::Network) {
    let naive = network::Network::new(&SIZES, Hidden::Relu, Optimizer::Sgd { lr: 0.0 }, order, 1);
    let mut ours = Network::builder(SIZES[0])
        .dense(SIZES[1], Activation::Relu)
        .dense(SIZES[2], Activation::Softmax)
        .build()
        .expect("a network");
    for (l, size) in SIZES.windows(2).enumerate() {
        let weight = naive.weight(l);
        ours.set_weight(
            l,
            &Matrix::from_fn(size[1], size[0], |o, i| weight[i * size[1] + o]),
        );
    }
    (ours, naive)
}

fn check(have: &[f32], want: &[f32], what: &str) {
    for (have, want) in have.iter().zip(want) {
        assert!((have - want).abs() < NEAR, "{what}: {have}, naive {want}");
    }
}

fn bench(criterion: &mut Criterion) {
    let rows = if is_measuring() { 10_000 } else { 200 };
    let (name, images) = Images::best(rows);
    let dense = Rng::new(1).uniform(rows * PIXELS, 0.01, 1.0);
    let bytes = images.dataset(rows).expect("the images are a data set");
    for (name, values, inputs) in [
        (name, images.floats(rows), bytes.into_inputs()),
        (
            "dense",
            dense.clone(),
            Inputs::from(Matrix::from_vec(rows, PIXELS, &dense)),
        ),
    ] {
        let (net, mut naive) = networks(Order::DotProducts);
        let (_, mut vectorised) = networks(Order::Rows);
        let want = naive.forward(&values, rows).to_vec();
        check(
            vectorised.forward(&values, rows),
            &want,
            "naive, along rows",
        );

        let mut group = criterion.benchmark_group(format!("one row of {name}"));
        let mut out = [0.0; SIZES[2]];
        let mut scratch = Scratch::new(&net);
        for (row, want) in values.chunks(PIXELS).zip(want.chunks(SIZES[2])).take(100) {
            net.predict_into(row, &mut scratch, &mut out);
            check(&out, want, "one row");
        }
        // A hundred rows in turn: no row is foreseen by the branch predictor.
        let mut next = values.chunks(PIXELS).take(100).cycle();
        group.bench_function("mlp-core", |bencher| {
            bencher.iter(|| {
                let row = black_box(next.next().unwrap_or_default());
                net.predict_into(row, &mut scratch, &mut out);
                out[0]
            });
        });
        for (name, naive) in [
            ("naive, dot products", &mut naive),
            ("naive, along rows", &mut vectorised),
        ] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| naive.forward(black_box(&values[..PIXELS]), 1)[0]);
            });
        }
        group.finish();

        let mut group = criterion.benchmark_group(format!("{rows} rows of {name}"));
        group.throughput(Throughput::Elements(rows as u64));
        for threads in [1, 2] {
            let all = net.predict_on(&inputs, threads);
            check(&all.to_vec(), &want, "all rows");
            let id = BenchmarkId::new("mlp-core", format!("{threads} threads"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| net.predict_on(black_box(&inputs), threads));
            });
        }
        let some = rows / 20;
        group.throughput(Throughput::Elements(some as u64));
        for (name, naive) in [
            ("naive, dot products", &mut naive),
            ("naive, along rows", &mut vectorised),
        ] {
            group.bench_function(name, |bencher| {
                bencher.iter(|| naive.forward(black_box(&values[..some * PIXELS]), some)[0]);
            });
        }
        group.finish();
    }
}

fn main() {
    print_peaks();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    bench(&mut criterion);
    criterion.final_summary();
}
