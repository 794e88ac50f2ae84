//! The way back through f, of the rows of a product that is the gradient by f's outputs.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::tensor::activation::{Activation, activation_backward_rows};
use crate::tensor::{LINE, padded};

/// c = c f', and the rows once more in panels.
#[derive(Debug)]
pub struct Back<'a> {
    /// f.
    pub activation: Activation,
    /// f(z), or z if f needs that, in rows of the same stride as C.
    pub saved: &'a [f32],
    /// `[panel, row, 16]`, or nothing.
    pub panels: &'a mut [[f32; LINE]],
    /// The rows of a panel.
    pub all: usize,
    /// Whether C is read again, where there are panels.
    pub rows_too: bool,
}

impl Back<'_> {
    /// What f' is at and below 0, if it is 1 above: all is then done line by line.
    pub(in super::super) fn slope(&self) -> Option<f32> {
        match self.activation {
            Activation::Relu => Some(0.0),
            Activation::LeakyRelu(slope) => Some(slope),
            Activation::Identity | Activation::StraightThroughRelu => Some(1.0),
            _ => None,
        }
    }

    /// Lines q of these rows of C, of which `line` makes what they are before from what is there: in the panel and, if
    /// they are read again, in C.
    #[inline(always)]
    pub(in super::super) fn lines<S: Simd>(
        &mut self,
        simd: S,
        slope: S::f32s,
        (c, stride): (&mut [f32], usize),
        (q, rows): (usize, Range<usize>),
        line: impl Fn(usize, &[f32; LINE]) -> [f32; LINE],
    ) {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let panel = self.panels.get_mut(q * self.all..).unwrap_or_default();
        let (c, saved) = (c.as_chunks_mut().0, self.saved.as_chunks::<LINE>().0);
        let mut at = rows.start * stride / LINE + q;
        for r in rows {
            let mut d = line(r, &c[at]);
            let y = S::as_simd_f32s(&saved[at]).0.iter();
            for (d, y) in S::as_mut_simd_f32s(&mut d).0.iter_mut().zip(y) {
                let low = simd.less_than_or_equal_f32s(*y, zero);
                *d = simd.mul_f32s(*d, simd.select_f32s(low, slope, one));
            }
            let again = panel.get_mut(r);
            if again.is_none() || self.rows_too {
                c[at] = d;
            }
            if let Some(again) = again {
                *again = d;
            }
            at += stride / LINE;
        }
    }
}

/// [`Back`] of these rows of C, n columns and their padding, `stride` apart.
pub(super) struct GoBack<'a, 'b> {
    pub(super) back: &'a mut Back<'b>,
    pub(super) c: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) n: usize,
    pub(super) rows: Range<usize>,
}

impl WithSimd for GoBack<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            back,
            c,
            stride,
            n,
            rows,
        } = self;
        if let Some(slope) = back.slope() {
            let slope = simd.splat_f32s(slope);
            for q in 0..n.div_ceil(LINE) {
                let c = (&mut *c, stride);
                back.lines(simd, slope, c, (q, rows.clone()), |_, line| *line);
            }
            return;
        }
        let at = rows.start * stride..(rows.end - 1) * stride + padded(n);
        let saved = &back.saved[at.clone()];
        activation_backward_rows(simd, back.activation, (saved, &mut c[at], stride), n);
        spread((c, stride), n, rows, (back.panels, back.all));
    }
}

/// These rows of C, `stride` apart, n columns and their padding, as lines of panels of `all` rows, if there are any. (By index:
/// iterators beside each other would ask how many chunks there are, a division each.)
#[inline(always)]
pub(crate) fn spread(
    (c, stride): (&[f32], usize),
    n: usize,
    rows: Range<usize>,
    (panels, all): (&mut [[f32; LINE]], usize),
) {
    if panels.is_empty() {
        return;
    }
    let (c, stride) = (c.as_chunks::<LINE>().0, stride / LINE);
    for j in 0..padded(n) / LINE {
        let mut at = rows.start * stride + j;
        for line in &mut panels[j * all..][rows.clone()] {
            *line = c[at];
            at += stride;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Back, Epilogue, Finish};
    use crate::isa::Isa;
    use crate::tensor::activation::{Activation, activation_backward};
    use crate::tensor::{LINE, padded};

    struct OfRow<'a>(Activation, &'a [f32], &'a mut [f32], usize);

    impl pulp::WithSimd for OfRow<'_> {
        type Output = ();

        fn with_simd<S: pulp::Simd>(self, simd: S) {
            activation_backward(simd, self.0, self.1, self.2, self.3);
        }
    }

    /// The formula for one row is the judge, of each form of the way back and of each place where the gradient goes.
    #[test]
    fn the_way_back_is_the_formula_row_by_row_and_again_in_panels() {
        let numbers = |seed: usize, len: usize| -> Vec<f32> {
            let of = |i: usize| ((i * 37 + seed) % 23) as f32 / 8.0 - 1.375;
            (0..len)
                .map(|i| if i % 11 == 3 { -0.0 } else { of(i) })
                .collect()
        };
        let bits = |xs: &[f32]| xs.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for (rows, n) in [(1, 1), (19, 33), (8, 16), (13, 100)] {
            let stride = ((padded(n) / LINE) | 1) * LINE;
            let (d, saved) = (numbers(5, rows * stride), numbers(9, rows * stride));
            for activation in [
                Activation::Relu,
                Activation::LeakyRelu(0.25),
                Activation::Identity,
                Activation::StraightThroughRelu,
                Activation::Tanh,
            ] {
                for (isa, all, rows_too) in Isa::available()
                    .into_iter()
                    .flat_map(|isa| [(isa, rows, true), (isa, rows + 3, false), (isa, 0, false)])
                {
                    let mut panels = vec![[7.0; LINE]; all * padded(n) / LINE];
                    let mut c = d.clone();
                    isa.dispatch(Finish {
                        rows,
                        c: &mut c,
                        c_stride: stride,
                        n,
                        epilogue: Epilogue {
                            back: Some(Back {
                                activation,
                                saved: &saved,
                                panels: &mut panels,
                                all,
                                rows_too,
                            }),
                            ..Epilogue::default()
                        },
                    });
                    for r in 0..rows {
                        let at = r * stride..r * stride + padded(n);
                        let mut want = d[at.clone()].to_vec();
                        isa.dispatch(OfRow(activation, &saved[at.clone()], &mut want, n));
                        let what = format!("{activation:?} {isa} row {r} of {rows} x {n}");
                        if rows_too || all == 0 {
                            assert_eq!(bits(&c[at][..n]), bits(&want[..n]), "{what}");
                        }
                        for (j, line) in want.chunks(LINE).enumerate().take_while(|_| all > 0) {
                            let width = LINE.min(n - j * LINE);
                            let ours = &panels[j * all + r][..width];
                            assert_eq!(bits(ours), bits(&line[..width]), "{what}, panel {j}");
                        }
                    }
                    let rest = (0..panels.len()).filter(|line| all > 0 && line % all >= rows);
                    assert!(rest.into_iter().all(|line| panels[line] == [7.0; LINE]));
                }
            }
        }
    }
}
