//! What can go wrong, in a sentence for the person who caused it.

use std::fmt;

/// A fault of a file, a setting or a run, told in one sentence with its place and both values.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    place: Option<String>,
    message: String,
}

/// What sort of thing an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A file could not be read or written.
    Io,
    /// The content of a data file, or data handed over in memory, is not as it should be.
    Data,
    /// A model file is damaged, of another version, or does not fit the data.
    Model,
    /// A checkpoint is damaged, of another version, or of another run.
    Checkpoint,
    /// A setting is out of its range or does not go with another.
    Setting,
    /// The numbers of a training run are no longer finite.
    Diverged,
    /// There is not enough memory.
    Memory,
}

impl Error {
    /// An error of that kind; `message` is a sentence without a full stop, in lower case.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            place: None,
            message: message.into(),
        }
    }

    /// An input or output error, `doing` being what was tried: "cannot read", "cannot write".
    pub fn io(doing: &str, path: &std::path::Path, cause: &std::io::Error) -> Self {
        Self::new(Kind::Io, format!("{doing}: {cause}")).at(path.display().to_string())
    }

    /// Whether that many bytes can be had for `what` ("the weights"): asked before the work that needs them begins.
    ///
    /// # Errors
    /// When the system would not give them.
    pub(crate) fn unless_room_for(bytes: usize, what: &str) -> Result<(), Self> {
        let mut probe = Vec::<u8>::new();
        probe.try_reserve_exact(bytes).map_err(|_| {
            let megabytes = bytes.div_ceil(1 << 20);
            Self::new(
                Kind::Memory,
                format!("{what} would take {megabytes} MiB of memory, more than can be had"),
            )
        })
    }

    /// The same error, said to be at that place: a file, or a file with line and column, or the name of a setting.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// What sort of fault it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it is, if that is a place: `data.csv`, `data.csv:17`, `data.csv:17, column 3 (age)`, `lr of adam`.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

/// In one line, whatever the names of files, columns and classes in it hold.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            one_line(f, place)?;
            f.write_str(": ")?;
        }
        one_line(f, &self.message)
    }
}

/// Control characters as Rust writes them, so that no text can move a terminal's cursor or feign another line.
///
/// # Errors
/// When the formatter cannot write.
pub fn one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for part in text.split_inclusive(char::is_control) {
        match part.chars().next_back().filter(|c| c.is_control()) {
            Some(control) => {
                f.write_str(&part[..part.len() - control.len_utf8()])?;
                write!(f, "{}", control.escape_default())?;
            }
            None => f.write_str(part)?,
        }
    }
    Ok(())
}

/// The most characters of a text from a file that a message shows.
const SHOWN: usize = 40;

/// A text from a file as a message shows it: its start, and two dots for the rest.
pub(crate) fn shown(text: &str) -> String {
    cut(text, SHOWN)
}

/// The first `most` characters of a text, and two dots for the rest.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(most).collect();
    match chars.next() {
        Some(_) => start + "..",
        None => start,
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{Error, Kind, shown};

    #[test]
    fn an_error_is_one_line_whatever_a_file_holds() {
        let error = Error::new(Kind::Data, "no `a\r\n\u{1b}[31mb` in it").at("two\nlines.csv");
        assert_eq!(
            error.to_string(),
            "two\\nlines.csv: no `a\\r\\n\\u{1b}[31mb` in it"
        );
        let plain = Error::new(Kind::Data, "wörter, 数字");
        assert_eq!(plain.to_string(), "wörter, 数字");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shown(&"ä".repeat(40)), "ä".repeat(40));
        assert_eq!(shown(&"ä".repeat(41)), "ä".repeat(40) + "..");
    }
}
