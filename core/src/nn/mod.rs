//! The network: its layers, how they start, how they run, and what is minimised.

mod builder;
pub mod init;
pub mod loss;
mod network;
mod predict;
pub mod target;
pub mod walk;

pub use builder::Builder;
pub use init::{DrawOrder, Init};
pub use loss::{Loss, RowLoss};
pub use network::{Layer, Network};
pub use predict::Scratch;
pub use target::Target;
pub use walk::Walk;
