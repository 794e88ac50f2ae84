//! What the benches share: the speed limit of this core, and the images they train on.

pub mod images;
pub mod peak;

pub use images::Images;
pub use peak::{fma_peak, print_peaks};

/// Whether this run measures (`cargo bench`) or only tries everything once (`cargo test --benches`), which should be quick.
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
