//! All memory of a fit is taken before its first step: a counting allocator sees none between two steps of an epoch, on
//! any thread, and none in a prediction with a scratch.

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::{Loss, Network, Scratch};
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::rng::LegacyRandom;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::Trainer;
use oracle::meter::{Meter, allocations};
use oracle::rng::Rng;

#[global_allocator]
static ALLOCATOR: Meter = Meter;

fn data() -> Dataset {
    let mut rng = Rng::new(51);
    let inputs = Matrix::from_vec(130, 40, &rng.uniform(130 * 40, -1.0, 1.0));
    let names = (0..10).map(|class| class.to_string()).collect();
    let labels = rng.labels(130, 10);
    Dataset::classes(Inputs::from_matrix(inputs), labels, names).expect("a data set")
}

fn network() -> Network {
    Network::builder(40)
        .dropout(0.1)
        .dense(50, Activation::Gelu)
        .dropout(0.2)
        .dense(10, Activation::Softmax)
        .build()
        .expect("a network")
}

/// The most allocations between two steps of one epoch.
fn most_in_a_step(threads: usize, batch: usize, optimizer: Optimizer, legacy: bool) -> usize {
    let data = data();
    let mut random = LegacyRandom::new(1);
    let (mut before, mut most) = (0, 0);
    let mut trainer = Trainer::new(optimizer)
        .report(Loss::Mse)
        .layer_rates(&[0.5, 1.0]);
    if legacy {
        trainer = trainer.legacy_random(&mut random);
    }
    let _ = trainer
        .batch_size(batch)
        .epochs(3)
        .threads_exactly(threads)
        .on_step(|step| {
            if step.step > 1 {
                most = most.max(allocations() - before);
            }
            before = allocations();
        })
        .fit(&mut network(), &data, None)
        .expect("a fit");
    most
}

// No harness: its own thread allocates, sooner or later, while a test runs.
fn main() {
    let before = allocations();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(allocations() - before, 1, "the count is not at work");

    for threads in [1, 2, 3] {
        for batch in [1, 32] {
            for optimizer in [Sgd::new(0.01).into(), Adam::new(0.001).into()] {
                for legacy in [false, true] {
                    let most = most_in_a_step(threads, batch, optimizer, legacy);
                    assert_eq!(
                        most, 0,
                        "allocations in a step: {threads} threads, batch {batch}, {optimizer:?}, legacy {legacy}"
                    );
                }
            }
        }
    }

    let net = network();
    let (row, mut out) = ([0.5; 40], [0.0; 10]);
    let mut scratch = Scratch::new(&net);
    let before = allocations();
    net.predict_into(&row, &mut scratch, &mut out);
    assert_eq!(allocations(), before, "allocations in a prediction");
    assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-5);
}
