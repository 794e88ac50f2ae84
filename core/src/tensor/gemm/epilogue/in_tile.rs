//! What follows the last sum of a tile, while the sums are in registers.

use pulp::Simd;

use super::super::microkernel::{Acc, lines};
use crate::tensor::LINE;

/// The part of it that a tile does with its sums while they are in registers: c + bias, or relu of that.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct InTile<'a> {
    /// One value a column.
    pub(in super::super) bias: &'a [f32],
    pub(in super::super) relu: bool,
}

/// Stores a whole tile: c = (0 + acc) + bias, or relu of that.
#[inline(always)]
pub(in super::super) fn store_last<S: Simd, const MR: usize, const NP: usize, const PV: usize>(
    simd: S,
    acc: &Acc<S::f32s, MR, NP, PV>,
    (c, stride): (&mut [f32], usize),
    InTile { bias, relu }: InTile<'_>,
) {
    let mut room = [[0.0; LINE]; NP];
    let bias = if let Some(whole) = bias.get(..NP * LINE) {
        whole.as_chunks().0
    } else {
        room.as_flattened_mut()[..bias.len()].copy_from_slice(bias);
        &room
    };
    let bias: [[_; PV]; NP] = lines(simd, |q| &bias[q]);
    // Nothing is less than NaN.
    let least = simd.splat_f32s(if relu { 0.0 } else { f32::NAN });
    let zero = simd.splat_f32s(0.0);
    let mut rest = c;
    for (i, acc) in acc.iter().enumerate() {
        let (row, below) = if i + 1 < MR {
            rest.split_at_mut(stride)
        } else {
            (rest, &mut [][..])
        };
        let lines = row[..NP * LINE].as_chunks_mut::<LINE>().0;
        for q in 0..NP {
            let c = S::as_mut_simd_f32s(&mut lines[q]).0;
            for v in 0..PV {
                let z = simd.add_f32s(simd.add_f32s(zero, acc[q][v]), bias[q][v]);
                let low = simd.less_than_or_equal_f32s(z, least);
                c[v] = simd.select_f32s(low, zero, z);
            }
        }
        rest = below;
    }
}
