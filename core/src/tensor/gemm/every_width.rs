//! What only this folder can call, by vectors of 4, 8 and 16 numbers on any CPU: `pulp` emulates such registers, so that
//! the tile of an instruction set that this machine lacks is held to the same bits as those it has.

use pulp::{Scalar128b, Scalar256b, Scalar512b, Simd};

use super::blocking::KB;
use super::few_rows::FewRows;
use super::in_place::InPlace;
use crate::rng::Rng;
use crate::tensor::LINE;

/// A product, m x n from m x k and k x n, and what is between rows: of A three numbers, of B so many, of C two.
pub(super) struct Case {
    m: usize,
    n: usize,
    k: usize,
    gap: usize,
    pub(super) a: Vec<f32>,
    pub(super) b: Vec<f32>,
    c: Vec<f32>,
}

/// Something to be done by vectors of any width.
trait Check {
    fn check<S: Simd>(&self, simd: S);
}

fn on_every_width(what: &impl Check) {
    what.check(Scalar128b);
    what.check(Scalar256b);
    what.check(Scalar512b);
}

impl Case {
    pub(super) fn new([m, n, k]: [usize; 3], gap: usize) -> Self {
        let mut rng = Rng::new((m * 1_000_003 + n * 1009 + k) as u64);
        let mut draw = |len| (0..len).map(|_| rng.uniform() as f32 - 0.5).collect();
        let (a, b, c) = (draw(m * k), draw(k * n), draw(m * n));
        Self {
            m,
            n,
            k,
            gap,
            a,
            b,
            c,
        }
    }

    /// Chains of fused multiply-adds for each block of the reduction, added to zero or to C.
    pub(super) fn chain(&self, add: bool) -> Vec<f32> {
        let element = |at: usize| {
            let (i, j) = (at / self.n, at % self.n);
            let mut sum = if add { self.c[at] } else { 0.0 };
            for pc in (0..self.k).step_by(KB) {
                let steps = pc..self.k.min(pc + KB);
                sum += steps.fold(0.0, |sum, p| {
                    self.a[i * self.k + p].mul_add(self.b[p * self.n + j], sum)
                });
            }
            sum
        };
        (0..self.m * self.n).map(element).collect()
    }

    /// Rows of so many numbers, so much further apart, NaN between; they end with the last number.
    pub(super) fn apart(rows: &[f32], len: usize, gap: usize) -> Vec<f32> {
        let mut apart = Vec::new();
        for row in rows.chunks(len) {
            apart.extend_from_slice(row);
            apart.extend(vec![f32::NAN; gap]);
        }
        apart.truncate(apart.len() - gap);
        apart
    }

    /// C before the product, where it is added to or not, its rows two numbers further apart.
    pub(super) fn before(&self, add: bool) -> Vec<f32> {
        let nothing = vec![f32::NAN; self.m * self.n];
        Self::apart(if add { &self.c } else { &nothing }, self.n, 2)
    }

    /// So many rows of C are the chains, and what is between all of them is as it was.
    pub(super) fn assert<S: Simd>(&self, c: &[f32], rows: usize, add: bool) {
        let want = &self.chain(add)[..rows * self.n];
        let mut after = self.before(add);
        for (after, want) in after.chunks_mut(self.n + 2).zip(want.chunks(self.n)) {
            after[..self.n].copy_from_slice(want);
        }
        let bits = |c: &[f32]| c.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let (m, n, k, lanes) = (self.m, self.n, self.k, S::F32_LANES);
        assert!(bits(c) == bits(&after), "{m} {n} {k}, {lanes} lanes, {add}");
    }
}

struct ByFewRows(Case);

impl Check for ByFewRows {
    fn check<S: Simd>(&self, simd: S) {
        let Case { m, n, k, gap, .. } = self.0;
        for add in [false, true] {
            let mut c = self.0.before(add);
            simd.vectorize(FewRows {
                a: &Case::apart(&self.0.a, k, 3),
                a_stride: k + 3,
                rows: m,
                steps: k,
                b: &Case::apart(&self.0.b, n, gap),
                b_stride: n + gap,
                c: &mut c,
                c_stride: n + 2,
                n,
                add,
            });
            self.0.assert::<S>(&c, m, add);
        }
    }
}

#[test]
fn few_rows() {
    for m in 1..=9 {
        for n in [1, 16, 17, 33, 65, 130, 260] {
            on_every_width(&ByFewRows(Case::new([m, n, 5], 7)));
        }
        on_every_width(&ByFewRows(Case::new([m, 50, 1030], 0)));
    }
    // A lone row by a large B without gaps.
    for n in [128, 256] {
        on_every_width(&ByFewRows(Case::new([1, n, 1030], 0)));
    }
    // By a B from afar, whose rows are in the same places of a cache, or are not.
    for m in 1..=4 {
        for gap in [1, 20] {
            on_every_width(&ByFewRows(Case::new([m, 1023, 1030], gap)));
        }
    }
}

/// Whether B is packed besides.
struct InItsPlace(Case, bool);

impl Check for InItsPlace {
    fn check<S: Simd>(&self, simd: S) {
        let Self(case, packs) = self;
        let Case { m, n, k, gap, .. } = *case;
        let tile = if S::F32_LANES == 16 { 8 } else { 6 };
        for add in [false, true] {
            let (mut c, mut packed) = (case.before(add), Vec::new());
            packed.resize(if *packs { n / LINE * k } else { 0 }, [f32::NAN; LINE]);
            let done = simd.vectorize(InPlace {
                a: &Case::apart(&case.a, k, 3),
                a_stride: k + 3,
                rows: m,
                b: &Case::apart(&case.b, n, gap),
                b_stride: n + gap,
                steps: k,
                c: &mut c,
                c_stride: n + 2,
                panels: n / LINE,
                add,
                packed: &mut packed,
            });
            let rows = match *packs {
                true if m < tile => 0,
                true => tile,
                false => m,
            };
            assert_eq!(done, rows);
            case.assert::<S>(&c, rows, add);
            for (at, line) in packed.iter().enumerate().filter(|_| rows > 0) {
                let (j, p) = (at / k * LINE, at % k);
                assert_eq!(line, &case.b[p * n + j..][..LINE], "{n} {k}, line {at}");
            }
        }
    }
}

#[test]
fn in_place() {
    for panels in [1, 2, 3, 4, 5, 7] {
        for m in 1..=26 {
            for packs in [false, true] {
                let case = Case::new([m, panels * LINE, 5], 4);
                on_every_width(&InItsPlace(case, packs));
            }
        }
        for packs in [false, true] {
            let case = Case::new([14, panels * LINE, 1030], 0);
            on_every_width(&InItsPlace(case, packs));
        }
    }
}
