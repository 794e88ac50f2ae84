//! Multi-layer perceptrons on a CPU.
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

pub use dataset::{Dataset, Inputs, Scaling, Targets};
pub use error::{Error, Kind};
pub use isa::Isa;
pub use nn::{Init, Loss, Network};
pub use optim::{Adam, AdamW, Optimizer, RmsProp, Sgd};
pub use tensor::Matrix;
pub use tensor::activation::Activation;
pub use train::{Epoch, Flow, History, Monitor, Reduction, Schedule, Stop, Trainer};
