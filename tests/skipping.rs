//! Training skips zeros, of inputs and of hidden units, and gives one result for any number of threads and on every
//! instruction set.

mod sample;

use mlp_core::{Activation, Adam, Dataset, Inputs, Isa, Network, Optimizer, Sgd, Trainer};
use oracle::rng::Rng;
use sample::{bits, greatest_of, names};

/// How a fit is set: batches of so many rows, and the share that is dropped.
type Setting = (Optimizer, (usize, f32));

/// All weights and biases, and the loss of the last epoch.
type Outcome = (Vec<u32>, u64);

/// Whatever the threads and the instruction set.
fn assert_one_result(
    settings: &[Setting],
    train: impl Fn(Isa, usize, Optimizer, (usize, f32)) -> Outcome,
) {
    for &(optimizer, batch) in settings {
        let want = train(Isa::SCALAR, 1, optimizer, batch);
        for isa in Isa::available() {
            for threads in [1, 2, 3, 8] {
                let have = train(isa, threads, optimizer, batch);
                assert!(have == want, "{isa}, {threads} threads, {batch:?}");
            }
        }
    }
}

#[test]
fn training_on_sparse_inputs_is_the_same_on_any_threads() {
    let mut rng = Rng::new(13);
    let (rows, cols) = (150, 61);
    let bytes: Vec<u8> = (0..rows * cols)
        .map(|_| {
            if rng.between(0.0, 1.0) < 0.9 {
                0
            } else {
                rng.between(0.0, 256.0) as u8
            }
        })
        .collect();
    let labels = (0..rows as u32).map(|row| row * 7 % 3).collect();
    let inputs = Inputs::from_bytes(bytes, rows, cols).expect("as many bytes");
    assert!(inputs.are_sparse(Isa::SCALAR, 0.3), "the inputs are sparse");
    let data = Dataset::classes(inputs, labels, names(3)).expect("good labels");
    // Where something is dropped the bytes are widened.
    let train = |isa: Isa, threads: usize, optimizer: Optimizer, (batch, dropout)| {
        let mut network = Network::builder(cols)
            .dropout(dropout)
            .dense(19, Activation::Tanh)
            .dense(3, Activation::Softmax)
            .isa(isa)
            .build()
            .expect("a good network");
        let history = Trainer::new(optimizer)
            .batch_size(batch)
            .epochs(3)
            .threads_exactly(threads)
            .fit(&mut network, &data, None)
            .expect("it trains");
        (bits(&network), history.epochs[2].loss.to_bits())
    };
    // Plain descent adds to the weights in place; a step on one row does so by a kernel of its own.
    let settings: [Setting; 5] = [
        (Adam::new(0.01).into(), (32, 0.1)),
        (Adam::new(0.01).into(), (75, 0.0)),
        (Sgd::new(0.01).into(), (32, 0.1)),
        (Sgd::new(0.01).into(), (1, 0.0)),
        (Sgd::new(0.01).ema(0.9).into(), (1, 0.1)),
    ];
    assert_one_result(&settings, train);
}

/// Zeros of the hidden units are skipped where their layers are large.
#[test]
fn training_with_hidden_zeros_is_the_same_on_any_threads() {
    let data = greatest_of(150, 20, 3, 15);
    let train = |isa: Isa, threads: usize, optimizer: Optimizer, (batch, dropout)| {
        let mut network = Network::builder(20)
            .dense(190, Activation::Relu)
            .dropout(dropout)
            .dense(181, Activation::Relu)
            .dense(3, Activation::Softmax)
            .isa(isa)
            .build()
            .expect("a good network");
        let history = Trainer::new(optimizer)
            .batch_size(batch)
            .epochs(2)
            .threads_exactly(threads)
            .fit(&mut network, &data, Some(&data))
            .expect("it trains");
        (bits(&network), history.epochs[1].loss.to_bits())
    };
    let settings: [Setting; 3] = [
        (Adam::new(0.01).into(), (50, 0.0)),
        (Sgd::new(0.1).into(), (75, 0.3)),
        // Too few rows for zeros to be skipped.
        (Sgd::new(0.1).ema(0.9).into(), (20, 0.0)),
    ];
    assert_one_result(&settings, train);
}
