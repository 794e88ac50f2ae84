//! The product of [`gemm`](super::gemm()) on the calling thread. B of few columns has a form of its own (`narrow`), and so
//! has an A of few rows. B is read where it lies if it is small or A has few rows; else a block of it at a time is packed by
//! the first rows of A as they are multiplied by it, for all others.

use std::ops::Range;

use super::blocking::{self, Caches, bytes, collides, fits_l2, is_near, stays_near};
use super::epilogue::Epilogue;
use super::few_rows::FewRows;
use super::in_place::InPlace;
use super::macrokernel::{RowsByPanels, Segment};
use super::room::{OF_A, OF_B, with_room};
use super::{Operand, Output, activate, narrow, pack};
use crate::isa::Isa;
use crate::tensor::matrix::{LINE, MatMut, MatRef};

/// Columns of B that are packed at a time: whole tiles of three panels. Fewer would have each page of B visited for less,
/// more are more room to be made and more of it out of the second-level cache.
pub(super) const COLUMNS: usize = 240;

/// Numbers of a transposed A that are brought into rows for one pass over B,
const TURNED: usize = 5 << 18;

/// where B has up to two lines of columns,
const TURNED_NEAR: usize = 1 << 16;

/// and, however long they are, so many rows.
const TURNED_ROWS: usize = 96;

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
    match a {
        Operand::Plain(a) => of_rows(isa, (a, rows), b, c, output),
        Operand::Transposed(a) => turned(isa, (a, rows), b, c, output),
    }
}

/// Of an A whose rows lie.
#[inline(always)]
fn of_rows(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: &Operand<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let add = matches!(output, Output::Accumulate);
    let is_narrow = match b {
        Operand::Transposed(b) if rows.len() <= narrow::WIDE => {
            narrow::few_rows(isa, (a, rows.clone()), b, c, add)
        }
        _ => narrow::few_columns(isa, (a, rows.clone()), b, c, add),
    };
    if is_narrow {
        // Done.
    } else if let Operand::Plain(b) = b
        && b.rows() > 0
        && is_read_in_place(isa, rows.len(), b)
    {
        in_place(isa, (a, rows), b, c, output);
    } else {
        by_blocks(isa, (a, rows), *b, c, output);
    }
    activate(isa, c, output);
}

/// Of one whose rows are made, as many at a time as there is room for: a quarter of a cycle a number.
#[inline(never)]
fn turned(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: &Operand<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let (k, n, c_stride) = (b.rows(), b.cols(), c.row_stride());
    let stride = pack::stride_of_rows(k);
    let most = if n <= 2 * LINE { TURNED_NEAR } else { TURNED };
    let most = (most / stride).max(TURNED_ROWS);
    // As many for each.
    let most = rows.len().div_ceil(rows.len().div_ceil(most));
    with_room(&OF_A, most * stride / LINE, |room| {
        let room = room.as_flattened_mut();
        for first in (0..rows.len()).step_by(most) {
            let all = first..rows.len().min(first + most);
            let some = rows.start + first..rows.start + all.end;
            pack::rows_into(isa, *a, some, 0..k, room);
            let a = &MatRef::new(room, all.len(), k, stride);
            let c = &mut MatMut::new(&mut c.data()[first * c_stride..], all.len(), n, c_stride);
            of_rows(isa, (a, 0..all.len()), b, c, output);
        }
    });
}

/// Whether it would not pay to pack B for so many rows of A.
fn is_read_in_place(isa: Isa, rows: usize, b: &MatRef<'_>) -> bool {
    let (k, n) = (b.rows(), b.row_stride());
    let caches = Caches::of_this_machine();
    // Tiles of four panels have fewer rows, whose numbers are sooner found, and B need not be a stream. Where vectors are
    // shorter there are none, and all of B is read panel by panel for each tile of rows.
    let has_four = b.cols() / LINE == 4 && stays_near(k, n);
    let pays_with_four = has_four && (isa.lanes() == LINE || rows <= 4 * FEW);
    let pays_never = if caches.is_l1_small() {
        pays_with_four || rows <= 2 * FEW && fits_l2(k, n)
    } else {
        let is_some = rows <= SOME && bytes(k, n) <= caches.l3 / 8;
        is_some || rows <= MANY && fits_l2(k, n) && !collides(n) || is_near(k, n)
    };
    rows <= FEW || pays_never
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

/// Block by block of B: a block of KB steps of the reduction fills half of the second-level cache with [`COLUMNS`].
#[inline(never)]
fn by_blocks(
    isa: Isa,
    (a, rows): (&MatRef<'_>, Range<usize>),
    b: Operand<'_>,
    c: &mut MatMut<'_>,
    output: Output<'_>,
) {
    let (k, n) = (b.rows(), b.cols());
    let deep = blocking::steps(k);
    with_room(
        &OF_B,
        k.min(deep) * n.min(COLUMNS).div_ceil(LINE),
        |lines| {
            for first in (0..n).step_by(COLUMNS) {
                let columns = first..n.min(first + COLUMNS);
                // Without a reduction the product is zero, and is still to be written.
                for pc in (0..k.max(1)).step_by(deep) {
                    let steps = pc..k.min(pc + deep);
                    let mut block =
                        Block::new(isa, (b, columns.clone(), steps), output, &mut *lines);
                    let a = (a.data_from(rows.start, pc), a.row_stride());
                    block.by_rows(a, 0..rows.len(), c);
                }
            }
        },
    );
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
            pack::pack_into(self.isa, self.b, steps, start..end, self.lines);
            return 0;
        }
        let whole = start + panels * LINE;
        if whole < end {
            pack::pack_into(self.isa, self.b, steps.clone(), whole..end, rest);
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
}
