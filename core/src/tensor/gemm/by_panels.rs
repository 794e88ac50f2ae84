//! A product by packed panels, whose rows are dense or sparse: what the forward pass is made of, and the input gradient.
//! One or two outputs, of which a line of 16 is mostly padding, are a narrow product; a lone unit's gradient goes back by
//! one step of the reduction, an outer product.

use pulp::{Simd, WithSimd};

use super::{
    Back, Epilogue, Finish, Meanwhile, RowsByPanels, Segment, Span, SparseRowsByPanels, narrow,
};
use crate::isa::Isa;
use crate::tensor::LINE;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// What is made of rows that are yet to be told.
#[derive(Debug)]
pub(crate) struct ByPanels<'a> {
    pub(crate) segments: &'a [Segment<'a>],
    /// Rows of C, padded to whole lines, and the distance between them.
    pub(crate) c: &'a mut [f32],
    pub(crate) c_stride: usize,
    /// How many columns there are.
    pub(crate) n: usize,
    pub(crate) epilogue: Epilogue<'a>,
}

impl ByPanels<'_> {
    /// Of the first `rows` rows of `a`.
    pub(crate) fn of_dense(mut self, isa: Isa, a: &[f32], a_stride: usize, rows: usize) {
        let is_done = if let [Segment { len: 1, lines }] = self.segments {
            let back = self.epilogue.back.take_if(|back| back.slope().is_some());
            isa.dispatch(Outer {
                a,
                a_stride,
                rows,
                lines,
                c: self.c,
                c_stride: self.c_stride,
                back,
            });
            true
        } else {
            let c = (&mut *self.c, self.c_stride, self.n);
            narrow::by_panel(isa, (a, a_stride, rows), self.segments, c)
        };
        if is_done {
            return isa.dispatch(Finish {
                rows,
                c: self.c,
                c_stride: self.c_stride,
                n: self.n,
                epilogue: self.epilogue,
            });
        }
        isa.dispatch(RowsByPanels {
            a,
            a_stride,
            rows,
            segments: self.segments,
            c: self.c,
            c_stride: self.c_stride,
            n: self.n,
            padded: true,
            add: false,
            epilogue: self.epilogue,
        });
    }

    /// Of sparse rows, or of some of their columns.
    pub(crate) fn of_sparse<const U: usize>(
        self,
        isa: Isa,
        (a, only): (&SparseRows<U>, Option<Span>),
        room: &mut Aligned,
        meanwhile: Option<Meanwhile<'_>>,
    ) {
        isa.dispatch(SparseRowsByPanels {
            a,
            only,
            segments: self.segments,
            meanwhile,
            room,
            c: self.c,
            c_stride: self.c_stride,
            n: self.n,
            epilogue: self.epilogue,
        });
    }
}

/// C = a b, a number of each row by the only row of B, in rows of whole lines.
struct Outer<'a> {
    a: &'a [f32],
    a_stride: usize,
    rows: usize,
    /// B, panel after panel.
    lines: &'a [[f32; LINE]],
    c: &'a mut [f32],
    c_stride: usize,
    /// What follows, if it is done line by line.
    back: Option<Back<'a>>,
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if let Some(mut back) = self.back {
            let slope = simd.splat_f32s(back.slope().unwrap_or(1.0));
            for (q, b) in self.lines.iter().enumerate() {
                let c = (&mut *self.c, self.c_stride);
                back.lines(simd, slope, c, (q, 0..self.rows), |r, _| {
                    let mut line = [0.0; LINE];
                    let x = simd.splat_f32s(self.a[r * self.a_stride]);
                    times(simd, x, b, &mut line);
                    line
                });
            }
            return;
        }
        let rows = self.c.chunks_mut(self.c_stride).take(self.rows);
        for (row, a) in rows.zip(self.a.iter().step_by(self.a_stride)) {
            let x = simd.splat_f32s(*a);
            for (c, b) in row.as_chunks_mut::<LINE>().0.iter_mut().zip(self.lines) {
                times(simd, x, b, c);
            }
        }
    }
}

/// c = 0 + x b
#[inline(always)]
fn times<S: Simd>(simd: S, x: S::f32s, b: &[f32; LINE], c: &mut [f32; LINE]) {
    let vectors = S::as_mut_simd_f32s(c).0.iter_mut();
    for (c, b) in vectors.zip(S::as_simd_f32s(b).0) {
        // No zero stays negative.
        *c = simd.add_f32s(simd.splat_f32s(0.0), simd.mul_f32s(x, *b));
    }
}

#[cfg(test)]
mod tests {
    use super::ByPanels;
    use crate::isa::Isa;
    use crate::tensor::gemm::{Epilogue, Operand, Panels, RowsByPanels, Segment};
    use crate::tensor::{Matrix, padded};

    /// The tile for any number of columns is the judge. Some numbers are zero, so that some products are -0.
    #[test]
    fn few_columns_and_one_step_are_what_the_tile_makes_of_them() {
        for [rows, k, n] in [
            [33, 700, 1],
            [70, 12, 2],
            [32, 513, 2],
            [31, 5, 1],
            [9, 3, 1],
            [40, 1, 100],
            [3, 1, 17],
            [40, 1, 1],
        ] {
            let a = Matrix::from_fn(rows, k, |r, p| {
                (r * 7 + p * 3) as f32 % 11.0 * 1e-30 - 3e-30
            });
            let b = Matrix::from_fn(k, n, |p, j| (p * 5 + j) as f32 % 7.0 * 1e-12 - 2e-12);
            let panels = Panels::pack(Operand::Plain(b.view()));
            for isa in Isa::available() {
                for cut in [k, k / 2, k / 3] {
                    let pieces = [panels_of(&b, 0, cut), panels_of(&b, cut, k)];
                    let segments = pieces.each_ref().map(whole);
                    let segments = if cut == k {
                        &segments[..1]
                    } else {
                        &segments[..]
                    };
                    let (stride, full) = (padded(n), rows * padded(n));
                    let [mut ours, mut judge] = [vec![f32::NAN; full], vec![f32::NAN; full]];
                    let product = ByPanels {
                        segments,
                        c: &mut ours,
                        c_stride: stride,
                        n,
                        epilogue: Epilogue::default(),
                    };
                    let (data, a_stride) = (a.view().data(), a.row_stride());
                    product.of_dense(isa, data, a_stride, rows);
                    isa.dispatch(RowsByPanels {
                        a: data,
                        a_stride,
                        rows,
                        segments: &[whole(&panels)],
                        c: &mut judge,
                        c_stride: stride,
                        n,
                        padded: true,
                        add: false,
                        epilogue: Epilogue::default(),
                    });
                    let bits = |c: &[f32]| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(
                        bits(&ours),
                        bits(&judge),
                        "{rows} x {k} x {n} cut at {cut}, {isa}"
                    );
                }
            }
        }
    }

    fn whole(panels: &Panels) -> Segment<'_> {
        Segment {
            len: panels.k(),
            lines: panels.lines(),
        }
    }

    fn panels_of(b: &Matrix, from: usize, to: usize) -> Panels {
        let rows = Matrix::from_fn(to - from, b.cols(), |p, j| b.row(from + p)[j]);
        Panels::pack(Operand::Plain(rows.view()))
    }
}
