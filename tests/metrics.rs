//! Promise: the metrics are scikit-learn's. The golden numbers are written by `golden/metrics.py`.

use mlp_core::metrics::{Averages, Classification, Regression};
use mlp_core::tensor::Matrix;
use serde_json::Value;

fn golden(task: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("golden/metrics.json")).unwrap();
    all[task].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Matrix {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Matrix::from_fn(rows.len(), rows[0].len(), |r, c| rows[r][c] as f32)
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|k| format!("class {k}")).collect()
}

#[track_caller]
fn close(title: &str, what: &str, ours: f64, theirs: f64) {
    let error = (ours - theirs).abs() / theirs.abs().max(1.0);
    assert!(error <= 1e-12, "{title}, {what}: {ours}, not {theirs}");
}

#[test]
fn classification_is_that_of_scikit_learn() {
    let cases = golden("classification");
    assert_eq!(cases.len(), 10);
    for case in &cases {
        let title = case["title"].as_str().unwrap();
        let names = names(case["classes"].as_u64().unwrap() as usize);
        let labels: Vec<u32> = numbers(&case["labels"]).iter().map(|&k| k as u32).collect();
        let ours = Classification::new(&names, &labels, &matrix(&case["probabilities"])).unwrap();

        close(
            title,
            "accuracy",
            ours.accuracy,
            case["accuracy"].as_f64().unwrap(),
        );
        close(
            title,
            "log loss",
            ours.log_loss.unwrap(),
            case["log_loss"].as_f64().unwrap(),
        );
        for (k, class) in ours.per_class.iter().enumerate() {
            for (what, score) in [
                ("precision", class.precision),
                ("recall", class.recall),
                ("f1", class.f1),
            ] {
                close(
                    title,
                    &format!("{what} of {k}"),
                    score,
                    case[what][k].as_f64().unwrap(),
                );
            }
            assert_eq!(
                class.support,
                case["support"][k].as_u64().unwrap(),
                "{title}"
            );
            assert_eq!(class.name, names[k]);
        }
        for (what, a) in [
            ("macro_avg", ours.macro_avg),
            ("weighted_avg", ours.weighted_avg),
        ] {
            let Averages {
                precision,
                recall,
                f1,
                support,
            } = a;
            for (score, theirs) in [precision, recall, f1]
                .into_iter()
                .zip(numbers(&case[what]))
            {
                close(title, what, score, theirs);
            }
            assert_eq!(support as usize, labels.len());
        }
        let json = ours.to_json();
        assert_eq!(
            json["confusion_matrix"], case["confusion_matrix"],
            "{title}"
        );
        assert_eq!(json["log_loss"].as_f64(), ours.log_loss);
    }
}

#[test]
fn regression_is_that_of_scikit_learn() {
    let cases = golden("regression");
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let title = case["title"].as_str().unwrap();
        let targets = matrix(&case["targets"]);
        let names = names(targets.cols());
        let ours = Regression::new(&names, &targets, &matrix(&case["predictions"]))
            .unwrap()
            .to_json();
        for what in ["mse", "rmse", "mae", "r2"] {
            let theirs = &case[what];
            close(
                title,
                what,
                ours[what].as_f64().unwrap(),
                theirs["mean"].as_f64().unwrap(),
            );
            for (c, theirs) in numbers(&theirs["per_output"]).into_iter().enumerate() {
                close(
                    title,
                    what,
                    ours["per_output"][c][what].as_f64().unwrap(),
                    theirs,
                );
            }
        }
    }
}

#[test]
fn json_has_exactly_the_promised_keys() {
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    let p = Matrix::from_vec(2, 2, &[0.9, 0.1, 0.2, 0.8]);
    let json = Classification::new(&names(2), &[0, 1], &p)
        .unwrap()
        .to_json();
    assert_eq!(
        keys(&json),
        "accuracy confusion_matrix log_loss macro_avg per_class weighted_avg"
    );
    assert_eq!(
        keys(&json["per_class"][1]),
        "f1 name precision recall support"
    );
    assert_eq!(keys(&json["macro_avg"]), "f1 precision recall support");
    assert_eq!(keys(&json["weighted_avg"]), "f1 precision recall support");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let names = names(2);
    let none = Classification::new(&names, &[], &Matrix::zeros(0, 2)).unwrap_err();
    assert!(none.to_string().contains("no rows"), "{none}");
    let nan = Matrix::from_vec(2, 2, &[0.9, 0.1, 0.2, f32::NAN]);
    let nan = Classification::new(&names, &[0, 1], &nan).unwrap_err();
    assert!(nan.to_string().contains("row 2, output 2"), "{nan}");
    let infinite = Matrix::from_vec(1, 2, &[0.0, f32::INFINITY]);
    let infinite = Regression::new(&names, &Matrix::zeros(1, 2), &infinite).unwrap_err();
    assert!(
        infinite.to_string().contains("row 1, class 1"),
        "{infinite}"
    );

    // Scores of a tanh output have no log loss, but they do have a largest.
    let scores = Matrix::from_vec(2, 2, &[-0.5, 0.5, 1.5, 0.0]);
    let scores = Classification::new(&names, &[1, 0], &scores).unwrap();
    assert_eq!((scores.accuracy, scores.log_loss), (1.0, None));
    assert!(scores.to_json()["log_loss"].is_null());
    assert!(!scores.to_string().contains("log loss"));
}

#[test]
#[should_panic(expected = "3 columns of probabilities for 2 classes")]
fn columns_that_do_not_fit_the_names_panic() {
    drop(Classification::new(&names(2), &[0], &Matrix::zeros(1, 3)));
}

#[test]
fn report_is_aligned() {
    let names = ["ant", "bee", "cat"].map(str::to_owned);
    let p = Matrix::from_fn(12, 3, |r, c| if c == r % 2 { 0.5 } else { 0.25 });
    let labels: Vec<u32> = (0..12).map(|r| r % 3).collect();
    let report = Classification::new(&names, &labels, &p)
        .unwrap()
        .to_string();
    let expected = "\
accuracy 0.3333   log loss 1.1552   rows 12

              precision     recall         f1    support
         ant     0.3333     0.5000     0.4000          4
         bee     0.3333     0.5000     0.4000          4
         cat     0.0000     0.0000     0.0000          4
   macro avg     0.2222     0.3333     0.2667         12
weighted avg     0.2222     0.3333     0.2667         12

confusion matrix (rows: true, columns: predicted)
     ant  bee  cat
ant    2    2    0
bee    2    2    0
cat    2    2    0";
    assert_eq!(report, expected);
}

#[test]
fn report_stays_readable_with_long_names_and_many_classes() {
    let long: Vec<String> = (0..3)
        .map(|k| format!("{k} a name that\ngoes on and on and on"))
        .collect();
    let p = Matrix::from_fn(3, 3, |r, c| if c == r { 0.8 } else { 0.1 });
    let report = Classification::new(&long, &[0, 1, 2], &p)
        .unwrap()
        .to_string();
    assert!(report.contains("0 a name that goes on a… "), "{report}");
    assert!(report.contains("[1]  [2]  [3]"), "{report}");

    let many: Vec<String> = (0..200).map(|k| format!("{k}")).collect();
    let p = Matrix::from_fn(400, 200, |r, c| if c == r % 100 { 0.5 } else { 0.001 });
    let labels: Vec<u32> = (0..400).map(|r| r % 200).collect();
    let report = Classification::new(&many, &labels, &p).unwrap().to_string();
    assert!(
        report.contains("the 40 of 200 classes with the lowest f1"),
        "{report}"
    );
    assert!(report.contains("2 x true 100  predicted 0"), "{report}");
    assert!(
        report.lines().all(|line| line.chars().count() <= 120),
        "{report}"
    );
}

/// A matrix of all counts would take 20 GB.
#[test]
fn many_classes_take_no_room_for_what_is_not_there() {
    let classes = 50_000;
    let names: Vec<String> = (0..classes).map(|k| format!("{k}")).collect();
    let p = Matrix::from_fn(3, classes, |r, c| if c == 7 * r { 0.5 } else { 0.0 });
    let of = Classification::new(&names, &[0, 7, 49_999], &p).unwrap();
    let told = [(0, 0, 1), (7, 7, 1), (49_999, 14, 1)];
    assert!(of.confusion_matrix.counts().eq(told));
    assert_eq!(
        of.to_json()["confusion_matrix"],
        serde_json::json!([[0, 0, 1], [7, 7, 1], [49_999, 14, 1]])
    );
    let report = of.to_string();
    assert!(report.contains("1 x true 49999  predicted 14"), "{report}");
}

#[test]
fn regression_report_names_outputs_and_their_mean() {
    let names = ["height", "weight"].map(str::to_owned);
    let targets = Matrix::from_vec(2, 2, &[1.0, 20_000.0, 3.0, 40_000.0]);
    let predictions = Matrix::from_vec(2, 2, &[1.5, 20_000.0, 3.0, 41_000.0]);
    let report = Regression::new(&names, &targets, &predictions)
        .unwrap()
        .to_string();
    let expected = "                 mse          rmse           mae            r2
height      0.125000      0.353553      0.250000      0.875000
weight        500000       707.107       500.000      0.995000
  mean        250000       353.730       250.125      0.935000
rows 2";
    assert_eq!(report, expected);
}

#[test]
fn one_row_has_no_variance_to_explain() {
    let one = |x: f32| Matrix::from_vec(1, 1, &[x]);
    for prediction in [2.0, 3.0] {
        let scores = Regression::new(&names(1), &one(2.0), &one(prediction)).unwrap();
        assert!(scores.r2.is_nan() && scores.per_output[0].r2.is_nan());
        assert!(scores.to_json()["r2"].is_null());
    }
}

#[test]
fn one_row_of_scores_is_enough_to_have_no_log_loss() {
    let odd = [1.5, 0.0];
    for at in 0..3 {
        let p = Matrix::from_fn(3, 2, |r, c| if r == at { odd[c] } else { 0.5 });
        let scores = Classification::new(&names(2), &[0, 1, 0], &p).unwrap();
        assert_eq!(scores.log_loss, None, "row {at}");
    }
}

#[test]
fn averages_are_printed_by_their_names() {
    // Three rows of the first class, all hit; one of the second, missed: its precision and recall are 0.
    let p = Matrix::from_fn(4, 2, |_, c| if c == 0 { 0.75 } else { 0.25 });
    let report = Classification::new(&names(2), &[0, 0, 0, 1], &p)
        .unwrap()
        .to_string();
    for line in [
        "   macro avg     0.3750     0.5000     0.4286          4",
        "weighted avg     0.5625     0.7500     0.6429          4",
    ] {
        assert!(report.lines().any(|found| found == line), "{report}");
    }
}

#[test]
fn the_worst_come_first() {
    // Of class k, (7 k) mod 11 rows are taken for the class after it.
    let classes = 50;
    let wrong = |k: u32| (7 * k) % 11;
    let pairs =
        (0..classes).flat_map(|k| (0..3 + wrong(k)).map(move |n| (k, k + u32::from(n > 2))));
    let (labels, taken): (Vec<u32>, Vec<u32>) = pairs.map(|(k, p)| (k, p % classes)).unzip();
    let p = Matrix::from_fn(labels.len(), classes as usize, |r, c| {
        f32::from(u8::from(taken[r] as usize == c))
    });
    let scores = Classification::new(&names(classes as usize), &labels, &p).unwrap();
    let report = scores.to_string();

    let mut by_f1 = scores.per_class.clone();
    by_f1.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    let listed: Vec<&str> = report
        .lines()
        .skip(4)
        .take(40)
        .map(|line| &line[..12])
        .collect();
    let want = by_f1[..40]
        .iter()
        .map(|class| format!("{:>12}", class.name));
    assert_eq!(listed, want.collect::<Vec<_>>());

    // The most frequent first, of equals the first class.
    let mut confused: Vec<u32> = (0..classes).collect();
    confused.sort_by_key(|&k| std::cmp::Reverse(wrong(k)));
    let last: Vec<&str> = report.lines().rev().take(20).collect();
    for (line, &k) in last.iter().rev().zip(&confused) {
        let (n, next) = (wrong(k), (k + 1) % classes);
        let want = format!(
            "{n:>9} x true {:<8}  predicted class {next}",
            format!("class {k}")
        );
        assert_eq!(*line, want);
    }
}
