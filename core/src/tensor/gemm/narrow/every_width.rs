//! The narrow product by vectors of 4 numbers, on any CPU. (Of longer ones `pulp` emulates another transposition than the
//! CPUs that have them do: within the whole, not within each quarter.)

use pulp::{Scalar128b, Simd};

use super::super::every_width::Case;
use super::{LINE, Narrow, PAIR, Place, SLIM, WIDE};

/// By tiles of N columns.
fn by_columns<const N: usize>([m, n, k]: [usize; 3]) {
    let case = Case::new([m, n, k], 0);
    let a = &Case::apart(&case.a, k, 3);
    // Whatever makes rows of B as wide as a tile.
    let mut b = vec![[f32::NAN; N]; k];
    for (wide, b) in b.iter_mut().zip(case.b.chunks(n)) {
        wide[..n].copy_from_slice(b);
    }
    let is_tile = m >= 8;
    for (add, far) in [(false, false), (true, false), (false, true)] {
        let product = |c: &mut [f32], c_stride: usize, is_turned: bool| {
            let is_done = Scalar128b.vectorize(Narrow::<N> {
                a,
                a_stride: k + 3,
                rows: m,
                b: &b,
                place: Place {
                    c,
                    c_stride,
                    is_turned,
                },
                n,
                add,
                tile: &mut [[f32::NAN; N]; 2 * LINE],
                far,
            });
            assert_eq!(is_done, is_tile, "{m} rows");
        };
        let rows = if is_tile { m } else { 0 };
        let mut c = case.before(add);
        product(&mut c, n + 2, false);
        case.assert::<Scalar128b>(&c, rows, add);
        // Columns of C that lie as rows, and are brought back.
        let mut c = case.before(add);
        let place = |at: usize| at % m * (n + 2) + at / m;
        let mut turned: Vec<f32> = (0..n * m).map(|at| c[place(at)]).collect();
        product(&mut turned, m, true);
        for (at, x) in turned.into_iter().enumerate() {
            c[place(at)] = x;
        }
        case.assert::<Scalar128b>(&c, rows, add);
    }
}

#[test]
fn narrow() {
    for m in [7, 8, 9, 15, 16, 33, 70] {
        for k in [1, 3, 4, 9, 512, 517, 1026] {
            for n in 1..=PAIR {
                by_columns::<PAIR>([m, n, k]);
            }
            for n in PAIR + 1..=SLIM {
                by_columns::<SLIM>([m, n, k]);
            }
            for n in SLIM + 1..=WIDE {
                by_columns::<WIDE>([m, n, k]);
            }
        }
    }
}
