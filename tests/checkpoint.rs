//! Promise: a run that is stopped anywhere and goes on from its checkpoint ends with the bits of one that never stopped,
//! whatever the threads and the instruction set before and after.

mod interruption;
mod sample;

use std::thread::sleep;
use std::time::{Duration, Instant};

use interruption::{data, network, whole};
use mlp_core::dataset::Dataset;
use mlp_core::nn::{Init, Network};
use mlp_core::optim::{Adam, AdamW, Optimizer, RmsProp, Sgd};
use mlp_core::rng::LegacyRandom;
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Every, History, Schedule, Stop, Trainer};
use mlp_core::{Isa, Kind};
use sample::{bits, greatest_of};

/// All that a run leaves behind, but for the clock.
fn outcome(net: &Network, history: &History) -> (Vec<u32>, Vec<Vec<u64>>, usize, Stop) {
    let or = |share: Option<f64>| share.map_or(u64::MAX, f64::to_bits);
    let epoch = |epoch: &mlp_core::Epoch| {
        vec![
            epoch.epoch as u64,
            epoch.epochs as u64,
            epoch.loss.to_bits(),
            or(epoch.accuracy),
            or(epoch.validation_loss),
            or(epoch.validation_accuracy),
            u64::from(epoch.best),
        ]
    };
    let epochs = history.epochs.iter().map(epoch).collect();
    (bits(net), epochs, history.best_epoch, history.stopped)
}

#[test]
fn a_run_goes_on_from_every_step_with_the_same_bits() {
    let (train, validation) = data();
    let optimizers: [Optimizer; 5] = [
        Sgd::new(0.1).into(),
        Sgd::new(0.03).nesterov(0.9).into(),
        RmsProp::new(1e-3).into(),
        Adam::new(1e-2).into(),
        AdamW::new(1e-2).into(),
    ];
    for (case, optimizer) in optimizers.into_iter().enumerate() {
        let trainer = || {
            let trainer = Trainer::new(optimizer)
                .batch_size(16)
                .epochs(4)
                .seed(3)
                .shuffle(case != 1)
                .l2(1e-3);
            match case % 2 {
                0 => trainer.schedule(Schedule::Linear),
                _ => trainer.patience(2),
            }
        };
        let (run, checkpoints) = whole(trainer().threads_exactly(2), (&train, &validation));
        let want = outcome(&run.0, &run.1);
        assert_eq!(checkpoints.len(), 5 * run.1.epochs.len() + 1);
        for (at, checkpoint) in checkpoints.iter().enumerate() {
            let isas: Vec<Isa> = Isa::available();
            let mut net = network(99, isas[at % isas.len()]);
            let mut last = None;
            let history = trainer()
                .threads_exactly(1 + at % 3)
                .resume(checkpoint.clone())
                .checkpoints(Every::Run, |checkpoint| last = Some(checkpoint.clone()))
                .fit(&mut net, &train, Some(&validation))
                .expect("the run goes on");
            assert!(
                outcome(&net, &history) == want,
                "{optimizer:?} {checkpoint}"
            );
            let (last, end) = (
                last.expect("one at the end"),
                &checkpoints[checkpoints.len() - 1],
            );
            assert!(
                last.layers == end.layers && last.finished,
                "{optimizer:?} {checkpoint}"
            );
            assert!(history.seconds >= checkpoint.seconds);
        }
    }
}

#[test]
fn batches_of_several_parts_go_on_too() {
    // More rows a step than a block of the reduction has.
    let (train, validation) = (greatest_of(1300, 9, 3, 53), greatest_of(20, 9, 3, 52));
    let trainer = || Trainer::new(Adam::new(1e-2)).batch_size(600).epochs(2);
    let (run, checkpoints) = whole(trainer(), (&train, &validation));
    assert_eq!(checkpoints.len(), 7);
    for checkpoint in checkpoints {
        let mut net = network(99, Isa::SCALAR);
        let name = checkpoint.to_string();
        let history = trainer()
            .resume(checkpoint)
            .fit(&mut net, &train, Some(&validation))
            .expect("the run goes on");
        assert!(outcome(&net, &history) == outcome(&run.0, &run.1), "{name}");
    }
}

#[test]
fn a_batch_of_several_parts_is_stopped_as_a_whole() {
    let (train, validation) = (greatest_of(1300, 9, 3, 53), greatest_of(20, 9, 3, 52));
    let trainer = || Trainer::new(Adam::new(1e-2)).batch_size(1024).epochs(2);
    let (run, _) = whole(trainer(), (&train, &validation));
    for asked in 1..6 {
        let (mut calls, mut stopped) = (0, None);
        trainer()
            .checkpoints(Every::Run, |checkpoint| stopped = Some(checkpoint.clone()))
            .stop_when(|| {
                calls += 1;
                calls == asked
            })
            .fit(&mut network(1, Isa::SCALAR), &train, Some(&validation))
            .expect("a fit");
        let mut net = network(99, Isa::SCALAR);
        let history = trainer()
            .resume(stopped.expect("a checkpoint"))
            .fit(&mut net, &train, Some(&validation))
            .expect("the run goes on");
        assert!(
            outcome(&net, &history) == outcome(&run.0, &run.1),
            "call {asked}"
        );
    }
}

#[test]
fn a_generator_with_a_stream_draws_again_what_it_drew() {
    let (train, validation) = data();
    let trainer = || {
        Trainer::new(Adam::new(1e-2))
            .batch_size(16)
            .epochs(3)
            .drop_last(true)
    };
    let mut random = LegacyRandom::new(7);
    let (run, checkpoints) = whole(trainer().legacy_random(&mut random), (&train, &validation));
    assert_eq!(checkpoints.len(), 13);
    for checkpoint in checkpoints {
        let (mut net, mut again) = (network(99, Isa::SCALAR), LegacyRandom::new(7));
        let name = checkpoint.to_string();
        let history = trainer()
            .legacy_random(&mut again)
            .resume(checkpoint)
            .fit(&mut net, &train, Some(&validation))
            .expect("the run goes on");
        assert!(outcome(&net, &history) == outcome(&run.0, &run.1), "{name}");
        // Unless nothing was left to be drawn, the generator too is where it would have been.
        assert!(
            again == random || name.starts_with("after epoch 3 of 3"),
            "{name}"
        );
    }
}

#[test]
fn a_run_stopped_in_a_step_says_where_and_goes_on() {
    let (train, validation) = data();
    let trainer = || {
        Trainer::new(Adam::new(1e-2))
            .batch_size(16)
            .epochs(3)
            .patience(1)
    };
    let (run, _) = whole(trainer(), (&train, &validation));
    let want = outcome(&run.0, &run.1);
    // Asked once in each of five steps, once before the rows held out are measured, and once after every epoch.
    for asked in 0..21 {
        let mut left = asked;
        let (mut stopped, mut count) = (None, 0);
        let mut net = network(1, Isa::SCALAR);
        let history = trainer()
            .threads_exactly(3)
            .checkpoints(Every::Run, |checkpoint| {
                count += 1;
                stopped = Some(checkpoint.clone());
            })
            .stop_when(|| {
                left -= 1;
                left < 0
            })
            .fit(&mut net, &train, Some(&validation))
            .expect("a fit");
        let checkpoint = stopped.expect("a checkpoint");
        assert_eq!(count, 1);
        let (epochs, asked) = (asked as usize / 7, asked as usize % 7);
        let steps = if asked == 6 { 0 } else { 5.min(asked + 1) };
        if history.stopped == Stop::Callback {
            let done = epochs + usize::from(steps == 0);
            assert_eq!((history.epochs.len(), checkpoint.epoch), (done, done + 1));
            assert_eq!((checkpoint.step, checkpoint.finished), (steps, false));
        } else {
            assert!(
                checkpoint.finished && history == run.1
                    || history.epochs.len() == run.1.epochs.len()
            );
        }
        let mut net = network(99, Isa::SCALAR);
        let history = trainer()
            .resume(checkpoint)
            .fit(&mut net, &train, Some(&validation))
            .expect("the run goes on");
        assert!(outcome(&net, &history) == want, "asked {asked} times");
    }
}

#[test]
fn checkpoints_come_when_they_are_due() {
    let (train, validation) = data();
    let of = |every| {
        let mut at = Vec::new();
        Trainer::new(Sgd::new(0.1))
            .batch_size(16)
            .epochs(4)
            .checkpoints(every, |checkpoint| {
                at.push((checkpoint.epoch, checkpoint.step));
            })
            .fit(&mut network(1, Isa::SCALAR), &train, Some(&validation))
            .expect("a fit");
        at
    };
    assert_eq!(of(Every::Epochs(1)), [(2, 0), (3, 0), (4, 0), (5, 0)]);
    assert_eq!(of(Every::Epochs(3)), [(4, 0), (5, 0)]);
    assert_eq!(of(Every::Steps(7)), [(2, 2), (3, 4), (5, 0)]);
    assert_eq!(of(Every::Run), [(5, 0)]);
    assert_eq!(of(Every::Seconds(3600.0)), [(5, 0)]);
    assert_eq!(of(Every::Seconds(1e-9)).len(), 21);
    for every in [
        Every::Epochs(0),
        Every::Steps(0),
        Every::Seconds(0.0),
        Every::Seconds(f64::NAN),
    ] {
        let fault = Trainer::new(Sgd::new(0.1))
            .checkpoints(every, |_| {})
            .fit(&mut network(1, Isa::SCALAR), &train, None)
            .expect_err("never");
        assert_eq!(fault.kind(), Kind::Setting);
    }
}

#[test]
fn between_checkpoints_there_are_as_many_seconds_as_asked_for() {
    let (train, validation) = data();
    let (seconds, begin, mut count) = (0.05, Instant::now(), 0);
    Trainer::new(Sgd::new(0.1))
        .batch_size(16)
        .epochs(4)
        .on_step(|step| {
            if (step.epoch, step.step) == (1, 1) {
                sleep(Duration::from_secs_f64(1.2 * seconds));
            }
        })
        .checkpoints(Every::Seconds(seconds), |_| count += 1)
        .fit(&mut network(1, Isa::SCALAR), &train, Some(&validation))
        .expect("a fit");
    // One after the first step, and one more at the end, whenever that is.
    let most = begin.elapsed().as_secs_f64() / seconds + 1.0;
    assert!(count >= 2 && f64::from(count) <= most, "{count}");
}

#[test]
fn more_epochs_are_a_longer_run_under_a_constant_schedule_only() {
    let (train, validation) = data();
    let trainer = |epochs| {
        Trainer::new(Adam::new(1e-2))
            .batch_size(16)
            .epochs(epochs)
            .patience(4)
    };
    let (_, checkpoints) = whole(trainer(3), (&train, &validation));
    let (longer, _) = whole(trainer(6), (&train, &validation));
    let go_on = |trainer: Trainer<'_>, at: usize| {
        let mut net = network(99, Isa::SCALAR);
        let history =
            trainer
                .resume(checkpoints[at].clone())
                .fit(&mut net, &train, Some(&validation));
        history.map(|history| (net, history))
    };
    for at in [2, 7, 14, 15] {
        let (net, history) = go_on(trainer(6), at).expect("a longer run");
        assert!(
            outcome(&net, &history) == outcome(&longer.0, &longer.1),
            "{at}"
        );
    }
    // Fewer, if they are not over: the third checkpoint is in the first epoch.
    assert_eq!(
        go_on(trainer(1), 2).expect("a shorter run").1.epochs.len(),
        1
    );
    let fault = go_on(trainer(1), 7).expect_err("the second epoch has begun");
    assert_eq!(
        fault.to_string(),
        "the run it holds has come to epoch 2 already, this one has 1 epochs"
    );

    let linear = |epochs| trainer(epochs).schedule(Schedule::Linear);
    let (_, checkpoints) = whole(linear(3), (&train, &validation));
    let fault = linear(6)
        .resume(checkpoints[2].clone())
        .fit(&mut network(1, Isa::SCALAR), &train, Some(&validation))
        .expect_err("another slope");
    assert_eq!(fault.kind(), Kind::Checkpoint);
    assert!(
        fault
            .to_string()
            .contains("3 epochs, this one 6: under the linear schedule"),
        "{fault}"
    );
}

#[test]
fn a_run_that_diverges_hands_out_no_ruined_weights() {
    let (train, _) = data();
    let mut net = Network::builder(9)
        .dense(5, Activation::Identity)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a network");
    let mut count = 0;
    let result = Trainer::new(Sgd::new(1e30))
        .batch_size(16)
        .checkpoints(Every::Steps(1), |checkpoint| {
            count += 1;
            let values = checkpoint
                .layers
                .iter()
                .flat_map(|layer| &layer.weight.value);
            assert!(values.into_iter().all(|x| x.is_finite()), "{checkpoint}");
            assert!(!checkpoint.finished);
        })
        .fit(&mut net, &train, None);
    assert_eq!(
        result.expect_err("no run survives this").kind(),
        Kind::Diverged
    );
    assert!(count < 5, "{count} checkpoints");
}

#[test]
fn a_last_step_to_nowhere_is_no_result() {
    // The derivative is -2000, and 2e41 is no f32.
    let one = |x: f32| Matrix::from_vec(1, 1, &[x]);
    let data = Dataset::values(one(1.0).into(), one(1000.0)).expect("a data set");
    let mut net = Network::builder(1)
        .dense(1, Activation::Identity)
        .init(Init::Zeros)
        .build()
        .expect("a network");
    let before = bits(&net);
    let fault = Trainer::new(Sgd::new(1e38))
        .epochs(1)
        .checkpoints(Every::Steps(1), |checkpoint| panic!("{checkpoint}"))
        .fit(&mut net, &data, None)
        .expect_err("no finite weights");
    assert_eq!((fault.kind(), bits(&net)), (Kind::Diverged, before));
}
