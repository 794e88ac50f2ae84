//! Promise: no file, however damaged or foreign, makes the reader of models panic or is taken for a model; one sentence says
//! what was expected and what was found.

use std::path::Path;

use mlp_core::model_file::{self, Preprocessing, Saved, SavedLayer, TargetMeta, Task};
use mlp_core::tensor::Matrix;
use serde_json::{Value, json};

/// The bytes of a 3-2-2 net.
fn sample() -> Vec<u8> {
    let layer = |inputs, bias: Option<Vec<f32>>| SavedLayer {
        weight: Matrix::from_fn(2, inputs, |r, c| (r + c) as f32),
        bias,
        activation: "tanh".to_owned(),
        dropout: 0.25,
    };
    let saved = Saved {
        layers: vec![layer(3, Some(vec![1.0, 2.0])), layer(2, None)],
        preprocessing: Preprocessing {
            columns: Some(["a", "b", "c"].map(str::to_owned).to_vec()),
            scaling: "standard".to_owned(),
            shift: vec![1.0, 2.0, 3.0],
            scale: vec![0.5; 3],
        },
        target: TargetMeta {
            task: Task::Classes,
            names: ["no", "yes"].map(str::to_owned).to_vec(),
            column: None,
        },
        record: json!({"epochs": 3}),
    };
    model_file::to_bytes(&saved).unwrap()
}

fn fault(bytes: &[u8]) -> String {
    model_file::from_bytes(bytes).unwrap_err().to_string()
}

fn joined(header: &Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), data].concat()
}

/// What is said of the sample when the header is changed so.
fn fault_of_header(change: impl FnOnce(&mut Value)) -> String {
    let bytes = sample();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (header, data) = bytes[8..].split_at(length);
    let mut header = serde_json::from_slice(header).unwrap();
    change(&mut header);
    fault(&joined(&header, data))
}

/// What is said of the sample when our entry in the metadata is changed so.
fn fault_of_entry(change: impl FnOnce(&mut Value)) -> String {
    fault_of_header(|header| {
        let text = &mut header["__metadata__"]["mlp_fast"];
        let mut entry = serde_json::from_str(text.as_str().unwrap()).unwrap();
        change(&mut entry);
        *text = entry.to_string().into();
    })
}

#[track_caller]
fn says(message: &str, part: &str) {
    assert!(message.contains(part), "{message:?} does not say {part:?}");
    assert!(!message.contains('\n') && message.len() < 300, "{message}");
}

#[test]
fn other_files_are_told_apart() {
    let no_safetensors = "expected a safetensors file, found a file that does not begin like one";
    says(&fault(b""), "found an empty file");
    says(&fault(b"abc"), "found a file of 3 bytes");
    says(&fault(b"label,pixel0,pixel1\n5,0,0\n"), no_safetensors);
    says(&fault(&[0; 100]), no_safetensors);
    says(&fault(&[0xff; 100]), no_safetensors);
    says(&fault(&joined(&json!([1, 2]), &[])), no_safetensors);
    says(
        &fault(b"\x04\0\0\0\0\0\0\0{{{{"),
        "a header that is not JSON",
    );

    let foreign = json!({
        "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "__metadata__": {"format": "pt"},
    });
    let not_ours = "not a model of mlp-fast: expected mlp_fast in its metadata, found none";
    says(&fault(&joined(&foreign, &[0; 4])), not_ours);
    says(&fault(&joined(&json!({}), &[])), not_ours);
}

#[test]
fn file_is_named() {
    let missing = Path::new("no/such/model.safetensors");
    let missing = model_file::read(missing).unwrap_err().to_string();
    says(
        &missing,
        "no/such/model.safetensors: cannot read the model: ",
    );
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let found = model_file::read(dir.path()).unwrap_err().to_string();
    let expected = "expected a model file, found something that is not a file";
    assert_eq!(found, format!("{at}: {expected}"));
    let path = dir.path().join("data.csv");
    std::fs::write(&path, "a,b,c\n1,2,3\n").unwrap();
    let found = model_file::read(&path).unwrap_err();
    assert_eq!(found.place(), path.to_str());
}

#[test]
fn another_format_version_is_named_with_ours() {
    let versions = "the model is of format version 2, this program reads version 1";
    says(&fault_of_entry(|e| e["format"] = json!(2)), versions);
    // A later version may have changed everything else.
    says(&fault_of_entry(|e| *e = json!({"format": 2})), versions);
    let text = "expected format to be a whole number, found \"one\"";
    says(&fault_of_entry(|e| e["format"] = json!("one")), text);
    says(&fault_of_entry(|e| *e = json!({})), "expected format in");
    says(&fault_of_entry(|e| *e = json!(7)), "expected an object at");
    let not_json = fault_of_header(|h| h["__metadata__"]["mlp_fast"] = json!("{"));
    says(&not_json, "expected JSON in the metadata entry");
}

#[test]
#[rustfmt::skip]
fn faults_of_the_metadata_are_named() {
    for (place, value, message) in [
        ("/architecture", Value::Null, "expected an object at architecture, found null"),
        ("/architecture/inputs", json!(-3), "architecture.inputs to be a whole number, found -3"),
        ("/architecture/inputs", json!(4), "layers.0.weight of shape [2, 4], found [2, 3]"),
        ("/architecture/layers", json!([]), "expected 1 to 1024 layers, found 0"),
        ("/architecture/layers", json!(vec![0; 2000]), "expected 1 to 1024 layers, found 2000"),
        ("/architecture/layers/1/outputs", json!(u64::MAX), "expected layers.1.weight of shape"),
        ("/architecture/layers/1/activation", json!(1), "layers.1.activation to be a text, found 1"),
        ("/architecture/layers/1/bias", json!(true), "expected a tensor layers.1.bias of shape [2]"),
        ("/architecture/layers/0/bias", json!(false), "found the tensor layers.0.bias, which"),
        ("/architecture/layers/0/dropout", json!(1), "dropout of layer 0 to be from 0 to below 1"),
        ("/preprocessing/columns", json!(["a"]), "the names of 3 input columns, found 1"),
        ("/preprocessing/columns", json!(["a", 2]), "to be a list of texts, found a list"),
        ("/target/names", json!(["a"]), "expected the names of 2 classes, one for each output"),
        ("/target/names", json!(["a", "a"]), "a name of its own, found two classes `a`"),
        ("/target/task", json!("dance"), "to be classes or values, found dance"),
    ] {
        let fault = fault_of_entry(|e| *e.pointer_mut(place).unwrap() = value);
        says(&fault, message);
    }
}

#[test]
#[rustfmt::skip]
fn faults_of_the_tensors_are_named() {
    for (key, value, message) in [
        ("dtype", json!("I32"), "expected layers.1.weight of type F32, found I32"),
        ("shape", json!([4]), "expected layers.1.weight of shape [2, 2], found [4]"),
        ("shape", json!([2, 3]), "expected a safetensors file, found a damaged one"),
        ("data_offsets", json!([0, u64::MAX]), "the file is truncated"),
    ] {
        says(&fault_of_header(|h| h["layers.1.weight"][key] = value), message);
    }
    let renamed = |from: &str, to: &str| {
        fault_of_header(|h| {
            let tensor = h.as_object_mut().unwrap().remove(from).unwrap();
            h[to] = tensor;
        })
    };
    let missing = "expected a tensor layers.1.weight of shape [2, 2], found none";
    says(&renamed("layers.1.weight", "layers.7.weight"), missing);
    says(&renamed("preprocessing.shift", "extra"), "found the tensor extra, which");

    for name in ["layers.0.weight", "layers.0.bias", "preprocessing.scale", "preprocessing.shift"] {
        let bytes = sample();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let (header, data) = bytes[8..].split_at(length);
        let header: Value = serde_json::from_slice(header).unwrap();
        let end = header[name]["data_offsets"][1].as_u64().unwrap() as usize;
        let mut data = data.to_vec();
        data[end - 4..end].copy_from_slice(&f32::NAN.to_le_bytes());
        says(&fault(&joined(&header, &data)), &format!("finite numbers in {name}, found NaN"));
    }
}

#[test]
fn truncated_files_are_said_to_be() {
    let bytes = sample();
    for length in 8..bytes.len() {
        says(&fault(&bytes[..length]), "the file is truncated: expected");
    }
    let longer = [&bytes[..], &[0]].concat();
    says(&fault(&longer), "the file is too long");
}

#[test]
fn damaged_files_never_panic() {
    let bytes = sample();
    let mut refused = 0;
    for i in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[i] ^= flip;
            match model_file::from_bytes(&damaged) {
                // A changed weight, say: another model, but a sound one.
                Ok(other) => other.check().unwrap(),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 4 * bytes.len(), "{refused}");
}
