//! What a fit learns: step for step what the f64 oracle learns, from every row once, in the order it says.

mod sample;
mod twin;

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::{Init, Loss, Network};
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Reduction, Trainer};
use oracle::optim::{Optimizer as Rule, State};
use oracle::rng::Rng;
use oracle::tolerance::relative_error;
use sample::{bits, greatest_of, names};

#[test]
fn xor_is_learned() {
    let corners = Matrix::from_vec(4, 2, &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    let labels = vec![0, 1, 1, 0];
    let data = Dataset::classes(Inputs::from_matrix(corners), labels.clone(), names(2))
        .expect("a data set");
    for (width, output) in [(1, Activation::Sigmoid), (2, Activation::Softmax)] {
        let mut net = Network::builder(2)
            .dense(8, Activation::Tanh)
            .dense(width, output)
            .seed(1)
            .build()
            .expect("a network");
        let history = Trainer::new(Adam::new(0.05))
            .full_batch()
            .epochs(500)
            .fit(&mut net, &data, None)
            .expect("a fit");
        let last = history.epochs.last().expect("an epoch");
        assert_eq!(last.accuracy, Some(1.0), "{output:?}: loss {}", last.loss);
        assert!(last.loss < 0.05, "{output:?}: loss {}", last.loss);
        let p = net.predict(data.inputs());
        for (r, &label) in labels.iter().enumerate() {
            let row = p.row(r);
            let one = row[row.len() - 1];
            assert_eq!(u32::from(one >= 0.5), label, "{output:?}, row {r}: {row:?}");
        }
    }
}

/// Ten epochs of the core and of the oracle, in file order, batches of `batch`: the losses agree epoch by epoch.
fn ten_losses(
    net: &mut Network,
    data: &Dataset,
    loss: Loss,
    batch: usize,
    optimizer: Optimizer,
    rule: Rule,
) {
    let mut exact = twin::twin(net, loss, 0.0);
    let x = twin::input_rows(data.inputs());
    let y = twin::target_rows(data.targets(), net.outputs());
    let history = Trainer::new(optimizer)
        .loss(loss)
        .batch_size(batch)
        .epochs(10)
        .shuffle(false)
        .fit(net, data, None)
        .expect("a fit");
    assert_eq!(history.epochs.len(), 10);
    let mut states: Vec<[State; 2]> = exact
        .layers
        .iter()
        .map(|layer| [&layer.weight, &layer.bias].map(|w| State::new(rule, w.len())))
        .collect();
    for (e, epoch) in history.epochs.iter().enumerate() {
        // The loss of an epoch is the mean over its rows, each taken before the step of its batch.
        let mut sum = 0.0;
        for (x, y) in x.chunks(batch).zip(y.chunks(batch)) {
            sum += exact.mean_loss(x, y) * x.len() as f64;
            let gradients = exact.gradients(x, y);
            for ((layer, state), gradient) in
                exact.layers.iter_mut().zip(&mut states).zip(&gradients)
            {
                state[0].step(&mut layer.weight, &gradient.d_weight);
                state[1].step(&mut layer.bias, &gradient.d_bias);
            }
        }
        let want = sum / x.len() as f64;
        let error = relative_error(epoch.loss, want, 1e-2);
        assert!(
            error < 1e-4,
            "{rule:?}, batch {batch}, epoch {e}: loss {}, not {want}",
            epoch.loss
        );
    }
}

#[test]
fn ten_losses_are_those_of_the_oracle() {
    let data = greatest_of(43, 6, 4, 31);
    let build = |hidden| {
        Network::builder(6)
            .dense(11, hidden)
            .dense(7, Activation::Sigmoid)
            .dense(4, Activation::Softmax)
            .seed(5)
            .build()
            .expect("a network")
    };
    // One row, a last batch of 3, exactly all, more than all.
    for batch in [1, 8, 43, 100] {
        for hidden in [Activation::Tanh, Activation::Relu, Activation::Gelu] {
            let loss = Loss::CrossEntropy;
            let (optimizer, rule) = (Sgd::new(0.1).into(), Rule::Sgd { lr: 0.1 });
            ten_losses(&mut build(hidden), &data, loss, batch, optimizer, rule);
            let rule = Rule::EmaMomentum { lr: 0.1, beta: 0.9 };
            let optimizer = Optimizer::EmaMomentum { lr: 0.1, beta: 0.9 };
            ten_losses(&mut build(hidden), &data, loss, batch, optimizer, rule);
            let (optimizer, rule) = (
                Adam::new(0.01).into(),
                Rule::Adam {
                    lr: 0.01,
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                },
            );
            ten_losses(&mut build(hidden), &data, loss, batch, optimizer, rule);
        }
    }
}

#[test]
fn values_are_learned_as_the_oracle_learns_them() {
    let mut rng = Rng::new(32);
    let inputs = Matrix::from_vec(30, 3, &rng.uniform(90, -1.0, 1.0));
    let targets = Matrix::from_fn(30, 2, |r, c| inputs.row(r)[c] * inputs.row(r)[2]);
    let data = Dataset::values(Inputs::from_matrix(inputs), targets).expect("a data set");
    for loss in [
        Loss::Mse,
        Loss::HalfSquaredError,
        Loss::Mae,
        Loss::Huber(0.2),
    ] {
        let mut net = Network::builder(3)
            .dense(9, Activation::Silu)
            .dense(2, Activation::Identity)
            .seed(6)
            .build()
            .expect("a network");
        let rule = Rule::Sgd { lr: 0.05 };
        ten_losses(&mut net, &data, loss, 7, Sgd::new(0.05).into(), rule);
    }
}

#[test]
fn every_row_is_taken_once_an_epoch() {
    // Row r has a one in column r, so that its gradient reaches weight r alone: from zero, a weight is lr * 2 after its
    // row was taken once.
    let rows = 23;
    let data = || {
        let ones = Matrix::from_fn(rows, rows, |r, c| f32::from(u8::from(r == c)));
        Dataset::values(
            Inputs::from_matrix(ones),
            Matrix::from_fn(rows, 1, |_, _| 1.0),
        )
        .expect("a data set")
    };
    for shuffle in [false, true] {
        let mut net = Network::builder(rows)
            .dense_no_bias(1, Activation::Identity)
            .init(Init::Zeros)
            .build()
            .expect("a network");
        let mut seen = Vec::new();
        let _ = Trainer::new(Sgd::new(0.125))
            .reduction(Reduction::Sum)
            .batch_size(5)
            .epochs(1)
            .shuffle(shuffle)
            .on_step(|step| seen.push((step.step, step.steps, step.rows_done, step.rows)))
            .fit(&mut net, &data(), None)
            .expect("a fit");
        assert_eq!(net.layers()[0].weight().to_vec(), vec![0.25; rows]);
        assert_eq!(
            seen,
            [
                (1, 5, 5, 23),
                (2, 5, 10, 23),
                (3, 5, 15, 23),
                (4, 5, 20, 23),
                (5, 5, 23, 23)
            ]
        );
    }
}

#[test]
fn seeds_decide_and_nothing_else_does() {
    let data = greatest_of(60, 5, 3, 33);
    let fit = |net_seed, seed, shuffle| {
        let mut net = Network::builder(5)
            .dense(6, Activation::Relu)
            .dropout(0.3)
            .dense(3, Activation::Softmax)
            .seed(net_seed)
            .build()
            .expect("a network");
        let _ = Trainer::new(Adam::new(0.01))
            .batch_size(8)
            .epochs(3)
            .seed(seed)
            .shuffle(shuffle)
            .fit(&mut net, &data, None)
            .expect("a fit");
        bits(&net)
    };
    let first = fit(1, 1, true);
    assert_eq!(first, fit(1, 1, true));
    assert_ne!(first, fit(2, 1, true));
    assert_ne!(first, fit(1, 2, true));
    assert_ne!(first, fit(1, 1, false));
}

#[test]
fn dropout_is_scaled_in_both_passes() {
    // With W1 the identity, W2 all ones and one row of ones, the derivatives of W2 show each unit's mask as the forward
    // pass had it, those of W1 the same mask as the backward pass had it: 0 or 1 / (1 - 0.25).
    let units = 400;
    let data = Dataset::values(
        Inputs::from_matrix(Matrix::from_fn(1, units, |_, _| 1.0)),
        Matrix::zeros(1, 1),
    )
    .expect("a data set");
    let mut net = Network::builder(units)
        .dense_no_bias(units, Activation::Identity)
        .dropout(0.25)
        .dense_no_bias(1, Activation::Identity)
        .build()
        .expect("a network");
    net.set_weight(
        0,
        &Matrix::from_fn(units, units, |o, i| f32::from(u8::from(o == i))),
    );
    net.set_weight(1, &Matrix::from_fn(1, units, |_, _| 1.0));
    let kept = 1.0 / 0.75;
    let _ = Trainer::new(Sgd::new(2.0_f64.powi(-12)))
        .full_batch()
        .epochs(1)
        .fit(&mut net, &data, None)
        .expect("one step");
    let lr = 2.0_f64.powi(-12);
    let last = net.layers()[1].weight().to_vec();
    // y = sum of the kept units' 4/3, dL/dy = 2 y; each unit that was kept moved its weight by lr 2 y 4/3.
    let count = last.iter().filter(|&&w| w != 1.0).count();
    let d = 2.0 * count as f64 * kept;
    for (u, &w) in last.iter().enumerate() {
        let moved = (1.0 - f64::from(w)) / lr;
        let is_kept = w != 1.0;
        if is_kept {
            assert!(
                relative_error(moved, d * kept, 1.0) < 1e-3,
                "unit {u}: {moved}"
            );
        }
        let first = net.layers()[0].weight();
        let back = (1.0 - f64::from(first.row(u)[u])) / lr;
        let want = if is_kept { d * kept } else { 0.0 };
        assert!(
            relative_error(back, want, 1.0) < 1e-3,
            "unit {u}: {back}, not {want}"
        );
    }
    // 300 of 400 are kept, give or take five standard deviations of 8.7.
    assert!(
        (257..=343).contains(&count),
        "{count} of {units} units were kept"
    );
    // Prediction drops nothing.
    let mut whole = Network::builder(units)
        .dropout(0.25)
        .dense_no_bias(1, Activation::Identity)
        .build()
        .expect("a network");
    whole.set_weight(0, &Matrix::from_fn(1, units, |_, _| 1.0));
    assert_eq!(whole.predict(data.inputs()).row(0), [units as f32]);
}

/// Plain descent on one row has kernels of its own; the heavy ball without momentum is the same rule by those of all others.
#[test]
fn a_step_on_one_row_is_a_step_like_others() {
    let mut rng = Rng::new(17);
    let (rows, cols) = (40, 37);
    let dense = Matrix::from_vec(rows, cols, &rng.uniform(rows * cols, -1.0, 1.0));
    let mut sparse = dense.clone();
    for r in 0..rows {
        for (c, x) in sparse.row_mut(r).iter_mut().enumerate() {
            *x *= f32::from((r + c / 2).is_multiple_of(4));
        }
    }
    for inputs in [dense, sparse] {
        let data = Dataset::classes(inputs.into(), rng.labels(rows, 3), names(3));
        let data = data.expect("a data set");
        for threads in [1, 2] {
            let fit = |optimizer: Optimizer| {
                let mut net = Network::builder(cols)
                    .dense(50, Activation::Tanh)
                    .dense(19, Activation::Relu)
                    .dense(3, Activation::Softmax)
                    .build()
                    .expect("a network");
                Trainer::new(optimizer)
                    .batch_size(1)
                    .epochs(2)
                    .threads_exactly(threads)
                    .fit(&mut net, &data, None)
                    .expect("a fit");
                bits(&net)
            };
            let lr = 0.1;
            let want = fit(Optimizer::Momentum { lr, momentum: 0.0 });
            assert!(fit(Optimizer::Sgd { lr }) == want, "{threads} threads");
        }
    }
}
