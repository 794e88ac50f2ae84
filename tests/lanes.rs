//! The register tiles for vectors of 4, 8 and 16 numbers, on any CPU: `pulp` emulates such registers, so that the tile of
//! an instruction set that this machine lacks is held to the same bits as those it has.

use mlp_core::isa::pulp::{Scalar128b, Scalar256b, Scalar512b, Simd};
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{
    ColumnsByOne, ColumnsByPanels, Epilogue, GROUP, Operand, Panels, Rows, RowsByPanels, Segment,
    Sink,
};
use mlp_core::tensor::{LINE, Matrix};
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
