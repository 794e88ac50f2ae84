//! The checkpoint beside the model: written while a run goes on, read when one shall go on from it.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use mlp_core::model_file::checkpoint;
use mlp_core::{Checkpoint, Error, Every};
use serde_json::{Map, Value};

use crate::args::TrainArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::record;

/// The checkpoint file of a run that keeps one or goes on from one.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    file: Output,
    every: Every,
    /// What was in the file, until the run goes on from it.
    found: RefCell<Option<(Checkpoint, Value)>>,
    /// The settings, to be compared by who goes on.
    settings: Map<String, Value>,
    /// That of a run that is finished, written after the model.
    last: RefCell<Option<Checkpoint>>,
    /// Whether the latest could be written.
    written: Cell<bool>,
}

impl Checkpoints {
    /// Takes over the checkpoint file, if one is asked for. A run that is not finished is not overwritten by another.
    pub(crate) fn claim(args: &TrainArgs, file: Option<Output>) -> Result<Option<Self>, Failure> {
        let Some(file) = file else {
            return Ok(None);
        };
        let found = if fs::exists(file.path()).unwrap_or(false) {
            Some(checkpoint::read(file.path())?)
        } else {
            None
        };
        let path = file.path().display();
        match &found {
            Some((found, _)) if !args.resume && !found.finished => {
                return Err(Failure::Failed(format!(
                    "{path}: it holds a run that is not finished, stopped {found}: --resume goes on with it, and without \
                     this file a run begins anew"
                )));
            }
            None if args.resume && !args.quiet => {
                drop(writeln!(
                    io::stderr(),
                    "{path}: not there yet, so the run begins anew"
                ));
            }
            _ => {}
        }
        Ok(Some(Self {
            file,
            every: args.checkpoint_every.unwrap_or(Every::Run),
            found: RefCell::new(found.filter(|_| args.resume)),
            settings: Map::new(),
            last: RefCell::new(None),
            written: Cell::new(true),
        }))
    }

    /// The same, its writing watched: a test's way to make it fail.
    #[cfg(test)]
    pub(crate) fn watched(self, watch: mlp_core::model_file::Watch) -> Self {
        Self {
            file: self.file.watched(watch),
            ..self
        }
    }

    /// Its path as the user would write it.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// How often one is to be kept.
    pub(crate) fn every(&self) -> Every {
        self.every
    }

    /// Learns the settings of this run, which must be those of the run to go on with.
    pub(crate) fn settle(&mut self, settings: &Map<String, Value>) -> Result<(), Failure> {
        self.settings.clone_from(settings);
        let found = self.found.borrow();
        let kept = found.as_ref().map(|(_, settings)| settings);
        match kept.and_then(|kept| record::difference(kept, settings)) {
            Some(sentence) => Err(Failure::Failed(format!(
                "{}: {sentence}",
                self.path().display()
            ))),
            None => Ok(()),
        }
    }

    /// Whether there is something to go on from.
    pub(crate) fn go_on(&self) -> bool {
        self.found.borrow().is_some()
    }

    /// What the run goes on from.
    pub(crate) fn take(&self) -> Option<Checkpoint> {
        self.found.take().map(|(checkpoint, _)| checkpoint)
    }

    /// Writes a checkpoint of the run under way; that of a finished run is kept back until the model is written. A full
    /// disk is told, and is no reason to lose the run: the checkpoint before is still there.
    pub(crate) fn keep(&self, checkpoint: &Checkpoint, progress: &Progress) {
        if checkpoint.finished {
            *self.last.borrow_mut() = Some(checkpoint.clone());
            return;
        }
        let result = self.write(checkpoint);
        self.written.set(result.is_ok());
        if let Err(error) = result {
            progress.warn(&format!(
                "{error}; the checkpoint before this one is kept, and the run goes on"
            ));
        }
    }

    /// Writes the checkpoint of a finished run.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        match self.last.take() {
            Some(checkpoint) => Ok(self.write(&checkpoint)?),
            None => Ok(()),
        }
    }

    /// Whether a run can go on from where this one has come to.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.written.get()
    }

    fn write(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let settings = Value::Object(self.settings.clone());
        checkpoint::stage(self.file.path(), self.file.watch(), checkpoint, &settings)?.publish()
    }
}
