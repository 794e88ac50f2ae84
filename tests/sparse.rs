//! Skipping zeros changes no bit: the sparse products meet the chain oracle with `==`, on every instruction set, and
//! a row is predicted alone as it is among others.

use std::cell::RefCell;
use std::ops::Range;

use mlp_core::isa::pulp::{Simd, WithSimd};
use mlp_core::nn::Scratch;
use mlp_core::tensor::gemm::{
    Epilogue, KB, Meanwhile, Rows, Segment, Sink, Span, SparseColumnsByPanels, SparseRowsByPanels,
    Sums, room_for_lines, room_for_rows,
};
use mlp_core::tensor::matrix::Aligned;
use mlp_core::tensor::sparse::{SparseRows, UNITS};
use mlp_core::tensor::{LINE, padded};
use mlp_core::{Activation, Inputs, Isa, Matrix, Network};
use oracle::fused::mul_add;
use oracle::gemm::gemm_chain;
use oracle::rng::Rng;

/// What a byte stands for in these tests; 0 for 0, which is -0 here, and for another one.
fn table() -> [f32; 256] {
    std::array::from_fn(|byte| match byte {
        0 => -0.0,
        7 => 0.0,
        _ => (byte as f32 - 131.0) / 97.0,
    })
}

/// A sparse matrix of what bytes stand for: about one number in five is not zero, some zeros are negative, one row and one
/// column are all zero.
fn sparse(rng: &mut Rng, rows: usize, cols: usize) -> Vec<u8> {
    (0..rows * cols)
        .map(|i| {
            let draw = rng.between(0.0, 5.0);
            let empty = i / cols == 1 || i % cols == 2;
            match draw {
                _ if empty => 0,
                ..1.0 => rng.between(1.0, 256.0) as u8,
                1.0..1.5 => 7,
                _ => 0,
            }
        })
        .collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let table = table();
    bytes.iter().map(|&byte| table[usize::from(byte)]).collect()
}

/// One more row of bytes.
struct Push<'a, const U: usize> {
    rows: &'a mut SparseRows<U>,
    row: &'a [u8],
}

impl<const U: usize> WithSimd for Push<'_, U> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.rows.push_bytes(simd, self.row);
    }
}

/// The rows of a row-major matrix of `cols` columns, turned: kept as floats, and in pairs as bytes too.
fn rows_of<const U: usize>(isa: Isa, a: &[u8], cols: usize) -> Vec<SparseRows<U>> {
    let rows = a.len() / cols;
    let mut kept = vec![SparseRows::of_floats(rows, cols)];
    if U > 1 {
        kept.push(SparseRows::of_bytes(rows, cols, table()));
    }
    for row in a.chunks(cols) {
        let numbers = floats(row);
        for rows in &mut kept {
            if rows.is_of_bytes() {
                isa.dispatch(Push { rows, row });
            } else {
                rows.push(isa, &numbers);
            }
        }
    }
    for rows in &mut kept {
        rows.turn(isa);
    }
    kept
}

/// B, k x n, cut into pieces of the reduction and packed into panels.
fn panels(b: &[f32], n: usize, cuts: &[usize]) -> Vec<Vec<[f32; LINE]>> {
    cuts.windows(2)
        .map(|cut| {
            let mut lines = Vec::new();
            for first in (0..n).step_by(LINE) {
                for p in cut[0]..cut[1] {
                    lines.push(std::array::from_fn(|j| {
                        if first + j < n {
                            b[p * n + first + j]
                        } else {
                            0.0
                        }
                    }));
                }
            }
            lines
        })
        .collect()
}

/// Bit by bit, so that a zero's sign counts.
fn assert_same_bits(have: impl IntoIterator<Item = f32>, want: &[f32], what: &str) {
    let bits: Vec<u32> = have.into_iter().map(f32::to_bits).collect();
    let want: Vec<u32> = want.iter().map(|x| x.to_bits()).collect();
    assert!(bits == want, "{what}");
}

fn rows_by_panels<const U: usize>() {
    let mut rng = Rng::new(11);
    for (m, k, n) in [
        (3, 5, 1),
        (4, 513, 17),
        (1, 61, 3),
        (1, 784, 40),
        (1, 1025, 20),
        (1, 1600, 150),
        (131, 784, 60),
        (2, 784, 64),
        (3, 1100, 150),
    ] {
        let bytes = sparse(&mut rng, m, k);
        let a = floats(&bytes);
        let b: Vec<f32> = (0..k * n).map(|_| rng.between(-1.0, 1.0) as f32).collect();
        let want = gemm_chain([m, n, k], |i, p| a[i * k + p], |p, j| b[p * n + j], None);
        let (third, strips) = (k / 6 * 2, k / 256 * 128);
        for cuts in [vec![0, k], vec![0, third, third, k], vec![0, strips, k]] {
            let pieces = panels(&b, n, &cuts);
            let segments: Vec<_> = pieces
                .iter()
                .zip(cuts.windows(2))
                .map(|(lines, cut)| Segment {
                    len: cut[1] - cut[0],
                    lines,
                })
                .collect();
            for isa in Isa::available() {
                for rows in &rows_of::<U>(isa, &bytes, k) {
                    let mut c = vec![f32::NAN; m * padded(n)];
                    let across = k.div_ceil(U * UNITS);
                    let met = RefCell::new(vec![0; m * across]);
                    let meet = |r: usize, strip: usize| met.borrow_mut()[r * across + strip] += 1;
                    isa.dispatch(SparseRowsByPanels {
                        a: rows,
                        only: None,
                        segments: &segments,
                        meanwhile: Some(Meanwhile(&meet)),
                        // What it holds does not matter.
                        room: &mut nans(room_for_rows(m)),
                        c: &mut c,
                        c_stride: padded(n),
                        n,
                        epilogue: Epilogue::default(),
                    });
                    let have = c.chunks(padded(n)).flat_map(|row| row[..n].iter().copied());
                    assert_same_bits(have, &want, &format!("{isa} {U} {m} x {k} x {n}, {cuts:?}"));
                    assert!(met.take().iter().all(|&times| times == 1), "{cuts:?}");
                }
            }
        }
    }
}

#[test]
fn rows_by_panels_in_pairs_and_one_by_one() {
    rows_by_panels::<2>();
    rows_by_panels::<1>();
}

/// Strip by strip, each going on from the sums of those before.
fn rows_by_spans<const U: usize>() {
    let mut rng = Rng::new(13);
    for (m, k, n) in [(131, 500, 60), (9, 301, 150), (1, 261, 20)] {
        let bytes = sparse(&mut rng, m, k);
        let a = floats(&bytes);
        let b: Vec<f32> = (0..k * n).map(|_| rng.between(-1.0, 1.0) as f32).collect();
        let want = gemm_chain([m, n, k], |i, p| a[i * k + p], |p, j| b[p * n + j], None);
        let pieces = panels(&b, n, &[0, k]);
        let segment = Segment {
            len: k,
            lines: &pieces[0],
        };
        for isa in Isa::available() {
            for rows in &rows_of::<U>(isa, &bytes, k) {
                let mut c = vec![f32::NAN; m * padded(n)];
                for first in (0..k).step_by(U * UNITS) {
                    isa.dispatch(SparseRowsByPanels {
                        a: rows,
                        only: Some(Span {
                            columns: first..k.min(first + U * UNITS),
                            goes_on: first > 0,
                        }),
                        segments: &[segment],
                        meanwhile: None,
                        room: &mut nans(room_for_rows(m)),
                        c: &mut c,
                        c_stride: padded(n),
                        n,
                        epilogue: Epilogue::default(),
                    });
                }
                let have = c.chunks(padded(n)).flat_map(|row| row[..n].iter().copied());
                assert_same_bits(have, &want, &format!("{isa} {U} {m} x {k} x {n}"));
            }
        }
    }
}

#[test]
fn rows_by_spans_that_go_on() {
    rows_by_spans::<2>();
    rows_by_spans::<1>();
}

fn nans(len: usize) -> Aligned {
    let mut room = Aligned::zeroed(len);
    room.fill(f32::NAN);
    room
}

/// Collects the strips into C.
struct Collect<'a> {
    c: &'a mut [f32],
    n: usize,
}

impl Sink for Collect<'_> {
    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        for (r, line) in strip.iter().enumerate() {
            let width = LINE.min(self.n - j * LINE);
            self.c[(i + r) * self.n + j * LINE..][..width].copy_from_slice(&line[..width]);
        }
    }
}

/// Adds a multiple to c, which is kept panel by panel.
struct Add<'a> {
    c: &'a mut [[f32; LINE]],
    rows: Range<usize>,
    scale: f32,
}

const FACTOR: f32 = -0.37;

impl Sink for Add<'_> {
    fn in_place(&mut self) -> Option<Sums<'_>> {
        Some(Sums {
            lines: self.c,
            rows: self.rows.clone(),
            scale: self.scale,
            factor: FACTOR,
        })
    }

    fn take<S: Simd>(&mut self, _: S, i: usize, j: usize, strip: &mut [[f32; LINE]]) {
        let lines = &mut self.c[j * self.rows.len() + i - self.rows.start..];
        for (line, sums) in lines.iter_mut().zip(strip) {
            for (c, sum) in line.iter_mut().zip(sums) {
                *c = mul_add(FACTOR, self.scale * *sum, *c);
            }
        }
    }
}

fn columns_by_panels<const U: usize>() {
    let mut rng = Rng::new(12);
    for (m, k, n) in [
        (5, 3, 1),
        (7, 1, 17),
        (8, 1, 64),
        (37, 128, 17),
        (300, 70, 43),
        (100, KB, 64),
    ] {
        // A is k x m, the product A^T B.
        let bytes = sparse(&mut rng, k, m);
        let a = floats(&bytes);
        let b: Vec<f32> = (0..k * n).map(|_| rng.between(-1.0, 1.0) as f32).collect();
        let want = gemm_chain([m, n, k], |i, p| a[p * m + i], |p, j| b[p * n + j], None);
        for cuts in [vec![0, k], vec![0, k / 3, k / 3, k]] {
            let lines = panels(&b, n, &cuts);
            let kinds = |isa: Isa| (0..U).map(move |kind| (isa, kind));
            for (isa, kind) in Isa::available().into_iter().flat_map(kinds) {
                let rows: Vec<_> = cuts
                    .windows(2)
                    .map(|cut| rows_of::<U>(isa, &bytes[cut[0] * m..cut[1] * m], m))
                    .collect();
                let a: Vec<_> = rows.iter().map(|rows| &rows[kind]).collect();
                // B is cut where A is, or elsewhere.
                let other = [0, k - k / 4, k];
                let other_lines = panels(&b, n, &other);
                let (cuts, lines) = match kind {
                    0 => (&cuts[..], &lines),
                    _ => (&other[..], &other_lines),
                };
                let pieces: Vec<_> = lines
                    .iter()
                    .zip(cuts.windows(2))
                    .map(|(lines, cut)| Rows {
                        a: &[],
                        stride: 1,
                        len: cut[1] - cut[0],
                        lines,
                    })
                    .collect();
                let mut c = vec![f32::NAN; m * n];
                let mut room = nans(room_for_lines(k));
                // Two threads' shares of the columns.
                for columns in [0..m / 8 * 4, m / 8 * 4..m] {
                    isa.dispatch(SparseColumnsByPanels {
                        a: &a,
                        pieces: &pieces,
                        columns,
                        panels: n.div_ceil(LINE),
                        room: &mut room,
                        sink: Collect { c: &mut c, n },
                    });
                }
                assert_same_bits(c, &want, &format!("{isa} {m} x {k} x {n}, {cuts:?}"));
                // Units of one column have no way of their own to be added in place.
                if U == 1 {
                    continue;
                }
                let old: Vec<f32> = (0..m * n).map(|i| [-0.0, 0.5, 0.0][i % 3]).collect();
                for (rows, scale) in [(0..m / 8 * 4, 1.0), (m / 8 * 4..m, 1.0), (0..m, 0.25)] {
                    let first = rows.start * n;
                    let mut c = panels(&old[first..rows.end * n], n, &[0, rows.len()]).remove(0);
                    isa.dispatch(SparseColumnsByPanels {
                        a: &a,
                        pieces: &pieces,
                        columns: rows.clone(),
                        panels: n.div_ceil(LINE),
                        room: &mut room,
                        sink: Add {
                            c: &mut c,
                            rows: rows.clone(),
                            scale,
                        },
                    });
                    let at = |i: usize, j: usize| c[j / LINE * rows.len() + i][j % LINE];
                    let have = (0..rows.len()).flat_map(|i| (0..n).map(move |j| (i, j)));
                    let have = have.map(|(i, j)| at(i, j));
                    let whole = want.iter().zip(&old);
                    let sums = whole.map(|(sum, old)| mul_add(FACTOR, scale * sum, *old));
                    let sums: Vec<f32> = sums.skip(first).take(rows.len() * n).collect();
                    assert_same_bits(have, &sums, &format!("{isa} {m} x {k} x {n}, {rows:?}"));
                }
            }
        }
    }
}

#[test]
fn columns_by_panels_in_pairs_and_one_by_one() {
    columns_by_panels::<2>();
    columns_by_panels::<1>();
}

#[test]
fn a_row_predicted_alone_is_the_row_predicted_among_others() {
    let mut rng = Rng::new(14);
    let (rows, cols) = (230, 61);
    // Blocks of the prediction are of either kind, and one is of both.
    let mut values = floats(&sparse(&mut rng, 70, cols));
    values.extend(rng.uniform(90 * cols, -1.0, 1.0));
    values.extend(floats(&sparse(&mut rng, 70, cols)));
    let matrix = Matrix::from_vec(rows, cols, &values);
    let inputs = Inputs::from(matrix.clone());
    let network = Network::builder(cols)
        .dense(37, Activation::Relu)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a good network");
    let mut infinite = network.clone();
    let mut weight = infinite.layers()[0].weight();
    weight.row_mut(5)[2] = f32::INFINITY;
    let scratch_before = Scratch::new(&infinite);
    infinite.set_weight(0, &weight);
    let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for (network, scratch) in [
        (&network, Scratch::new(&network)),
        (&infinite, scratch_before),
    ] {
        let want = network.clone().with_isa(Isa::SCALAR).predict_on(&inputs, 1);
        for isa in Isa::available() {
            let (network, mut scratch) = (network.clone().with_isa(isa), scratch.clone());
            let mut out = [0.0; 3];
            for threads in [1, 3] {
                let all = network.predict_on(&inputs, threads);
                for row in 0..rows {
                    network.predict_into(matrix.row(row), &mut scratch, &mut out);
                    assert_eq!(bits(&out), bits(all.row(row)), "{isa}, row {row}");
                    assert_eq!(bits(&out), bits(want.row(row)), "{isa}, row {row}");
                }
            }
        }
    }
    // Column 2 of the sparse rows is zero: 0 times infinity was not skipped.
    let lost = infinite.predict(&inputs);
    let mut sparse_rows = (0..70).chain(160..rows);
    assert!(sparse_rows.all(|row| lost.row(row).iter().any(|x| x.is_nan())));
}
