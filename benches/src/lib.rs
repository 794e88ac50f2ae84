//! What the benches share: the speed limit of this core, and the data they run on.

pub mod peak;

pub use peak::fma_peak;
