//! A product by packed panels, whose rows are dense or sparse: what the forward pass is made of, and the input gradient.

use super::{Epilogue, Meanwhile, RowsByPanels, Segment, Span, SparseRowsByPanels};
use crate::isa::Isa;
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
    pub(crate) fn of_dense(self, isa: Isa, a: &[f32], a_stride: usize, rows: usize) {
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
