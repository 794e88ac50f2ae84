//! What the benches share: the limits of this machine, told before anything is measured, and the images they train on.

pub mod images;
#[cfg(feature = "peers")]
pub mod peers;

pub use images::Images;

use mlp_core::Isa;
use mlp_core::tensor::peak::{fma_peak, memory_bandwidth};

/// Whether this run measures (`cargo bench`) or only tries everything once (`cargo test --benches`), which should be quick.
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Prints the peak of every instruction set of this CPU, of one core and of two, on stderr.
pub fn print_peaks() {
    if !is_measuring() {
        return;
    }
    for isa in Isa::available() {
        let [one, two] = [1, 2].map(|threads| fma_peak(isa, threads) / 1e9);
        eprintln!("FMA peak, {isa}: {one:.1} GFLOP/s on one thread, {two:.1} on two");
    }
}

/// Prints what one core reads and writes, on stderr.
pub fn print_bandwidth() {
    if !is_measuring() {
        return;
    }
    for isa in Isa::available() {
        let memory = memory_bandwidth(isa);
        eprintln!(
            "memory bandwidth of one core, {isa}: {:.1} GB/s read, {:.1} GB/s read and written",
            memory.read / 1e9,
            memory.update / 1e9
        );
    }
}
