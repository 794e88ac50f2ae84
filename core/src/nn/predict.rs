//! Running a network forward: many rows on several threads, or one row without an allocation.

use super::Network;
use crate::dataset::Inputs;
use crate::team;
use crate::tensor::gemm::{Epilogue, RowsByPanels, Segment};
use crate::tensor::matrix::Aligned;
use crate::tensor::{LINE, MatMut, Matrix, padded};

/// Rows that go through the layers together, so that they stay in the second-level cache.
const ROWS: usize = 96;

/// Work below which a further thread does not pay, in floating-point operations.
const FLOPS_PER_THREAD: usize = 4 << 20;

/// Room for the activations of a few rows on their way through a network.
#[derive(Clone, Debug)]
pub struct Scratch {
    input: Aligned,
    rooms: [Aligned; 2],
}

impl Scratch {
    /// Room for one row, for [`Network::predict_into`].
    pub fn new(network: &Network) -> Self {
        Self::of(network, 1)
    }

    fn of(network: &Network, rows: usize) -> Self {
        let width = network.widest() * LINE;
        Self {
            input: Aligned::zeroed(rows * padded(network.inputs())),
            rooms: [Aligned::zeroed(rows * width), Aligned::zeroed(rows * width)],
        }
    }
}

impl Network {
    /// The outputs for all rows, `[rows, outputs]`, on all threads that pay.
    ///
    /// # Panics
    /// When the rows are not as wide as the network's inputs.
    #[track_caller]
    pub fn predict(&self, inputs: &Inputs) -> Matrix {
        self.predict_on(inputs, team::available_threads())
    }

    /// The outputs for all rows on at most `threads` threads; the same bits for any number of them, and for a row
    /// alone or among others.
    ///
    /// # Panics
    /// When the rows are not as wide as the network's inputs.
    #[track_caller]
    pub fn predict_on(&self, inputs: &Inputs, threads: usize) -> Matrix {
        let (rows, wide) = (inputs.rows(), self.inputs());
        assert_eq!(
            inputs.cols(),
            wide,
            "a network of {wide} inputs was given rows of {}",
            inputs.cols()
        );
        let mut result = Matrix::zeros(rows, self.outputs());
        if rows == 0 {
            return result;
        }
        let stride = result.row_stride();
        let pays = rows.saturating_mul(self.flops_per_row()) / FLOPS_PER_THREAD;
        let share = rows
            .div_ceil(threads.clamp(1, pays.clamp(1, team::MOST_THREADS)))
            .next_multiple_of(4);
        let mut view = result.view_mut();
        std::thread::scope(|scope| {
            for (out, first) in view
                .data()
                .chunks_mut(share * stride)
                .zip((0..rows).step_by(share))
            {
                let mut work = move || self.predict_range(inputs, first, out, stride);
                if first + share < rows {
                    scope.spawn(work);
                } else {
                    work();
                }
            }
        });
        result
    }

    /// The outputs of rows from `first` on, as many as `out` has.
    fn predict_range(&self, inputs: &Inputs, first: usize, out: &mut [f32], stride: usize) {
        let mut scratch = Scratch::of(self, ROWS.min(out.len() / stride));
        let wide = padded(self.inputs());
        for (out, first) in out.chunks_mut(ROWS * stride).zip((first..).step_by(ROWS)) {
            let rows = out.len() / stride;
            let gathered = MatMut::new(&mut scratch.input, rows, self.inputs(), wide);
            inputs.gather_on(self.isa, first..first + rows, gathered);
            out.copy_from_slice(self.forward(&mut scratch, rows));
        }
    }

    /// The outputs for one row of inputs as the network takes them, written to `out`; allocates nothing.
    ///
    /// # Panics
    /// When `row` or `out` has another length than the network's inputs or outputs, or the scratch is another
    /// network's.
    #[track_caller]
    pub fn predict_into(&self, row: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        assert_eq!(
            row.len(),
            inputs,
            "a network of {inputs} inputs was given a row of {}",
            row.len()
        );
        assert_eq!(
            out.len(),
            outputs,
            "a network of {outputs} outputs was given room for {}",
            out.len()
        );
        scratch.input[..inputs].copy_from_slice(row);
        out.copy_from_slice(&self.forward(scratch, 1)[..outputs]);
    }

    /// Takes `rows` rows of the scratch's input through all layers; the outputs, in rows of whole lines.
    fn forward<'s>(&self, scratch: &'s mut Scratch, rows: usize) -> &'s [f32] {
        for (l, layer) in self.layers.iter().enumerate() {
            // The two rooms take turns.
            let [even, odd] = &mut scratch.rooms;
            let (from, to) = if l % 2 == 0 { (odd, even) } else { (even, odd) };
            let from = if l == 0 { &scratch.input } else { from };
            let stride = padded(layer.outputs());
            self.isa.dispatch(RowsByPanels {
                a: from,
                a_stride: padded(layer.inputs()),
                rows,
                segments: &[Segment {
                    len: layer.inputs(),
                    lines: layer.panels.lines(),
                }],
                c: &mut to[..rows * stride],
                c_stride: stride,
                n: layer.outputs(),
                padded: true,
                add: false,
                epilogue: Epilogue {
                    bias: layer.bias.as_deref(),
                    activation: Some(layer.activation()),
                    preactivation: None,
                },
            });
        }
        &scratch.rooms[(self.layers.len() + 1) % 2][..rows * padded(self.outputs())]
    }
}
