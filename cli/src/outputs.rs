//! The files of a training run: the model, and its curves, its history and its checkpoint beside it.

use std::path::Path;

use mlp_core::model_file::Model;
use mlp_core::train::{Epoch, History};
use serde_json::{Value, json};

use crate::args::TrainArgs;
use crate::cache;
use crate::checkpoints::Checkpoints;
use crate::curves::{Point, curves_svg};
use crate::failure::Failure;
use crate::output::Output;

/// The model file and what goes beside it.
pub(crate) struct Outputs {
    model: Output,
    /// The curves and the history, unless the model goes to a device (`/dev/null`): nothing belongs beside that.
    beside: Option<[Output; 2]>,
    pub(crate) checkpoints: Option<Checkpoints>,
}

impl Outputs {
    pub(crate) fn claim(args: &TrainArgs) -> Result<Self, Failure> {
        let model = &args.output;
        if model.as_os_str() == "-" {
            return Err(Failure::usage(
                "-o -: a model goes to a file, with its curves and its history beside it",
            ));
        }
        if args.cache && *model == cache::beside(Path::new(&args.data)) {
            return Err(Failure::usage(format!(
                "-o {}: --cache needs this name",
                model.display()
            )));
        }
        let beside = |extension| {
            let path = model.with_extension(extension);
            if path == *model {
                return Err(Failure::usage(format!(
                    "-o {}: the .{extension} file is written beside the model and needs this name",
                    model.display()
                )));
            }
            Ok(path)
        };
        let (curves, history) = (beside("svg")?, beside("jsonl")?);
        let checkpoint = beside("checkpoint")?;
        let mut inputs = vec![Path::new(&args.data)];
        inputs.extend(args.validation_data.as_deref().map(Path::new));
        inputs.extend(args.from.as_deref());
        let model = Output::claim(model, &inputs)?;
        let beside = if model.is_special() {
            None
        } else {
            Some([
                Output::claim(&curves, &inputs)?,
                Output::claim(&history, &inputs)?,
            ])
        };
        let checkpoint = match (args.checkpoint_every.is_some() || args.resume, &beside) {
            (false, _) => None,
            (true, Some(_)) => Some(Output::claim(&checkpoint, &inputs)?),
            (true, None) => {
                return Err(Failure::usage(format!(
                    "-o {}: a checkpoint is kept beside the model, and nothing belongs beside a device",
                    args.output.display()
                )));
            }
        };
        Ok(Self {
            model,
            beside,
            checkpoints: Checkpoints::claim(args, checkpoint)?,
        })
    }

    /// The same outputs, their writing watched: a test's way to make it fail.
    #[cfg(test)]
    fn watched(self, watch: mlp_core::model_file::Watch) -> Self {
        Self {
            model: self.model.watched(watch),
            beside: self
                .beside
                .map(|files| files.map(|file| file.watched(watch))),
            checkpoints: self.checkpoints.map(|file| file.watched(watch)),
        }
    }

    /// Writes all files or, where one cannot be written, none.
    pub(crate) fn write(
        &self,
        model: &Model,
        title: &str,
        history: &History,
        kept: usize,
    ) -> Result<(), Failure> {
        let staged = model.stage_watched(self.model.path(), self.model.watch())?;
        if let Some([curves_file, history_file]) = &self.beside {
            let points: Vec<Point> = history.epochs.iter().map(Point::of).collect();
            let curves = curves_svg(title, &points, Some(kept));
            let curves = curves_file.stage(|file| file.write_all(curves.as_bytes()))?;
            let lines = history_file.stage(|file| {
                history
                    .epochs
                    .iter()
                    .try_for_each(|epoch| writeln!(file, "{}", history_line(epoch)))
            })?;
            curves.publish()?;
            lines.publish()?;
        }
        // The model last: where it is, the others are. Only then is the run finished.
        staged.publish()?;
        match &self.checkpoints {
            Some(checkpoints) => checkpoints.finish(),
            None => Ok(()),
        }
    }

    /// `wrote model.safetensors, model.svg and model.jsonl`.
    pub(crate) fn wrote(&self) -> String {
        let model = self.model.path().display();
        match &self.beside {
            Some([curves, history]) => format!(
                "wrote {model}, {} and {}",
                curves.path().display(),
                history.path().display()
            ),
            None => format!("wrote {model}"),
        }
    }
}

/// One epoch as a line of the history.
fn history_line(epoch: &Epoch) -> Value {
    json!({
        "epoch": epoch.epoch,
        "loss": epoch.loss,
        "accuracy": epoch.accuracy,
        "validation_loss": epoch.validation_loss,
        "validation_accuracy": epoch.validation_accuracy,
        "seconds": epoch.seconds,
        "rows_per_second": epoch.rows_per_second,
        "best": epoch.best,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::io;

    use clap::Parser;
    use mlp_core::dataset::Dataset;
    use mlp_core::model_file::{Model, Operation, checkpoint};
    use mlp_core::{Activation, Adam, Every, Matrix, Network, Trainer};
    use serde_json::{Map, Value};

    use super::Outputs;
    use crate::args::{Cli, Command};
    use crate::progress::Progress;

    thread_local! {
        static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// Refuses the operation after so many.
    fn refuse_one(_: Operation) -> io::Result<()> {
        let left = LEFT.get();
        LEFT.set(left.wrapping_sub(1));
        match left {
            0 => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    const FILES: [&str; 4] = ["m.checkpoint", "m.jsonl", "m.safetensors", "m.svg"];

    /// Whichever write, flush or rename fails: each of the four files is an old one or a new one, whole, the model is new
    /// only where all others but the checkpoint are, and nothing lies beside them.
    #[test]
    fn a_full_disk_leaves_whole_files() {
        let inputs = Matrix::from_vec(4, 2, &[0., 0., 0., 1., 1., 0., 1., 1.]);
        let names = vec!["no".to_owned(), "yes".to_owned()];
        let data = Dataset::classes(inputs.into(), vec![0, 1, 1, 0], names).expect("data");
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("m.safetensors");
        let arguments = ["mlp-fast", "train", "--checkpoint-every", "1", "-q", "-o"];
        let cli = Cli::parse_from(arguments.into_iter().chain(model.to_str()));
        let Command::Train(args) = cli.command else {
            panic!("train")
        };
        let run = |seed: u64, fail_at: usize| {
            LEFT.set(usize::MAX);
            let mut outputs = Outputs::claim(&args).expect("claimed").watched(refuse_one);
            let checkpoints = outputs.checkpoints.as_mut().expect("asked for");
            checkpoints
                .settle(&Map::new())
                .expect("nothing to go on with");
            LEFT.set(fail_at);
            let mut net = Network::builder(2)
                .dense(2, Activation::Softmax)
                .seed(seed)
                .build()
                .expect("a net");
            let progress = Progress::new(1, true, false);
            let checkpoints = outputs.checkpoints.as_ref().expect("asked for");
            let history = Trainer::new(Adam::new(0.1))
                .epochs(2)
                .checkpoints(Every::Epochs(1), |one| {
                    // Of these two only the last, that of the finished run, is left to be written.
                    if one.finished {
                        checkpoints.keep(one, &progress);
                    }
                })
                .fit(&mut net, &data, None)
                .expect("a fit");
            let model = Model::new(net, &data, None, Value::Null);
            outputs.write(&model, "xor", &history, 2)
        };
        let content =
            || FILES.map(|name| fs::read(folder.path().join(name)).expect("there and whole"));
        run(1, usize::MAX).expect("written");
        let old = content();
        let mut failures = 0;
        for fail_at in 0.. {
            let failed = run(2, fail_at).is_err();
            let mut names: Vec<_> = fs::read_dir(folder.path())
                .expect("a folder")
                .map(|entry| {
                    entry
                        .expect("an entry")
                        .file_name()
                        .into_string()
                        .expect("UTF-8")
                })
                .collect();
            names.sort();
            assert_eq!(names, FILES, "operation {fail_at}");
            checkpoint::read(&folder.path().join(FILES[0])).expect("whole");
            Model::load(&model).expect("whole");
            let [_, lines, weights, _] = content();
            assert_eq!(
                String::from_utf8(lines.clone())
                    .expect("UTF-8")
                    .lines()
                    .count(),
                2
            );
            assert!(weights == old[2] || lines != old[1], "operation {fail_at}");
            if !failed {
                break;
            }
            failures += 1;
            // Back to the old ones.
            for (name, bytes) in FILES.iter().zip(&old) {
                fs::write(folder.path().join(name), bytes).expect("written");
            }
        }
        // Four files: made, written, given permissions, flushed, renamed, their directory flushed.
        assert_eq!(failures, 4 * 6);
    }
}
