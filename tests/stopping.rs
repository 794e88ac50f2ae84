//! How a fit ends: after its epochs, at the end of its patience with the best weights, when told to, or with an error that says
//! where the numbers blew up or which setting is wrong.

mod sample;

use std::cell::Cell;

use mlp_core::Kind;
use mlp_core::dataset::{Dataset, Targets};
use mlp_core::nn::{Loss, Network};
use mlp_core::optim::Sgd;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Epoch, Flow, History, Monitor, Stop, Trainer};
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
fn the_best_epoch_is_that_of_the_rows_held_out() {
    let train = greatest_of(50, 4, 2, 34);
    // Labels that nothing leads to: what is learned is neither better nor worse for them.
    let noise = Rng::new(37).labels(50, 2);
    let valid = Dataset::classes(train.inputs().clone(), noise, names(2)).expect("a data set");
    for monitor in [Monitor::Loss, Monitor::Accuracy] {
        let mut net = Network::builder(4)
            .dense(8, Activation::Tanh)
            .dense(2, Activation::Softmax)
            .build()
            .expect("a network");
        let history = Trainer::new(Sgd::new(1.0))
            .batch_size(10)
            .epochs(30)
            .monitor(monitor)
            .fit(&mut net, &train, Some(&valid))
            .expect("a fit");
        let of_validation = |epoch: &Epoch| match monitor {
            Monitor::Loss => -epoch.validation_loss.expect("measured"),
            Monitor::Accuracy => epoch.validation_accuracy.expect("of classes"),
        };
        let of_training = |epoch: &Epoch| match monitor {
            Monitor::Loss => -epoch.loss,
            Monitor::Accuracy => epoch.accuracy.expect("of classes"),
        };
        // The first of the best.
        let best = |score: &dyn Fn(&Epoch) -> f64| {
            let first = history.epochs.iter().rev();
            let first = first.max_by(|a, b| score(a).total_cmp(&score(b)));
            first.map(|epoch| epoch.epoch)
        };
        assert_eq!(
            Some(history.best_epoch),
            best(&of_validation),
            "{monitor:?}"
        );
        assert_ne!(best(&of_validation), best(&of_training), "{monitor:?}");
    }
}

#[test]
fn an_epoch_as_good_as_the_best_is_not_better() {
    for monitor in [Monitor::Loss, Monitor::Accuracy] {
        let still = || Trainer::new(Sgd::new(0.0)).patience(2).monitor(monitor);
        let (_, history) = contradicted(still().epochs(9));
        assert_eq!(history.stopped, Stop::Patience, "{monitor:?}");
        assert_eq!((history.best_epoch, history.epochs.len()), (1, 3));
        // Where the patience ends with the run, nothing was cut short.
        let (_, history) = contradicted(still().epochs(3));
        assert_eq!(history.stopped, Stop::Finished, "{monitor:?}");
        assert_eq!((history.best_epoch, history.epochs.len()), (1, 3));
    }
}

#[test]
fn a_stop_by_the_callback_keeps_the_best_weights_too() {
    let mut best = 0;
    let trainer = Trainer::new(Sgd::new(0.1)).epochs(50).patience(9);
    let (net, history) = contradicted(trainer.on_epoch(|epoch| {
        best = if epoch.best { epoch.epoch } else { best };
        match epoch.epoch - best {
            2 => Flow::Stop,
            _ => Flow::Continue,
        }
    }));
    assert_eq!(history.stopped, Stop::Callback);
    assert_eq!(history.epochs.len(), history.best_epoch + 2);
    let (then, _) = contradicted(Trainer::new(Sgd::new(0.1)).epochs(history.best_epoch));
    assert_eq!(bits(&net), bits(&then));
}

#[test]
fn a_stop_at_the_last_epoch_is_the_end() {
    let trainer = || Trainer::new(Sgd::new(0.1)).epochs(4);
    let (_, history) = contradicted(trainer().on_epoch(|epoch| match epoch.epoch {
        4 => Flow::Stop,
        _ => Flow::Continue,
    }));
    assert_eq!((history.stopped, history.epochs.len()), (Stop::Finished, 4));
    let over = Cell::new(false);
    let asked = trainer().on_epoch(|epoch| over.set(epoch.epoch == 4));
    let (_, history) = contradicted(asked.stop_when(|| over.get()));
    assert_eq!((history.stopped, history.epochs.len()), (Stop::Finished, 4));
}

#[test]
fn without_patience_a_run_takes_all_its_epochs() {
    let (_, history) = contradicted(Trainer::new(Sgd::new(0.1)).epochs(12));
    assert_eq!(history.stopped, Stop::Finished);
    let epochs: Vec<usize> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(epochs, (1..=12).collect::<Vec<_>>());
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

/// A fit, row by row in their order, of a chain of layers of one unit with these weights; all inputs and targets are single
/// numbers, those of `validation` inputs with the target 0.
fn chain(weights: &[f32], lr: f64, rows: &[[f32; 2]], validation: &[f32]) -> String {
    let column = |numbers: Vec<f32>| Matrix::from_vec(numbers.len(), 1, &numbers);
    let set = |inputs: Vec<f32>, targets: Vec<f32>| {
        Dataset::values(column(inputs).into(), column(targets)).expect("a data set")
    };
    let train = set(
        rows.iter().map(|row| row[0]).collect(),
        rows.iter().map(|row| row[1]).collect(),
    );
    let valid = set(validation.to_vec(), vec![0.0; validation.len()]);
    let mut net = Network::builder(1);
    for _ in weights {
        net = net.dense(1, Activation::Identity);
    }
    let mut net = net.build().expect("a network");
    for (l, &weight) in weights.iter().enumerate() {
        net.set_weight(l, &column(vec![weight]));
    }
    let before = bits(&net);
    let fault = Trainer::new(Sgd::new(lr))
        .loss(Loss::SquaredError)
        .batch_size(1)
        .epochs(1)
        .shuffle(false)
        .fit(&mut net, &train, (!valid.is_empty()).then_some(&valid))
        .expect_err("numbers that no f32 holds");
    assert_eq!(fault.kind(), Kind::Diverged);
    assert_eq!(bits(&net), before, "what the network came with is kept");
    fault.to_string()
}

#[test]
fn what_diverged_is_told() {
    let nothing = [0.0, 0.0];
    let ones = [1.0; 3];
    for (told, place, part) in [
        (
            chain(&[1e20, 1e20, 1e20], 0.1, &[nothing, [1.0, 0.0]], &[]),
            "step 2",
            "outputs of layer 2",
        ),
        (
            chain(&ones, 0.1, &[nothing, nothing, [1e30, 0.0]], &[]),
            "step 3",
            "though the outputs of all layers are",
        ),
        (
            // A first step that changes all weights and biases.
            chain(&ones, 0.1, &[[1.0, 0.5], nothing], &[1.0, 1e30]),
            "step 2",
            "the validation loss",
        ),
        // A derivative of 2000 by the second weight, of nothing by the first.
        (
            chain(&[1.0, 0.0], 1e38, &[[1.0, 1000.0]], &[]),
            "step 1",
            "weights of layer 2",
        ),
    ] {
        let place = format!("diverged in epoch 1, {place}: ");
        assert!(told.contains(&place) && told.contains(part), "{told}");
    }
}
