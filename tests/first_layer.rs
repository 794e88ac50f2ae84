//! A first layer of many weights is shared out among threads by its units where batches are small: that too changes no
//! bit, in training, in measuring, and in going on from a checkpoint.

use mlp_core::train::{Checkpoint, Every, History};
use mlp_core::{Activation, Adam, Dataset, Inputs, Isa, Matrix, Network, Sgd, Trainer};
use oracle::rng::Rng;

/// More inputs and units than are needed: 9 panels of units, and the last is not full.
const INPUTS: usize = 300;
const UNITS: usize = 130;

/// Numbers of which so large a share is zero.
fn data(zeros: f64, as_bytes: bool) -> Dataset {
    let (rows, mut rng) = (90, Rng::new(17));
    let bytes: Vec<u8> = (0..rows * INPUTS)
        .map(|_| match rng.between(0.0, 1.0) {
            draw if draw < zeros => 0,
            _ => rng.between(1.0, 256.0) as u8,
        })
        .collect();
    let inputs = if as_bytes {
        Inputs::from_bytes(bytes, rows, INPUTS).expect("as many bytes")
    } else {
        let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Matrix::from_vec(rows, INPUTS, &floats).into()
    };
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let labels = (0..rows as u32).map(|row| row * 7 % 3).collect();
    Dataset::classes(inputs, labels, names).expect("good labels")
}

fn network(isa: Isa, activation: Activation) -> Network {
    Network::builder(INPUTS)
        .dense(UNITS, activation)
        .dropout(0.2)
        .dense(20, activation)
        .dense(3, Activation::Softmax)
        .isa(isa)
        .build()
        .expect("a good network")
}

/// All weights and biases, and the losses of every epoch.
fn bits(network: &Network, history: &History) -> (Vec<u32>, Vec<Option<u64>>) {
    let layers = network.layers().iter();
    let numbers =
        layers.flat_map(|layer| [layer.weight().to_vec(), layer.bias().to_vec()].concat());
    let losses = history.epochs.iter();
    let losses = losses.flat_map(|epoch| [Some(epoch.loss), epoch.validation_loss]);
    (
        numbers.map(f32::to_bits).collect(),
        losses.map(|loss| loss.map(f64::to_bits)).collect(),
    )
}

#[test]
fn training_is_the_same_on_any_threads() {
    for (zeros, as_bytes) in [(0.1, true), (0.1, false), (0.9, true), (0.9, false)] {
        let data = data(zeros, as_bytes);
        // A step on one row has kernels of its own.
        for (activation, batch) in [
            (Activation::Relu, 32),
            (Activation::Gelu, 7),
            (Activation::Gelu, 1),
        ] {
            let train = |isa: Isa, threads: usize| {
                let mut network = network(isa, activation);
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
                bits(&network, &history)
            };
            let want = train(Isa::SCALAR, 1);
            for isa in Isa::available() {
                for threads in [1, 2, 3, 4, 8] {
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
fn a_batch_of_several_parts_is_the_same_on_any_threads() {
    let mut rng = Rng::new(18);
    let (rows, cols) = (1400, 60);
    let inputs = Matrix::from_vec(rows, cols, &rng.uniform(rows * cols, -1.0, 1.0));
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let labels = (0..rows as u32).map(|row| row * 7 % 3).collect();
    let data = Dataset::classes(inputs.into(), labels, names).expect("good labels");
    let train = |threads: usize| {
        let mut network = Network::builder(cols)
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
        bits(&network, &history)
    };
    let want = train(1);
    assert!([2, 3, 8].map(train).iter().all(|have| *have == want));
}

#[test]
fn a_run_goes_on_from_every_step() {
    let data = data(0.9, true);
    let run = |threads: usize, from: Option<Checkpoint>, kept: &mut Vec<Checkpoint>| {
        let mut network = network(Isa::SCALAR, Activation::Relu);
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
        bits(&network, &history)
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
