//! How fast are the passes between the products: activations and their derivatives, softmax with cross-entropy, optimiser
//! steps, gathering a batch?
//!
//! The throughput is in bytes read and written. Naive loops stand in each group; every result is compared with the
//! oracle before it is timed. What one core reads and writes in memory is printed first; most of the data here lies in the
//! second-level cache, as it does in a training step.

#[path = "kernels/gather.rs"]
mod gather;
#[path = "kernels/update.rs"]
mod update;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use mlp_benches::print_bandwidth;
use mlp_core::Isa;
use mlp_core::isa::pulp::{Simd, WithSimd};
use mlp_core::nn::Target;
use mlp_core::nn::loss::{Loss, RowLoss, class_losses_backward, loss_backward};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::{Activation, activation_backward, activation_forward};
use oracle::network::{self, Hidden};
use oracle::network_f64;
use oracle::rng::Rng;
use oracle::tolerance::relative_error;

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
            isa.dispatch(Rows {
                activation,
                from: &d,
                saved: Some(saved),
                to: &mut out,
            });
            let d_row: Vec<f64> = d.row(3).iter().copied().map(f64::from).collect();
            let exact = exact.backward(&row, &d_row);
            for (&got, want) in out.row(3).iter().zip(exact) {
                let error = relative_error(f64::from(got), want, 1e-3);
                assert!(
                    error < 1e-3,
                    "{activation:?} backward on {isa}: {got}, not {want}"
                );
            }
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
            let mut row = z.row(3).to_vec();
            naive(&mut row);
            for (a, b) in row.iter().zip(y.row(3)) {
                let error = relative_error(f64::from(*a), f64::from(*b), 1e-4);
                assert!(error < 1e-4, "naive {activation:?}: {a}, ours {b}");
            }
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
    /// Room for those of all rows, which then are taken several at a time.
    results: Option<&'a mut [RowLoss]>,
}

const CLASSES: usize = 10;

impl WithSimd for CrossEntropy<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let stride = self.d.row_stride();
        let mut d = self.d.view_mut();
        if let Some(results) = self.results {
            d.data().copy_from_slice(self.z.view().data());
            let lines = d.data().as_chunks_mut().0;
            let class = |row| self.labels[row];
            class_losses_backward(simd, lines, CLASSES, class, results);
            return results.iter().map(|row| f64::from(row.loss)).sum();
        }
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
    let want: f64 = (0..rows)
        .map(|r| {
            let z: Vec<f64> = z.row(r).iter().copied().map(f64::from).collect();
            -network_f64::Activation::Softmax.forward(&z)[labels[r] as usize].ln()
        })
        .sum();
    let nothing = RowLoss {
        loss: 0.0,
        correct: false,
    };
    let mut room = vec![nothing; rows];
    for isa in Isa::available() {
        for several in [false, true] {
            let mut run = || {
                isa.dispatch(CrossEntropy {
                    z: black_box(&z),
                    labels: &labels,
                    d: &mut d,
                    results: several.then_some(&mut room),
                })
            };
            let got = run();
            assert!(
                relative_error(got, want, 1.0) < 1e-5,
                "{isa}: {got}, not {want}"
            );
            let rows = if several {
                "several rows"
            } else {
                "row by row"
            };
            group.bench_function(BenchmarkId::new(rows, isa.name()), |bencher| {
                bencher.iter(&mut run);
            });
        }
    }
    let ours = d.clone();
    let mut naive = || {
        let mut sum = 0.0;
        for (r, &label) in labels.iter().enumerate() {
            let row = d.row_mut(r);
            row.copy_from_slice(black_box(z.row(r)));
            network::softmax(row);
            sum -= f64::from(row[label as usize].ln());
            row[label as usize] -= 1.0;
        }
        sum
    };
    let got = naive();
    assert!(
        relative_error(got, want, 1.0) < 1e-4,
        "naive: {got}, not {want}"
    );
    group.bench_function("naive", |bencher| bencher.iter(&mut naive));
    for r in 0..rows {
        let pairs = ours.row(r).iter().zip(d.row(r));
        for (a, b) in pairs {
            assert!(
                (a - b).abs() < 1e-5,
                "row {r} of the gradient: {a}, naive {b}"
            );
        }
    }
    group.finish();
}

fn main() {
    print_bandwidth();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    activations(&mut criterion);
    cross_entropy(&mut criterion);
    update::updates(&mut criterion);
    gather::gather(&mut criterion);
    criterion.final_summary();
}
