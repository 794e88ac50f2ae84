//! Promise: whichever operation of a write fails (a full disk, a short write, a flush, a rename), the path holds the old
//! file or the whole new one, nothing lies beside it, and the failure is told.

mod sample;

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;

use mlp_core::model_file::{Model, Operation, Staged, checkpoint, permit, stage_watched};
use mlp_core::nn::Network;
use mlp_core::optim::Adam;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::{Every, Trainer};
use mlp_core::{Error, Kind};
use sample::{bits, greatest_of};
use serde_json::Value;

thread_local! {
    /// How many operations still succeed.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    static REFUSED: Cell<Option<Operation>> = const { Cell::new(None) };
}

/// Refuses the operation after so many.
fn refuse_one(operation: Operation) -> io::Result<()> {
    let left = LEFT.get();
    LEFT.set(left.wrapping_sub(1));
    if left == 0 {
        REFUSED.set(Some(operation));
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Runs `stage` and publishes what it gives with every operation failing in its turn, over an old file and over none.
/// `is_whole` knows a whole new file. Returns the operations that were refused.
fn through_all_failures(
    stage: impl Fn(&Path) -> Result<Staged, Error>,
    is_whole: impl Fn(&Path) -> bool,
) -> Vec<Operation> {
    let mut refused = Vec::new();
    for old in [Some("the old file"), None] {
        for k in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("out");
            if let Some(old) = old {
                fs::write(&path, old).expect("written");
            }
            LEFT.set(k);
            REFUSED.set(None);
            let result = stage(&path).and_then(Staged::publish);
            let Some(operation) = REFUSED.get() else {
                result.expect("nothing failed");
                assert!(is_whole(&path));
                break;
            };
            refused.push(operation);
            let fault = result.expect_err("told");
            assert_eq!(fault.kind(), Kind::Io, "{operation:?}");
            assert!(fault.to_string().contains("cannot write"), "{fault}");
            let names: Vec<_> = fs::read_dir(dir.path())
                .expect("a directory")
                .map(|entry| entry.expect("an entry").file_name())
                .collect();
            let is_old = fs::read_to_string(&path).ok().as_deref() == old;
            if operation == Operation::SyncDirectory {
                assert!(is_whole(&path), "renamed, and not whole");
            } else {
                assert!(is_old, "{operation:?}, number {k}: the old file is gone");
            }
            let expected = usize::from(old.is_some() || operation == Operation::SyncDirectory);
            assert_eq!(names.len(), expected, "{operation:?}: {names:?}");
        }
    }
    for operation in [
        Operation::Create,
        Operation::Write,
        Operation::Permissions,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDirectory,
    ] {
        assert!(refused.contains(&operation), "{operation:?} never failed");
    }
    refused
}

#[test]
fn a_text_of_many_blocks() {
    let text = "a line of some length, as there are in a history\n".repeat(20_000);
    let refused = through_all_failures(
        |path| {
            stage_watched(path, refuse_one, |file| {
                text.lines().try_for_each(|line| writeln!(file, "{line}"))
            })
        },
        |path| fs::read_to_string(path).is_ok_and(|found| found == text),
    );
    let writes = refused
        .iter()
        .filter(|&&operation| operation == Operation::Write);
    assert!(writes.count() > 10);
}

#[test]
fn models_and_checkpoints() {
    let data = greatest_of(20, 6, 2, 71);
    let mut net = Network::builder(6)
        .dense(3000, Activation::Relu)
        .dense(2, Activation::Softmax)
        .build()
        .expect("a network");
    let mut last = None;
    Trainer::new(Adam::new(1e-3))
        .epochs(1)
        .checkpoints(Every::Run, |checkpoint| last = Some(checkpoint.clone()))
        .fit(&mut net, &data, None)
        .expect("a fit");
    let kept = last.expect("a checkpoint");
    let model = Model::new(net, &data, None, Value::Null);
    through_all_failures(
        |path| model.stage_watched(path, refuse_one),
        |path| Model::load(path).is_ok_and(|found| bits(&found.network) == bits(&model.network)),
    );
    through_all_failures(
        |path| checkpoint::stage(path, refuse_one, &kept, &Value::Null),
        |path| checkpoint::read(path).is_ok_and(|(found, _)| found == kept),
    );
    assert!(permit(Operation::Write).is_ok());
}
