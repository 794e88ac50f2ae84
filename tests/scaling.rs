//! Gathered rows have the bits of (x - shift) * scale, and scalings are those that f64 finds.

use mlp_core::dataset::{Dataset, Inputs, Scaling, ScalingKind, TargetScaling, Targets};
use mlp_core::rng::Rng;
use mlp_core::tensor::{MatMut, Matrix, padded};
use mlp_core::{Activation, Isa, Kind, Network};

fn random_bytes(rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..rows * cols).map(|_| rng.below(256) as u8).collect()
}

fn as_floats(bytes: &[u8], rows: usize, cols: usize) -> Inputs {
    Inputs::from_matrix(Matrix::from_fn(rows, cols, |r, c| {
        f32::from(bytes[r * cols + c])
    }))
}

fn fit(kind: &str, inputs: &Inputs) -> Scaling {
    let kind = ScalingKind::parse(kind).expect("a known kind");
    Scaling::fit(&kind, inputs).expect("a scaling that can be fitted")
}

const KINDS: [&str; 6] = [
    "none",
    "standard",
    "min-max",
    "unit",
    "shift:0.3",
    "unit-shift:0.5",
];

/// Bytes and f32 of the same values, on every instruction set, of every width: (x - shift) * scale in two f32 operations.
#[test]
fn gathered_bits_are_the_formula_on_every_isa() {
    for cols in [1, 2, 3, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 784] {
        let rows = 23;
        let bytes = random_bytes(rows, cols, cols as u64);
        let raw = Inputs::from_bytes(bytes.clone(), rows, cols).expect("as many bytes as said");
        let mut rng = Rng::new(2);
        let indices: Vec<u32> = (0..37).map(|_| rng.below(rows as u64) as u32).collect();
        for kind in KINDS {
            let scaling = fit(kind, &raw);
            let of = |values: &[f32], c: usize| values[if values.len() == 1 { 0 } else { c }];
            for inputs in [raw.clone(), as_floats(&bytes, rows, cols)] {
                let inputs = inputs
                    .with_scaling(scaling.clone())
                    .expect("as many columns");
                for isa in Isa::available() {
                    let mut batch = Matrix::from_fn(indices.len(), padded(cols), |_, _| f32::NAN);
                    let stride = batch.row_stride();
                    let mut view = batch.view_mut();
                    let out = MatMut::new(view.data(), indices.len(), cols, stride);
                    inputs.gather_on(isa, indices.iter().map(|&i| i as usize), out);
                    for (r, &index) in indices.iter().enumerate() {
                        for c in 0..cols {
                            let x = f32::from(bytes[index as usize * cols + c]);
                            let shifted = x - of(scaling.shift(), c);
                            let expected = shifted * of(scaling.scale(), c);
                            let found = batch.row(r)[c];
                            assert_eq!(
                                found.to_bits(),
                                expected.to_bits(),
                                "{isa}, {kind}, {cols} columns, row {r}, column {c}: {found} for {expected}"
                            );
                        }
                        let padding = &batch.row(r)[cols..];
                        assert!(
                            padding.iter().all(|x| x.to_bits() == 0),
                            "{isa}, {cols} columns, row {r}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn gathering_a_range_is_gathering_its_indices() {
    let inputs = Inputs::from_bytes(random_bytes(9, 21, 1), 9, 21).expect("as many bytes as said");
    for isa in Isa::available() {
        let (mut a, mut b) = (Matrix::zeros(4, 21), Matrix::zeros(4, 21));
        inputs.gather_on(isa, [3, 4, 5, 6].into_iter(), a.view_mut());
        inputs.gather_on(isa, 3..7, b.view_mut());
        assert_eq!(a, b, "{isa}");
    }
}

/// A batch that is the left part of a wider matrix: what lies to the right of its padding is not touched.
#[test]
fn gathering_leaves_the_rest_of_a_wide_row() {
    let inputs = as_floats(&random_bytes(3, 5, 1), 3, 5);
    let mut wide = Matrix::from_fn(3, 40, |_, _| 7.0);
    let stride = wide.row_stride();
    inputs.gather_on(
        Isa::SCALAR,
        [2, 1, 0].into_iter(),
        MatMut::new(wide.view_mut().data(), 3, 5, stride),
    );
    assert_eq!(wide.row(0)[5..16], [0.0; 11]);
    assert_eq!(wide.row(0)[16..], [7.0; 24]);
}

#[test]
#[should_panic(expected = "2 rows of 5 columns do not go into a 3 x 5 matrix")]
fn gathering_into_another_shape_panics() {
    let inputs = as_floats(&random_bytes(3, 5, 1), 3, 5);
    inputs.gather_on(Isa::SCALAR, 0..2, Matrix::zeros(3, 5).view_mut());
}

/// Standard and min-max against f64, within two roundings to f32.
#[test]
fn scalings_agree_with_f64() {
    let (rows, cols) = (501, 19);
    let mut rng = Rng::new(8);
    let matrix = Matrix::from_fn(rows, cols, |_, c| {
        (rng.normal() * 10_f64.powi(c as i32 - 9) + (c as f64 - 5.0) * 3.0) as f32
    });
    let inputs = Inputs::from_matrix(matrix.clone());
    let column = |c: usize| (0..rows).map(move |r| f64::from(matrix.row(r)[c]));
    let (standard, min_max) = (fit("standard", &inputs), fit("min-max", &inputs));
    let close =
        |found: f32, expected: f64| (f64::from(found) - expected).abs() <= 1.2e-7 * expected.abs();
    for c in 0..cols {
        let values: Vec<f64> = column.clone()(c).collect();
        let mean = values.iter().sum::<f64>() / rows as f64;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows as f64;
        assert!(close(standard.shift()[c], mean), "mean of column {c}");
        assert!(
            close(standard.scale()[c], 1.0 / variance.sqrt()),
            "deviation of column {c}"
        );
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(close(min_max.shift()[c], least), "least of column {c}");
        assert!(
            close(min_max.scale()[c], 1.0 / (greatest - least)),
            "range of column {c}"
        );
    }
    let scaled = inputs
        .with_scaling(min_max)
        .expect("as many columns")
        .to_matrix()
        .to_vec();
    assert!(scaled.iter().all(|x| (0.0..=1.000_000_2).contains(x)));
}

#[test]
fn constant_columns_become_zero() {
    let matrix = Matrix::from_fn(7, 3, |r, c| [0.1, 1e-40 * r as f32, r as f32][c]);
    for kind in ["standard", "min-max"] {
        let inputs = Inputs::from_matrix(matrix.clone());
        let scaling = fit(kind, &inputs);
        assert_eq!(
            (scaling.shift()[0], scaling.scale()[0]),
            (0.1, 1.0),
            "{kind}"
        );
        assert_eq!(
            scaling.scale()[1],
            1.0,
            "{kind}: no infinite scale for a tiny spread"
        );
        let scaled = inputs
            .with_scaling(scaling)
            .expect("as many columns")
            .to_matrix();
        assert!((0..7).all(|r| scaled.row(r)[0] == 0.0), "{kind}");
    }
}

#[test]
fn auto_scaling_tells_images_from_measures() {
    let image = random_bytes(10, 64, 1);
    let name = |inputs: &Inputs| fit("auto", inputs).name();
    assert_eq!(
        name(&Inputs::from_bytes(image.clone(), 10, 64).expect("bytes")),
        "unit"
    );
    assert_eq!(name(&as_floats(&image, 10, 64)), "unit");
    assert_eq!(
        name(&as_floats(&image[..630], 10, 63)),
        "standard",
        "few columns"
    );
    let small: Vec<u8> = image.iter().map(|x| x / 16).collect();
    assert_eq!(
        name(&Inputs::from_bytes(small, 10, 64).expect("bytes")),
        "standard",
        "small numbers"
    );
    let fraction = Matrix::from_fn(10, 64, |r, c| f32::from(image[r * 64 + c]) + 0.5);
    assert_eq!(name(&fraction.into()), "standard", "fractions");
}

#[test]
fn scalings_are_kept_whole() {
    let inputs = as_floats(&random_bytes(20, 6, 3), 20, 6);
    for kind in KINDS {
        let scaling = fit(kind, &inputs);
        assert_eq!(scaling.name(), kind.split(':').next().expect("a name"));
        let (shift, scale) = (scaling.shift().to_vec(), scaling.scale().to_vec());
        let copy = Scaling::from_parts(scaling.name(), 6, shift, scale).expect("good parts");
        assert_eq!(copy, scaling);
        assert_eq!(scaling.is_identity(), kind == "none");
        assert_eq!(
            scaling.shift().len(),
            if ["standard", "min-max"].contains(&kind) {
                6
            } else {
                1
            }
        );
    }
    let one_each = fit("shift:1,2,3,4,5,6", &inputs);
    assert_eq!(
        (one_each.shift(), one_each.scale()),
        (&[1., 2., 3., 4., 5., 6.][..], &[1.; 6][..])
    );
    assert_eq!(fit("unit-shift:0.5", &inputs).shift(), [127.5]);
}

#[test]
fn bad_scalings_are_told() {
    let told = |name: &str| {
        ScalingKind::parse(name)
            .expect_err("a bad name")
            .to_string()
    };
    assert_eq!(
        told("z-score"),
        "scaling `z-score` is not one of: auto, none, standard, min-max, unit, shift:VALUE,.., unit-shift:VALUE,.."
    );
    assert_eq!(
        told("shift:1,x"),
        "scaling `shift:1,x`: `x` is not a number"
    );
    assert_eq!(
        told("shift:inf"),
        "scaling `shift:inf`: `inf` is not a number"
    );
    for name in [
        "auto",
        "none",
        "standard",
        "min-max",
        "unit",
        "shift:0.1,-3",
        "unit-shift:0.5",
    ] {
        assert_eq!(ScalingKind::parse(name).expect("a good name").name(), name);
    }
    let inputs = as_floats(&[1, 2, 3], 1, 3);
    let error = Scaling::fit(&ScalingKind::Shift(vec![1., 2.]), &inputs).expect_err("two of three");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            Kind::Setting,
            "a shift of 2 constants does not go with 3 columns: one or 3 are expected"
        )
    );
    assert!(Scaling::fit(&ScalingKind::Standard, &as_floats(&[], 0, 3)).is_err());
    assert!(Scaling::from_parts("standard", 3, vec![0.; 2], vec![1.; 3]).is_err());
    assert!(Scaling::from_parts("standard", 3, vec![0.; 3], vec![f32::NAN; 3]).is_err());
    assert!(Scaling::from_parts("magic", 3, vec![0.; 3], vec![1.; 3]).is_err());
    let other = Scaling::none(4);
    assert_eq!(
        inputs
            .with_scaling(other)
            .expect_err("four of three")
            .to_string(),
        "the scaling is for 4 columns, the data has 3"
    );
}

#[test]
fn columns_that_cannot_be_scaled_are_told() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for (column, row) in [
        ([1.0, nan, 2.0], 2),
        ([1.0, 2.0, inf], 3),
        ([-3e38, 1.0, 3e38], 3),
    ] {
        let inputs =
            Inputs::from_matrix(Matrix::from_fn(
                3,
                2,
                |r, c| if c == 1 { column[r] } else { 1.0 },
            ));
        for kind in [ScalingKind::Standard, ScalingKind::MinMax] {
            let error = Scaling::fit(&kind, &inputs).expect_err("a fault");
            let place = format!("row {row}, column 2 is {:?}", column[row - 1]);
            assert_eq!(error.kind(), Kind::Data);
            assert!(error.to_string().starts_with(&place), "{error}");
        }
    }
    let inputs = as_floats(&[1, 2, 3], 1, 3);
    for kind in [
        ScalingKind::Shift(vec![nan]),
        ScalingKind::UnitShift(vec![3e38]),
    ] {
        let error = Scaling::fit(&kind, &inputs).expect_err("a fault");
        assert_eq!(error.kind(), Kind::Setting, "{error}");
    }
}

#[test]
fn targets_are_scaled_and_given_back() {
    let values = Matrix::from_vec(4, 2, &[1.0, 5.0, 2.0, 5.0, 3.0, 5.0, 6.0, 5.0]);
    let inputs = || as_floats(&[1, 2, 3, 4, 5, 6, 7, 9], 4, 2);
    let data = Dataset::values(inputs(), values).expect("a data set");
    let scaling = TargetScaling::fit(&data).expect("values");
    assert_eq!(scaling.mean(), [3.0, 5.0]);
    assert_eq!(scaling.deviation(), [3.5_f64.sqrt(), 1.0]);
    let Targets::Values { values, .. } = scaling.apply(data.clone()).targets().clone() else {
        panic!("values stay values");
    };
    let want = [-2.0, -1.0, 0.0, 3.0].map(|t| [(t / 3.5_f64.sqrt()) as f32, 0.0]);
    assert_eq!(values.to_vec(), want.concat());

    let names = ["a", "b"].map(String::from).to_vec();
    let classes = Dataset::classes(inputs(), vec![0, 1, 1, 0], names).expect("a data set");
    assert_eq!(TargetScaling::fit(&classes), None);

    // Powers of two: nothing is rounded.
    let network = |output| {
        let builder = Network::builder(2)
            .dense(3, Activation::Relu)
            .dense(2, output);
        builder.seed(3).build().expect("a network")
    };
    let (scale, shift) = ([2.0, 0.25], [0.0, 0.0]);
    let mut net = network(Activation::Identity);
    let before = net.predict(data.inputs());
    net.rescale_outputs(&scale, &shift).expect("a linear layer");
    let after = net.predict(data.inputs());
    for (before, after) in before.to_vec().chunks(2).zip(after.to_vec().chunks(2)) {
        assert_eq!(after, [2.0 * before[0], 0.25 * before[1]]);
    }
    net.rescale_outputs(&[1.0; 2], &[1.0, -8.0])
        .expect("a linear layer");
    assert_eq!(net.layers()[1].bias(), [1.0, -8.0]);
    for mut refused in [
        network(Activation::Sigmoid),
        Network::builder(2)
            .dense_no_bias(2, Activation::Identity)
            .build()
            .expect("a network"),
    ] {
        let error = refused
            .rescale_outputs(&scale, &shift)
            .expect_err("a fault");
        assert_eq!(error.kind(), Kind::Setting);
    }
}
