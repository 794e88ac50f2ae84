//! Multi-layer perceptrons on a CPU: fast, and the same bits every time.
//!
//! ```
//! use mlp_core::{Activation, Adam, Dataset, Loss, Matrix, Network, Trainer};
//!
//! // Points in a square; the class is whether they lie in the circle.
//! let point = |i: usize| [(i % 40) as f32 / 20.0 - 0.975, (i / 40) as f32 / 20.0 - 0.975];
//! let inside = |i: usize| u32::from(point(i)[0].powi(2) + point(i)[1].powi(2) < 0.5);
//! let inputs = Matrix::from_fn(1600, 2, |row, column| point(row)[column]);
//! let data = Dataset::classes(inputs.into(), (0..1600).map(inside).collect(), vec!["out".into(), "in".into()])?;
//!
//! let (train, test) = data.split(0.8, 1)?;
//! let mut net = Network::builder(2).dense(32, Activation::Relu).dense(2, Activation::Softmax).seed(1).build()?;
//! let history = Trainer::new(Adam::new(1e-2)).loss(Loss::CrossEntropy).batch_size(32).epochs(20).threads(8)
//!     .on_epoch(|epoch| println!("{epoch}"))
//!     .fit(&mut net, &train, Some(&test))?;
//! assert!(history.epochs.last().and_then(|epoch| epoch.validation_accuracy) > Some(0.97));
//!
//! let probabilities = net.predict(test.inputs());
//! assert_eq!((probabilities.rows(), probabilities.cols()), (320, 2));
//! # Ok::<(), mlp_core::Error>(())
//! ```
//!
//! # The contract
//!
//! The same seed gives the same bits: the trained weights, the history and every prediction do not depend on the number
//! of threads, on how a batch was split over them, or on the instruction set (AVX-512, AVX2, NEON or plain Rust).
//! How: each number that a matrix product makes is one chain of fused multiply-adds in a fixed order
//! ([`tensor::gemm`]); a sum along a row has 16 virtual lanes and a fixed tree ([`tensor::reduce`]), a sum down the rows
//! takes them in their order; exp, log, tanh and sigmoid are our own, made of operations that round the same everywhere
//! ([`tensor::math`]); randomness comes from generators whose values never change ([`rng`]). Nor do they depend on
//! whether the run was interrupted: it hands out a [`Checkpoint`] as often as it is told to ([`Trainer::checkpoints`]),
//! from which another goes on ([`Trainer::resume`]).
//!
//! # The rooms
//!
//! Each imports only what stands before it.
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`isa`], [`error`], [`rng`] | the instruction set in use, faults in a sentence, random numbers |
//! | [`team`] | threads that march in step |
//! | [`tensor`] | matrices, products, activations, vector functions, fixed-order sums |
//! | [`optim`], [`dataset`], [`metrics`], [`nn`] | optimisers; data and its readers; what a model is worth; layers and losses |
//! | [`train`] | the epoch loop |
//! | `model_file` (feature `files`) | the model and the checkpoint as files, written whole or not at all |
//!
//! By default the crate depends on `pulp` and `rand` alone. The feature `files` adds the readers of CSV (with its cache) and
//! IDX, and the model file.
#![warn(clippy::print_stdout, clippy::unwrap_used)]

mod choice;
pub mod dataset;
pub mod error;
pub mod isa;
pub mod metrics;
#[cfg(feature = "files")]
pub mod model_file;
pub mod nn;
pub mod optim;
pub mod rng;
pub mod team;
pub mod tensor;
pub mod train;

pub use dataset::{Dataset, Inputs, Scaling, ScalingKind, Targets};
pub use error::{Error, Kind};
pub use isa::Isa;
pub use nn::{Init, Loss, Network};
pub use optim::{Adam, AdamW, Optimizer, RmsProp, Sgd};
pub use tensor::Matrix;
pub use tensor::activation::Activation;
pub use train::{
    Checkpoint, Epoch, Every, Flow, History, Monitor, Reduction, Schedule, Stop, Trainer,
};

/// The examples of the README, compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
