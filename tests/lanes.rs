//! The public kernels whose register tiles go by the length of vectors, dense and sparse, with vectors of 4, 8 and 16
//! numbers on any CPU: `pulp` emulates such registers, so that the tile of an instruction set that this machine lacks is
//! held to the same bits as those it has. What turns rows into columns has only vectors of 4 here: longer ones are turned
//! otherwise where they are emulated.

use mlp_core::Isa;
use mlp_core::isa::pulp::{Scalar128b, Scalar256b, Scalar512b, Simd};
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{
    ColumnsByOne, ColumnsByPanels, Epilogue, GROUP, Operand, Panels, Rows, RowsByPanels, Segment,
    Sink, SparseColumnsByPanels, SparseRowsByPanels, Sums, room_for_lines, room_for_rows,
};
use mlp_core::tensor::matrix::Aligned;
use mlp_core::tensor::sparse::SparseRows;
use mlp_core::tensor::turn::Turn;
use mlp_core::tensor::{LINE, Matrix};
use oracle::fused::mul_add;
use oracle::gemm::gemm_chain;
use oracle::rng::Rng;

/// A (m x k, or k x m where it is read by columns) and B (k x n).
struct Case {
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
}

impl Case {
    fn new(m: usize, n: usize, k: usize, a_transposed: bool) -> Self {
        let mut rng = Rng::new((m * 1_000_003 + n * 1009 + k) as u64);
        let (rows, cols) = if a_transposed { (k, m) } else { (m, k) };
        Self {
            m,
            n,
            k,
            a: Matrix::from_vec(rows, cols, &rng.uniform(rows * cols, -1.0, 1.0)),
            b: Matrix::from_vec(k, n, &rng.uniform(k * n, -1.0, 1.0)),
        }
    }
}

/// C = relu(A B), checked bit for bit.
fn rows_by_panels<S: Simd>(simd: S, case: &Case) {
    let Case { m, n, k, a, b } = case;
    let (m, n, k) = (*m, *n, *k);
    let panels = Panels::pack(Operand::Plain(b.view()));
    let mut c = Matrix::from_fn(m, n, |_, _| f32::NAN);
    let stride = c.row_stride();
    simd.vectorize(RowsByPanels {
        a: a.view().data(),
        a_stride: a.row_stride(),
        rows: m,
        segments: &[Segment {
            len: k,
            lines: panels.lines(),
        }],
        c: c.view_mut().data(),
        c_stride: stride,
        n,
        padded: true,
        add: false,
        epilogue: Epilogue {
            activation: Some(Activation::Relu),
            ..Epilogue::default()
        },
    });
    let mut want = gemm_chain([m, n, k], |i, p| a.row(i)[p], |p, j| b.row(p)[j], None);
    for z in &mut want {
        *z = if *z <= 0.0 { 0.0 } else { *z };
    }
    assert_eq!(
        c.to_vec(),
        want,
        "m {m}, n {n}, k {k}, {} lanes",
        S::F32_LANES
    );
}

/// Puts strips into C.
struct Collect<'a>(&'a mut Matrix);

impl Sink for Collect<'_> {
    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        for (r, line) in strip.iter().enumerate() {
            let row = &mut self.0.row_mut(i + r)[j * LINE..];
            let width = row.len().min(LINE);
            row[..width].copy_from_slice(&line[..width]);
        }
    }
}

/// C = A^T B in two pieces of the reduction, A packed or not, checked bit for bit.
fn columns_by_panels<S: Simd>(simd: S, case: &Case, pack: bool) {
    let Case { m, n, k, a, b } = case;
    let (m, n, k) = (*m, *n, *k);
    let half = k / 2;
    let part = |from: usize, to: usize| Matrix::from_fn(to - from, n, |p, j| b.row(from + p)[j]);
    let parts =
        [part(0, half), part(half, k)].map(|part| Panels::pack(Operand::Plain(part.view())));
    let pieces =
        [(0, half, &parts[0]), (half, k - half, &parts[1])].map(|(first, len, panels)| Rows {
            a: &a.view().data()[first * a.row_stride()..],
            stride: a.row_stride(),
            len,
            lines: panels.lines(),
        });
    let mut c = Matrix::from_fn(m, n, |_, _| f32::NAN);
    let mut packed = vec![f32::NAN; if pack { k * GROUP } else { 0 }];
    simd.vectorize(ColumnsByPanels {
        pieces: &pieces,
        columns: 0..m,
        panels: n.div_ceil(LINE),
        packed: &mut packed,
        sink: Collect(&mut c),
    });
    let want = gemm_chain([m, n, k], |i, p| a.row(p)[i], |p, j| b.row(p)[j], None);
    if n == 1 {
        let mut alone = Matrix::from_fn(m, 1, |_, _| f32::NAN);
        for columns in [0..m / 3, m / 3..m] {
            simd.vectorize(ColumnsByOne {
                pieces: &pieces,
                columns,
                sink: Collect(&mut alone),
            });
        }
        let lanes = S::F32_LANES;
        assert_eq!(alone.to_vec(), want, "A^T b, m {m}, k {k}, {lanes} lanes");
    }
    assert_eq!(
        c.to_vec(),
        want,
        "A^T, m {m}, n {n}, k {k}, {} lanes, packed: {pack}",
        S::F32_LANES
    );
}

fn on_every_width(m: usize, n: usize, k: usize) {
    let case = Case::new(m, n, k, false);
    rows_by_panels(Scalar128b, &case);
    rows_by_panels(Scalar256b, &case);
    rows_by_panels(Scalar512b, &case);
    let case = Case::new(m, n, k, true);
    for pack in [false, true] {
        columns_by_panels(Scalar128b, &case, pack);
        columns_by_panels(Scalar256b, &case, pack);
        columns_by_panels(Scalar512b, &case, pack);
    }
}

#[test]
fn tiles_of_every_height_and_width() {
    for m in 1..=26 {
        for n in [1, 16, 17, 48, 49, 80] {
            on_every_width(m, n, 5);
        }
    }
}

#[test]
fn strips_and_blocks() {
    for k in [2, 511, 512, 513, 1030] {
        on_every_width(49, 35, k);
    }
    // Panels enough for A to be packed, in more than one block.
    on_every_width(49, 70, 1030);
    on_every_width(193, 130, 60);
    on_every_width(97, 300, 40);
    on_every_width(417, 1, 600);
}

/// A of many zeros (m x k), as it is and so kept that U columns share a bit.
fn sparse<const U: usize>(m: usize, k: usize) -> (Matrix, SparseRows<U>) {
    let mut rng = Rng::new((m * 1009 + k) as u64);
    let a = Matrix::from_fn(m, k, |_, _| {
        let x = rng.between(-1.0, 4.0);
        if x < 0.0 { x as f32 } else { 0.0 }
    });
    let mut rows = SparseRows::of_floats(m, k);
    for r in 0..m {
        rows.push(Isa::SCALAR, a.row(r));
    }
    rows.turn(Isa::SCALAR);
    (a, rows)
}

/// C = A B for such an A, checked bit for bit.
fn sparse_rows<S: Simd, const U: usize>(simd: S, [m, n, k]: [usize; 3]) {
    let ((a, rows), b) = (sparse::<U>(m, k), Case::new(1, n, k, false).b);
    let mut c = Matrix::from_fn(m, n, |_, _| f32::NAN);
    let stride = c.row_stride();
    simd.vectorize(SparseRowsByPanels {
        a: &rows,
        only: None,
        segments: &[Segment {
            len: k,
            lines: Panels::pack(Operand::Plain(b.view())).lines(),
        }],
        meanwhile: None,
        room: &mut Aligned::zeroed(room_for_rows(m)),
        c: c.view_mut().data(),
        c_stride: stride,
        n,
        epilogue: Epilogue::default(),
    });
    let want = gemm_chain([m, n, k], |i, p| a.row(i)[p], |p, j| b.row(p)[j], None);
    let lanes = S::F32_LANES;
    assert_eq!(c.to_vec(), want, "{m} {n} {k}, units of {U}, {lanes} lanes");
}

/// Adds a multiple to C, which is panels.
struct Add<'a>(&'a mut [[f32; LINE]], usize);

const FACTOR: f32 = -0.37;

impl Sink for Add<'_> {
    fn in_place(&mut self) -> Option<Sums<'_>> {
        Some(Sums {
            lines: self.0,
            rows: 0..self.1,
            scale: 1.0,
            factor: FACTOR,
        })
    }

    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        for (line, sums) in self.0[j * self.1 + i..].iter_mut().zip(strip) {
            for (c, sum) in line.iter_mut().zip(sums) {
                *c = mul_add(FACTOR, *sum, *c);
            }
        }
    }
}

/// C = A^T B, of an A of k rows and m columns, and C += factor A^T B.
fn sparse_columns<S: Simd, const U: usize>(simd: S, [m, n, k]: [usize; 3]) {
    let ((a, rows), b) = (sparse::<U>(k, m), Case::new(1, n, k, false).b);
    let panels = Panels::pack(Operand::Plain(b.view()));
    let pieces = [Rows {
        a: &[],
        stride: 1,
        len: k,
        lines: panels.lines(),
    }];
    let mut room = Aligned::zeroed(room_for_lines(k));
    let mut c = Matrix::from_fn(m, n, |_, _| f32::NAN);
    simd.vectorize(SparseColumnsByPanels {
        a: &[&rows],
        pieces: &pieces,
        columns: 0..m,
        panels: n.div_ceil(LINE),
        room: &mut room,
        sink: Collect(&mut c),
    });
    let want = gemm_chain([m, n, k], |i, p| a.row(p)[i], |p, j| b.row(p)[j], None);
    let lanes = S::F32_LANES;
    assert_eq!(c.to_vec(), want, "{m} {n} {k}, units of {U}, {lanes} lanes");
    let mut sums = vec![[0.5; LINE]; m * n.div_ceil(LINE)];
    simd.vectorize(SparseColumnsByPanels {
        a: &[&rows],
        pieces: &pieces,
        columns: 0..m,
        panels: n.div_ceil(LINE),
        room: &mut room,
        sink: Add(&mut sums, m),
    });
    for (at, want) in want.iter().enumerate() {
        let (i, j) = (at / n, at % n);
        let sum = sums[j / LINE * m + i][j % LINE];
        assert_eq!(sum, mul_add(FACTOR, *want, 0.5), "added, {lanes} lanes");
    }
}

#[test]
fn sparse_products() {
    for shape in [[1, 20, 784], [1, 150, 1025], [7, 60, 513], [131, 150, 300]] {
        sparse_rows::<_, 1>(Scalar128b, shape);
        sparse_rows::<_, 1>(Scalar256b, shape);
        sparse_rows::<_, 1>(Scalar512b, shape);
        sparse_rows::<_, 2>(Scalar128b, shape);
        sparse_rows::<_, 2>(Scalar256b, shape);
        sparse_rows::<_, 2>(Scalar512b, shape);
    }
    for shape in [
        [37, 17, 1],
        [8, 64, 1],
        [37, 43, 128],
        [300, 33, 70],
        [100, 80, 512],
    ] {
        sparse_columns::<_, 1>(Scalar128b, shape);
        sparse_columns::<_, 1>(Scalar256b, shape);
        sparse_columns::<_, 1>(Scalar512b, shape);
        sparse_columns::<_, 2>(Scalar128b, shape);
        sparse_columns::<_, 2>(Scalar256b, shape);
        sparse_columns::<_, 2>(Scalar512b, shape);
    }
}

#[test]
fn panels_of_columns_become_panels_of_rows() {
    for (m, n) in [(1, 1), (3, 5), (16, 16), (37, 50), (50, 37), (64, 3)] {
        let number = |r: usize, c: usize| {
            if r < m && c < n {
                (r * 100 + c) as f32
            } else {
                0.0
            }
        };
        let by_columns = Panels::pack(Operand::Plain(Matrix::from_fn(m, n, number).view()));
        let mut by_rows = vec![[f32::NAN; LINE]; n * m.div_ceil(LINE)];
        Scalar128b.vectorize(Turn {
            by_columns: by_columns.lines(),
            by_rows: &mut by_rows,
            rows: m,
            columns: n,
        });
        for (at, line) in by_rows.iter().enumerate() {
            let (r, c) = (at / n * LINE, at % n);
            assert_eq!(*line, std::array::from_fn(|i| number(r + i, c)), "{m} {n}");
        }
    }
}
