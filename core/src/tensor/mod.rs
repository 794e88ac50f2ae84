//! The tensor core: matrices, GEMM, and the elementwise kernels under the network. Imports the ground floor
//! (`choice`, `error`, `isa`) and `team` only.

pub mod activation;
pub mod curve;
pub mod gemm;
pub mod math;
pub mod matrix;
pub mod peak;
pub mod reduce;
pub mod softmax;
pub mod sparse;
pub mod turn;

pub use matrix::{LINE, MatMut, MatRef, Matrix, padded};
