//! The inputs of one thread's rows of the batch: gathered from the data, as they are or with a mask of what is not zero.

use super::mask::{Mask, MaskRow};
use crate::dataset::{Inputs, Targets};
use crate::isa::Isa;
use crate::tensor::MatMut;
use crate::tensor::matrix::Aligned;
use crate::tensor::sparse::SparseRows;

/// Data whose rows are met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) targets: &'a Targets,
}

/// The inputs of the rows.
#[derive(Debug)]
pub(super) enum Given {
    Dense {
        rows: Aligned,
        stride: usize,
    },
    Sparse {
        rows: SparseRows,
        /// For the product that skips zeros.
        room: Aligned,
    },
}

impl Given {
    /// Takes in rows of the data.
    pub(super) fn gather(
        &mut self,
        isa: Isa,
        source: &Source<'_>,
        indices: impl ExactSizeIterator<Item = usize> + Clone,
    ) {
        match self {
            Self::Sparse { rows, .. } => source.inputs.gather_sparse_on(isa, indices, rows),
            Self::Dense { rows, stride } => {
                let out = MatMut::new(rows, indices.len(), source.inputs.cols(), *stride);
                source.inputs.gather_on(isa, indices, out);
            }
        }
    }

    /// Drops what the mask drops of the first `rows` rows of `cols` numbers.
    pub(super) fn drop(&mut self, isa: Isa, mask: Mask<'_>, rows: usize, cols: usize) {
        match self {
            Self::Dense { rows: data, stride } => {
                for (r, row) in data.chunks_mut(*stride).take(rows).enumerate() {
                    let row = &mut row[..cols];
                    isa.dispatch(MaskRow { mask, r, row });
                }
            }
            Self::Sparse { rows: sparse, .. } => {
                for r in 0..rows {
                    mask.apply_to_pairs(r, cols, sparse);
                }
            }
        }
    }
}
