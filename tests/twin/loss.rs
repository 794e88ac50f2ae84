//! The loss of the oracle for one of the core.

use mlp_core::nn::Loss;
use oracle::network_f64;

pub(crate) fn of(loss: Loss) -> network_f64::Loss {
    match loss {
        Loss::Mse => network_f64::Loss::Mse,
        Loss::SquaredError => network_f64::Loss::SquaredError,
        Loss::HalfSquaredError => network_f64::Loss::HalfSquaredError,
        Loss::Mae => network_f64::Loss::Mae,
        Loss::Huber(delta) => network_f64::Loss::Huber(f64::from(delta)),
        Loss::BinaryCrossEntropy => network_f64::Loss::BinaryCrossEntropy,
        Loss::CrossEntropy => network_f64::Loss::CrossEntropy,
    }
}
