//! The learning rate of every step: over the run, in each layer, and of the decay that goes with it.

use mlp_core::dataset::Dataset;
use mlp_core::nn::{Init, Loss, Network};
use mlp_core::train::{Every, Flow, Schedule, Trainer};
use mlp_core::{Activation, AdamW, Matrix, Sgd};

/// The weight and the bias after each step of two epochs of ten rows, four a step, from `start` on. All derivatives are -1:
/// the absolute error of targets that are far away.
fn path(trainer: Trainer<'_>, start: f64) -> Vec<[f32; 2]> {
    let all = |x: f32| Matrix::from_fn(10, 1, |_, _| x);
    let data = Dataset::values(all(1.0).into(), all(1e6)).expect("a data set");
    let mut net = Network::builder(1)
        .dense(1, Activation::Identity)
        .init(Init::Constant(start))
        .bias_init(Init::Constant(start))
        .build()
        .expect("a network");
    let mut after = Vec::new();
    trainer
        .loss(Loss::Mae)
        .batch_size(4)
        .epochs(2)
        .checkpoints(Every::Steps(1), |checkpoint| {
            let layer = &checkpoint.layers[0];
            let bias = layer.bias.as_ref().expect("a bias");
            after.push([layer.weight.value[0], bias.value[0]]);
        })
        .fit(&mut net, &data, None)
        .expect("a fit");
    assert!(after.len() == 7 && after[5] == after[6], "one at the end");
    after.truncate(6);
    after
}

#[test]
fn the_linear_schedule_counts_the_steps_of_all_batches() {
    // Three steps an epoch, the last of two rows: the shares are 6/6, 5/6, .. 1/6.
    let linear = Trainer::new(Sgd::new(6.0)).schedule(Schedule::Linear);
    let want = [6.0, 11.0, 15.0, 18.0, 20.0, 21.0].map(|w| [w, w]);
    assert_eq!(path(linear, 0.0), want);
    let constant = Trainer::new(Sgd::new(6.0));
    let want = [6.0, 12.0, 18.0, 24.0, 30.0, 36.0].map(|w| [w, w]);
    assert_eq!(path(constant, 0.0), want);
}

#[test]
fn decay_beside_the_gradient_goes_with_the_rate() {
    let (lr, decay) = (0.1, 0.5);
    for schedule in [Schedule::Constant, Schedule::Linear] {
        for rate in [1.0, 0.25, 0.0] {
            let trainer = Trainer::new(AdamW::new(lr).weight_decay(decay))
                .schedule(schedule)
                .layer_rates(&[rate]);
            let mut exact = 1.0;
            for (t, found) in path(trainer, 1.0).into_iter().enumerate() {
                let share = match schedule {
                    Schedule::Constant => 1.0,
                    Schedule::Linear => 1.0 - t as f64 / 6.0,
                };
                // Of derivatives that are all the same, Adam's mean over its root is their sign.
                let lr = lr * share * rate;
                exact = exact * (1.0 - lr * decay) + lr;
                for w in found {
                    // Some roundings a step, of numbers below 2.
                    let error = (f64::from(w) - exact).abs();
                    assert!(error < 2e-6, "{schedule:?}, rate {rate}, step {t}: {w}");
                }
            }
        }
    }
}

#[test]
fn a_schedule_goes_over_any_number_of_epochs() {
    let inputs = Matrix::from_fn(4, 1, |r, _| r as f32);
    let data = Dataset::values(inputs.clone().into(), inputs).expect("a data set");
    let mut net = Network::builder(1)
        .dense(1, Activation::Identity)
        .init(Init::Zeros)
        .build()
        .expect("a network");
    let trainer = Trainer::new(Sgd::new(0.1)).schedule(Schedule::Linear);
    let history = trainer
        .epochs(1 << (usize::BITS - 1))
        .batch_size(2)
        .on_epoch(|epoch| match epoch.epoch {
            2 => Flow::Stop,
            _ => Flow::Continue,
        })
        .fit(&mut net, &data, None)
        .expect("a fit");
    assert!(history.epochs[1].loss < history.epochs[0].loss);
}
