//! `LegacyRandom` gives the numbers of `NumPy`'s `RandomState`. What `NumPy` gives is in `golden/legacy_random.json`, which
//! `golden/legacy_random.py` writes. A fit takes its order and its dropout from it as a document does.

use mlp_core::dataset::Dataset;
use mlp_core::nn::Network;
use mlp_core::rng::LegacyRandom;
use mlp_core::train::Trainer;
use mlp_core::{Activation, Matrix, Sgd};
use oracle::rng::Rng;
use serde_json::Value;

const SEEDS: [u32; 5] = [0, 1, 3, 138, u32::MAX];

fn golden(seed: u32) -> Value {
    let text = include_str!("golden/legacy_random.json");
    let all: Value = serde_json::from_str(text).expect("the golden file is JSON");
    all[seed.to_string()].clone()
}

/// FNV-1a over whole words.
fn digest(words: impl Iterator<Item = u64>) -> String {
    let hash = words.fold(0xCBF2_9CE4_8422_2325, |hash: u64, word| {
        (hash ^ word).wrapping_mul(0x100_0000_01B3)
    });
    format!("{hash:016x}")
}

fn hex(x: f64) -> Value {
    format!("{:016x}", x.to_bits()).into()
}

/// As many draws as the golden list has.
fn draws<T: Into<Value>>(list: &Value, mut draw: impl FnMut() -> T) -> Value {
    let count = list.as_array().expect("a list").len();
    assert!(count > 0, "an empty list proves nothing");
    (0..count).map(|_| draw().into()).collect()
}

/// Within a few last bits: `NumPy` takes the C library's logarithm.
fn assert_close(ours: f64, golden: &Value) {
    let golden = golden.as_f64().expect("a number");
    assert!(
        (ours - golden).abs() <= 4.0 * f64::EPSILON * golden.abs(),
        "{ours:?}, {golden:?}"
    );
}

#[test]
fn the_numbers_known_to_everyone() {
    let mut random = LegacyRandom::new(1);
    for expected in [
        0.417_022_004_702_574,
        0.720_324_493_442_158_1,
        0.000_114_374_817_344_886_64,
    ] {
        assert_eq!(random.random_sample().to_bits(), f64::to_bits(expected));
    }
}

#[test]
fn uniform_numbers() {
    for seed in SEEDS {
        let golden = golden(seed);
        let mut random = LegacyRandom::new(seed);
        let list = &golden["random_sample"];
        assert_eq!(
            &draws(list, || hex(random.random_sample())),
            list,
            "seed {seed}"
        );
        let mut random = LegacyRandom::new(seed);
        let list = &golden["uniform"];
        assert_eq!(
            &draws(list, || hex(random.uniform(-0.1, 0.1))),
            list,
            "seed {seed}"
        );
        let mut random = LegacyRandom::new(seed);
        let million = digest((0..1_000_000).map(|_| random.random_sample().to_bits()));
        assert_eq!(million, golden["million_samples"], "seed {seed}");
    }
}

/// A million each for five seeds, as f32, which is what a weight is.
#[test]
fn normal_numbers() {
    for seed in SEEDS {
        let golden = golden(seed);
        let mut random = LegacyRandom::new(seed);
        for expected in golden["randn"].as_array().expect("a list") {
            assert_close(random.randn(), expected);
        }
        let mut random = LegacyRandom::new(seed);
        let million = digest((0..1_000_000).map(|_| u64::from((random.randn() as f32).to_bits())));
        assert_eq!(million, golden["million_randn_as_f32"], "seed {seed}");
    }
}

#[test]
fn whole_numbers() {
    for seed in SEEDS {
        let golden = golden(seed);
        for (name, low, high) in [
            ("randint_2", 0, 2),
            ("randint_7", -3, 4),
            ("randint_1", 5, 6),
            ("randint_2_32", 0, 1 << 32),
            ("randint_10_10", 0, 10_000_000_000),
            ("randint_widest", i64::MIN, i64::MAX),
        ] {
            let mut random = LegacyRandom::new(seed);
            let list = &golden[name];
            assert_eq!(
                &draws(list, || random.randint(low, high)),
                list,
                "{name}, seed {seed}"
            );
        }
        let mut random = LegacyRandom::new(seed);
        let million = digest((0..1_000_000).map(|_| random.randint(0, 10) as u64));
        assert_eq!(million, golden["million_randint_10"], "seed {seed}");
    }
}

#[test]
fn orders() {
    for seed in SEEDS {
        let golden = golden(seed);
        assert_eq!(
            Value::from(LegacyRandom::new(seed).permutation(10)),
            golden["permutation"]
        );
        let long = LegacyRandom::new(seed).permutation(60_000);
        assert_eq!(
            digest(long.iter().map(|&i| i as u64)),
            golden["permutation_60000"],
            "seed {seed}"
        );
    }
    let mut random = LegacyRandom::new(1);
    assert_eq!(
        (random.permutation(0), random.permutation(1)),
        (vec![], vec![0])
    );
    assert_eq!(
        random,
        LegacyRandom::new(1),
        "no draw is taken where there is no choice"
    );
}

#[test]
fn one_stream_for_all_and_its_state() {
    for seed in SEEDS {
        let golden = &golden(seed)["mixed"];
        let mut random = LegacyRandom::new(seed);
        assert_close(random.randn(), &golden["randn"]);
        assert_eq!(
            draws(&golden["randint"], || random.randint(0, 100)),
            golden["randint"]
        );
        assert_eq!(
            draws(&golden["random_sample"], || hex(random.random_sample())),
            golden["random_sample"]
        );
        assert_eq!(Value::from(random.permutation(7)), golden["shuffle"]);

        let (key, position, gauss) = random.state();
        assert_eq!(Value::from(position), golden["position"]);
        let mut copy = LegacyRandom::from_state(*key, position, gauss);
        assert_close(random.randn(), &golden["kept"]);
        assert_eq!(
            draws(&golden["last"], || hex(random.random_sample())),
            golden["last"]
        );
        copy.randn();
        copy.random_sample();
        assert_eq!(copy, random, "a generator goes on from its state");
    }
}

#[test]
#[should_panic(expected = "no number lies from 3 to below 3")]
fn no_number_lies_in_an_empty_range() {
    LegacyRandom::new(1).randint(3, 3);
}

/// A 4-3-1 net of identities, one number of the inputs in four and one of the hidden ones in two dropped, against loops as a
/// document writes them: an order for each epoch, then a mask for each layer of each step.
#[test]
fn order_and_dropout_of_a_fit_come_from_the_stream() {
    let (rows, batch, lr) = (7, 3, 0.125);
    let mut numbers = Rng::new(41);
    let inputs = Matrix::from_vec(rows, 4, &numbers.uniform(4 * rows, -1.0, 1.0));
    let targets = Matrix::from_vec(rows, 1, &numbers.uniform(rows, -1.0, 1.0));
    let data = Dataset::values(inputs.clone().into(), targets.clone()).expect("a data set");
    let mut net = Network::builder(4)
        .dropout(0.25)
        .dense_no_bias(3, Activation::Identity)
        .dropout(0.5)
        .dense_no_bias(1, Activation::Identity)
        .build()
        .expect("a network");
    let start = |l: usize| net.layers()[l].weight().to_vec().into_iter().map(f64::from);
    let (mut first, mut last): (Vec<f64>, Vec<f64>) = (start(0).collect(), start(1).collect());

    let mut random = LegacyRandom::new(5);
    for _ in 0..2 {
        for step in random.permutation(rows).chunks(batch) {
            let rates = (0..4 * step.len()).map(|_| random.random_sample());
            let inputs_kept: Vec<f64> = rates
                .map(|x| f64::from(u8::from(x >= 0.25)) / 0.75)
                .collect();
            let halves = (0..3 * step.len()).map(|_| random.randint(0, 2));
            let hidden_kept: Vec<f64> = halves.map(|kept| 2.0 * kept as f64).collect();
            let (mut d_first, mut d_last) = ([0.0; 12], [0.0; 3]);
            for (r, &row) in step.iter().enumerate() {
                let x = |i: usize| f64::from(inputs.row(row)[i]) * inputs_kept[4 * r + i];
                let hidden = |h: usize| {
                    (0..4).map(|i| first[4 * h + i] * x(i)).sum::<f64>() * hidden_kept[3 * r + h]
                };
                let y = (0..3).map(|h| last[h] * hidden(h)).sum::<f64>();
                let d = 2.0 * (y - f64::from(targets.row(row)[0])) / step.len() as f64;
                for h in 0..3 {
                    d_last[h] += d * hidden(h);
                    for i in 0..4 {
                        d_first[4 * h + i] += d * last[h] * hidden_kept[3 * r + h] * x(i);
                    }
                }
            }
            first
                .iter_mut()
                .zip(d_first)
                .for_each(|(w, d)| *w -= lr * d);
            last.iter_mut().zip(d_last).for_each(|(w, d)| *w -= lr * d);
        }
    }

    let mut same = LegacyRandom::new(5);
    Trainer::new(Sgd::new(lr))
        .legacy_random(&mut same)
        .batch_size(batch)
        .epochs(2)
        .fit(&mut net, &data, None)
        .expect("a fit");
    assert_eq!(same, random, "as many draws");
    for (l, want) in [first, last].into_iter().enumerate() {
        let found = net.layers()[l].weight().to_vec();
        for (w, want) in found.into_iter().zip(want) {
            // Six steps of some roundings each, of numbers of about 1.
            assert!(
                (f64::from(w) - want).abs() < 1e-5,
                "layer {l}: {w}, not {want}"
            );
        }
    }
}
