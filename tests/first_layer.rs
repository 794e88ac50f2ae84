//! A first layer of many weights is shared out among threads by its units where batches are small, or, where most inputs
//! are zero, by its inputs, whose sums are handed on: that too changes no bit, in training, in measuring, and in going on
//! from a checkpoint.

mod sample;

use mlp_core::train::{Checkpoint, Every, History};
use mlp_core::{
    Activation, Adam, Dataset, Inputs, Isa, Matrix, Network, Scaling, ScalingKind, Sgd, Trainer,
};
use oracle::rng::Rng;
use sample::{bits, greatest_of, names};

/// More inputs and units than are needed: 9 panels of units, and the last is not full.
const UNITS: [usize; 2] = [300, 130];

/// Inputs enough for five threads to hand on their sums: three blocks of the reduction, the last not full, with cuts
/// between threads at their ends and within.
const SUMS: [usize; 2] = [1301, 40];

/// Numbers of which so large a share is zero.
fn data(inputs: usize, zeros: f64, as_bytes: bool) -> Dataset {
    let (rows, mut rng) = (90, Rng::new(17));
    let bytes: Vec<u8> = (0..rows * inputs)
        .map(|_| match rng.between(0.0, 1.0) {
            draw if draw < zeros => 0,
            _ => rng.between(1.0, 256.0) as u8,
        })
        .collect();
    let inputs: Inputs = if as_bytes {
        Inputs::from_bytes(bytes, rows, inputs).expect("as many bytes")
    } else {
        // A scaling of each column's own, which leaves zeros zero.
        let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
        let inputs = Inputs::from(Matrix::from_vec(rows, inputs, &floats));
        let scaling = Scaling::fit(&ScalingKind::MinMax, &inputs).expect("finite numbers");
        inputs.with_scaling(scaling).expect("its own scaling")
    };
    let labels = (0..rows as u32).map(|row| row * 7 % 3).collect();
    Dataset::classes(inputs, labels, names(3)).expect("good labels")
}

fn network([inputs, units]: [usize; 2], isa: Isa, activation: Activation) -> Network {
    Network::builder(inputs)
        .dense(units, activation)
        .dropout(0.2)
        .dense(20, activation)
        .dense(3, Activation::Softmax)
        .isa(isa)
        .build()
        .expect("a good network")
}

/// All weights and biases, and the losses of every epoch.
fn outcome(network: &Network, history: &History) -> (Vec<u32>, Vec<Option<u64>>) {
    let losses = history.epochs.iter();
    let losses = losses.flat_map(|epoch| [Some(epoch.loss), epoch.validation_loss]);
    let losses = losses.map(|loss| loss.map(f64::to_bits)).collect();
    (bits(network), losses)
}

/// Trains on data with so many zeros, in batches of so many rows, in all ways, which are all to give the same.
fn train_in_all_ways(
    shape: [usize; 2],
    kinds: &[(f64, bool)],
    batches: &[(Activation, usize)],
    teams: &[usize],
) {
    for &(zeros, as_bytes) in kinds {
        let data = data(shape[0], zeros, as_bytes);
        for &(activation, batch) in batches {
            let train = |isa: Isa, threads: usize| {
                let mut network = network(shape, isa, activation);
                let trainer = match activation {
                    Activation::Relu => Trainer::new(Adam::new(0.01)).l2(1e-3),
                    _ => Trainer::new(Sgd::new(1e-5)),
                };
                let history = { trainer }
                    .batch_size(batch)
                    .epochs(3)
                    .patience(1)
                    .threads_exactly(threads)
                    .fit(&mut network, &data, Some(&data))
                    .expect("it trains");
                outcome(&network, &history)
            };
            let want = train(Isa::SCALAR, 1);
            for isa in Isa::available() {
                for &threads in teams {
                    let have = train(isa, threads);
                    assert!(
                        have == want,
                        "{isa}, {threads} threads, batch {batch}, {zeros}"
                    );
                }
            }
        }
    }
}

#[test]
fn training_by_units_is_the_same_on_any_threads() {
    let kinds = [(0.1, true), (0.1, false), (0.9, true), (0.9, false)];
    // A step on one row has kernels of its own.
    let batches = [
        (Activation::Relu, 32),
        (Activation::Gelu, 7),
        (Activation::Gelu, 1),
    ];
    train_in_all_ways(UNITS, &kinds, &batches, &[1, 2, 3, 4, 8]);
}

#[test]
fn training_by_sums_is_the_same_on_any_threads() {
    // Of each batch size the last batch is another.
    let batches = [(Activation::Relu, 32), (Activation::Gelu, 11)];
    train_in_all_ways(
        SUMS,
        &[(0.9, true), (0.8, false)],
        &batches,
        &[1, 2, 3, 4, 5],
    );
}

#[test]
fn a_batch_of_several_parts_is_the_same_on_any_threads() {
    let data = greatest_of(1400, 60, 3, 18);
    let train = |threads: usize| {
        let mut network = Network::builder(60)
            .dense(600, Activation::Tanh)
            .dense(3, Activation::Softmax)
            .build()
            .expect("a good network");
        let history = Trainer::new(Adam::new(0.01))
            .batch_size(600)
            .epochs(2)
            .threads_exactly(threads)
            .fit(&mut network, &data, None)
            .expect("it trains");
        outcome(&network, &history)
    };
    let want = train(1);
    assert!([2, 3, 8].map(train).iter().all(|have| *have == want));
}

#[test]
fn a_run_goes_on_from_every_step() {
    for shape in [UNITS, SUMS] {
        let data = data(shape[0], 0.9, true);
        let run = |threads: usize, from: Option<Checkpoint>, kept: &mut Vec<Checkpoint>| {
            let mut network = network(shape, Isa::SCALAR, Activation::Relu);
            let trainer = Trainer::new(Adam::new(0.01))
                .batch_size(32)
                .epochs(2)
                .threads_exactly(threads)
                .checkpoints(Every::Steps(1), |checkpoint| kept.push(checkpoint.clone()));
            let trainer = match from {
                Some(checkpoint) => trainer.resume(checkpoint),
                None => trainer,
            };
            let history = { trainer }
                .fit(&mut network, &data, None)
                .expect("it trains");
            outcome(&network, &history)
        };
        let mut kept = Vec::new();
        let want = run(2, None, &mut kept);
        assert_eq!(kept.len(), 7);
        for (at, checkpoint) in kept.into_iter().enumerate() {
            let name = checkpoint.to_string();
            let have = run(1 + at % 3, Some(checkpoint), &mut Vec::new());
            assert!(have == want, "{name}");
        }
    }
}

#[test]
fn sums_are_handed_on_whoever_does_a_step() {
    let data = data(SUMS[0], 0.9, true);
    let isa = Isa::detect().expect("a known instruction set");
    // So many steps that the leader does some for all, where that is faster.
    let train = |threads: usize| {
        let mut network = network(SUMS, isa, Activation::Relu);
        let history = Trainer::new(Adam::new(1e-3))
            .batch_size(8)
            .epochs(40)
            .threads_exactly(threads)
            .fit(&mut network, &data, None)
            .expect("it trains");
        outcome(&network, &history)
    };
    let want = train(1);
    assert!([2, 3].map(train).iter().all(|have| *have == want));
}
