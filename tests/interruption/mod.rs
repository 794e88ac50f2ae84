//! A run that is interrupted and goes on, for the tests of that.

use mlp_core::Isa;
use mlp_core::dataset::Dataset;
use mlp_core::nn::Network;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Checkpoint, Every, History, Trainer};

use crate::sample::greatest_of;

/// A net whose first weights are of that seed.
pub(crate) fn network(seed: u64, isa: Isa) -> Network {
    Network::builder(9)
        .dropout(0.1)
        .dense(19, Activation::Relu)
        .dropout(0.2)
        .dense_no_bias(7, Activation::Tanh)
        .dense(3, Activation::Softmax)
        .seed(seed)
        .isa(isa)
        .build()
        .expect("a network")
}

pub(crate) fn data() -> (Dataset, Dataset) {
    (greatest_of(70, 9, 3, 51), greatest_of(20, 9, 3, 52))
}

/// The run, and the checkpoints after all of its steps and at its end.
pub(crate) fn whole(
    trainer: Trainer<'_>,
    rows: (&Dataset, &Dataset),
) -> ((Network, History), Vec<Checkpoint>) {
    let mut checkpoints = Vec::new();
    let mut net = network(1, Isa::detect().expect("an instruction set"));
    let history = trainer
        .checkpoints(Every::Steps(1), |checkpoint| {
            checkpoints.push(checkpoint.clone());
        })
        .fit(&mut net, rows.0, Some(rows.1))
        .expect("a fit");
    ((net, history), checkpoints)
}
