//! Steps of the optimisers over the weights of a layer.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use mlp_core::Isa;
use mlp_core::optim::{Adam, Optimizer, Penalty, Sgd, Step};
use oracle::network::{self, Parameters};
use oracle::rng::Rng;

pub(super) fn updates(criterion: &mut Criterion) {
    // The weights of 784 x 128.
    let len = 784 * 128;
    let mut rng = Rng::new(3);
    let (w, g) = (rng.uniform(len, -1.0, 1.0), rng.uniform(len, -0.1, 0.1));
    let sgd = (Sgd::new(1e-3).into(), network::Optimizer::Sgd { lr: 1e-3 });
    let ema = (
        Sgd::new(1e-3).ema(0.9).into(),
        network::Optimizer::EmaMomentum {
            lr: 1e-3,
            beta: 0.9,
        },
    );
    let adam = (
        Adam::new(1e-3).into(),
        network::Optimizer::Adam { lr: 1e-3 },
    );
    update(criterion, "sgd", sgd, (&w, &g));
    update(criterion, "ema-momentum", ema, (&w, &g));
    update(criterion, "adam", adam, (&w, &g));
    // Of a network that knows its rows: 1e-5 to 1e-30, whose squares can be denormal.
    let vanishing: Vec<f32> = g
        .iter()
        .map(|g| g.signum() * 10.0_f32.powf(-5.0 - 250.0 * g.abs()))
        .collect();
    update(criterion, "adam, vanishing", adam, (&w, &vanishing));
}

/// The step of an optimiser beside the loops of the oracle's.
fn update(
    criterion: &mut Criterion,
    name: &str,
    (optimizer, plain): (Optimizer, network::Optimizer),
    (start, g): (&[f32], &[f32]),
) {
    let len = start.len();
    let moments = optimizer.moments();
    let adam = moments == 2;
    let first = optimizer.at_step(1, Penalty::default());
    let mut group = criterion.benchmark_group(format!("update {name}"));
    // w and the moments read and written, g read.
    group.throughput(Throughput::Bytes(
        (len * (3 + 2 * moments) * size_of::<f32>()) as u64,
    ));
    let mut naive = Parameters::new(start.to_vec());
    naive.g.copy_from_slice(g);
    naive.step(plain, 1);
    for isa in Isa::available() {
        let mut w = start.to_vec();
        let mut m = vec![0.0; if moments > 0 { len } else { 0 }];
        let mut v = vec![0.0; if adam { len } else { 0 }];
        let mut step = |w: &mut Vec<f32>, now| {
            isa.dispatch(Step {
                update: &now,
                w,
                g: black_box(g),
                m: &mut m,
                v: &mut v,
            });
        };
        step(&mut w, first);
        let pairs = w.iter().zip(&naive.w);
        for (i, (got, want)) in pairs.enumerate() {
            assert!(
                (got - want).abs() < 1e-5,
                "{optimizer:?} on {isa}, weight {i}: {got}, not {want}"
            );
        }
        let later = optimizer.at_step(1000, Penalty::default());
        group.bench_function(isa.name(), |bencher| bencher.iter(|| step(&mut w, later)));
    }
    group.bench_function("naive", |bencher| bencher.iter(|| naive.step(plain, 1000)));
    group.finish();
}
