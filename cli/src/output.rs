//! Files that a command writes: tried before the work starts, and put in place whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use mlp_core::model_file::{Staged, check_writable, stage, write_atomically};

use crate::failure::Failure;

/// One file to be written, known to be writable when it was claimed.
#[derive(Debug)]
pub(crate) struct Output(PathBuf);

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
        Ok(Self(path.to_path_buf()))
    }

    /// The path as the user wrote it.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is there and no plain file, but a device or a pipe.
    pub(crate) fn is_special(&self) -> bool {
        fs::metadata(&self.0).is_ok_and(|found| !found.is_file())
    }

    /// Writes the file under a passing name, to be published later.
    pub(crate) fn stage(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Staged, Failure> {
        Ok(stage(&self.0, content)?)
    }

    /// Writes the file: the whole of it, or, on a failure, nothing.
    pub(crate) fn write(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        Ok(write_atomically(&self.0, content)?)
    }
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
        assert!(Output::claim(&path, &[Path::new("absent.csv")]).is_ok());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
