//! How a fit ends: after its epochs, at the end of its patience with the best weights, when told to, or with an error that says
//! where the numbers blew up or which setting is wrong.

mod sample;

use mlp_core::Kind;
use mlp_core::dataset::{Dataset, Inputs, Targets};
use mlp_core::nn::{Loss, Network};
use mlp_core::optim::Sgd;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Flow, History, Monitor, Stop, Trainer};
use oracle::rng::Rng;
use sample::{bits, greatest_of, names};

/// A fit whose validation rows contradict its training rows, so that validation gets worse from the first epoch on.
fn contradicted(trainer: Trainer<'_>) -> (Network, History) {
    let train = greatest_of(50, 4, 2, 34);
    let Targets::Classes { labels, .. } = train.targets() else {
        panic!("classes")
    };
    let opposite = labels.iter().map(|label| 1 - label).collect();
    let valid = Dataset::classes(train.inputs().clone(), opposite, names(2)).expect("a data set");
    let mut net = Network::builder(4)
        .dense(8, Activation::Tanh)
        .dense(2, Activation::Softmax)
        .seed(3)
        .build()
        .expect("a network");
    let history = trainer
        .batch_size(10)
        .seed(9)
        .fit(&mut net, &train, Some(&valid))
        .expect("a fit");
    (net, history)
}

#[test]
fn patience_ends_the_run_with_the_best_weights() {
    let trainer = || Trainer::new(Sgd::new(0.1));
    for monitor in [Monitor::Loss, Monitor::Accuracy] {
        let (net, history) = contradicted(trainer().epochs(50).patience(3).monitor(monitor));
        assert_eq!(history.stopped, Stop::Patience, "{monitor:?}");
        let best = history.best_epoch;
        assert_eq!(history.epochs.len(), best + 3, "{monitor:?}");
        // What the run had when it was at its best.
        let (then, _) = contradicted(trainer().epochs(best));
        assert_eq!(bits(&net), bits(&then), "{monitor:?}");
        let (end, _) = contradicted(trainer().epochs(best + 3));
        assert_ne!(bits(&net), bits(&end), "{monitor:?}");
    }
}

#[test]
fn without_patience_a_run_takes_all_its_epochs() {
    let (_, history) = contradicted(Trainer::new(Sgd::new(0.1)).epochs(12));
    assert_eq!(history.stopped, Stop::Finished);
    let epochs: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(epochs, (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_callback_ends_the_run() {
    let (_, history) =
        contradicted(
            Trainer::new(Sgd::new(0.1))
                .epochs(12)
                .on_epoch(|epoch| match epoch.epoch {
                    4 => Flow::Stop,
                    _ => Flow::Continue,
                }),
        );
    assert_eq!(history.stopped, Stop::Callback);
    assert_eq!(history.epochs.len(), 4);
}

#[test]
fn divergence_is_told_with_its_place() {
    let mut rng = Rng::new(35);
    let inputs = Matrix::from_vec(20, 3, &rng.uniform(60, -1.0, 1.0));
    let targets = Matrix::from_vec(20, 1, &rng.uniform(20, -1.0, 1.0));
    let data = Dataset::values(Inputs::from_matrix(inputs), targets).expect("a data set");
    let mut net = Network::builder(3)
        .dense(5, Activation::Identity)
        .dense(1, Activation::Identity)
        .seed(1)
        .build()
        .expect("a network");
    let before = bits(&net);
    let fault = Trainer::new(Sgd::new(1e20))
        .batch_size(5)
        .epochs(30)
        .fit(&mut net, &data, None)
        .expect_err("no run survives such steps");
    assert_eq!(fault.kind(), Kind::Diverged);
    let text = fault.to_string();
    for word in ["epoch", "step", "layer"] {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    assert_eq!(
        bits(&net),
        before,
        "the network lost the weights it came with"
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let data = greatest_of(10, 3, 2, 36);
    let net = || {
        Network::builder(3)
            .dense(2, Activation::Softmax)
            .build()
            .expect("a network")
    };
    let refused = |mut trainer: Trainer<'_>| {
        let fault = trainer
            .fit(&mut net(), &data, None)
            .expect_err("a bad setting");
        assert_eq!(fault.kind(), Kind::Setting, "{fault}");
    };
    refused(Trainer::new(Sgd::new(-0.1)));
    refused(Trainer::new(Sgd::new(f64::NAN)));
    refused(Trainer::new(Sgd::new(0.1)).batch_size(0));
    refused(Trainer::new(Sgd::new(0.1)).threads(0));
    refused(Trainer::new(Sgd::new(0.1)).l2(-1.0));
    refused(Trainer::new(Sgd::new(0.1)).loss(Loss::BinaryCrossEntropy));
    for network in [
        Network::builder(3).dense(0, Activation::Relu),
        Network::builder(0).dense(2, Activation::Relu),
        Network::builder(3).dropout(1.0).dense(2, Activation::Relu),
        Network::builder(3).dropout(-0.1).dense(2, Activation::Relu),
        Network::builder(3),
    ] {
        let fault = network.build().expect_err("a bad setting");
        assert_eq!(fault.kind(), Kind::Setting, "{fault}");
    }
}

#[test]
fn an_epoch_is_better_by_more_than_the_least_improvement() {
    let (train, valid) = (greatest_of(70, 9, 3, 51), greatest_of(20, 9, 3, 52));
    let run = |min_delta| {
        let mut net = Network::builder(9)
            .dense(19, Activation::Relu)
            .dense(3, Activation::Softmax)
            .build()
            .expect("a network");
        Trainer::new(Sgd::new(0.05))
            .batch_size(16)
            .epochs(40)
            .patience(2)
            .min_delta(min_delta)
            .fit(&mut net, &train, Some(&valid))
    };
    let history = run(0.02).expect("a fit");
    assert_eq!(history.stopped, Stop::Patience);
    let mut best = f64::INFINITY;
    for epoch in &history.epochs {
        let loss = epoch.validation_loss.expect("measured");
        assert_eq!(epoch.best, loss < best - 0.02, "epoch {}", epoch.epoch);
        best = if epoch.best { loss } else { best };
    }
    assert!(history.epochs.len() < run(0.0).expect("a fit").epochs.len());
    let nothing_is_enough = run(1e9).expect("a fit");
    assert_eq!(
        (nothing_is_enough.best_epoch, nothing_is_enough.epochs.len()),
        (1, 3)
    );
    for wrong in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(
            run(wrong).expect_err("no number to compare with").kind(),
            Kind::Setting
        );
    }
}
