//! Datasets hold together, and splits share out their rows by seed.

use mlp_core::dataset::{Dataset, Inputs, Targets};
use mlp_core::rng::Rng;
use mlp_core::tensor::Matrix;

/// A dataset whose row i has the input i.
fn numbered(labels: &[u32]) -> Dataset {
    let inputs = Matrix::from_fn(labels.len(), 1, |r, _| r as f32).into();
    let names = (0..=labels.iter().copied().max().unwrap_or(1).max(1)).map(|i| i.to_string());
    Dataset::classes(inputs, labels.to_vec(), names.collect()).expect("good labels")
}

fn rows_of(dataset: &Dataset) -> Vec<usize> {
    dataset
        .inputs()
        .to_matrix()
        .to_vec()
        .iter()
        .map(|&x| x as usize)
        .collect()
}

fn check_split(whole: &Dataset, (train, held_out): &(Dataset, Dataset), rows: usize) {
    assert_eq!((train.len(), held_out.len()), (rows, whole.len() - rows));
    let (train_rows, held_out_rows) = (rows_of(train), rows_of(held_out));
    assert!(
        train_rows.is_sorted() && held_out_rows.is_sorted(),
        "the order of the data is kept"
    );
    let mut all = [train_rows, held_out_rows].concat();
    all.sort_unstable();
    assert_eq!(
        all,
        (0..whole.len()).collect::<Vec<_>>(),
        "every row on one side"
    );
    let Targets::Classes { labels, .. } = whole.targets() else {
        panic!("classes");
    };
    for side in [train, held_out] {
        let Targets::Classes {
            labels: side_labels,
            ..
        } = side.targets()
        else {
            panic!("classes");
        };
        assert!(
            rows_of(side)
                .iter()
                .zip(side_labels)
                .all(|(&row, &label)| labels[row] == label)
        );
    }
}

#[test]
fn splits_share_out_every_row_by_seed() {
    let labels: Vec<u32> = (0..997).map(|i| u32::from(i % 10 == 0)).collect();
    let whole = numbered(&labels);
    for (share, rows) in [(0.8, 798), (0.5, 499), (0.999, 996), (0.001, 1)] {
        check_split(&whole, &whole.split(share, 1).expect("a good share"), rows);
        check_split(
            &whole,
            &whole.split_stratified(share, 1).expect("a good share"),
            rows,
        );
    }
    // Bytes are moved, not copied; other numbers are copied. The sides are the same.
    let bytes = Inputs::from_bytes((0..997 * 3).map(|i| (i % 251) as u8).collect(), 997, 3)
        .expect("as many bytes");
    let names = vec!["a".to_owned(), "b".to_owned()];
    let bytes = Dataset::classes(bytes, labels.clone(), names).expect("a data set");
    for whole in [&whole, &bytes] {
        for (sides, want) in [
            (whole.clone().into_split(0.7, 3), whole.split(0.7, 3)),
            (
                whole.clone().into_split_stratified(0.7, 3),
                whole.split_stratified(0.7, 3),
            ),
        ] {
            let ((train, held_out), want) =
                (sides.expect("a good share"), want.expect("a good share"));
            for (side, want) in [(train, want.0), (held_out, want.1)] {
                assert_eq!(side.inputs().to_matrix(), want.inputs().to_matrix());
                assert_eq!(side.targets(), want.targets());
                assert_eq!(side.size_in_memory(), want.size_in_memory());
            }
        }
    }
    let train = |seed| rows_of(&whole.split(0.8, seed).expect("a good share").0);
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    assert_ne!(train(1), (0..798).collect::<Vec<_>>());
}

/// The same rows in every version: a saved seed must find them again.
#[test]
fn golden_split() {
    let whole = numbered(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let held_out = |(_, held_out): (Dataset, Dataset)| rows_of(&held_out);
    assert_eq!(held_out(whole.split(0.6, 1).expect("a good share")), GOLDEN);
    assert_eq!(
        held_out(whole.split_stratified(0.6, 1).expect("a good share")),
        GOLDEN_STRATIFIED
    );
}

const GOLDEN: [usize; 4] = [0, 2, 3, 7];
const GOLDEN_STRATIFIED: [usize; 4] = [1, 2, 8, 9];

#[test]
fn stratified_splits_keep_proportions() {
    let mut labels = [vec![0; 600], vec![1; 297], vec![2; 103], vec![3; 7]].concat();
    Rng::new(5).shuffle(&mut labels);
    let whole = numbered(&labels);
    for seed in 0..5 {
        let (train, held_out) = whole.split_stratified(0.9, seed).expect("a good share");
        // Shares of 540, 267.3, 92.7 and 6.3 rows, 906 in all.
        assert_eq!(train.class_counts(), [540, 267, 93, 6]);
        assert_eq!(held_out.class_counts(), [60, 30, 10, 1]);
    }
}

#[test]
fn impossible_splits_are_told() {
    let whole = numbered(&[0, 1, 0]);
    let told = |share| whole.split(share, 1).expect_err("a bad share").to_string();
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert_eq!(
            told(share),
            format!("a training share of {share} is not between 0 and 1")
        );
        assert!(whole.split_stratified(share, 1).is_err());
    }
    assert_eq!(
        told(0.9),
        "a training share of 0.9 of 3 rows leaves no row to hold out"
    );
    assert_eq!(
        told(0.1),
        "a training share of 0.1 of 3 rows leaves no row to train on"
    );
    let values =
        Dataset::values(Matrix::zeros(4, 1).into(), Matrix::zeros(4, 1)).expect("four rows");
    assert_eq!(
        values
            .split_stratified(0.5, 1)
            .expect_err("no classes")
            .to_string(),
        "a stratified split needs classes, and these targets are values"
    );
    assert_eq!(values.split(0.5, 1).expect("a good share").0.len(), 2);
}

#[test]
fn bad_datasets_are_told() {
    let inputs = || Inputs::from_matrix(Matrix::zeros(2, 3));
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let told = |labels: &[u32], list: &[&str]| {
        let dataset = Dataset::classes(inputs(), labels.to_vec(), names(list));
        dataset.expect_err("a bad dataset").to_string()
    };
    assert_eq!(
        told(&[0], &["a", "b"]),
        "there are 2 rows of inputs, but 1 targets"
    );
    assert_eq!(
        told(&[0, 2], &["a", "b"]),
        "label 2 has no name: there are 2 classes"
    );
    assert_eq!(
        told(&[0, 0], &["a"]),
        "at least two classes are needed, 1 given"
    );
    assert_eq!(told(&[0, 1], &["a", "a"]), "two classes are named `a`");
    assert!(Dataset::values(inputs(), Matrix::zeros(3, 1)).is_err());
    assert!(Dataset::values(inputs(), Matrix::zeros(2, 0)).is_err());
    assert!(Inputs::from_bytes(vec![0; 5], 2, 3).is_err());
    assert!(Inputs::from_bytes(vec![], usize::MAX, 2).is_err());
    assert!(inputs().with_columns(names(&["a", "b"])).is_err());
}

#[test]
fn rows_can_be_selected_and_classes_renumbered() {
    let bytes: Vec<u8> = (10..20).collect();
    let inputs = Inputs::from_bytes(bytes.clone(), 5, 2).expect("ten bytes");
    let names = vec!["a".to_owned(), "b".to_owned()];
    let whole = Dataset::classes(inputs, vec![0, 1, 1, 0, 1], names).expect("good labels");
    let part = whole.select(&[4, 0, 4]);
    let expected = [&bytes[8..], &bytes[..2], &bytes[8..]].concat();
    assert_eq!(part.inputs().bytes(), Some(expected.as_slice()));
    assert_eq!(part.clone().take(2).class_counts(), [1, 1]);
    assert_eq!(part.clone().take(9).len(), 3);
    let model = ["c".to_owned(), "b".to_owned(), "a".to_owned()];
    let renumbered = part.with_classes(&model).expect("all classes are known");
    let labels = Targets::Classes {
        labels: vec![1, 2, 1],
        names: model.to_vec(),
    };
    assert_eq!(renumbered.targets(), &labels);
    assert_eq!(renumbered.target_width(), 3);
    assert_eq!(
        whole
            .with_classes(&["x".to_owned(), "b".to_owned()])
            .expect_err("no `a`")
            .to_string(),
        "row 1 has class `a`, which is not among the 2 classes that are expected: x, b"
    );
}

#[test]
fn rows_are_taken_and_passed_over() {
    let data = numbered(&[0, 1, 0, 1, 1]);
    assert_eq!(rows_of(&data.clone().skip(2)), [2, 3, 4]);
    assert_eq!(rows_of(&data.clone().skip(1).take(2)), [1, 2]);
    assert_eq!(rows_of(&data.clone().skip(0).take(9)), [0, 1, 2, 3, 4]);
    assert!(data.skip(5).is_empty());
    let long = numbered(&[0; 50]);
    let [one, same, other] = [1, 1, 2].map(|seed| rows_of(&long.shuffled(seed)));
    let mut sorted = one.clone();
    sorted.sort_unstable();
    assert!(one == same && one != other && one != sorted);
    assert_eq!(sorted, rows_of(&long));
}

#[test]
fn some_classes_and_one_against_the_rest() {
    let labels_of = |data: &Dataset| match data.targets() {
        Targets::Classes { labels, names } => (labels.clone(), names.clone()),
        Targets::Values { .. } => panic!("classes"),
    };
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
    let data = numbered(&[3, 0, 1, 3, 2, 0]);
    let some = data.only_classes(&names(&["3", "0"])).expect("two classes");
    assert_eq!(rows_of(&some), [0, 1, 3, 5]);
    assert_eq!(labels_of(&some), (vec![0, 1, 0, 1], names(&["3", "0"])));
    let rest = data.clone().one_vs_rest("3").expect("a class");
    assert_eq!(rows_of(&rest), [0, 1, 2, 3, 4, 5]);
    assert_eq!(
        labels_of(&rest),
        (vec![1, 0, 0, 1, 0, 0], names(&["not 3", "3"]))
    );

    for (chosen, part) in [
        (&["3", "7"][..], "no class `7`; there are: 0, 1, 2, 3"),
        (&["3"], "at least two classes"),
        (&["3", "3"], "two classes are named `3`"),
    ] {
        let error = data.only_classes(&names(chosen)).expect_err("a fault");
        assert!(error.to_string().contains(part), "{error}");
    }
    let values = Dataset::values(Matrix::zeros(2, 1).into(), Matrix::zeros(2, 1)).expect("values");
    assert!(
        values
            .one_vs_rest("0")
            .expect_err("values")
            .to_string()
            .contains("these targets are values")
    );
}
