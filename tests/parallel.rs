//! The same bits, whatever ran: threads, instruction sets and the split of the work change nothing in the weights, the
//! history or the predictions; a row predicted alone is the row predicted among others.
//!
//! The bits themselves are kept in `golden/bits.txt`, one hash a run, so that another machine can confirm them.

use mlp_core::Isa;
use mlp_core::dataset::{Dataset, Inputs, Scaling, ScalingKind};
use mlp_core::nn::{Network, Scratch};
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::team::{self, Member};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{Operand, Output, Product, gemm};
use mlp_core::train::{History, Trainer};
use oracle::rng::Rng;

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// FNV-1a over the bits of what a run left behind.
struct Hash(u64);

impl Hash {
    fn add(&mut self, bits: u64) {
        for byte in bits.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn add_all(&mut self, values: &[f32]) {
        for value in values {
            self.add(u64::from(value.to_bits()));
        }
    }

    fn add_share(&mut self, share: Option<f64>) {
        self.add(share.map_or(u64::MAX, f64::to_bits));
    }

    fn of(net: &Network, history: &History, predictions: &Matrix) -> u64 {
        let mut hash = Self(0xCBF2_9CE4_8422_2325);
        for layer in net.layers() {
            hash.add_all(&layer.weight().to_vec());
            hash.add_all(layer.bias());
        }
        for epoch in &history.epochs {
            hash.add_share(Some(epoch.loss));
            hash.add_share(epoch.accuracy);
            hash.add_share(epoch.validation_loss);
            hash.add_share(epoch.validation_accuracy);
        }
        hash.add(history.best_epoch as u64);
        hash.add_all(&predictions.to_vec());
        hash.0
    }
}

/// Rows of bytes, a third of them zero, in 5 classes.
fn bytes(rows: usize, cols: usize) -> Dataset {
    let mut rng = Rng::new(41);
    let bytes = (0..rows * cols)
        .map(|_| rng.below(384).saturating_sub(128) as u8)
        .collect();
    let inputs = Inputs::from_bytes(bytes, rows, cols).expect("a table");
    let mut labels = rng.labels(rows, 5);
    labels[..5].copy_from_slice(&[0, 1, 2, 3, 4]);
    let names = (0..5).map(|class| class.to_string()).collect();
    let data = Dataset::classes(inputs, labels, names).expect("a data set");
    let scaling = Scaling::fit(&ScalingKind::Unit, data.inputs()).expect("a scaling");
    data.scaled(scaling).expect("a scaled data set")
}

/// The hashes of the runs of this file, as they were found on an x86-64 with AVX2 under Linux: `name hash`.
const GOLDEN: &str = include_str!("golden/bits.txt");

/// What one run is made of, besides what must not matter.
struct Run<'d> {
    name: String,
    data: &'d Dataset,
    hidden: [usize; 2],
    batch: Option<usize>,
    optimizer: Optimizer,
}

impl Run<'_> {
    fn hash(&self, isa: Isa, threads: usize) -> u64 {
        let mut net = Network::builder(self.data.inputs().cols())
            .dropout(0.1)
            .dense(self.hidden[0], Activation::Relu)
            .dropout(0.25)
            .dense(self.hidden[1], Activation::Gelu)
            .dense(5, Activation::Softmax)
            .seed(2)
            .isa(isa)
            .build()
            .expect("a network");
        let (train, valid) = self.data.split(0.75, 4).expect("two parts");
        let trainer = Trainer::new(self.optimizer)
            .epochs(2)
            .l2(1e-3)
            .patience(1)
            .threads_exactly(threads);
        let trainer = match self.batch {
            Some(rows) => trainer.batch_size(rows),
            None => trainer.full_batch(),
        };
        let history = { trainer }
            .fit(&mut net, &train, Some(&valid))
            .expect("a fit");
        let predictions = net.predict_on(self.data.inputs(), threads);
        Hash::of(&net, &history, &predictions)
    }

    /// One hash for every number of threads and every instruction set, the one that is on record.
    fn check(&self) {
        let want = self.hash(Isa::SCALAR, 1);
        let line = format!("{} {want:016x}", self.name);
        assert!(
            GOLDEN.lines().any(|known| known == line),
            "not among the hashes of golden/bits.txt: {line}"
        );
        for isa in Isa::available() {
            for threads in THREADS {
                assert_eq!(
                    self.hash(isa, threads),
                    want,
                    "{isa} with {threads} threads, hidden {:?}, batch {:?}, {:?}",
                    self.hidden,
                    self.batch,
                    self.optimizer
                );
            }
        }
    }
}

#[test]
fn a_small_network_at_every_batch_size() {
    let data = bytes(271, 37);
    for batch in [Some(1), Some(7), Some(32), Some(128), None] {
        for (rule, optimizer) in [
            ("sgd", Sgd::new(0.05).into()),
            ("adam", Adam::new(0.01).into()),
        ] {
            let rows = batch.map_or("full".to_owned(), |rows: usize| rows.to_string());
            let run = Run {
                name: format!("37-29-18-5 {rule} batch {rows}"),
                data: &data,
                hidden: [29, 18],
                batch,
                optimizer,
            };
            run.check();
        }
    }
}

#[test]
fn a_wide_network_with_long_reductions() {
    // More inputs and, in the full batch, more rows than a block of the reduction has steps.
    let data = bytes(731, 530);
    for batch in [Some(100), None] {
        let rows = batch.map_or("full".to_owned(), |rows: usize| rows.to_string());
        let run = Run {
            name: format!("530-70-21-5 adam batch {rows}"),
            data: &data,
            hidden: [70, 21],
            batch,
            optimizer: Adam::new(0.01).into(),
        };
        run.check();
    }
}

#[test]
fn a_last_batch_of_any_length() {
    // Of fewer rows a thread can have more than of all.
    for zeros in [1, 9] {
        for batch in [13, 30, 32, 128, 1019] {
            let part: usize = batch.min(512);
            for rows in (part - 8..part).map(|rest| batch + rest) {
                let inputs =
                    Matrix::from_fn(rows, 40, |r, c| ((r * 31 + c * 17) % 13 / zeros) as f32);
                let labels = (0..rows as u32).map(|row| row % 5).collect();
                let names = (0..5).map(|class| class.to_string()).collect();
                let train = Dataset::classes(inputs.into(), labels, names).expect("a data set");
                let bits = |threads| {
                    let mut net = Network::builder(40)
                        .dense(20, Activation::Relu)
                        .dense(5, Activation::Softmax)
                        .build()
                        .expect("a network");
                    let trainer = Trainer::new(Sgd::new(0.01)).batch_size(batch);
                    let history = { trainer.threads_exactly(threads) }
                        .fit(&mut net, &train, None)
                        .expect("a fit");
                    Hash::of(&net, &history, &Matrix::zeros(1, 1))
                };
                let want = bits(1);
                for threads in [2, 5, 7, 12] {
                    assert_eq!(
                        bits(threads),
                        want,
                        "{rows} rows by {batch}, {threads} threads"
                    );
                }
            }
        }
    }
}

#[test]
fn different_settings_give_different_hashes() {
    let data = bytes(60, 12);
    let hash = |batch, lr| {
        let run = Run {
            name: "any".to_owned(),
            data: &data,
            hidden: [9, 7],
            batch,
            optimizer: Sgd::new(lr).into(),
        };
        run.hash(Isa::SCALAR, 1)
    };
    let first = hash(Some(8), 0.1);
    assert_eq!(first, hash(Some(8), 0.1));
    assert_ne!(first, hash(Some(9), 0.1));
    assert_ne!(first, hash(Some(8), 0.100_001));
}

#[test]
fn a_row_alone_is_the_row_among_others() {
    let data = bytes(301, 530);
    for output in [
        Activation::Softmax,
        Activation::Sigmoid,
        Activation::Identity,
    ] {
        let net = Network::builder(530)
            .dense(65, Activation::Tanh)
            .dense(33, Activation::Silu)
            .dense(10, output)
            .seed(8)
            .build()
            .expect("a network");
        for isa in Isa::available() {
            let net = net.clone().with_isa(isa);
            let all = net.predict_on(data.inputs(), 1);
            for threads in THREADS {
                assert_eq!(
                    net.predict_on(data.inputs(), threads),
                    all,
                    "{isa}, {threads} threads"
                );
            }
            assert_eq!(net.predict(data.inputs()), all, "{isa}");
            let none = net.predict(&data.inputs().select(&[]));
            assert_eq!((none.rows(), none.cols()), (0, 10), "{isa}");
            let given = data.inputs().to_matrix();
            let mut scratch = Scratch::new(&net);
            for r in (0..301).step_by(17) {
                let alone = net.predict(&data.inputs().select(&[r]));
                assert_eq!(alone.row(0), all.row(r), "{isa}, row {r}");
                let batch: Vec<usize> = (0..128).map(|i| (r + 7 * i) % 301).collect();
                let batch = net.predict(&data.inputs().select(&batch));
                assert_eq!(batch.row(0), all.row(r), "{isa}, row {r} of a batch of 128");
                let mut out = [f32::NAN; 10];
                net.predict_into(given.row(r), &mut scratch, &mut out);
                assert_eq!(out, all.row(r), "{isa}, row {r}, predict_into");
            }
        }
    }
}

#[test]
fn a_product_with_its_activation() {
    // Large enough for several threads: those of the lone row, and those of columns, cannot each have a part of a softmax.
    for [m, n, k] in [[1, 2048, 1024], [100, 500, 300], [600, 90, 200]] {
        let mut rng = Rng::new(5);
        let mut matrix =
            |rows, cols| Matrix::from_vec(rows, cols, &rng.uniform(rows * cols, -0.5, 0.5));
        let (a, b) = (matrix(m, k), matrix(k, n));
        let bias: Vec<f32> = (0..n).map(|j| j as f32 / 64.0).collect();
        let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
        for f in [Activation::Softmax, Activation::Tanh] {
            let output = Output::Activate(&bias, f);
            let product = |threads| {
                let mut c = Matrix::zeros(m, n);
                gemm(Isa::SCALAR, threads, a, b, c.view_mut(), output);
                c
            };
            let want = product(1);
            for isa in Isa::available() {
                for threads in THREADS {
                    let mut c = Matrix::zeros(m, n);
                    gemm(isa, threads, a, b, c.view_mut(), output);
                    assert_eq!(
                        c, want,
                        "{m} x {k} x {n}, {f:?} on {isa}, {threads} threads"
                    );
                    let mut c = Matrix::zeros(m, n);
                    let product = Product::new(isa, threads, [m, k, n], c.view_mut(), output);
                    let work =
                        |member: Member<'_>| product.work(&member, a, b).expect("nobody panics");
                    team::run(threads, work, work);
                    drop(product);
                    assert_eq!(
                        c, want,
                        "{m} x {k} x {n}, {f:?} on {isa}, a team of {threads}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_product_is_of_its_own_team() {
    for (told, size, fits) in [(2, 3, false), (3, 2, false), (0, 1, true), (100, 64, true)] {
        let (a, b) = (Matrix::zeros(600, 200), Matrix::zeros(200, 200));
        let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
        let mut c = Matrix::from_fn(600, 200, |_, _| f32::NAN);
        let product = Product::new(
            Isa::SCALAR,
            told,
            [600, 200, 200],
            c.view_mut(),
            Output::Overwrite,
        );
        let work = |member: Member<'_>| product.work(&member, a, b).is_ok();
        let done = std::panic::catch_unwind(|| {
            team::run(size, work, |member| {
                work(member);
            })
        });
        assert_eq!(
            done.is_ok_and(|done| done),
            fits,
            "{told} told, {size} there"
        );
    }
    for [m, k, n] in [[0, 3, 4], [1, 3, 0], [2, 0, 3], [0, 0, 0]] {
        let (a, b, mut c) = (
            Matrix::zeros(m, k),
            Matrix::zeros(k, n),
            Matrix::from_fn(m, n, |_, _| 7.0),
        );
        let product = Product::new(Isa::SCALAR, 2, [m, k, n], c.view_mut(), Output::Overwrite);
        let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
        let work = |member: Member<'_>| product.work(&member, a, b).expect("nobody panics");
        team::run(2, work, work);
        drop(product);
        assert_eq!(c, Matrix::zeros(m, n), "{m} x {k} x {n}");
    }
}
