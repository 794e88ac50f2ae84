//! Data for a model that exists: its columns are found by name or by number, its classes keep their numbers.

use mlp_core::dataset::csv::{Csv, read_from};
use mlp_core::dataset::options::{Expected, Header, LabelUse, ReadOptions};
use mlp_core::dataset::{Inputs, Targets};

fn parse(text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Csv, String> {
    read_from(text.as_ref(), "t.csv", options).map_err(|error| error.to_string())
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

fn model(columns: Option<&[&str]>) -> Expected {
    Expected {
        inputs: 2,
        columns: columns.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
        label: columns.map(|_| "y".to_owned()),
        classes: Some(vec!["b".into(), "a".into(), "7".into()]),
    }
}

fn for_model(columns: Option<&[&str]>, labels: LabelUse) -> ReadOptions {
    ReadOptions {
        expected: Some(model(columns)),
        labels,
        ..ReadOptions::default()
    }
}

#[test]
fn columns_of_a_model_are_found_by_name() {
    let options = for_model(Some(&["p", "q"]), LabelUse::Required);
    for (text, pixels) in [
        ("q,id,y,p\n2,xx,a,1\n4,yy,7.0,3\n", true),
        ("q,id,y,p\n2,,a,1\n4.5,,7,3\n", false),
    ] {
        let csv = parse(text, &options).expect("all columns are there");
        assert_eq!(csv.inputs.columns().expect("a header"), ["p", "q"]);
        assert_eq!(
            values(&csv.inputs),
            [1., 2., 3., if pixels { 4. } else { 4.5 }]
        );
        assert_eq!(csv.inputs.bytes().is_some(), pixels);
        assert_eq!(classes(&csv), (vec!["a", "7"], vec!["b", "a", "7"]));
    }
    let fault = |text, options| parse(text, options).expect_err("a column is not there");
    assert_eq!(
        fault("p,r,y\n1,2,a\n", &options),
        "t.csv: there is no column `q`, an input of the model; there are p, r, y"
    );
    assert_eq!(
        fault("q,p\n1,2\n", &options),
        "t.csv: there is no label column `y`; there are q, p"
    );
    let other = ReadOptions {
        label: Some("p".into()),
        ..options.clone()
    };
    assert_eq!(
        fault("p,q,y\n1,2,a\n", &other),
        "t.csv: column `p` cannot be the label, it is an input of the model"
    );
    assert_eq!(
        fault("p,q,y\n1,2,a\n3,4,\"c\"\n", &options),
        "t.csv:3, column 3 (y): expected one of the model's 3 classes (b, a, 7), found `c`"
    );
    let csv = parse(
        "q,p\n2,1\n",
        &for_model(Some(&["p", "q"]), LabelUse::Ignored),
    );
    assert_eq!(
        values(&csv.expect("labels are not needed").inputs),
        [1., 2.]
    );
}

#[test]
fn columns_of_a_model_are_found_by_number() {
    for columns in [None, Some(&["p", "q"][..])] {
        let ignored = for_model(columns, LabelUse::Ignored);
        assert_eq!(
            parse("1,2,3\n", &ignored).expect_err("nobody knows the label"),
            "t.csv: expected 2 inputs, found 3 columns, of which any may be the label: give its number, 1 to 3"
        );
        let ignored = last(ignored);
        for text in ["1,2\n", "1,2,a\n", "1,2,unknown\n", "1,2,\n"] {
            let csv = parse(text, &ignored).expect("with or without the label");
            assert_eq!(
                (values(&csv.inputs), csv.targets),
                (vec![1., 2.], None),
                "{text:?}"
            );
        }
        let required = last(for_model(columns, LabelUse::Required));
        let csv = parse("1,2,a\n", &required).expect("two inputs and a label");
        assert_eq!(
            (values(&csv.inputs), classes(&csv).0),
            (vec![1., 2.], vec!["a"])
        );
        assert_eq!(
            parse("1,2\n", &required).expect_err("no label"),
            "t.csv: expected as many columns as the model has inputs, 2 and the label, found 2"
        );
        assert_eq!(
            parse("1,2,3,4\n", &ignored).expect_err("too wide"),
            "t.csv: expected as many columns as the model has inputs, 2, or one more with the label, found 4"
        );
    }
    let csv = parse("label,x,y\na,1,2\n", &for_model(None, LabelUse::Required));
    assert_eq!(values(&csv.expect("the label is named").inputs), [1., 2.]);
}

/// The options, with the last column for the label.
fn last(options: ReadOptions) -> ReadOptions {
    ReadOptions {
        label: Some("-1".into()),
        ..options
    }
}

#[test]
fn the_label_of_a_model_without_names_is_where_it_was() {
    let trained = parse("a,1,2\nb,3,4\n", &{
        let label = Some("1".into());
        ReadOptions {
            label,
            ..ReadOptions::default()
        }
    });
    let mut options = for_model(None, LabelUse::Ignored);
    let expected = options.expected.as_mut().expect("a model");
    expected.label = trained.expect("a good CSV").label;
    // The number is not taken for the name of another column.
    for (text, header) in [
        ("7,1,2\n", Header::Auto),
        ("label,b,c\n7,1,2\n", Header::Auto),
        ("kind,b,1\n7,1,2\n", Header::Yes),
    ] {
        options.header = header;
        let csv = parse(text, &options).expect("two inputs and a label");
        assert_eq!(values(&csv.inputs), [1., 2.], "{text:?}");
    }
    options.header = Header::Auto;
    for text in ["b,c,label\n1,2,7\n", "b,c,y\n1,2,7\n"] {
        let message = parse(text, &options).expect_err("the names tell another");
        assert!(message.contains("any may be the label"), "{message}");
    }
    let options = ReadOptions {
        labels: LabelUse::Required,
        ..options
    };
    let csv = parse("a,1,2\n", &options).expect("two inputs and a label");
    assert_eq!(classes(&csv).0, ["a"]);
}
