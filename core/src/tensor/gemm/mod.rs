//! Matrix products, in single precision, with bits that do not depend on how they are computed.
//!
//! [`gemm`] computes C = A B (or C += A B, or C = f(A B + bias)) for row-major matrices and their transposes.
//!
//! **The contract.** Every element of C is a chain of fused multiply-adds that starts from zero and takes the reduction
//! index in ascending order; after every [`KB`] = 512 steps the chain starts anew, and the sums of the blocks are
//! added in ascending order (to what C held, where the product is accumulated). No other freedom remains, so tile
//! shapes, packing, threads and instruction sets cannot change a bit. The error of an element is at most
//! (512 + k/512 + 2) 2^-24 sum |a| |b|.
//!
//! **How.** B is packed into panels of 16 columns ([`Panels`]); a register tile of MR rows of A by one or more panels
//! runs down the reduction (`microkernel`); the loops round it keep each operand in the cache it should be read from
//! (`macrokernel`, `blocking`). Overwriting never reads C, which may hold NaN.

mod blocking;
mod macrokernel;
mod microkernel;
mod pack;

pub use blocking::{Caches, KB};
pub use macrokernel::{ColumnsByPanels, Epilogue, GROUP, Rows, RowsByPanels, Segment, Sink};
pub use pack::{Operand, Panels};

use pulp::Simd;

use super::activation::{Activation, activation_forward};
use super::matrix::{Aligned, LINE, MatMut, padded as padded_len};
use crate::isa::Isa;

/// What becomes of the product.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// C = A B; C is not read.
    Overwrite,
    /// C += A B.
    Accumulate,
    /// C = f(A B + bias), `bias` having one value a column of C.
    Activate(&'a [f32], Activation),
}

/// C = A B in one of the forms of [`Output`], on at most `threads` threads.
///
/// # Panics
/// When the shapes of A (m x k), B (k x n), C (m x n) or the bias (n) do not fit together.
#[track_caller]
pub fn gemm(
    isa: Isa,
    threads: usize,
    a: Operand<'_>,
    b: Operand<'_>,
    c: MatMut<'_>,
    output: Output<'_>,
) {
    let (m, k, n) = (a.rows(), a.cols(), b.cols());
    assert_eq!(k, b.rows(), "A is {m} x {k}, B is {} x {n}", b.rows());
    assert_eq!(
        (m, n),
        (c.rows(), c.cols()),
        "A B is {m} x {n}, C is {} x {}",
        c.rows(),
        c.cols()
    );
    if let Output::Activate(bias, _) = output {
        assert_eq!(
            bias.len(),
            n,
            "the bias of {n} columns has {} values",
            bias.len()
        );
    }
    if m == 0 || n == 0 {
        return;
    }
    // A thread costs some 20 us to start: not worth it below some 2 million multiply-adds each.
    let threads = threads.clamp(1, ((m * k * n) >> 21).max(1));
    let panels = packed(threads, b, k, n);
    let segment = Segment {
        len: k,
        lines: panels.as_chunks().0,
    };
    let stride = c.row_stride();
    // Shares that whole tiles fill.
    let share = m.div_ceil(threads).next_multiple_of(4);
    let padded = c.is_padded();
    let data = c.into_data();
    std::thread::scope(|scope| {
        let mut parts = data
            .chunks_mut(share * stride)
            .zip((0..m).step_by(share))
            .peekable();
        while let Some((c, first)) = parts.next() {
            let rows = first..m.min(first + share);
            let mut part = move || {
                let c = MatMut::new(c, rows.len(), n, stride);
                multiply(
                    isa,
                    a,
                    segment,
                    if padded { c.assume_padded() } else { c },
                    first,
                    output,
                );
            };
            if parts.peek().is_some() {
                scope.spawn(part);
            } else {
                part();
            }
        }
    });
}

/// B in panels, packed by all threads.
fn packed(threads: usize, b: Operand<'_>, k: usize, n: usize) -> Aligned {
    let mut data = Aligned::zeroed(k * padded_len(n));
    let share = padded_len(n.div_ceil(threads));
    std::thread::scope(|scope| {
        for (part, first) in data
            .chunks_mut((k * share).max(1))
            .zip((0..n).step_by(share))
        {
            let mut work = move || pack::pack_into(b, 0..k, first..n.min(first + share), part);
            if first + share < n {
                scope.spawn(work);
            } else {
                work();
            }
        }
    });
    data
}

/// Rows `first..` of C, as many as `c` has.
fn multiply(
    isa: Isa,
    a: Operand<'_>,
    b: Segment<'_>,
    mut c: MatMut<'_>,
    first: usize,
    output: Output<'_>,
) {
    let (rows, n, stride, padded) = (c.rows(), c.cols(), c.row_stride(), c.is_padded());
    let add = matches!(output, Output::Accumulate);
    // An epilogue in the product needs rows that may be written to the end of their last line.
    let mut epilogue = Epilogue::default();
    let mut left_over = None;
    match output {
        Output::Activate(bias, activation) if padded && matches!(a, Operand::Plain(_)) => {
            epilogue = Epilogue {
                bias: Some(bias),
                activation: Some(activation),
                preactivation: None,
            };
        }
        Output::Activate(bias, activation) => left_over = Some((bias, activation)),
        Output::Overwrite | Output::Accumulate => {}
    }
    match a {
        Operand::Plain(a) => isa.dispatch(RowsByPanels {
            a: &a.data()[first * a.row_stride()..],
            a_stride: a.row_stride(),
            rows,
            segments: &[b],
            c: c.data(),
            c_stride: stride,
            n,
            padded,
            add,
            epilogue,
        }),
        Operand::Transposed(a) => {
            let mut strip = Aligned::zeroed(b.len * GROUP);
            isa.dispatch(ColumnsByPanels {
                pieces: &[Rows {
                    a: a.data(),
                    stride: a.row_stride(),
                    len: b.len,
                    lines: b.lines,
                }],
                columns: first..first + rows,
                panels: n.div_ceil(LINE),
                packed: &mut strip,
                sink: IntoMatrix {
                    c: c.reborrow(),
                    first,
                    add,
                },
            });
        }
    }
    if let Some((bias, activation)) = left_over {
        isa.dispatch(BiasActivation {
            c,
            bias,
            activation,
            line: &mut Aligned::zeroed(padded_len(n)),
        });
    }
}

/// Puts the strips into C.
struct IntoMatrix<'a> {
    c: MatMut<'a>,
    first: usize,
    add: bool,
}

impl Sink for IntoMatrix<'_> {
    #[inline(always)]
    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        let width = LINE.min(self.c.cols() - j * LINE);
        for (r, line) in strip.iter().enumerate() {
            let row = &mut self.c.row(i - self.first + r)[j * LINE..][..width];
            for (c, x) in row.iter_mut().zip(line) {
                *c = if self.add { *c + x } else { *x };
            }
        }
    }
}

/// c = f(c + bias) for rows without padding, by way of one padded line.
struct BiasActivation<'a> {
    c: MatMut<'a>,
    bias: &'a [f32],
    activation: Activation,
    line: &'a mut [f32],
}

impl pulp::WithSimd for BiasActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for r in 0..self.c.rows() {
            let row = self.c.row(r);
            for ((z, c), bias) in self.line.iter_mut().zip(&*row).zip(self.bias) {
                *z = c + bias;
            }
            let n = row.len();
            activation_forward(simd, self.activation, self.line, n);
            row.copy_from_slice(&self.line[..n]);
        }
    }
}
