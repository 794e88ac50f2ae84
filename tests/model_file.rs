//! Promise: a model file gives back what was saved, equal models are equal files, and the tensors are `PyTorch`'s.

mod sample;

use std::fs;

use mlp_core::model_file::{self, Model, Preprocessing, Saved, SavedLayer, TargetMeta, Task};
use mlp_core::tensor::Matrix;
use mlp_core::{Activation, Kind, Network};
use sample::{bits, greatest_of};
use serde_json::{Value, json};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// A 3-2-2 net with all that a file can hold.
fn sample() -> Saved {
    let first = SavedLayer {
        weight: Matrix::from_vec(2, 3, &[0.1, -0.2, 1e-40, 4.0, 5.5, f32::MAX]),
        bias: Some(vec![0.5, -0.0]),
        activation: "leaky-relu:0.01".to_owned(),
        dropout: 0.0,
    };
    let second = SavedLayer {
        weight: Matrix::from_vec(2, 2, &[1.0, 2.0, 3.0, 4.0]),
        bias: None,
        activation: "softmax".to_owned(),
        dropout: 0.2,
    };
    Saved {
        layers: vec![first, second],
        preprocessing: Preprocessing {
            columns: Some(names(&["age", "größe, \"cm\"", ""])),
            scaling: "standard".to_owned(),
            shift: vec![0.1, 170.25, -3.0],
            scale: vec![1.0 / 3.0, 1e-20, 1.0],
        },
        target: TargetMeta {
            task: Task::Classes,
            names: names(&["no", "yes"]),
            column: Some("bought".to_owned()),
        },
        record: json!({
            "loss": "cross-entropy",
            "best": {"accuracy": 0.1 + 0.2, "epoch": 7},
            "seed": u64::MAX,
        }),
    }
}

fn with(change: impl FnOnce(&mut Saved)) -> Saved {
    let mut saved = sample();
    change(&mut saved);
    saved
}

fn written(saved: &Saved) -> Vec<u8> {
    model_file::to_bytes(saved).unwrap()
}

#[test]
fn what_is_written_is_read_back_to_the_bit() {
    let one_output = with(|s| {
        s.layers.pop();
        s.layers[0].weight = Matrix::from_vec(1, 3, &[1.0, 2.0, 3.0]);
        s.layers[0].bias = Some(vec![9.0]);
        s.preprocessing = Preprocessing {
            columns: None,
            scaling: "unit".to_owned(),
            shift: vec![0.0],
            scale: vec![1.0 / 255.0],
        };
        s.target.column = None;
    });
    let values = with(|s| {
        s.preprocessing.shift.clear();
        s.preprocessing.scale.clear();
        s.target.task = Task::Values;
        s.record = Value::Null;
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    for saved in [sample(), one_output, values] {
        model_file::write(&path, &saved).unwrap();
        let back = model_file::read(&path).unwrap();
        assert_eq!(back, saved);
        assert_eq!(fs::read(&path).unwrap(), written(&back));
    }
    let back = model_file::from_bytes(&written(&sample())).unwrap();
    let zero = back.layers[0].bias.as_ref().unwrap()[1];
    assert_eq!(zero.to_bits(), (-0.0_f32).to_bits());
}

#[test]
fn equal_models_are_equal_files() {
    let first = written(&sample());
    for _ in 0..20 {
        assert_eq!(written(&sample()), first);
    }
    let other = with(|s| s.layers[1].weight.row_mut(0)[0] = 1.5);
    assert_ne!(written(&other), first);
}

#[test]
fn more_than_ten_layers_keep_their_order() {
    // By name, layers.10 comes before layers.2.
    let deep = with(|s| {
        for k in 3..=12_u8 {
            let mut layer = s.layers[1].clone();
            layer.weight.row_mut(0)[0] = f32::from(k);
            s.layers.push(layer);
        }
    });
    assert_eq!(model_file::from_bytes(&written(&deep)).unwrap(), deep);
}

#[test]
fn file_is_laid_out_as_pytorch_does() {
    let bytes = written(&sample());
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (header, data) = bytes[8..].split_at(length);
    let header: Value = serde_json::from_slice(header).unwrap();
    assert_eq!(header["layers.0.weight"]["shape"], json!([2, 3]));
    assert_eq!(header["layers.0.weight"]["dtype"], json!("F32"));
    assert_eq!(header["layers.0.bias"]["shape"], json!([2]));
    assert_eq!(header["preprocessing.scale"]["shape"], json!([3]));
    let start = header["layers.0.weight"]["data_offsets"][0].as_u64();
    let second_row = &data[start.unwrap() as usize + 12..];
    assert_eq!(second_row[4..8], 5.5_f32.to_le_bytes());

    let entry = header["__metadata__"]["mlp_fast"].as_str().unwrap();
    let expected = json!({
        "format": 1,
        "architecture": {"inputs": 3, "layers": [
            {"outputs": 2, "activation": "leaky-relu:0.01", "bias": true, "dropout": 0.0},
            {"outputs": 2, "activation": "softmax", "bias": false, "dropout": 0.2},
        ]},
        "preprocessing": {"columns": ["age", "größe, \"cm\"", ""], "scaling": "standard"},
        "target": {"task": "classes", "names": ["no", "yes"], "column": "bought"},
        "record": sample().record,
    });
    assert_eq!(serde_json::from_str::<Value>(entry).unwrap(), expected);
}

#[test]
fn model_that_does_not_hold_together_is_not_written() {
    type Change = fn(&mut Saved);
    let cases: [(Change, &str); 10] = [
        (
            |s| s.layers[0].weight.row_mut(1)[1] = f32::NAN,
            "expected finite numbers in layers.0.weight, found NaN",
        ),
        (
            |s| s.layers[0].bias = Some(vec![1.0]),
            "expected layers.0.bias to have 2 elements, found 1",
        ),
        (
            |s| s.layers[0].bias = Some(vec![0.0, f32::NEG_INFINITY]),
            "expected finite numbers in layers.0.bias, found -inf",
        ),
        (
            |s| s.preprocessing.scale[2] = f32::NAN,
            "expected finite numbers in preprocessing.scale, found NaN",
        ),
        (
            |s| s.layers[1].weight = Matrix::zeros(2, 5),
            "expected layers.1.weight to have 2 inputs, the outputs of the layer before, found 5",
        ),
        (
            |s| s.layers[1].dropout = 1.0,
            "expected the dropout of layer 1 to be from 0 to below 1, found 1",
        ),
        (|s| s.layers.clear(), "expected 1 to 1024 layers, found 0"),
        (
            |s| s.preprocessing.shift.truncate(2),
            "expected preprocessing.shift to have 3 elements or 1, found 2",
        ),
        (
            |s| s.preprocessing.scale.clear(),
            "preprocessing.shift has 3 elements and preprocessing.scale has 0: expected as many",
        ),
        (
            |s| s.target.names.clear(),
            "expected the names of 2 classes, one for each output, found 0",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    for (change, message) in cases {
        let fault = model_file::write(&path, &with(change)).unwrap_err();
        let expected = format!("{}: {message}", path.display());
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_model_is_its_bytes() {
    let data = greatest_of(30, 4, 3, 1);
    let net = Network::builder(4)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a network");
    let model = Model::new(net, &data, Some("kind".into()), Value::Null);
    let bytes = model.to_bytes().expect("bytes");
    let again = Model::from_bytes(&bytes).expect("a model");
    assert_eq!(again.to_bytes().expect("bytes"), bytes);
    assert_eq!(bits(&again.network), bits(&model.network));
    assert!(Model::from_bytes(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    // A reader takes a header of at most 16 MiB.
    let of = |length: usize| model_file::to_bytes(&with(|s| s.record = "x".repeat(length).into()));
    assert!(model_file::from_bytes(&of(15 << 20).unwrap()).is_ok());
    let fault = of(16 << 20).unwrap_err();
    assert_eq!(fault.kind(), Kind::Model);
    assert!(
        fault
            .to_string()
            .ends_with("bytes, expected at most 16777216"),
        "{fault}"
    );
}
