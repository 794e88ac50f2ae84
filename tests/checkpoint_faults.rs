//! Promise: a checkpoint of another run, or one whose parts do not fit, is told by what differs, and nothing is trained.

mod interruption;
mod sample;

use interruption::{data, network, whole};
use mlp_core::dataset::Dataset;
use mlp_core::nn::{Loss, Network};
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::rng::LegacyRandom;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Checkpoint, Monitor, Reduction, Schedule, Trainer};
use mlp_core::{Isa, Kind};
use sample::{bits, greatest_of};

/// Two epochs of Adam.
fn trainer() -> Trainer<'static> {
    with(Adam::new(1e-2))
}

fn with(optimizer: impl Into<Optimizer>) -> Trainer<'static> {
    Trainer::new(optimizer).batch_size(16).epochs(2).patience(1)
}

/// Runs that differ in one setting each, and what is said of it.
fn others() -> Vec<(Trainer<'static>, &'static str)> {
    vec![
        (trainer().seed(4), "seed 1, this one 4"),
        (trainer().batch_size(8), "batch size 16, this one 8"),
        (trainer().full_batch(), "batch size 16, this one full"),
        (trainer().shuffle(false), "shuffle on, this one off"),
        (
            trainer().loss(Loss::Mse),
            "loss cross-entropy, this one mse",
        ),
        (
            trainer().report(Loss::Mse),
            "reported loss cross-entropy, this one mse",
        ),
        (
            trainer().layer_rates(&[1.0, 0.5, 1.0]),
            "rates of layers [], this one [1.0, 0.5, 1.0]",
        ),
        (
            trainer().drop_last(true),
            "whole batches only false, this one true",
        ),
        (
            trainer().reduction(Reduction::Sum),
            "reduction mean, this one sum",
        ),
        (
            trainer().monitor(Monitor::Accuracy),
            "monitor loss, this one accuracy",
        ),
        (trainer().l1(0.5), "l1 0.0, this one 0.5"),
        (trainer().l2(0.5), "l2 0.0, this one 0.5"),
        (trainer().patience(3), "patience 1, this one 3"),
        (trainer().min_delta(0.25), "min delta 0.0, this one 0.25"),
        (
            trainer().schedule(Schedule::Linear),
            "schedule constant, this one linear",
        ),
        (with(Sgd::new(1e-2)), "optimizer adam, this one sgd"),
        (with(Adam::new(1e-3)), "lr 0.01, this one 0.001"),
        (with(Adam::new(1e-2).eps(1e-6)), "eps 1e-8, this one 1e-6"),
        (
            with(Adam::new(1e-2).betas(0.5, 0.999)),
            "beta1 0.9, this one 0.5",
        ),
        (
            with(Adam::new(1e-2).betas(0.9, 0.5)),
            "beta2 0.999, this one 0.5",
        ),
    ]
}

#[test]
fn another_run_is_told_by_what_differs() {
    let (train, validation) = data();
    let (_, checkpoints) = whole(trainer(), (&train, &validation));
    let refused =
        |mut trainer: Trainer<'_>, net: &mut Network, rows: (&Dataset, Option<&Dataset>)| {
            let before = bits(net);
            let fault = trainer.fit(net, rows.0, rows.1).expect_err("another run");
            assert_eq!(fault.kind(), Kind::Checkpoint, "{fault}");
            assert_eq!(bits(net), before);
            fault.to_string()
        };
    let from = |trainer: Trainer<'static>| {
        let trainer = trainer.resume(checkpoints[3].clone());
        refused(
            trainer,
            &mut network(1, Isa::SCALAR),
            (&train, Some(&validation)),
        )
    };
    let mut all = Vec::new();
    for (trainer, told) in others() {
        all.push(from(trainer));
        assert_eq!(all[all.len() - 1], format!("the run it holds has {told}"));
    }
    let random: &'static mut _ = Box::leak(Box::new(LegacyRandom::new(3)));
    let told = from(trainer().legacy_random(random));
    assert!(
        told.contains("has random numbers by seed, this one from NumPy's generator in state "),
        "{told}"
    );
    all.push(told);
    let resumed = || trainer().resume(checkpoints[3].clone());
    let wider = &mut Network::builder(9)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a network");
    all.push(refused(resumed(), wider, (&train, Some(&validation))));
    assert_eq!(
        all[all.len() - 1],
        "the run it holds has network 9 -> 19 relu (inputs dropped: 0.1) -> 7 tanh (inputs dropped: 0.2) (no bias) \
         -> 3 softmax, this one 9 -> 3 softmax"
    );
    let net = &mut network(1, Isa::SCALAR);
    let other = greatest_of(70, 9, 3, 54);
    let told = refused(resumed(), net, (&other, Some(&validation)));
    assert!(
        told.contains("has training data of 70 rows, fingerprint "),
        "{told}"
    );
    all.push(told);
    let told = refused(resumed(), net, (&train, None));
    assert!(
        told.contains("has validation data of 20 rows, ") && told.ends_with("this one none"),
        "{told}"
    );
    all.push(told);
    for (name, value) in &checkpoints[3].settings {
        let begin = format!("the run it holds has {name} {value}, this one ");
        let told = all.iter().any(|told| told.starts_with(&begin));
        assert!(told, "another {name} was not tried");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (train, validation) = data();
    let trainer = || {
        Trainer::new(Adam::new(1e-2))
            .batch_size(16)
            .epochs(3)
            .patience(1)
    };
    let (_, checkpoints) = whole(trainer(), (&train, &validation));
    let good = &checkpoints[7];
    assert!(good.history.len() == 1 && good.best_epoch == 1, "{good:?}");
    let changes: [fn(&mut Checkpoint); 18] = [
        |c| c.epoch = 0,
        |c| c.epoch = usize::MAX,
        |c| c.epoch += 1,
        |c| c.step = 6,
        |c| c.step = usize::MAX,
        |c| c.loss_sum = f64::NAN,
        |c| c.hits = usize::MAX,
        |c| c.best_score = None,
        |c| c.best_score = Some(f64::INFINITY),
        |c| c.best_epoch = 2,
        |c| c.history.clear(),
        |c| drop(c.layers.pop()),
        |c| c.layers[1].bias = c.layers[0].bias.clone(),
        |c| c.layers[0].bias = None,
        |c| c.layers[0].weight.value.truncate(5),
        |c| c.layers[2].weight.m.clear(),
        |c| c.layers[0].weight.best.push(0.0),
        |c| c.layers[0].weight.value[3] = f32::NAN,
    ];
    for (case, change) in changes.iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        let fault = trainer()
            .resume(bad)
            .fit(&mut network(1, Isa::SCALAR), &train, Some(&validation))
            .expect_err("a checkpoint that does not fit");
        assert_eq!(fault.kind(), Kind::Checkpoint, "case {case}: {fault}");
    }
}
