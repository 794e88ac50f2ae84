//! Promise: a checkpoint comes back from its file to the bit, and a file with any bit changed is not taken for one.

mod sample;

use mlp_core::Kind;
use mlp_core::model_file::checkpoint::{from_bytes, read, to_bytes, write};
use mlp_core::nn::Network;
use mlp_core::optim::Adam;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Checkpoint, Every, Trainer};
use sample::{bits, greatest_of};
use serde_json::{Value, json};

/// A small run: its end, what it was told of, and the checkpoint it went on from, if any.
fn run(resume: Option<Checkpoint>) -> (Vec<u32>, Vec<Checkpoint>) {
    let (train, validation) = (greatest_of(20, 3, 2, 61), greatest_of(8, 3, 2, 62));
    let mut net = Network::builder(3)
        .dense(4, Activation::Tanh)
        .dense_no_bias(2, Activation::Softmax)
        .seed(1)
        .build()
        .expect("a network");
    let mut all = Vec::new();
    let mut trainer = Trainer::new(Adam::new(0.01))
        .batch_size(8)
        .epochs(2)
        .patience(2)
        .checkpoints(Every::Steps(1), |checkpoint| all.push(checkpoint.clone()));
    if let Some(checkpoint) = resume {
        trainer = trainer.resume(checkpoint);
    }
    trainer
        .fit(&mut net, &train, Some(&validation))
        .expect("a fit");
    drop(trainer);
    (bits(&net), all)
}

/// A checkpoint in the middle of the second epoch, with everything in it.
fn checkpoint() -> Checkpoint {
    run(None).1.swap_remove(4)
}

fn record() -> Value {
    json!({"data": "a.csv", "lr": 0.1, "nested": {"b": [1, null]}})
}

#[test]
fn it_comes_back_to_the_bit() {
    let (checkpoint, dir) = (checkpoint(), tempfile::tempdir().expect("a directory"));
    assert!(checkpoint.history.len() == 1 && checkpoint.step == 2 && checkpoint.best_epoch == 1);
    let path = dir.path().join("run.checkpoint");
    write(&path, &checkpoint, &record()).expect("written");
    let back = read(&path).expect("read");
    assert_eq!(back, (checkpoint.clone(), record()));
    // What equality of floats does not see.
    let bytes = to_bytes(&checkpoint, &record()).expect("bytes");
    assert_eq!(to_bytes(&back.0, &back.1).expect("bytes"), bytes);
    assert_eq!(std::fs::read(&path).expect("a file"), bytes);

    let (from_file, _) = run(Some(back.0));
    assert_eq!(from_file, run(None).0);

    // The least there can be.
    let bare = Checkpoint {
        settings: Vec::new(),
        best_score: None,
        best_epoch: 0,
        history: Vec::new(),
        layers: Vec::new(),
        finished: true,
        ..checkpoint
    };
    let bytes = to_bytes(&bare, &Value::Null).expect("bytes");
    assert_eq!(from_bytes(&bytes).expect("read"), (bare, Value::Null));
}

#[test]
fn odd_numbers_survive() {
    let mut odd = checkpoint();
    odd.loss_sum = f64::from_bits(0x3FB9_9999_9999_999A);
    odd.layers[0].weight.v[0] = f32::INFINITY;
    odd.layers[0].weight.m[0] = f32::from_bits(1);
    odd.layers[0].weight.value[0] = -0.0;
    odd.history[0].accuracy = None;
    odd.best_score = Some(-0.1 - 0.2);
    let bytes = to_bytes(&odd, &Value::Null).expect("bytes");
    let (back, _) = from_bytes(&bytes).expect("read");
    assert_eq!(back, odd);
    assert_eq!(
        back.layers[0].weight.value[0].to_bits(),
        (-0.0_f32).to_bits()
    );
}

#[test]
fn every_damaged_byte_is_noticed() {
    let good = to_bytes(&checkpoint(), &record()).expect("bytes");
    let (whole, _) = from_bytes(&good).expect("read");
    for at in 0..good.len() {
        for flip in [1, 0x10, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            match from_bytes(&bad) {
                Err(fault) => {
                    assert_eq!(fault.kind(), Kind::Checkpoint);
                    let told = fault.to_string();
                    assert!(
                        told.len() < 400 && !told.contains('\n'),
                        "byte {at}: {told}"
                    );
                }
                // A space that became a tab, say: nothing of what it tells is changed.
                Ok((same, kept)) => {
                    assert!(same == whole && kept == record(), "byte {at} ^ {flip:#x}");
                }
            }
        }
    }
    let told = |bytes: &[u8]| from_bytes(bytes).expect_err("damaged").to_string();
    let mut last = good.clone();
    *last.last_mut().expect("bytes") ^= 1;
    assert!(told(&last).contains("the file is damaged: expected its bytes to have the checksum"));
    for len in 0..good.len() {
        assert!(!told(&good[..len]).is_empty(), "{len} bytes");
    }
    assert!(told(&[&good[..], &[0]].concat()).contains("too long"));
}

#[test]
fn other_files_are_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("model");
    let absent = read(&path).expect_err("absent");
    assert_eq!(absent.kind(), Kind::Io);
    std::fs::write(&path, "label,pixel0\n1,2\n").expect("written");
    let fault = read(&path).expect_err("a CSV");
    assert_eq!(
        (fault.kind(), fault.place()),
        (Kind::Checkpoint, path.to_str())
    );
    let fault = read(dir.path()).expect_err("a directory").to_string();
    assert!(
        fault.contains("expected a checkpoint file, found something that is not a file"),
        "{fault}"
    );

    let foreign = |metadata: Value| {
        let header = json!({"__metadata__": metadata}).to_string();
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        from_bytes(&bytes).expect_err("foreign").to_string()
    };
    let told = foreign(json!({"mlp_fast": "{}"}));
    assert!(
        told.contains("a safetensors file but no checkpoint"),
        "{told}"
    );
    let told = foreign(json!({"mlp_fast_checkpoint": "{\"format\": 2}"}));
    assert!(
        told.contains("of format version 2, this program reads version 1"),
        "{told}"
    );
    let told = foreign(json!({"mlp_fast_checkpoint": "{\"format\": 1}"}));
    assert!(told.contains("expected crc32"), "{told}");
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    // A reader takes a header of at most 16 MiB.
    let of = |length: usize| to_bytes(&checkpoint(), &"x".repeat(length).into());
    assert!(from_bytes(&of(15 << 20).expect("bytes")).is_ok());
    let fault = of(16 << 20).expect_err("more than a reader takes");
    assert_eq!(fault.kind(), Kind::Checkpoint);
    assert!(
        fault
            .to_string()
            .ends_with("bytes, expected at most 16777216"),
        "{fault}"
    );
}
