//! What this machine can do at most, measured: floating-point operations and bytes a second. Every other speed is told as
//! a share of these, taken in the same run, since the clock of a shared machine is nobody's promise.
//!
//! The peak is twelve independent chains of fused multiply-adds in registers and nothing else: twice the four to six
//! cycles that one takes, for two units. The bandwidth is that of a buffer far larger than the caches, read, or multiplied
//! in place.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Simd, WithSimd};

use crate::isa::Isa;
use crate::team::{self, Member};
use crate::tensor::matrix::Aligned;

/// Independent chains; with the two operands they still fit in 16 registers.
const CHAINS: usize = 12;

/// Runs of which the best counts.
const RUNS: usize = 30;

/// Floats of the buffer: 256 MiB, more than any third-level cache of a few cores.
const BUFFER: usize = 64 << 20;

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

/// The best rate of fused multiply-adds with that instruction set on so many threads together, over some runs of about a
/// millisecond, in floating-point operations a second (two for each multiply-add).
pub fn fma_peak(isa: Isa, threads: usize) -> f64 {
    // Scalar calls the C library for each one, where the CPU's baseline has no fused multiply-add.
    let steps = if isa == Isa::SCALAR { 20_000 } else { 300_000 };
    let run = || {
        let factor = black_box(0.999_999);
        let (operations, sum) = isa.dispatch(Chains { steps, factor });
        black_box(sum);
        operations
    };
    // The threads begin together; whoever leads takes the time from there until the last one is done.
    let follow = |member: Member<'_>| {
        for _ in 0..RUNS {
            if member.wait().is_err() {
                return;
            }
            run();
            if member.wait().is_err() {
                return;
            }
        }
    };
    let lead = |member: Member<'_>| {
        let mut best: f64 = 0.0;
        for _ in 0..RUNS {
            if member.wait().is_err() {
                return best;
            }
            let start = Instant::now();
            let operations = run() * member.size() as f64;
            if member.wait().is_err() {
                return best;
            }
            best = best.max(operations / start.elapsed().as_secs_f64());
        }
        best
    };
    team::run(threads, lead, follow)
}

/// Every number of a buffer read, or read and written.
struct Pass<'a> {
    buffer: &'a mut [f32],
    /// What each number is multiplied by, if it is written.
    factor: Option<f32>,
}

impl WithSimd for Pass<'_> {
    /// Depends on all numbers read.
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let vectors = S::as_mut_simd_f32s(self.buffer).0;
        if let Some(factor) = self.factor {
            let factor = simd.splat_f32s(factor);
            for x in vectors {
                *x = simd.mul_f32s(*x, factor);
            }
            return 0.0;
        }
        // Four sums, so that they do not wait for each other.
        let mut sums = [simd.splat_f32s(0.0); 4];
        for four in vectors.as_chunks::<4>().0 {
            for (sum, x) in sums.iter_mut().zip(four) {
                *sum = simd.add_f32s(*sum, *x);
            }
        }
        let [a, b, c, d] = sums.map(|sum| simd.reduce_sum_f32s(sum));
        a + b + c + d
    }
}

/// What one core gets from memory and back, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// Reading.
    pub read: f64,
    /// Reading and writing in place: bytes read plus bytes written.
    pub update: f64,
}

/// The best of some passes over 256 MiB.
pub fn memory_bandwidth(isa: Isa) -> Bandwidth {
    bandwidth_of(isa, BUFFER)
}

fn bandwidth_of(isa: Isa, floats: usize) -> Bandwidth {
    let mut buffer = Aligned::zeroed(floats);
    // Memory that was never written may be one and the same page of zeros.
    buffer.fill(1.0);
    let mut best = |factor: Option<f32>, bytes: usize| {
        let mut best: f64 = 0.0;
        for _ in 0..5 {
            let start = Instant::now();
            let buffer = &mut buffer;
            black_box(isa.dispatch(Pass { buffer, factor }));
            best = best.max((floats * bytes) as f64 / start.elapsed().as_secs_f64());
        }
        best
    };
    Bandwidth {
        read: best(None, size_of::<f32>()),
        update: best(Some(black_box(0.5)), 2 * size_of::<f32>()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Chains, Pass, bandwidth_of, fma_peak};
    use crate::isa::Isa;

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
            for threads in [1, 2] {
                assert!(fma_peak(isa, threads).is_normal(), "{isa}");
            }
        }
    }

    #[test]
    fn every_number_is_read_and_written() {
        for isa in Isa::available() {
            let mut buffer = vec![1.0; 1 << 12];
            let mut pass = |factor| {
                isa.dispatch(Pass {
                    buffer: &mut buffer,
                    factor,
                })
            };
            assert_eq!(pass(None), 4096.0, "{isa}");
            pass(Some(0.5));
            assert_eq!(pass(None), 2048.0, "{isa}");
            let bandwidth = bandwidth_of(isa, 1 << 12);
            assert!(bandwidth.read.is_normal() && bandwidth.update.is_normal());
        }
    }
}
