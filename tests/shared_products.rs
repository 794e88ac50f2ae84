//! Products that several threads compute together have the bits of the oracle, whatever falls to each.

mod product;

use mlp_core::Isa;
use mlp_core::team::{self, Member};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::tensor::gemm::{Operand, Output, Product};
use product::Case;

const PLAIN: (bool, bool) = (false, false);

/// What a team of so many makes of that case, again and again.
fn by_team(case: &Case, isa: Isa, size: usize, output: Output<'_>) -> Vec<f32> {
    let [m, n, k] = case.shape;
    let (a, b) = (
        Matrix::from_vec(m, k, &case.a),
        Matrix::from_vec(k, n, &case.b),
    );
    let mut c = Matrix::from_fn(m, n, |_, _| f32::NAN);
    let product = Product::new(isa, size, [m, k, n], c.view_mut(), output);
    let work = |member: Member<'_>| {
        for _ in 0..20 {
            let (a, b) = (Operand::Plain(a.view()), Operand::Plain(b.view()));
            product.work(&member, a, b).expect("nobody panics");
        }
    };
    team::run(size, work, work);
    drop(product);
    c.to_vec()
}

#[test]
fn threads_do_not_change_a_bit() {
    // Enough work for four threads; neither side a multiple of any tile.
    let shape = [203, 167, 523];
    for form in [PLAIN, (true, false), (false, true), (true, true)] {
        for gap in [0, 5] {
            let case = Case::uniform(shape, form, gap);
            let (fresh, added) = (case.chain(false), case.chain(true));
            for isa in Isa::available() {
                for threads in [1, 2, 3, 8] {
                    case.check(isa, threads, Output::Overwrite, &fresh);
                }
                case.check(isa, 3, Output::Accumulate, &added);
            }
        }
    }
    for form in [PLAIN, (true, false)] {
        let case = Case::uniform([267, 523, 519], form, 5);
        let fresh = case.chain(false);
        for threads in [1, 2] {
            case.check(
                Isa::detect().expect("a known instruction set"),
                threads,
                Output::Overwrite,
                &fresh,
            );
        }
    }
}

#[test]
fn a_team_computes_one_product_after_the_other() {
    // B is read in place, is packed by columns, in two blocks of the reduction or one, is packed for each thread's rows,
    // is too little for several threads; or A is a lone row.
    for shape in [
        [203, 67, 223],
        [150, 300, 1030],
        [460, 523, 517],
        [530, 67, 2100],
        [3, 5, 7],
        [1, 530, 513],
    ] {
        let case = Case::uniform(shape, PLAIN, 0);
        let want = case.chain(false);
        let with_bias = want.iter().zip(case.bias.iter().cycle());
        let positive: Vec<f32> = with_bias.map(|(c, bias)| (c + bias).max(0.0)).collect();
        let relu = Output::Activate(&case.bias, Activation::Relu);
        let isa = Isa::detect().expect("a known instruction set");
        for size in [1, 2, 3] {
            let got = by_team(&case, isa, size, Output::Overwrite);
            assert_eq!(got, want, "{case} by {size}");
            let got = by_team(&case, isa, size, relu);
            assert_eq!(got, positive, "{case}, bias and activation, by {size}");
        }
    }
}

#[test]
fn more_threads_than_rows_are_no_harm() {
    // Work for two threads that are started: eight rows, and what is left.
    for shape in [[9, 1000, 1030], [13, 700, 1030], [16, 1024, 523]] {
        let case = Case::uniform(shape, PLAIN, 5);
        let want = case.chain(false);
        for isa in Isa::available() {
            case.check(isa, 20, Output::Overwrite, &want);
        }
    }
    // In a team two find something to do, or one.
    for shape in [[9, 64, 1030], [13, 300, 523], [2, 300, 1030]] {
        let case = Case::uniform(shape, PLAIN, 0);
        let want = case.chain(false);
        for isa in Isa::available() {
            let got = by_team(&case, isa, 14, Output::Overwrite);
            assert_eq!(got, want, "{case} on {isa}");
        }
    }
}
