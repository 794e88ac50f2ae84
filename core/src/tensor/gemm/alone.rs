//! The product of [`gemm`](super::gemm()) on the calling thread. B of few columns has a form of its own (`narrow`), and so
//! has an A of few rows. B is read where it lies if it is small or A has few rows; else a block of it at a time is packed by
//! the first rows of A as they are multiplied by it, for all others.

use std::ops::Range;

use super::blocking::{Caches, KB, bytes, collides, fits_l2, is_near};
use super::columns::{ColumnsByPanels, GROUP, Rows};
use super::epilogue::Epilogue;
use super::few_rows::FewRows;
use super::in_place::InPlace;
use super::macrokernel::{RowsByPanels, Segment};
use super::room::with_room;
use super::{IntoMatrix, Operand, Output, activate, narrow, pack};
use crate::isa::Isa;
use crate::tensor::matrix::{LINE, MatMut, MatRef};

/// Columns of B that are packed at a time: whole tiles of three panels. Fewer would have each page of B visited for less,
/// more are more room to be made and more of it out of the second-level cache.
pub(super) const COLUMNS: usize = 240;

/// Columns of B in a block for a transposed A: 4 MiB, for the third-level cache.
const MANY_COLUMNS: usize = 2048;

/// Up to this many columns of B a transposed A is read where it lies: to bring it into rows costs a cycle a number, the
/// product n / 16.
const NARROW: usize = 128;

/// So many rows of a transposed A are brought near at a time, KB steps of each: they stay in the second-level cache.
const NEAR_ROWS: usize = 96;

/// Up to this many rows of A, B is read where it lies, wherever that is: with more, B packed once is read often enough to
/// pay.
pub(super) const FEW: usize = 8;

/// Up to this many, it is while it is in a part of the third-level cache,
const SOME: usize = 24;

/// and up to this many, while it is in the second and its rows are apart there.
const MANY: usize = 64;

/// Some rows of C = A B in one of the forms of [`Output`], which are all of this C. (Inline, and the operands handed on
/// where they are: a copy of what was just written in smaller parts takes as long as a small product.)
#[inline(always)]
pub(super) fn multiply(
    isa: Isa,
    (a, rows): (&Operand<'_>, Range<usize>),
    b: &Operand<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    if c.rows() == 0 || c.cols() == 0 {
        return;
    }
    let add = matches!(output, Output::Accumulate);
    if let Operand::Plain(a) = a
        && narrow::multiply(isa, (a, rows.clone()), b, c, add)
    {
        // Done.
    } else if let (Operand::Plain(a), Operand::Plain(b)) = (a, b)
        && b.rows() > 0
        && is_read_in_place(rows.len(), b)
    {
        in_place(isa, (a, rows), b, c, output);
    } else {
        by_blocks(isa, (*a, rows), *b, c, output);
    }
    activate(isa, c, output);
}

/// Whether it would not pay to pack B for so many rows of A.
fn is_read_in_place(rows: usize, b: &MatRef<'_>) -> bool {
    let (k, n) = (b.rows(), b.row_stride());
    let caches = Caches::of_this_machine();
    let is_some = rows <= SOME && bytes(k, n) <= caches.l3 / 8;
    let is_many = rows <= MANY && fits_l2(k, n) && !collides(n);
    rows <= FEW || !caches.is_l1_small() && (is_some || is_many) || is_near(k, n)
}

/// Whole lines of columns from B as it lies, the columns left over from a packed panel.
#[inline(never)]
fn in_place(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: &MatRef<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let (k, n, c_stride) = (b.rows(), b.cols(), c.row_stride());
    let (a, a_stride, rows) = (a.data_from(rows.start, 0), a.row_stride(), rows.len());
    let add = matches!(output, Output::Accumulate);
    // Fewer rows than a tile has are `few_rows` for all columns, more for what is left of them.
    let whole = if rows < FEW { 0 } else { n / LINE * LINE };
    if whole > 0 {
        isa.dispatch(InPlace {
            a,
            a_stride,
            rows,
            b: b.data(),
            b_stride: b.row_stride(),
            steps: k,
            c: c.data(),
            c_stride,
            panels: whole / LINE,
            add,
            packed: &mut [],
        });
    }
    if whole < n {
        isa.dispatch(FewRows {
            a,
            a_stride,
            rows,
            steps: k,
            b: &b.data()[whole..],
            b_stride: b.row_stride(),
            c: &mut c.data()[whole..],
            c_stride,
            n: n - whole,
            add,
        });
    }
}

/// Block by block of B: a block of KB steps of the reduction fills half of the second-level cache with [`COLUMNS`], where
/// deeper ones have room for fewer, and A is read more often; what is left of fewer steps is not worth a pass over C.
#[inline(never)]
fn by_blocks(
    isa: Isa,
    (a, all): (Operand<'_>, Range<usize>),
    b: Operand<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let (m, k, n) = (all.len(), b.rows(), b.cols());
    let is_plain = matches!(a, Operand::Plain(_));
    let deep = if is_plain { steps(k) } else { KB };
    let across = if is_plain { COLUMNS } else { MANY_COLUMNS };
    let near = if is_plain { m } else { NEAR_ROWS };
    with_room(k.min(deep) * n.min(across).div_ceil(LINE), |lines| {
        let mut room = Vec::new();
        for first in (0..n).step_by(across) {
            let columns = first..n.min(first + across);
            // Without a reduction the product is zero, and is still to be written.
            for pc in (0..k.max(1)).step_by(deep) {
                let steps = pc..k.min(pc + deep);
                let mut block = Block::new(isa, (b, columns.clone(), steps), output, &mut *lines);
                if let Operand::Transposed(a) = a
                    && n <= NARROW
                {
                    block.by_columns(a, all.clone(), c, &mut room);
                    continue;
                }
                for first in (0..m).step_by(near) {
                    let place = first..m.min(first + near);
                    let rows = all.start + place.start..all.start + place.end;
                    let steps = block.steps.clone();
                    let (a, a_stride) = match a {
                        Operand::Plain(a) => (a.data_from(rows.start, pc), a.row_stride()),
                        Operand::Transposed(a) => {
                            let stride = pack::rows_into(a, rows, steps, &mut room);
                            (&room[..], stride)
                        }
                    };
                    block.by_rows((a, a_stride), place, c);
                }
            }
        }
    });
}

/// Steps of the reduction in a block of B for an A that lies in rows.
pub(super) fn steps(k: usize) -> usize {
    if k < 2 * KB { k.max(1) } else { KB }
}

/// A block of B, and what is added to C of its product.
pub(super) struct Block<'a> {
    isa: Isa,
    b: Operand<'a>,
    columns: Range<usize>,
    steps: Range<usize>,
    add: bool,
    /// Room for it in panels, and whether they are there.
    lines: &'a mut [[f32; LINE]],
    is_packed: bool,
}

impl<'a> Block<'a> {
    /// These columns and steps of B, to be packed into the room.
    pub(super) fn new(
        isa: Isa,
        (b, columns, steps): (Operand<'a>, Range<usize>, Range<usize>),
        output: Output<'_>,
        lines: &'a mut [[f32; LINE]],
    ) -> Self {
        Self {
            isa,
            b,
            add: steps.start > 0 || matches!(output, Output::Accumulate),
            columns,
            steps,
            lines,
            is_packed: false,
        }
    }

    /// These rows of C, from rows of A that lie a stride apart.
    pub(super) fn by_rows(
        &mut self,
        (a, a_stride): (&[f32], usize),
        rows: Range<usize>,
        c: &mut MatMut<'_>,
    ) {
        let c_stride = c.row_stride();
        let c = &mut c.data()[rows.start * c_stride + self.columns.start..];
        let done = if self.is_packed {
            0
        } else {
            self.pack((a, a_stride), rows.len(), (&mut *c, c_stride))
        };
        if done == rows.len() {
            return;
        }
        self.isa.dispatch(RowsByPanels {
            a: &a[done * a_stride..],
            a_stride,
            rows: rows.len() - done,
            segments: &[Segment {
                len: self.steps.len(),
                lines: self.lines,
            }],
            c: &mut c[done * c_stride..],
            c_stride,
            n: self.columns.len(),
            padded: false,
            add: self.add,
            epilogue: Epilogue::default(),
        });
    }

    /// Packs the block, with the first tile of rows if B lies as it is read: how many rows of C are done.
    fn pack(
        &mut self,
        (a, a_stride): (&[f32], usize),
        rows: usize,
        (c, c_stride): (&mut [f32], usize),
    ) -> usize {
        self.is_packed = true;
        let (Range { start, end }, steps) = (self.columns.clone(), self.steps.clone());
        let panels = (end - start) / LINE;
        let (whole, rest) = self.lines.split_at_mut(panels * steps.len());
        let done = match self.b {
            Operand::Plain(b) if !whole.is_empty() => self.isa.dispatch(InPlace {
                a,
                a_stride,
                rows,
                b: b.data_from(steps.start, start),
                b_stride: b.row_stride(),
                steps: steps.len(),
                c: &mut *c,
                c_stride,
                panels,
                add: self.add,
                packed: whole,
            }),
            _ => 0,
        };
        if done == 0 {
            pack::pack_into(self.b, steps, start..end, self.lines);
            return 0;
        }
        let whole = start + panels * LINE;
        if whole < end {
            pack::pack_into(self.b, steps.clone(), whole..end, rest);
            self.isa.dispatch(RowsByPanels {
                a,
                a_stride,
                rows: done,
                segments: &[Segment {
                    len: steps.len(),
                    lines: rest,
                }],
                c: &mut c[whole - start..],
                c_stride,
                n: end - whole,
                padded: false,
                add: self.add,
                epilogue: Epilogue::default(),
            });
        }
        done
    }

    /// All rows of C, from the columns of what lies there.
    fn by_columns(
        &mut self,
        a: MatRef<'_>,
        rows: Range<usize>,
        c: &mut MatMut<'_>,
        room: &mut Vec<f32>,
    ) {
        let Range { start, end } = self.columns.clone();
        pack::pack_into(self.b, self.steps.clone(), start..end, self.lines);
        let (m, stride) = (rows.len(), c.row_stride());
        room.resize(self.steps.len() * GROUP, 0.0);
        self.isa.dispatch(ColumnsByPanels {
            pieces: &[Rows {
                a: a.data_from(self.steps.start, 0),
                stride: a.row_stride(),
                len: self.steps.len(),
                lines: self.lines,
            }],
            columns: rows.clone(),
            panels: (end - start).div_ceil(LINE),
            packed: room,
            sink: IntoMatrix {
                first: rows.start,
                c: MatMut::new(&mut c.data()[start..], m, end - start, stride),
                add: self.add,
            },
        });
    }
}
