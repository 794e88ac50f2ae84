//! A CSV becomes the dataset that its author means, or an error that says where and what is wrong.

use std::fmt::Write;

use mlp_core::dataset::csv::{Csv, read, read_from};
use mlp_core::dataset::options::{Header, ReadOptions, Task};
use mlp_core::dataset::{Inputs, Targets};
use mlp_core::rng::Rng;

fn parse(text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Csv, String> {
    read_from(text.as_ref(), "t.csv", options).map_err(|error| error.to_string())
}

fn plain(text: impl AsRef<[u8]>) -> Csv {
    parse(text, &ReadOptions::default()).expect("a good CSV")
}

fn fault(text: impl AsRef<[u8]>) -> String {
    parse(text, &ReadOptions::default()).expect_err("a bad CSV")
}

fn labelled(label: &str) -> ReadOptions {
    ReadOptions {
        label: Some(label.into()),
        ..ReadOptions::default()
    }
}

fn values(inputs: &Inputs) -> Vec<f32> {
    inputs.to_matrix().to_vec()
}

fn classes(csv: &Csv) -> (Vec<&str>, Vec<&str>) {
    let Some(Targets::Classes { labels, names }) = &csv.targets else {
        panic!("classes expected: {:?}", csv.targets);
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (
        labels.iter().map(|&label| names[label as usize]).collect(),
        names,
    )
}

fn numbers(csv: &Csv) -> Vec<f32> {
    match &csv.targets {
        Some(Targets::Values { values, .. }) => values.to_vec(),
        other => panic!("values expected: {other:?}"),
    }
}

#[test]
fn kaggle_form_with_header_needs_no_options() {
    let mut text = String::from("label");
    for i in 0..784 {
        write!(text, ",pixel{i}").expect("a string takes all");
    }
    for label in [5, 0, 4] {
        write!(text, "\n{label}{}", ",0,17,255,3".repeat(196)).expect("a string takes all");
    }
    let csv = plain(&text);
    assert_eq!(csv.label.as_deref(), Some("label"));
    assert_eq!(classes(&csv), (vec!["5", "0", "4"], vec!["0", "4", "5"]));
    assert_eq!((csv.inputs.rows(), csv.inputs.cols()), (3, 784));
    assert_eq!(
        csv.inputs.bytes().expect("pixels stay bytes"),
        [0, 17, 255, 3].repeat(588)
    );
    let names = csv.inputs.columns().expect("the header names the columns");
    assert_eq!(
        (names[0].as_str(), names[783].as_str()),
        ("pixel0", "pixel783")
    );
}

#[test]
fn headerless_form_of_785_columns_starts_with_the_label() {
    let text = format!("5{0}\n0{0}\n", ",0,17,255,3".repeat(196));
    let csv = plain(&text);
    assert_eq!(classes(&csv), (vec!["5", "0"], vec!["0", "5"]));
    assert_eq!(
        csv.inputs.bytes().expect("pixels stay bytes"),
        [0, 17, 255, 3].repeat(392)
    );
    assert_eq!(
        (csv.label.as_deref(), csv.inputs.columns()),
        (Some("1"), None)
    );
}

#[test]
fn sample_has_three_trees() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/leaves.csv");
    let csv = read(&path, &ReadOptions::default()).expect("the sample is good");
    assert_eq!(classes(&csv).1, ["birch", "rowan", "willow"]);
    assert_eq!(csv.label.as_deref(), Some("tree"));
    assert_eq!((csv.inputs.rows(), csv.inputs.cols()), (150, 4));
    assert_eq!(values(&csv.inputs)[..4], [49.9, 41.7, 16.7, 5.0]);
    assert_eq!(
        csv.into_dataset().expect("it has labels").class_counts(),
        [50, 50, 50]
    );
}

#[test]
fn header_is_told_from_data() {
    let rows = |text: &str| plain(text).inputs.rows();
    assert_eq!(rows("a,b\n1,2\n3,4\n"), 2, "words");
    assert_eq!(rows("1,2\n3,4\n"), 2, "numbers only");
    assert_eq!(rows("1,2,x\n3,4,y\n"), 2, "a text label in every row");
    assert_eq!(
        rows("0,1,target\n3,4,1\n5,6,2\n"),
        2,
        "columns counted from 0"
    );
    assert_eq!(
        rows("1,2,target\n3,4,1\n5,6,2\n"),
        2,
        "columns counted from 1"
    );
    assert_eq!(rows(",a,target\n0,4,1\n1,6,2\n"), 2, "an unnamed column");
    assert_eq!(rows("2019,2020,label\n3,4,a\n5,6,b\n"), 2, "years");
    assert_eq!(rows("0,1,2,y\n3,4,1,True\n5,6,2,False\n"), 2, "pandas");
    for text in [
        "0,1,2,y\n3,4,1,n\n5,6,2,y\n",
        "0,1,2,a\n3,4,1,bc\n5,6,2,a\n",
        "1,0,1,target\n0,1,1,other\n0,0,1,target\n",
        "1.5,2.5,target\n0,1,other\n0,0,target\n",
        "1,2,target\n3,4,target\n5,6,other\n",
    ] {
        assert_eq!(rows(text), 3, "{text:?}");
    }
    let forced = |header| {
        let options = ReadOptions {
            header,
            ..ReadOptions::default()
        };
        parse("1,2\n3,4\n5,6\n", &options)
            .expect("good either way")
            .inputs
            .rows()
    };
    assert_eq!((forced(Header::Yes), forced(Header::No)), (2, 3));
}

#[test]
fn label_column_is_found() {
    let first_input = |text: &str, options: &ReadOptions| {
        let csv = parse(text, options).expect("the label column is there");
        (
            csv.inputs.columns().map(<[String]>::to_vec),
            values(&csv.inputs),
        )
    };
    let names = |list: &[&str]| Some(list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let text = "a,Class,b\n1,2,3\n4,5,6\n";
    let auto = ReadOptions::default();
    assert_eq!(
        first_input(text, &auto),
        (names(&["a", "b"]), vec![1., 3., 4., 6.])
    );
    assert_eq!(
        first_input("x,y,tree\n1,2,3\n4,5,6\n", &auto).0,
        names(&["x", "y"])
    );
    assert_eq!(
        first_input("a,y,tree\n1,2,3\n4,5,6\n", &auto).0,
        names(&["a", "tree"])
    );
    assert_eq!(
        first_input("a,y,target\n1,2,3\n4,5,6\n", &auto).0,
        names(&["a", "y"])
    );
    assert_eq!(
        first_input("a,b,c\n1,2,3\n4,5,6\n", &auto).0,
        names(&["a", "b"])
    );
    for (label, rest) in [
        ("a", ["Class", "b"]),
        ("class", ["a", "b"]),
        ("3", ["a", "Class"]),
        ("-3", ["Class", "b"]),
    ] {
        assert_eq!(
            first_input(text, &labelled(label)).0,
            names(&rest),
            "label {label}"
        );
    }
    assert_eq!(
        first_input("1,2,3\n4,5,6\n", &labelled("1")),
        (None, vec![2., 3., 5., 6.])
    );
}

#[test]
fn columns_are_taken_for_what_they_are() {
    let wide = |first: &str| format!("{first}{}\n1{}\n", ",7".repeat(784), ",8".repeat(784));
    let (pixels, shares) = (wide("255"), wide("0.5"));
    for (text, first) in [
        ("1,5,high\n2,6,3\n4,7,3\n", 1.0), // numbers that count no columns
        ("class,label,x\n1,2,3\n4,5,6\n", 1.0), // `label` comes before `class`,
        ("target,class,label\n1,2,3\n4,5,6\n", 1.0), // the last of all it may be
        ("class,target\n1,2\n4,5\n", 1.0), // and `target` does so too
        (&pixels, 7.0),
        (&shares, 0.5), // 785 columns, but no pixels
        ("-0,b\n1,c\n", 0.0),
    ] {
        assert_eq!(values(&plain(text).inputs)[0], first, "{text:.40}");
    }
    assert_eq!(plain("-0,b\n1,c\n").inputs.bytes(), Some(&[0, 1][..]));
    let numbered = ReadOptions {
        header: Header::Yes,
        ..labelled("2")
    };
    let csv = parse("2,b,x\n1,4,3\n4,5,6\n", &numbered).expect("a good CSV");
    assert_eq!(csv.label.as_deref(), Some("2"), "a name before a number");
}

#[test]
fn task_is_told_by_the_labels() {
    let targets = |labels: &[&str], task| {
        let text: String = labels
            .iter()
            .flat_map(|label| ["1,", label, "\n"])
            .collect();
        let options = ReadOptions {
            task,
            header: Header::No,
            ..ReadOptions::default()
        };
        parse(&text, &options)
    };
    let auto = |labels: &[&str]| targets(labels, Task::Auto).expect("good labels");
    assert_eq!(
        classes(&auto(&["b", "a", "b"])),
        (vec!["b", "a", "b"], vec!["a", "b"])
    );
    assert_eq!(
        classes(&auto(&["10", "9", "-1"])).1,
        ["-1", "9", "10"],
        "sorted by value"
    );
    assert_eq!(
        classes(&auto(&["5e0", "5.0", "5", "07"])).1,
        ["5", "7"],
        "one class however written"
    );
    assert_eq!(
        classes(&auto(&["1", "x", "10", "2"])).1,
        ["1", "10", "2", "x"],
        "sorted by the alphabet"
    );
    assert_eq!(
        classes(&auto(&["9007199254740993", "9007199254740992"])).1,
        ["9007199254740992", "9007199254740993"],
        "long integers stay apart"
    );
    assert_eq!(numbers(&auto(&["1", "2.5", "3"])), [1., 2.5, 3.]);
    let many: Vec<String> = (0..101).map(|i| i.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(classes(&auto(&many[..100])).1.len(), 100);
    assert_eq!(numbers(&auto(&many))[100], 100.);
    assert_eq!(
        numbers(&targets(&["1", "2"], Task::Values).expect("numbers")),
        [1., 2.]
    );
    assert_eq!(
        classes(&targets(&["1.5", "0.5"], Task::Classes).expect("texts")).1,
        ["0.5", "1.5"]
    );
    assert_eq!(
        targets(&["1.5", "2", "n/a"], Task::Auto).expect_err("a word among fractions"),
        "t.csv:3, column 2: expected a number, as in line 1, found `n/a`"
    );
    assert_eq!(
        targets(&["1", "x"], Task::Values).expect_err("a word among values"),
        "t.csv:2, column 2: expected a number, found `x`"
    );
}

#[test]
fn more_labels_than_classes_are_values() {
    let rows: Vec<String> = (0..70_000).map(|i| format!("1,{i}\n")).collect();
    let text = rows.concat();
    assert_eq!(numbers(&plain(&text))[69_999], 69_999.);
    let options = ReadOptions {
        task: Task::Classes,
        ..ReadOptions::default()
    };
    assert_eq!(
        parse(&text, &options).expect_err("too many classes"),
        "t.csv:65537, column 2: more than 65536 different classes"
    );
    assert_eq!(
        fault(format!("0,x\n{text}")),
        "t.csv:1, column 2: expected a number, found `x`"
    );
}

#[test]
fn bytes_become_floats_at_the_first_other_number() {
    let csv = plain("1,2,a\n3.0,4,b\n");
    assert_eq!(csv.inputs.bytes(), Some(&[1, 2, 3, 4][..]));
    for cell in ["256", "-1", "0.5", "1e3"] {
        let csv = plain(format!("1,2,a\n3,{cell},b\n5,6,a\n"));
        assert!(csv.inputs.bytes().is_none());
        let value: f32 = cell.parse().expect("a number");
        assert_eq!(values(&csv.inputs), [1., 2., 3., value, 5., 6.]);
    }
}

#[test]
fn line_ends_blank_lines_and_byte_order_mark_do_not_matter() {
    let expected = plain("a,b\n1,x\n2,y\n");
    for text in [
        "a,b\r\n1,x\r\n2,y\r\n",
        "a,b\n1,x\n2,y",
        "\u{FEFF}a,b\n1,x\n2,y\n",
        "\n\na,b\n\n1,x\r\n\r\n2,y\n\n\n",
        " \na,b\n \t \r\n1,x\n  \n2,y\n ",
        "\"a\",\"b\"\n\"1\",\"x\"\n\"2\",\"y\"\n",
        "\"a\",b\r\n1,\"x\"\r\n\r\n\"2\",y",
        "\u{FEFF}\"a\",b\n 1 , x \n\t2,y\t\n",
    ] {
        let csv = plain(text);
        assert_eq!(csv.inputs.columns(), expected.inputs.columns(), "{text:?}");
        assert_eq!(values(&csv.inputs), [1., 2.], "{text:?}");
        assert_eq!(classes(&csv), classes(&expected), "{text:?}");
    }
}

#[test]
fn quoted_cells_hold_commas_quotes_and_line_ends() {
    let text = "a,b\n1,\"x, \"\"y\"\"\nz\"\n2,\"w\"\n3,5\" disk\n";
    let csv = plain(text);
    assert_eq!(classes(&csv).0, ["x, \"y\"\nz", "w", "5\" disk"]);
    assert_eq!(values(&csv.inputs), [1., 2., 3.]);
}

#[test]
fn equal_names_are_told_apart() {
    let csv = plain("x,x,x.1,,x,y\n1,2,3,4,5,a\n1,2,3,4,5,b\n");
    let names = csv.inputs.columns().expect("a header");
    assert_eq!(names, ["x", "x.1", "x.1.1", "column 4", "x.2"]);
}

/// Random tables, read again as they were written, whichever path a row takes through the reader.
#[test]
fn random_tables_are_read_as_written() {
    let mut rng = Rng::new(4);
    for table in 0..200 {
        let (rows, cols) = (
            1 + rng.below(40) as usize,
            1 + rng.below(2000 / (1 + table % 50)) as usize,
        );
        let wild = rng.below(3);
        let end = ["\n", "\r\n"][rng.below(2) as usize];
        let (mut text, mut written, mut labels) = (String::new(), Vec::new(), Vec::new());
        for _ in 0..rows {
            for _ in 0..cols {
                let cell = match rng.below(if wild == 0 { 2 } else { 12 }) {
                    0 => "0".to_owned(),
                    1..8 => rng.below(256).to_string(),
                    8 => rng.between(-1e3, 1e3).to_string(),
                    9 => format!("{:e}", rng.between(-1e30, 1e30)),
                    10 => format!("{:.3}", rng.between(0.0, 9.0)),
                    _ => rng.below(1 << 40).to_string(),
                };
                written.push(cell.parse::<f32>().expect("a number"));
                let quote = if wild == 2 && rng.below(50) == 0 {
                    "\""
                } else {
                    ""
                };
                write!(text, "{quote}{cell}{quote},").expect("a string takes all");
            }
            let (label, shown) =
                [("a", "a"), ("b", "\"b\""), ("c\n,\"", "\"c\r\n,\"\"\"")][rng.below(3) as usize];
            labels.push(label);
            text += shown;
            text += end;
        }
        labels.extend(["a", "b"]);
        let last = "0,".repeat(cols);
        write!(text, "{last}a{end}{last}\"b\"").expect("a string takes all");
        written.resize(written.len() + 2 * cols, 0.0);
        let options = ReadOptions {
            header: Header::No,
            label: Some("-1".into()),
            ..ReadOptions::default()
        };
        let csv = parse(&text, &options).unwrap_or_else(|error| panic!("table {table}: {error}"));
        let found = values(&csv.inputs);
        assert!(
            found.iter().zip(&written).all(|(a, b)| a == b) && found.len() == written.len(),
            "table {table}"
        );
        assert_eq!(classes(&csv).0, labels, "table {table}");
        let bytes = written
            .iter()
            .all(|&x| (0.0..256.0).contains(&x) && x.fract() == 0.0);
        assert_eq!(csv.inputs.bytes().is_some(), bytes, "table {table}");
    }
}
