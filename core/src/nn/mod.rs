//! The network.
pub mod loss;
