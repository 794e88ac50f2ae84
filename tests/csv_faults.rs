//! A CSV that is not as it should be is refused in one sentence that says where and what is wrong.

use mlp_core::dataset::csv::{read, read_from};
use mlp_core::dataset::options::{Expected, LabelUse, ReadOptions};

fn fault_with(text: impl AsRef<[u8]>, options: &ReadOptions) -> String {
    let error = read_from(text.as_ref(), "t.csv", options).expect_err("a bad CSV");
    error.to_string()
}

fn fault(text: impl AsRef<[u8]>) -> String {
    fault_with(text, &ReadOptions::default())
}

#[test]
fn label_column_is_absent() {
    let text = "sepal_length,petal_length,species\n1,2,3\n4,5,6\n";
    let without = |text, label: &str| {
        let label = Some(label.to_owned());
        fault_with(
            text,
            &ReadOptions {
                label,
                ..ReadOptions::default()
            },
        )
    };
    assert_eq!(
        without(text, "specie"),
        "t.csv: there is no label column `specie`; did you mean `species`?"
    );
    assert_eq!(
        without(text, "income"),
        "t.csv: there is no label column `income`; there are sepal_length, petal_length, species"
    );
    assert_eq!(
        without(text, "4"),
        "t.csv: there is no column 4 for the label: there are 3 columns"
    );
    let nought = without(text, "-0");
    assert!(nought.contains("no column 0 for the label"), "{nought}");
    let twins = without("Age,AGE,x\n1,2,3\n4,5,6\n", "age");
    assert!(twins.contains("no label column `age`"), "{twins}");
    assert_eq!(
        without("1,2\n3,4\n", "species"),
        "t.csv: there is no header to find the label column `species` in: give its number, 1 to 2"
    );
    assert_eq!(
        fault("label\n1\n2\n"),
        "t.csv: expected several columns, separated by commas, found one"
    );
}

/// To train on, and for a model, by its columns' names and by their number.
#[test]
fn other_separators() {
    let model = |columns: Option<Vec<String>>| Expected {
        inputs: 2,
        columns,
        ..Expected::default()
    };
    let named = model(Some(vec!["a".into(), "b".into()]));
    for expected in [None, Some(named), Some(model(None))] {
        let options = ReadOptions {
            expected,
            labels: LabelUse::Ignored,
            ..ReadOptions::default()
        };
        for (text, found) in [
            ("a;b c;d\n1;2;3\n", "`;`"),
            ("a\tb\td\n1\t2\t3\n", "tabs"),
            ("a|b|d\n1|2|3\n", "`|`"),
            ("1 2 3\n4 5 6\n", "spaces"),
        ] {
            assert_eq!(
                fault_with(text, &options),
                format!(
                    "t.csv: expected several columns, separated by commas, found one with {found} in it"
                )
            );
        }
    }
}

/// Lines are counted in the file, not in rows.
#[test]
fn lines_are_those_of_the_file() {
    let text = "a,b\r\n\r\n1,\"x\r\ny\r\nz\"\r\n2,\"w\"\r\n\r\noops,\"w\"\r\n";
    assert_eq!(
        fault(text),
        "t.csv:8, column 1 (a): expected a number, found `oops`"
    );
    assert_eq!(
        fault("a,b\n1,x\n2,\"y\n3,z\n"),
        "t.csv:3: the quote that is opened in this row is never closed"
    );
}

#[test]
fn bad_cells_name_line_and_column() {
    let at = "t.csv:3, column 2 (age)";
    for (cell, told) in [
        ("abc", "expected a number, found `abc`"),
        ("\"a,b\"", "expected a number, found `a,b`"),
        ("", "expected a number, found an empty cell"),
        ("  ", "expected a number, found an empty cell"),
        ("NaN", "expected a finite number, found `NaN`"),
        ("-inf", "expected a finite number, found `-inf`"),
        (
            "1e39",
            "expected a finite number, found `1e39`, which is too large for an f32",
        ),
        (
            "1\0",
            "expected a number, found a NUL byte: is this a text file?",
        ),
        ("1\r2", "expected a number, found `1\\r2`"),
    ] {
        // Once among bytes, once among floats.
        for first in ["1", "0.5"] {
            let text = format!("id,age,y\n1,{first},a\n2,{cell},b\n");
            assert_eq!(fault(text), format!("{at}: {told}"));
        }
    }
    assert_eq!(
        fault(b"id,age,y\n1,1,a\n2,\xFF\xFE,b\n"),
        format!("{at}: expected a number, found `\u{FFFD}\u{FFFD}`, which is not UTF-8 text")
    );
    let long = "x".repeat(1000);
    assert_eq!(
        fault(format!("id,age,y\n1,1,a\n2,{long},b\n")),
        format!("{at}: expected a number, found `{}..`", "x".repeat(40))
    );
    assert_eq!(
        fault("5,0,x\n1,2,y\n3,oops,x\n"),
        "t.csv:3, column 2: expected a number, found `oops`"
    );
    assert_eq!(
        fault("5,oops,3,7\n1,2,4,8\n"),
        "t.csv:1, column 2: expected a number, found `oops`"
    );
}

#[test]
fn bad_labels_name_line_and_column() {
    let at = "t.csv:3, column 2 (y): expected a label, found";
    assert_eq!(fault("a,y\n1,x\n2,\n"), format!("{at} an empty cell"));
    assert_eq!(fault("a,y\n1,x\n2,nan\n"), format!("{at} `nan`"));
    assert_eq!(
        fault("a,y\n1,x\n2,x\0\n"),
        format!("{at} a NUL byte: is this a text file?")
    );
    assert_eq!(
        fault(b"a,y\n1,x\n2,\xFFx\n"),
        format!("{at} `\u{FFFD}x`, which is not UTF-8 text")
    );
    assert_eq!(
        fault("a,y\n1,x\n2,x\n"),
        "t.csv, column 2 (y): all rows have the same class, `x`; at least two are needed"
    );
    let rows = |of: fn(u32) -> String| (0..=65_536).map(of).collect::<String>();
    assert_eq!(
        fault(format!("a,y\n{}", rows(|i| format!("1,x{i}\n")))),
        "t.csv:65538, column 2 (y): more than 65536 different classes"
    );
    assert_eq!(
        fault(format!("a,y\n{}1,x\n", rows(|i| format!("1,{i}\n")))),
        "t.csv:65539, column 2 (y): expected a number, found `x`"
    );
}

#[test]
fn rows_of_another_width() {
    for (row, found) in [
        ("2,3", 2),
        ("2,3,4,5", 4),
        ("2,\"3\"", 2),
        ("2,3,b,\"\"", 4),
    ] {
        for first in ["1", "0.5"] {
            assert_eq!(
                fault(format!("a,b,y\n{first},2,x\n{row}\n")),
                format!("t.csv:3: expected 3 columns, as in line 1, found {found}")
            );
        }
    }
}

#[test]
fn files_without_rows() {
    assert_eq!(fault(""), "t.csv: the file is empty");
    assert_eq!(fault("\n\r\n"), "t.csv: the file is empty");
    assert_eq!(fault("\u{FEFF}"), "t.csv: the file is empty");
    assert_eq!(
        fault("a,b\n"),
        "t.csv: there is a header, but no row of data below it"
    );
}

#[test]
fn files_that_are_no_csv() {
    assert_eq!(
        fault(b"\x1F\x8B\x08\x00"),
        "t.csv: the file is compressed by gzip: a CSV is read only when it is unpacked"
    );
    assert_eq!(
        fault(b"\xFF\xFEa\0,\0"),
        "t.csv: the file is UTF-16 text: save it as UTF-8"
    );
    assert_eq!(
        fault(b"a,b\0c\n1,2\n"),
        "t.csv: the name of column 2 has a NUL byte: is this a text file?"
    );
    assert_eq!(
        fault(b"a,b\xFFc\n1,2\n"),
        "t.csv: the name of column 2 is not UTF-8 text"
    );
    assert_eq!(
        fault(",".repeat(1_000_000)),
        "t.csv:1: more than 1000000 columns: is this a CSV file?"
    );
    let long = "t.csv:2: the line is longer than 64 MB: is this a CSV file?";
    assert_eq!(fault(["a,b\n", &"0".repeat((64 << 20) + 1)].concat()), long);
}

#[test]
fn a_quoted_row_is_no_longer_than_others() {
    let text = [
        "a,b\n1,\"",
        &format!("{}\n", "x".repeat(1023)).repeat(65 << 10),
    ]
    .concat();
    let message = fault(text);
    assert!(
        message.ends_with("is longer than 64 MB: is this a CSV file?"),
        "{message}"
    );
}

#[test]
fn missing_files_and_folders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let message = |path| {
        read(path, &ReadOptions::default())
            .expect_err("no file")
            .to_string()
    };
    let path = folder.path().join("none.csv");
    assert!(message(&path).starts_with(&format!("{}: cannot read: ", path.display())));
    assert_eq!(
        message(folder.path()),
        format!(
            "{}: expected a CSV file, found a folder",
            folder.path().display()
        )
    );
}
