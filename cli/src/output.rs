//! Files that a command writes: tried before the work starts, and put in place whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use mlp_core::model_file::{
    Lock, Staged, Watch, check_writable, permit, remove_leftovers, stage_watched,
};

use crate::failure::Failure;

/// One file to be written, known to be writable when it was claimed, and by no other run meanwhile.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    /// Held as long as this is; a device has none.
    _lock: Option<Lock>,
    watch: Watch,
}

impl Output {
    /// Makes sure that `path` can be written and is none of the files that the command reads; leaves no trace.
    pub(crate) fn claim(path: &Path, inputs: &[&Path]) -> Result<Self, Failure> {
        let target = fs::canonicalize(path).ok();
        let is_input = |input: &&Path| target.is_some() && fs::canonicalize(input).ok() == target;
        if inputs.iter().any(is_input) {
            return Err(Failure::usage(format!(
                "{}: cannot write what this command reads",
                path.display()
            )));
        }
        check_writable(path)?;
        let lock = if is_special(path) {
            None
        } else {
            let lock = Lock::take(path)?;
            if lock.is_held() {
                remove_leftovers(path);
            }
            Some(lock)
        };
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
            watch: permit,
        })
    }

    /// The path as the user wrote it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What its writing is watched by.
    pub(crate) fn watch(&self) -> Watch {
        self.watch
    }

    /// The same output, its writing watched: a test's way to make it fail.
    #[cfg(test)]
    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Whether it is there and no plain file, but a device or a pipe.
    pub(crate) fn is_special(&self) -> bool {
        is_special(&self.path)
    }

    /// Writes the file under a passing name, to be published later.
    pub(crate) fn stage(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Staged, Failure> {
        Ok(stage_watched(&self.path, self.watch, content)?)
    }

    /// Writes the file: the whole of it, or, on a failure, nothing.
    pub(crate) fn write(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        Ok(self.stage(content)?.publish()?)
    }
}

fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// Where a table goes: to a file, or to standard output by the name `-`.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    File(Output),
}

impl Destination {
    /// As [`Output::claim`].
    pub(crate) fn claim(path: &Path, inputs: &[&Path]) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        Output::claim(path, inputs).map(Self::File)
    }

    /// Writes it all.
    pub(crate) fn write(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        match self {
            Self::Stdout => {
                let mut writer = BufWriter::with_capacity(1 << 16, io::stdout().lock());
                content(&mut writer)?;
                writer.flush()?;
                Ok(())
            }
            Self::File(output) => output.write(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Output;
    use crate::failure::Failure;

    #[test]
    fn inputs_and_folders_are_no_outputs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.csv");
        fs::write(&path, "1").expect("written");
        let elsewhere = folder.path().join(".").join("data.csv");
        assert!(matches!(
            Output::claim(&path, &[&elsewhere]),
            Err(Failure::Usage(_))
        ));
        assert!(matches!(
            Output::claim(folder.path(), &[]),
            Err(Failure::Failed(_))
        ));
        let claimed = Output::claim(&path, &[Path::new("absent.csv")]).expect("claimed");
        let second = Output::claim(&elsewhere, &[]).expect_err("claimed already");
        assert!(second.to_string().contains("another run"), "{second}");
        drop(claimed);
        assert!(Output::claim(&elsewhere, &[]).is_ok());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
