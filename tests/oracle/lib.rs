//! The oracle: what the core must compute, in naive loops on std alone.
//!
//! Nothing here is fast, nothing here is shared with the core, and every function is the formula written down once:
//! where a test compares the two, it compares two independent readings of the same definition. The parts:
//!
//! - [`fused`]: a product and a sum in one rounding;
//! - [`gemm`]: matrix products, and the chain of operations that defines the core's bits;
//! - [`meter`]: an allocator that counts;
//! - [`network`]: a plain f32 network with its training step, the baseline of the benches;
//! - [`network_f64`]: any network of ours in f64, with loss, gradients and central differences;
//! - [`optim`]: the optimiser steps in f64;
//! - [`rng`]: test data;
//! - [`tolerance`]: how far two roundings of the same sum may lie apart;
//! - [`ulp`]: how far two numbers lie apart, counted in numbers.

pub mod fused;
pub mod gemm;
pub mod meter;
pub mod network;
pub mod network_f64;
pub mod optim;
pub mod rng;
pub mod tolerance;
pub mod ulp;
