//! The network.
pub mod loss;
pub mod target;
