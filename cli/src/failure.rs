//! How a command ends when it does not end well: a sentence and an exit code.

use std::fmt;
use std::io;

use mlp_core::error::{Error, Kind, one_line};

/// Why a command did not finish.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line can never be right, whatever the files hold: exit code 2.
    Usage(String),
    /// A file, its content or a run is at fault: exit code 1.
    Failed(String),
    /// A signal ended the run, and all is written: exit code 128 and the signal's number, as shells have it.
    Interrupted {
        /// The signal's number.
        signal: u8,
        /// How to go on.
        sentence: String,
    },
    /// Whoever read our standard output has had enough (`mlp-fast predict ... | head`): exit code 0, no message.
    ReaderGone,
}

impl Failure {
    /// A fault of the command line, as a sentence.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(sentence) | Self::Failed(sentence) | Self::Interrupted { sentence, .. } => {
                one_line(f, sentence)
            }
            Self::ReaderGone => f.write_str("the reader of the output has gone"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Setting => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Faults of standard output; those of files are told with their path by [`crate::output`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}
