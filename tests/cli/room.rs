//! A directory for one test and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An empty directory, gone at the end of the test.
pub(crate) struct Room(TempDir);

/// How a run of the program ended and what it said.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with these arguments, separated by spaces, not yet started.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlp-fast"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env_remove("MLP_FAST_DATA")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program, however it ends.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        let output = self.command(arguments).output().expect("the program runs");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Runs the program, which must succeed, and returns its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &str) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments}: {}", outcome.stderr);
        outcome.stdout
    }

    /// The same, for a command that prints one JSON object.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.ok(arguments)).expect("JSON on standard output")
    }

    /// Runs the program, which must end with that code and one sentence that has all these words, and write nothing.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &str, code: i32, words: &[&str]) {
        let before = self.files();
        let outcome = self.run(arguments);
        let told = outcome.stderr.trim_end();
        assert_eq!(outcome.code, Some(code), "{arguments}: {told}");
        let sentence = told.lines().last().unwrap_or_default();
        assert!(
            sentence.starts_with("mlp-fast: ") && told.matches("mlp-fast: ").count() == 1,
            "{arguments}: not one sentence at the end: {told}"
        );
        for word in words {
            assert!(
                sentence.contains(word),
                "{arguments}: no `{word}` in: {told}"
            );
        }
        assert_eq!(outcome.stdout, "", "{arguments}");
        assert!(self.files() == before, "{arguments}: files were written");
    }

    /// All files with their content.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).expect("a file");
                    files.insert(path, content);
                }
            }
        }
        files
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a text file")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a writable directory");
    }
}
