//! Files that a command writes: tried before the work starts, and put in place whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use mlp_core::Error;

use crate::failure::Failure;

/// One file to be written, known to be writable when it was claimed.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    /// The file itself where `path` is a link to it.
    target: PathBuf,
    /// A device or a pipe is written to as it is: it must not be replaced by a file.
    special: bool,
}

impl Output {
    /// Makes sure that `path` can be written and is none of the files that the command reads; leaves no trace.
    pub(crate) fn claim(path: &Path, inputs: &[&Path]) -> Result<Self, Failure> {
        let cannot = |cause: &io::Error| Failure::from(Error::io("cannot write", path, cause));
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if inputs
            .iter()
            .any(|input| fs::canonicalize(input).is_ok_and(|input| input == target))
        {
            return Err(Failure::usage(format!(
                "{}: would be overwritten, and this command reads it",
                path.display()
            )));
        }
        let special = match fs::metadata(&target) {
            Ok(found) if found.is_dir() => {
                return Err(cannot(&io::Error::from(io::ErrorKind::IsADirectory)));
            }
            Ok(found) => {
                OpenOptions::new()
                    .append(true)
                    .open(&target)
                    .map_err(|cause| cannot(&cause))?;
                !found.is_file()
            }
            Err(_) => false,
        };
        let output = Self {
            path: path.to_path_buf(),
            target,
            special,
        };
        if !special {
            let beside = output.beside();
            File::create(&beside)
                .and_then(|_| fs::remove_file(&beside))
                .map_err(|cause| cannot(&cause))?;
        }
        Ok(output)
    }

    /// The path as the user wrote it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file beside its place and moves it there when it is whole.
    pub(crate) fn write(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let result = if self.special {
            File::options()
                .write(true)
                .open(&self.target)
                .and_then(|file| fill(file, content).map(drop))
        } else {
            let beside = self.beside();
            File::create(&beside)
                .and_then(|file| fill(file, content))
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&beside, &self.target))
                .inspect_err(|_| drop(fs::remove_file(&beside)))
        };
        result.map_err(|cause| Error::io("cannot write", &self.path, &cause).into())
    }

    /// A name in the same directory that no one else uses.
    fn beside(&self) -> PathBuf {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        self.target
            .with_file_name(format!(".{name}.{}.part", std::process::id()))
    }
}

/// Writes the content and hands the file back with nothing left in the buffer.
fn fill(
    file: File,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<File> {
    let mut writer = BufWriter::with_capacity(1 << 16, file);
    content(&mut writer)?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)
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
    use std::io::{self, Write};
    use std::path::Path;

    use super::Output;
    use crate::failure::Failure;

    #[test]
    fn a_claim_leaves_no_trace_and_a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let output = Output::claim(&path, &[]).expect("writable");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);

        output.write(|file| file.write_all(b"whole")).expect("written");
        let broken = output.write(|file| {
            file.write_all(b"half")?;
            Err(io::Error::other("power"))
        });
        assert!(matches!(broken, Err(Failure::Failed(told)) if told.contains("a.csv") && told.contains("power")));
        assert_eq!(fs::read(&path).expect("a file"), b"whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn inputs_and_folders_are_no_outputs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.csv");
        fs::write(&path, "1").expect("written");
        let elsewhere = folder.path().join(".").join("data.csv");
        assert!(matches!(Output::claim(&path, &[&elsewhere]), Err(Failure::Usage(_))));
        assert!(matches!(Output::claim(folder.path(), &[]), Err(Failure::Failed(_))));
        assert!(matches!(Output::claim(&folder.path().join("no/m"), &[]), Err(Failure::Failed(_))));
        assert!(Output::claim(&path, &[Path::new("other.csv")]).is_ok());
    }

    #[test]
    fn a_device_is_written_to_and_stays_one() {
        let null = Path::new("/dev/null");
        if null.exists() {
            let output = Output::claim(null, &[]).expect("writable");
            output.write(|file| file.write_all(b"gone")).expect("written");
            assert!(!fs::metadata(null).expect("still there").is_file());
        }
    }
}
