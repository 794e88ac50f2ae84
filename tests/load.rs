//! Promise: one process can fit as often, as much at once and as unluckily as it likes. Ten thousand fits leave nothing
//! behind, sixteen at once are sixteen alone, and a callback's panic spoils no later fit.
//!
//! Ten million rows train within the memory that is stated at [`memory`]:
//! `cargo test --release --package mlp-tests --test load -- --ignored --nocapture`

mod sample;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Barrier;

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::Network;
use mlp_core::optim::{Adam, Sgd};
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::{Matrix, padded};
use mlp_core::train::{Flow, Trainer};
use oracle::meter::{self, Meter};
use oracle::rng::Rng;
use sample::{bits, greatest_of};

#[global_allocator]
static ALLOCATOR: Meter = Meter;

/// What the test harness itself may take while a test runs: less than a byte for each of ten thousand fits, and less than
/// one network with its batch.
const SLACK: usize = 2000;

fn network(seed: u64) -> Network {
    Network::builder(6)
        .dense(9, Activation::Relu)
        .dropout(0.2)
        .dense(4, Activation::Softmax)
        .seed(seed)
        .build()
        .expect("a network")
}

/// The bits of a fit of that seed.
fn fit(data: &Dataset, seed: u64, threads: usize) -> Vec<u32> {
    let mut net = network(seed);
    let trainer = Trainer::new(Adam::new(0.01)).seed(seed);
    let _ = { trainer }
        .epochs(2)
        .batch_size(8)
        .threads_exactly(threads)
        .fit(&mut net, data, None)
        .expect("a fit");
    bits(&net)
}

/// The numbers of the lines of `/proc/self/status` that begin so, in bytes.
fn status(name: &str) -> Option<usize> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

// One test: the allocator counts for the whole process, in which no other test may run.
#[test]
fn fits_leave_nothing_behind_and_do_not_disturb_each_other() {
    let data = greatest_of(24, 6, 4, 1);
    let alone: Vec<_> = (0..16).map(|seed| fit(&data, seed, 2)).collect();
    // The harness may still be busy with the test that is left out: a block of its messages is 11 KB. It has the time of
    // two thousand fits.
    for round in 0..2000 {
        fit(&data, round % 16, 1);
    }

    // Ten thousand fits.
    let (held, resident) = (meter::held(), status("VmRSS"));
    for round in 0..10_000 {
        let threads = if round % 100 == 0 { 2 } else { 1 };
        let bits = fit(&data, round % 16, threads);
        assert_eq!(bits, alone[round as usize % 16], "fit {round}");
    }
    let left = meter::held();
    assert!(
        left < held + SLACK,
        "{left} bytes are held after 10 000 fits, {held} before"
    );
    if let (Some(before), Some(after)) = (resident, status("VmRSS")) {
        let grown = after.saturating_sub(before) >> 20;
        assert!(grown < 32, "the process grew by {grown} MiB in 10 000 fits");
    }

    // Sixteen at once, of two threads each.
    let start = Barrier::new(16);
    let together: Vec<_> = std::thread::scope(|scope| {
        let fits: Vec<_> = (0..16)
            .map(|seed| {
                let (data, start) = (&data, &start);
                scope.spawn(move || {
                    start.wait();
                    (0..20).map(|_| fit(data, seed, 2)).collect::<Vec<_>>()
                })
            })
            .collect();
        let results = fits.into_iter().map(|fit| fit.join().expect("a fit"));
        results.collect()
    });
    for (seed, (runs, alone)) in together.iter().zip(&alone).enumerate() {
        assert!(runs.iter().all(|run| run == alone), "seed {seed}");
    }

    // A callback that panics: in a step, after an epoch, on one thread and on three.
    let hook = take_hook();
    // Without the backtrace, whose tables stay in memory.
    set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref() != Some(&"on purpose") {
            eprintln!("{panic}");
        }
    }));
    let held = meter::held();
    for threads in [1, 3] {
        for in_step in [true, false] {
            let mut net = network(3);
            let before = bits(&net);
            let fit_and_panic = || {
                let _ = Trainer::new(Sgd::new(0.1))
                    .epochs(3)
                    .batch_size(8)
                    .threads_exactly(threads)
                    .on_step(|step| assert!(!(in_step && step.step == 2), "on purpose"))
                    .on_epoch(|epoch| {
                        assert!(in_step || epoch.epoch < 2, "on purpose");
                        Flow::Continue
                    })
                    .fit(&mut net, &data, None);
            };
            let panic = catch_unwind(AssertUnwindSafe(fit_and_panic));
            let panic = panic.expect_err("the callback panics");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
            drop(panic);
            // The network is as it came, can predict, and can be trained.
            assert_eq!(
                bits(&net),
                before,
                "{threads} threads, in a step: {in_step}"
            );
            assert_eq!(net.predict(data.inputs()).rows(), data.len());
            let mut fresh = network(3);
            for net in [&mut net, &mut fresh] {
                let trainer = Trainer::new(Sgd::new(0.1)).epochs(2);
                let history = { trainer }
                    .threads_exactly(threads)
                    .fit(net, &data, None)
                    .expect("a fit after a panic");
                assert_eq!(history.epochs.len(), 2);
            }
            assert_eq!(bits(&net), bits(&fresh));
        }
    }
    let left = meter::held();
    set_hook(hook);
    assert!(
        left < held + SLACK,
        "{left} bytes are held after the panics, {held} before"
    );
}

/// What a process that fits may hold at most, in bytes: for each row its inputs (one byte a column where all are bytes, else
/// four a column, the columns rounded up to sixteen), its label (4) and its place in the order of the epoch (4); and beside
/// them what does not grow with the rows: the network with its optimiser, a batch for each thread, the program (64 MiB).
fn memory(rows: usize, inputs_of_a_row: usize) -> usize {
    rows * (inputs_of_a_row + 4 + 4) + (64 << 20)
}

#[test]
#[ignore = "takes a minute and a gigabyte"]
fn ten_million_rows_train_within_the_stated_memory() {
    const ROWS: usize = 10_000_000;
    const COLS: usize = 20;
    let peak = || status("VmHWM").expect("a system that tells the peak of a process");
    let mut rng = Rng::new(5);
    let labels: Vec<u32> = (0..ROWS).map(|_| rng.below(2) as u32).collect();
    // Bytes first: the peak of a process never falls.
    let bytes: Vec<u8> = (0..ROWS * COLS)
        .map(|i| (labels[i / COLS] * 20) as u8 + (rng.below(200)) as u8)
        .collect();
    let names = || vec!["no".to_owned(), "yes".to_owned()];
    let inputs = Inputs::from_bytes(bytes, ROWS, COLS).expect("a table");
    let data = Dataset::classes(inputs, labels, names()).expect("a data set");
    let fit = |data: &Dataset, what: &str, inputs_of_a_row| {
        let mut net = Network::builder(COLS)
            .dense(32, Activation::Relu)
            .dense(2, Activation::Softmax)
            .build()
            .expect("a network");
        let history = Trainer::new(Sgd::new(1e-4))
            .epochs(1)
            .batch_size(1024)
            .fit(&mut net, data, None)
            .expect("a fit");
        let most = memory(ROWS, inputs_of_a_row);
        println!(
            "{what}: {:.0} rows/s, accuracy {:.3}, peak {} MiB of at most {} MiB",
            history.epochs[0].rows_per_second,
            history.epochs[0].accuracy.unwrap_or_default(),
            peak() >> 20,
            most >> 20
        );
        assert!(peak() <= most, "{what}: {} bytes, more than {most}", peak());
    };
    fit(&data, "bytes", COLS);
    drop(data);
    let inputs = Inputs::from_matrix(Matrix::from_fn(ROWS, COLS, |r, c| (r % 7 + c) as f32));
    let labels = (0..ROWS).map(|r| u32::from(r % 7 > 3)).collect();
    let data = Dataset::classes(inputs, labels, names()).expect("a data set");
    fit(&data, "numbers", 4 * padded(COLS));
}
