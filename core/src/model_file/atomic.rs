//! Files that are written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// What it takes to put a file in its place, in this order; of writes there are as many as there are blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a temporary file in the directory.
    Create,
    /// Writing a block to it.
    Write,
    /// Giving it the permissions of the old file.
    Permissions,
    /// Flushing it to the disk.
    Sync,
    /// Renaming it to the path.
    Rename,
    /// Flushing the directory, and with it the rename.
    SyncDirectory,
}

/// Is asked before each [`Operation`] and may refuse it, as a full or a dying disk would: the seam at which tests prove
/// that the old file outlives every failure.
pub type Watch = fn(Operation) -> io::Result<()>;

/// The watch that lets everything pass.
///
/// # Errors
/// None.
pub fn permit(_: Operation) -> io::Result<()> {
    Ok(())
}

/// Writes a file so that, whatever happens, `path` holds either its old content or all of the new.
///
/// `content` writes into a temporary file in the same directory, which is flushed to the disk and then renamed to `path`;
/// on a failure it is removed. A symbolic link stays one, its target is replaced. What is there and is not a plain file
/// (`/dev/stdout`, a pipe) cannot be replaced, it is written to.
///
/// # Errors
/// Of [`Kind::Io`], naming the path: no such directory, no permission, a full disk, or the error that `content` returned.
pub fn write_atomically(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    stage(path, content)?.publish()
}

/// The first half of [`write_atomically`]: all that can go wrong with a disk, so that of several files, each staged before
/// the first is published, all appear or none.
///
/// # Errors
/// As those of [`write_atomically`].
pub fn stage(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Staged, Error> {
    stage_watched(path, permit, content)
}

/// [`stage`] with a watch on every operation, to the end of [`Staged::publish`].
///
/// # Errors
/// As those of [`write_atomically`].
pub fn stage_watched(
    path: &Path,
    watch: Watch,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Staged, Error> {
    let failed = |cause: io::Error| Error::io("cannot write", path, &cause);
    let Some(target) = plain_target(path)? else {
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        content(&mut file).map_err(failed)?;
        return Ok(Staged(None));
    };
    watch(Operation::Create).map_err(failed)?;
    let (temporary, file) = Temporary::beside(&target).map_err(failed)?;
    let mut file = BufWriter::with_capacity(1 << 16, Watched { file, watch });
    content(&mut file).map_err(failed)?;
    let Watched { file, .. } = file.into_inner().map_err(|e| failed(e.into_error()))?;
    if let Ok(old) = fs::metadata(&target) {
        watch(Operation::Permissions).map_err(failed)?;
        file.set_permissions(old.permissions()).map_err(failed)?;
    }
    watch(Operation::Sync).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(Staged(Some(Whole {
        temporary,
        target,
        watch,
    })))
}

/// A file whose writes are watched; one that is refused has written a half, as the last one on a full disk may.
struct Watched {
    file: File,
    watch: Watch,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(refusal) = (self.watch)(Operation::Write) {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(refusal);
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that is written and not yet in its place; dropped, it leaves nothing.
#[must_use = "a staged file appears only when it is published"]
#[derive(Debug)]
pub struct Staged(Option<Whole>);

/// All of a file under its passing name.
#[derive(Debug)]
struct Whole {
    temporary: Temporary,
    target: PathBuf,
    watch: Watch,
}

impl Staged {
    /// Puts the file in its place.
    ///
    /// # Errors
    /// Of [`Kind::Io`], naming the path, when it cannot be renamed to, or when it is in its place but the directory cannot
    /// be flushed to the disk.
    pub fn publish(self) -> Result<(), Error> {
        let Some(Whole {
            temporary,
            target,
            watch,
        }) = self.0
        else {
            return Ok(());
        };
        watch(Operation::Rename)
            .and_then(|()| temporary.rename_to(&target))
            .and_then(|()| watch(Operation::SyncDirectory))
            .and_then(|()| sync_directory(&target))
            .map_err(|cause| Error::io("cannot write", &target, &cause))
    }
}

/// Checks, before the work of hours, that [`write_atomically`] will be able to write `path`. It touches nothing that is there.
///
/// # Errors
/// Of [`Kind::Io`], naming the path, as [`write_atomically`] would.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    let failed = |cause: io::Error| Error::io("cannot write", path, &cause);
    match plain_target(path)? {
        // Making a file there is the only true test: permissions, read-only disks and quotas all have their say.
        Some(target) => Temporary::beside(&target).map(drop).map_err(failed),
        None => Ok(()),
    }
}

/// The plain file that is to be replaced, links followed; `None` if there is something else, to be written to as it is.
fn plain_target(path: &Path) -> Result<Option<PathBuf>, Error> {
    let fault = |message: &str| {
        let place = path.display().to_string();
        Err(Error::new(Kind::Io, format!("cannot write: {message}")).at(place))
    };
    if path.as_os_str().is_empty() {
        return fault("the name of the file is empty");
    }
    let found = fs::metadata(path);
    if let Err(cause) = &found
        && cause.kind() == io::ErrorKind::InvalidFilename
    {
        return Err(Error::io("cannot write", path, cause));
    }
    let Ok(found) = found else {
        let directory = directory_of(path);
        if !directory.is_dir() {
            return fault(&format!("there is no directory {}", directory.display()));
        }
        let ends_in_separator = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if ends_in_separator || path.file_name().is_none() {
            return fault("the path does not end in the name of a file");
        }
        return Ok(Some(path.to_owned()));
    };
    if found.is_dir() {
        return fault("it is a directory");
    }
    if !found.is_file() {
        return Ok(None);
    }
    // A rename asks the directory alone, so the wish of the file's owner is asked for here.
    if found.permissions().readonly() {
        return fault("it is there already and read-only");
    }
    Ok(Some(
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
    ))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How much of a file's name its temporary file's has.
const NAME_KEPT: usize = 40;

/// A file of a passing name, removed when dropped unless it was renamed.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// Makes one in the directory of `target`, so that a rename never crosses disks.
    fn beside(target: &Path) -> io::Result<(Self, File)> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // Names have at most 255 bytes; the process and a number make them unique.
        let name: String = name.chars().take(NAME_KEPT).collect();
        let process = std::process::id();
        let mut number = 0;
        loop {
            let path = directory_of(target).join(format!(".{name}.{process}-{number}.tmp"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok((
                        Self {
                            path,
                            renamed: false,
                        },
                        file,
                    ));
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && number < 100 => {
                    number += 1;
                }
                Err(cause) => return Err(cause),
            }
        }
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // On the way out with another error, or with none: a file left behind is no reason for a new one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the rename itself durable. Not every system can open a directory or flush it; the file is whole in any case.
fn sync_directory(target: &Path) -> io::Result<()> {
    let Ok(directory) = File::open(directory_of(target)) else {
        return Ok(());
    };
    match directory.sync_all() {
        Err(cause)
            if ![io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported]
                .contains(&cause.kind()) =>
        {
            Err(cause)
        }
        _ => Ok(()),
    }
}

/// Removes what processes left beside `path` that were killed while they wrote it. Only for who knows that no other is
/// writing it now: see [`Lock`](super::Lock).
pub fn remove_leftovers(path: &Path) {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Ok(entries) = fs::read_dir(directory_of(&path)) else {
        return;
    };
    for entry in entries.flatten() {
        if is_temporary_of(&entry.file_name().to_string_lossy(), &name) {
            // Whoever may not remove it can live with it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether `entry` is `.{name}.{process}-{number}.tmp`. A name that is cut short may be another file's.
fn is_temporary_of(entry: &str, name: &str) -> bool {
    let numbers = entry
        .strip_prefix('.')
        .and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'))
        .and_then(|entry| entry.strip_suffix(".tmp")?.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.chars().count() <= NAME_KEPT
        && numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}
