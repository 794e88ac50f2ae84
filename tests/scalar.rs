//! One of everything, small, on the scalar path; smaller still under an interpreter, which sees every access to memory
//! and every race, and takes a minute for it.
//!
//! `MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --package mlp-tests --test scalar`

mod product;
mod sample;

use mlp_core::Isa;
use mlp_core::nn::Network;
use mlp_core::optim::{Adam, Sgd};
use mlp_core::team;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::Output;
use mlp_core::train::Trainer;
use product::Case;
use sample::{bits, greatest_of};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether an interpreter runs this.
const SLOWLY: bool = cfg!(miri);

#[test]
fn products() {
    for form in [(false, false), (true, false), (false, true), (true, true)] {
        for shape in [[1, 1, 1], [5, 17, 3], [9, 50, 7]] {
            if SLOWLY && shape[0] == 9 {
                continue;
            }
            let case = Case::uniform(shape, form, 3);
            case.check(Isa::SCALAR, 1, Output::Overwrite, &case.chain(false));
            case.check(Isa::SCALAR, 1, Output::Accumulate, &case.chain(true));
            let _ = case.run(
                Isa::SCALAR,
                1,
                Output::Activate(&case.bias, Activation::Gelu),
            );
        }
    }
}

#[test]
fn a_team_that_spins_sleeps_and_breaks() {
    let count = AtomicUsize::new(0);
    let work = |member: team::Member<'_>| {
        for round in 1..=3 {
            count.fetch_add(1, Ordering::Relaxed);
            member.wait().expect("nobody panics");
            assert_eq!(count.load(Ordering::Relaxed), 3 * round);
            member.wait().expect("nobody panics");
        }
    };
    team::run(3, work, work);
    let panic = std::panic::catch_unwind(|| {
        team::run(
            3,
            |_| panic!("on purpose"),
            |member| assert_eq!(member.wait(), Err(team::Broken)),
        );
    });
    assert!(panic.is_err());
}

/// The bits of a fit on that many threads.
fn fit(threads: usize, adam: bool) -> Vec<u32> {
    let data = greatest_of(if SLOWLY { 8 } else { 21 }, 5, 3, 7);
    let (train, valid) = data.split(0.75, 4).expect("two parts");
    let mut net = Network::builder(5)
        .dropout(0.1)
        .dense(if SLOWLY { 4 } else { 7 }, Activation::Tanh)
        .dropout(0.25)
        .dense(if SLOWLY { 3 } else { 18 }, Activation::Relu)
        .dense(3, Activation::Softmax)
        .isa(Isa::SCALAR)
        .build()
        .expect("a network");
    let trainer = if adam {
        Trainer::new(Adam::new(0.01))
    } else {
        Trainer::new(Sgd::new(0.1)).l2(1e-3)
    };
    let history = { trainer }
        .epochs(if SLOWLY { 1 } else { 2 })
        .batch_size(6)
        .patience(1)
        .threads_exactly(threads)
        .fit(&mut net, &train, Some(&valid))
        .expect("a fit");
    assert_eq!(history.threads, threads);
    let mut found = bits(&net);
    let outputs = net.predict_on(data.inputs(), threads).to_vec();
    found.extend(outputs.iter().map(|x| x.to_bits()));
    found
}

#[test]
fn training_on_one_thread_and_on_more() {
    for &adam in if SLOWLY { &[true][..] } else { &[false, true] } {
        let threads = if SLOWLY { 2 } else { 3 };
        assert_eq!(fit(1, adam), fit(threads, adam));
    }
}
