//! One run for each output: who writes a file for hours holds a lock on it, and the second to come is told at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// The word that this process writes a certain file, given up when dropped.
///
/// It is the system's lock on a hidden file beside the output (the output itself is replaced when it is written, and a
/// lock would go with the old one). The system lets go of the locks of a process however it ends, so a file that a killed
/// run left behind holds nobody up. A disk that knows no locks gives none, and that is no error.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Open as long as the lock is held.
    file: Option<File>,
}

impl Lock {
    /// Takes the lock on the file `path`, which may not be there yet.
    ///
    /// # Errors
    /// Of [`Kind::Io`], when another process (or this one) holds it, naming the process, or when nothing can be written
    /// beside `path`.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let lock = lock_path(path);
        let failed = |cause| Error::io("cannot lock", path, &cause);
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&lock)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(path, &file)),
                Err(TryLockError::Error(_)) => {
                    return Ok(Self {
                        path: lock,
                        file: None,
                    });
                }
            }
            // The one before may have removed the file between our opening and our locking it.
            if is_still(&lock, &file) {
                let mut held = Self {
                    path: lock,
                    file: Some(file),
                };
                held.sign();
                return Ok(held);
            }
        }
    }

    /// Whether the disk knows locks and this is one.
    pub fn is_held(&self) -> bool {
        self.file.is_some()
    }

    /// Says who holds it: a courtesy to the one who is told.
    fn sign(&mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.set_len(0);
            let _ = file.write_all(std::process::id().to_string().as_bytes());
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.file.is_some() {
            // While it is still locked; whoever has opened it meanwhile sees that it is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `.model.safetensors.lock` beside the file itself, links followed; of a long name the beginning and a hash.
fn lock_path(path: &Path) -> PathBuf {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let short: String = name.chars().take(40).collect();
    let rest = &name[short.len()..];
    let mut hasher = DefaultHasher::new();
    rest.hash(&mut hasher);
    path.with_file_name(match rest {
        "" => format!(".{short}.lock"),
        _ => format!(".{short}{:016x}.lock", hasher.finish()),
    })
}

fn taken(path: &Path, mut file: &File) -> Error {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.take(20).read_to_string(&mut text);
    let who = match text.trim().parse::<u32>() {
        Ok(process) => format!("another run, process {process},"),
        Err(_) => "another run".to_owned(),
    };
    Error::new(
        Kind::Io,
        format!("{who} is writing this file; give this one another output, or wait for it"),
    )
    .at(path.display().to_string())
}

#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(here)) => id(there) == id(here),
        _ => false,
    }
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_still(path: &Path, _: &File) -> bool {
    path.exists()
}
