//! A fit takes the memory that `Memory::of_fit` tells beforehand, and beside the data no more than three times the parameters,
//! the optimiser's moments and one batch of activations a thread: a counting allocator sees the most that is held at a time.

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::Network;
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::team::MOST_THREADS;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::{Matrix, padded};
use mlp_core::train::{Extent, Memory, Trainer};
use oracle::meter::{Meter, kept_peak_of};
use oracle::rng::Rng;

#[global_allocator]
static ALLOCATOR: Meter = Meter;

/// What the data are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Dense,
    /// One number in nine is not zero,
    Sparse,
    /// and they are bytes.
    SparseBytes,
}

fn data(kind: Kind, rows: usize, cols: usize) -> Dataset {
    let mut rng = Rng::new(61);
    let labels = rng.labels(rows, 10);
    let numbers = rows * cols;
    let inputs = match kind {
        Kind::Dense => Matrix::from_vec(rows, cols, &rng.uniform(numbers, 0.1, 1.0)).into(),
        Kind::Sparse => {
            Matrix::from_fn(rows, cols, |r, c| f32::from((r + c).is_multiple_of(9))).into()
        }
        Kind::SparseBytes => {
            let bytes = (0..numbers).map(|i| u8::from((i / cols + i % cols).is_multiple_of(9)));
            Inputs::from_bytes(bytes.collect(), rows, cols).expect("as many bytes")
        }
    };
    let names = (0..10).map(|class| class.to_string()).collect();
    Dataset::classes(inputs, labels, names).expect("a data set")
}

#[derive(Clone, Copy)]
struct Case {
    data: Kind,
    rows: usize,
    hidden: &'static [usize],
    activation: Activation,
    dropout: f32,
    optimizer: Optimizer,
    batch: usize,
    patience: bool,
}

impl Case {
    /// What is planned and what is taken, and the network.
    fn measure(&self, cols: usize, threads: usize) -> (Memory, usize, Network) {
        let (train, held_out) = (data(self.data, self.rows, cols), data(self.data, 100, cols));
        let mut builder = Network::builder(cols);
        for &units in self.hidden {
            builder = builder.dense(units, self.activation).dropout(self.dropout);
        }
        let mut network = builder
            .dense(10, Activation::Softmax)
            .build()
            .expect("a network");
        let validation = self.patience.then_some(&held_out);
        let extent = Extent {
            optimizer: self.optimizer,
            batch: self.batch,
            rows: train.len(),
            validation_rows: validation.map_or(0, Dataset::len),
            keeps_best: self.patience,
            threads,
        };
        let planned = Memory::of_fit(&network, &extent);
        let mut trainer = Trainer::new(self.optimizer)
            .batch_size(self.batch)
            .epochs(2)
            .threads_exactly(threads);
        if self.patience {
            trainer = trainer.patience(2);
        }
        let own: usize = network
            .layers()
            .iter()
            .map(|layer| layer.inputs() * padded(layer.outputs()))
            .sum();
        let (taken, ()) = kept_peak_of(|| {
            trainer
                .fit(&mut network, &train, validation)
                .expect("a fit");
        });
        // The network itself was there before.
        (planned, taken + 4 * own, network)
    }
}

fn as_many_threads_as_a_team_has(optimizer: Optimizer) {
    let network = Network::builder(401)
        .dense(512, Activation::Relu)
        .build()
        .expect("a network");
    let of_a_team = |threads, rows| {
        let extent = Extent {
            optimizer,
            batch: 64,
            rows,
            validation_rows: 0,
            keeps_best: false,
            threads,
        };
        Memory::of_fit(&network, &extent)
    };
    assert_eq!(of_a_team(usize::MAX, 700), of_a_team(MOST_THREADS, 700));
    assert_eq!(of_a_team(0, 700), of_a_team(1, 700));
    // What a file says need not be so.
    assert_eq!(of_a_team(1, usize::MAX).total(), usize::MAX);
}

// Without the usual harness, whose main thread allocates while a test runs.
fn main() {
    let (blocks, ()) = kept_peak_of(|| {
        let block = std::hint::black_box(vec![1_u8; 12_345]);
        drop(std::hint::black_box(vec![1_u8; 99_999]));
        drop(std::hint::black_box((block, vec![1_u8; 5])));
    });
    assert_eq!(blocks, 12_345, "the count is not at work");

    let adam: Optimizer = Adam::new(1e-3).into();
    let plain = Case {
        data: Kind::Dense,
        rows: 700,
        hidden: &[512],
        activation: Activation::Relu,
        dropout: 0.0,
        optimizer: adam,
        batch: 64,
        patience: false,
    };
    let cases = [
        Case {
            hidden: &[300, 200],
            ..plain
        },
        Case {
            activation: Activation::Gelu,
            dropout: 0.2,
            ..plain
        },
        Case {
            optimizer: Sgd::new(0.01).into(),
            patience: true,
            ..plain
        },
        Case {
            batch: 600,
            ..plain
        },
        Case {
            batch: 1,
            hidden: &[640, 32],
            ..plain
        },
        plain,
        // A word for every 128 numbers of the data would be a third of the network.
        Case {
            data: Kind::Sparse,
            rows: 20_000,
            ..plain
        },
        Case {
            data: Kind::SparseBytes,
            rows: 20_000,
            ..plain
        },
        Case {
            data: Kind::SparseBytes,
            hidden: &[64],
            batch: 32,
            ..plain
        },
    ];
    as_many_threads_as_a_team_has(adam);
    for (i, case) in cases.iter().enumerate() {
        let mut batch = 0;
        for threads in [1, 3] {
            let (planned, taken, network) = case.measure(401, threads);
            let total = planned.total();
            // What the products that skip zeros need is not told beforehand.
            let more = if case.data == Kind::Dense { 0 } else { 140_000 };
            assert!(
                (0.97..1.03).contains(&(taken as f64 / total as f64))
                    || (total..total + more * threads).contains(&taken),
                "case {i}, {threads} threads: {taken} bytes were taken, {total} planned: {planned:?}"
            );
            // Apart from the bar, what may be beside it: the parts of a long batch, the best, the order of the rows.
            let several = usize::from(case.batch > 512) + usize::from(case.patience);
            let parameters = 4 * network.parameters();
            assert!(
                (planned.weights as f64) < 1.03 * (3 + several) as f64 * parameters as f64,
                "case {i}: {planned:?}, {parameters} bytes of parameters"
            );
            if threads == 1 {
                batch = planned.activations;
            }
            let bar = (3 + several) * parameters + planned.moments + threads * batch + planned.rows;
            assert!(
                taken < bar,
                "case {i}, {threads} threads: {taken} bytes, the bar is {bar}"
            );
        }
    }
}
