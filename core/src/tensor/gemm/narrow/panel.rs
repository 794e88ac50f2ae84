//! A B of one or two columns that is packed in panels, in pieces.

use super::{Narrow, PAIR, Place};
use crate::isa::Isa;
use crate::tensor::gemm::{KB, Segment};
use crate::tensor::matrix::LINE;

/// C = A B, if B has one or two columns and A as many rows as fill a tile: whether it is done. C has rows of whole lines.
pub(in super::super) fn by_panel(
    isa: Isa,
    (a, a_stride, rows): (&[f32], usize, usize),
    segments: &[Segment<'_>],
    (c, c_stride, n): (&mut [f32], usize, usize),
) -> bool {
    let mut lines = segments.iter().flat_map(|segment| segment.lines);
    let k = segments.iter().map(|segment| segment.len).sum();
    if n > PAIR || k == 0 || rows < 2 * LINE {
        return false;
    }
    for pc in (0..k).step_by(KB) {
        let mut b = [[0.0; PAIR]; KB];
        let b = &mut b[..KB.min(k - pc)];
        for (b, line) in b.iter_mut().zip(&mut lines) {
            b.copy_from_slice(&line[..PAIR]);
        }
        let tile = &mut [[0.0; PAIR]; 2 * LINE];
        let narrow = Narrow::<PAIR> {
            a: &a[pc..],
            a_stride,
            rows,
            b,
            place: Place {
                c: &mut *c,
                c_stride,
                is_turned: false,
            },
            n,
            add: pc > 0,
            tile,
            far: false,
        };
        if !isa.dispatch(narrow) {
            return false;
        }
    }
    for row in c.chunks_mut(c_stride).take(rows) {
        row[n..LINE].fill(0.0);
    }
    true
}
