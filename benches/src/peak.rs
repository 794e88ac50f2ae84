//! The most floating-point operations a second that one core can do: what a GEMM is measured against.
//!
//! Twelve independent chains of fused multiply-adds in registers and nothing else: twice the four to six cycles that one
//! takes, for two units. Measured, not computed from a data sheet, since the clock of a shared machine is nobody's promise.

use std::hint::black_box;
use std::time::Instant;

use mlp_core::Isa;
use pulp::{Simd, WithSimd};

/// Independent chains; with the two operands they still fit in 16 registers.
const CHAINS: usize = 12;

/// Steps of each chain.
struct Chains {
    steps: usize,
    /// Just below 1, so that the values stay normal numbers.
    factor: f32,
}

impl WithSimd for Chains {
    /// The floating-point operations done, and a number that depends on all of them.
    type Output = (f64, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f32) {
        let factor = simd.splat_f32s(self.factor);
        let term = simd.splat_f32s(1.0 - self.factor);
        let mut chains: [S::f32s; CHAINS] =
            core::array::from_fn(|i| simd.splat_f32s(1.0 + i as f32 * 0.125));
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, term);
            }
        }
        let sum = chains
            .into_iter()
            .fold(simd.splat_f32s(0.0), |sum, chain| simd.add_f32s(sum, chain));
        let operations = 2 * CHAINS * S::F32_LANES * self.steps;
        (operations as f64, simd.reduce_sum_f32s(sum))
    }
}

/// The best rate of fused multiply-adds of one core with that instruction set over some runs of about a millisecond,
/// in floating-point operations a second (two for each multiply-add).
pub fn fma_peak(isa: Isa) -> f64 {
    // Scalar calls the C library for each one, where the CPU's baseline has no fused multiply-add.
    let steps = if isa == Isa::SCALAR { 20_000 } else { 300_000 };
    let mut best: f64 = 0.0;
    for _ in 0..30 {
        let factor = black_box(0.999_999);
        let start = Instant::now();
        let (operations, sum) = isa.dispatch(Chains { steps, factor });
        let seconds = start.elapsed().as_secs_f64();
        black_box(sum);
        best = best.max(operations / seconds);
    }
    best
}

/// Prints the peak of every instruction set of this CPU, in GFLOP/s of one core, on stderr.
pub fn print_peaks() {
    for isa in Isa::available() {
        eprintln!(
            "FMA peak of one core, {isa}: {:.1} GFLOP/s",
            fma_peak(isa) / 1e9
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Chains, fma_peak};
    use mlp_core::Isa;

    #[test]
    fn every_instruction_set_computes_the_same_chains() {
        // All chains go to 1: what is computed is known, so nothing was left out.
        for isa in Isa::available() {
            let (operations, sum) = isa.dispatch(Chains {
                steps: 1000,
                factor: 0.5,
            });
            let lanes = operations / (2.0 * 12.0 * 1000.0);
            assert_eq!(f64::from(sum), 12.0 * lanes, "{isa}");
            assert!(fma_peak(isa).is_normal(), "{isa}");
        }
    }
}
