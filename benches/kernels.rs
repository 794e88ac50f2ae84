//! How fast are the passes between the products: activations and their derivatives, softmax with cross-entropy, optimiser
//! steps, gathering a batch?
//!
//! The throughput is in bytes read and written. Naive loops stand in each group; every result is compared with the
//! oracle before it is timed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use mlp_benches::Images;
use mlp_benches::images::PIXELS;
use mlp_core::Isa;
use mlp_core::nn::Target;
use mlp_core::nn::loss::{Loss, loss_backward};
use mlp_core::optim::{self, Adam, Optimizer, Penalty, Sgd};
use mlp_core::tensor::activation::{Activation, activation_backward, activation_forward};
use mlp_core::tensor::{MatMut, Matrix};
use oracle::network::{self, Hidden, Parameters};
use oracle::network_f64;
use oracle::rng::Rng;
use oracle::tolerance::relative_error;
use pulp::{Simd, WithSimd};

/// A batch of activations: 256 kB, in the second-level cache.
const ROWS: usize = 128;
const COLS: usize = 512;

/// Every row of `from` copied to `to`, then f of it (or, where there is `saved`, times f').
struct Rows<'a> {
    activation: Activation,
    from: &'a Matrix,
    saved: Option<&'a Matrix>,
    to: &'a mut Matrix,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for r in 0..ROWS {
            // COLS is whole lines: a row is its padded row.
            let row = self.to.row_mut(r);
            row.copy_from_slice(self.from.row(r));
            match self.saved {
                Some(saved) => activation_backward(simd, self.activation, saved.row(r), row, COLS),
                None => activation_forward(simd, self.activation, row, COLS),
            }
        }
    }
}

fn activations(criterion: &mut Criterion) {
    let pairs = [
        (Activation::Relu, network_f64::Activation::Relu),
        (Activation::Sigmoid, network_f64::Activation::Sigmoid),
        (Activation::Tanh, network_f64::Activation::Tanh),
        (Activation::Elu(1.0), network_f64::Activation::Elu(1.0)),
        (Activation::Gelu, network_f64::Activation::Gelu),
        (Activation::Silu, network_f64::Activation::Silu),
        (Activation::Softmax, network_f64::Activation::Softmax),
    ];
    let mut rng = Rng::new(1);
    let mut random = || Matrix::from_vec(ROWS, COLS, &rng.uniform(ROWS * COLS, -4.0, 4.0));
    let (z, d) = (random(), random());
    let mut y = Matrix::zeros(ROWS, COLS);
    let mut out = Matrix::zeros(ROWS, COLS);
    let bytes = (ROWS * COLS * size_of::<f32>()) as u64;
    for (activation, exact) in pairs {
        let mut group = criterion.benchmark_group(format!("activation {}", activation.name()));
        for isa in Isa::available() {
            isa.dispatch(Rows {
                activation,
                from: &z,
                saved: None,
                to: &mut y,
            });
            let row: Vec<f64> = z.row(3).iter().copied().map(f64::from).collect();
            for (&got, want) in y.row(3).iter().zip(exact.forward(&row)) {
                let error = relative_error(f64::from(got), want, 1e-4);
                assert!(error < 1e-4, "{activation:?} on {isa}: {got}, not {want}");
            }
            group.throughput(Throughput::Bytes(2 * bytes));
            group.bench_function(BenchmarkId::new("forward", isa.name()), |bencher| {
                bencher.iter(|| {
                    isa.dispatch(Rows {
                        activation,
                        from: black_box(&z),
                        saved: None,
                        to: &mut out,
                    });
                });
            });
            let saved = if activation.needs_preactivation() {
                &z
            } else {
                &y
            };
            group.throughput(Throughput::Bytes(3 * bytes));
            group.bench_function(BenchmarkId::new("backward", isa.name()), |bencher| {
                bencher.iter(|| {
                    isa.dispatch(Rows {
                        activation,
                        from: black_box(&d),
                        saved: Some(saved),
                        to: &mut out,
                    });
                });
            });
        }
        let naive: Option<fn(&mut [f32])> = match activation {
            Activation::Relu => Some(|row| network::activate(Hidden::Relu, row)),
            Activation::Sigmoid => Some(|row| network::activate(Hidden::Sigmoid, row)),
            Activation::Softmax => Some(network::softmax),
            _ => None,
        };
        if let Some(naive) = naive {
            group.throughput(Throughput::Bytes(2 * bytes));
            group.bench_function("forward/naive", |bencher| {
                bencher.iter(|| {
                    for r in 0..ROWS {
                        let row = out.row_mut(r);
                        row.copy_from_slice(black_box(z.row(r)));
                        naive(row);
                    }
                });
            });
        }
        group.finish();
    }
}

/// Softmax, cross-entropy, its gradient and the hits of a batch of ten classes.
struct CrossEntropy<'a> {
    z: &'a Matrix,
    labels: &'a [u32],
    d: &'a mut Matrix,
}

const CLASSES: usize = 10;

impl WithSimd for CrossEntropy<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let stride = self.d.row_stride();
        let mut d = self.d.view_mut();
        let rows = d.data().chunks_exact_mut(stride);
        let from = self.z.view().data().chunks_exact(stride);
        let mut sum = 0.0;
        for ((row, z), &label) in rows.zip(from).zip(self.labels) {
            row.copy_from_slice(z);
            let (loss, activation) = (Loss::CrossEntropy, Activation::Softmax);
            let target = Target::Class(label);
            sum += f64::from(
                loss_backward(simd, loss, activation, row, CLASSES, target, &mut []).loss,
            );
        }
        sum
    }
}

fn cross_entropy(criterion: &mut Criterion) {
    let rows = 1024;
    let mut rng = Rng::new(2);
    let z = Matrix::from_vec(rows, CLASSES, &rng.uniform(rows * CLASSES, -4.0, 4.0));
    let labels = rng.labels(rows, CLASSES as u32);
    let mut d = Matrix::zeros(rows, CLASSES);
    let mut group = criterion.benchmark_group("softmax and cross-entropy of 10 classes");
    group.throughput(Throughput::Bytes(
        (2 * rows * CLASSES * size_of::<f32>()) as u64,
    ));
    for isa in Isa::available() {
        let got = isa.dispatch(CrossEntropy {
            z: &z,
            labels: &labels,
            d: &mut d,
        });
        let want: f64 = (0..rows)
            .map(|r| {
                let z: Vec<f64> = z.row(r).iter().copied().map(f64::from).collect();
                -network_f64::Activation::Softmax.forward(&z)[labels[r] as usize].ln()
            })
            .sum();
        assert!(
            relative_error(got, want, 1.0) < 1e-5,
            "{isa}: {got}, not {want}"
        );
        group.bench_function(isa.name(), |bencher| {
            bencher.iter(|| {
                isa.dispatch(CrossEntropy {
                    z: black_box(&z),
                    labels: &labels,
                    d: &mut d,
                })
            });
        });
    }
    group.bench_function("naive", |bencher| {
        bencher.iter(|| {
            let mut sum = 0.0;
            for (r, &label) in labels.iter().enumerate() {
                let row = d.row_mut(r);
                row.copy_from_slice(black_box(z.row(r)));
                network::softmax(row);
                sum -= row[label as usize].ln();
                row[label as usize] -= 1.0;
            }
            sum
        });
    });
    group.finish();
}

/// One step of an optimiser.
struct Step<'a> {
    now: optim::Update,
    w: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        optim::update(simd, &self.now, self.w, self.g, self.m, self.v);
    }
}

fn updates(criterion: &mut Criterion) {
    // The weights of 784 x 128.
    let len = 784 * 128;
    let mut rng = Rng::new(3);
    let (start, g) = (rng.uniform(len, -1.0, 1.0), rng.uniform(len, -0.1, 0.1));
    let pairs: [(Optimizer, network::Optimizer); 3] = [
        (Sgd::new(1e-3).into(), network::Optimizer::Sgd { lr: 1e-3 }),
        (
            Sgd::new(1e-3).ema(0.9).into(),
            network::Optimizer::EmaMomentum {
                lr: 1e-3,
                beta: 0.9,
            },
        ),
        (
            Adam::new(1e-3).into(),
            network::Optimizer::Adam { lr: 1e-3 },
        ),
    ];
    for (optimizer, plain) in pairs {
        let moments = optimizer.moments();
        let adam = moments == 2;
        let first = optimizer.at_step(1, Penalty::default());
        let mut group = criterion.benchmark_group(format!("update {}", optimizer.name()));
        // w and the moments read and written, g read.
        group.throughput(Throughput::Bytes(
            (len * (3 + 2 * moments) * size_of::<f32>()) as u64,
        ));
        let mut naive = Parameters::new(start.clone());
        naive.g.copy_from_slice(&g);
        naive.step(plain, 1);
        for isa in Isa::available() {
            let mut w = start.clone();
            let mut m = vec![0.0; if moments > 0 { len } else { 0 }];
            let mut v = vec![0.0; if adam { len } else { 0 }];
            let mut step = |now| {
                isa.dispatch(Step {
                    now,
                    w: &mut w,
                    g: black_box(&g),
                    m: &mut m,
                    v: &mut v,
                });
                w[0] + w[len - 1]
            };
            let got = step(first);
            let want = naive.w[0] + naive.w[len - 1];
            assert!(
                (got - want).abs() < 1e-5,
                "{optimizer:?} on {isa}: {got}, not {want}"
            );
            let later = optimizer.at_step(1000, Penalty::default());
            group.bench_function(isa.name(), |bencher| bencher.iter(|| step(later)));
        }
        group.bench_function("naive", |bencher| bencher.iter(|| naive.step(plain, 1000)));
        group.finish();
    }
}

fn gather(criterion: &mut Criterion) {
    let (rows, batch) = (2000, 128);
    let images = Images::new(rows);
    let data = images.dataset(rows).expect("the digits are a data set");
    let floats = images.floats(rows);
    let mut rng = Rng::new(4);
    let indices = rng.labels(batch, rows as u32);
    let mut out = Matrix::zeros(batch, PIXELS);
    let stride = out.row_stride();
    let mut group = criterion.benchmark_group("gather 128 rows of 784 bytes");
    group.throughput(Throughput::Bytes(
        (batch * PIXELS * (1 + size_of::<f32>())) as u64,
    ));
    for isa in Isa::available() {
        let mut run = || {
            let mut view = out.view_mut();
            let out = MatMut::new(view.data(), batch, PIXELS, stride);
            let rows = black_box(&indices).iter().map(|&i| i as usize);
            data.inputs().gather_on(isa, rows, out);
        };
        run();
        group.bench_function(isa.name(), |bencher| bencher.iter(&mut run));
        for (r, &index) in indices.iter().enumerate() {
            let want = &floats[index as usize * PIXELS..][..PIXELS];
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(out.row(r).iter().zip(want).all(near), "{isa}, row {r}");
        }
    }
    let inputs = data.inputs().bytes().expect("digits are bytes");
    group.bench_function("naive", |bencher| {
        bencher.iter(|| {
            for (r, &index) in black_box(&indices).iter().enumerate() {
                let from = &inputs[index as usize * PIXELS..][..PIXELS];
                for (x, &byte) in out.row_mut(r).iter_mut().zip(from) {
                    *x = f32::from(byte) / 255.0;
                }
            }
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    activations(&mut criterion);
    cross_entropy(&mut criterion);
    updates(&mut criterion);
    gather(&mut criterion);
    criterion.final_summary();
}
