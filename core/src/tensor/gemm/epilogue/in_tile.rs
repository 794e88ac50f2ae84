//! What follows the last sum of a tile, while the sums are in registers.

use pulp::Simd;

use super::super::microkernel::{Acc, each_line, lines};
use crate::tensor::LINE;

/// The part of an epilogue that a tile does with its sums while they are in registers: c + bias, or relu of that.
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
    each_line::<MR, NP>(
        (c, stride),
        #[inline(always)]
        |i, q, line| {
            let c = S::as_mut_simd_f32s(line).0;
            for v in 0..PV {
                let z = simd.add_f32s(simd.add_f32s(zero, acc[i][q][v]), bias[q][v]);
                let low = simd.less_than_or_equal_f32s(z, least);
                c[v] = simd.select_f32s(low, zero, z);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::isa::Isa;
    use crate::tensor::activation::Activation;
    use crate::tensor::gemm::{Epilogue, Finish, KB, Operand, Panels, RowsByPanels, Segment};
    use crate::tensor::{Matrix, padded};

    /// What follows the finished product, row by row, is the judge.
    #[test]
    fn a_tile_is_finished_as_its_rows_are() {
        let shapes = [0, 1, 9, KB, KB + 1].map(|k| [(1, k, 130), (21, k, 33), (8, k, 48)]);
        for (rows, k, n) in shapes.into_iter().flatten() {
            let a = Matrix::from_fn(rows, k.max(1), |r, p| (r * 7 + p * 3) as f32 % 11.0 - 5.0);
            let b = Matrix::from_fn(k, n, |p, j| (p * 5 + j) as f32 % 7.0 - 3.0);
            let panels = Panels::pack(Operand::Plain(b.view()));
            let mut bias: Vec<f32> = (0..n).map(|j| (j * 3) as f32 % 5.0 - 2.5).collect();
            for whole in [false, true] {
                if whole {
                    bias.resize(padded(n), 0.0);
                }
                for f in [
                    None,
                    Some(Activation::Identity),
                    Some(Activation::Relu),
                    Some(Activation::Tanh),
                ] {
                    let epilogue = || Epilogue {
                        bias: Some(&bias),
                        activation: f,
                        ..Epilogue::default()
                    };
                    for isa in Isa::available() {
                        let (c_stride, full) = (padded(n), rows * padded(n));
                        let product = |epilogue: Epilogue<'_>| {
                            let mut c = vec![f32::NAN; full];
                            c.chunks_mut(c_stride).for_each(|row| row[n..].fill(0.0));
                            isa.dispatch(RowsByPanels {
                                a: a.view().data(),
                                a_stride: a.row_stride(),
                                rows,
                                segments: &[Segment {
                                    len: k,
                                    lines: panels.lines(),
                                }],
                                c: &mut c,
                                c_stride,
                                n,
                                padded: true,
                                add: false,
                                epilogue,
                            });
                            c
                        };
                        let ours = product(epilogue());
                        let mut judge = product(Epilogue::default());
                        isa.dispatch(Finish {
                            rows,
                            c: &mut judge,
                            c_stride,
                            n,
                            epilogue: epilogue(),
                        });
                        let bits = |c: &[f32]| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                        let what = format!("{rows} x {k} x {n}, {f:?}, {isa}");
                        assert_eq!(bits(&ours), bits(&judge), "{what}");
                    }
                }
            }
        }
    }
}
