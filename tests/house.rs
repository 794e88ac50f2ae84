//! The house rules that a compiler does not know: what lies at the top, which room may import which, how large a file
//! is, who names an instruction set, where unsafe code may be, what the core depends on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the top level holds, besides hidden files and what `.gitignore` names.
const TOP: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "benches",
    "cli",
    "core",
    "data",
    "tests",
];

const PACKAGES: [&str; 4] = ["core", "cli", "benches", "tests"];

/// A file longer than this is two files.
const LINES: usize = 420;

/// The ground floor: imports nothing above it.
const GROUND: [&str; 4] = ["choice", "error", "isa", "rng"];

/// Each room of the core and the rooms it may import, besides the ground floor and itself.
const ARROWS: [(&str, &[&str]); 12] = [
    ("choice", &[]),
    ("error", &[]),
    ("isa", &[]),
    ("rng", &[]),
    ("tensor", &["team"]),
    ("team", &[]),
    ("optim", &["tensor", "team"]),
    ("dataset", &["tensor", "team"]),
    ("metrics", &["tensor", "team"]),
    ("nn", &["tensor", "team", "dataset"]),
    (
        "train",
        &["tensor", "team", "optim", "dataset", "metrics", "nn"],
    ),
    (
        "model_file",
        &[
            "tensor", "team", "optim", "dataset", "metrics", "nn", "train",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// All Rust files under a folder of the workspace, by path.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder exists") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                files.extend(rust_files(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    PACKAGES
        .iter()
        .flat_map(|package| rust_files(&root().join(package)))
        .collect()
}

/// The source without its comments.
fn code(source: &str) -> String {
    source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The words of a piece of code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The first names after every `crate::`, those in braces too: `crate::{a, b::{c, d}}` gives a and b.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut first) = (0, true);
            for token in group.split_inclusive(['{', '}', ',', ':', ' ', '\n']) {
                let name = token.trim_end_matches(['{', '}', ',', ':', ' ', '\n']);
                if depth == 0 && first && !name.is_empty() {
                    names.insert(name.to_owned());
                    first = false;
                }
                match token.chars().last() {
                    Some('{') => depth += 1,
                    Some('}') if depth == 0 => break,
                    Some('}') => depth -= 1,
                    Some(',') if depth == 0 => first = true,
                    _ => {}
                }
            }
        } else {
            names.extend(words(rest).next().map(str::to_owned));
        }
    }
    names
}

/// The room of core that a name at the crate's root lies in: itself, or the module that lib.rs re-exports it from.
fn room_of<'a>(name: &'a str, lib: &'a str) -> &'a str {
    if name.starts_with(char::is_lowercase) {
        return name;
    }
    lib.split(';')
        .filter_map(|statement| statement.split_once("pub use ").map(|(_, path)| path))
        .find(|path| words(path).any(|word| word == name))
        .and_then(|path| words(path).next())
        .unwrap_or(name)
}

/// Whether a pattern of `.gitignore`, `/name` or `*.ending`, names that entry of the top level.
fn is_ignored(name: &str, patterns: &str) -> bool {
    patterns
        .lines()
        .any(|pattern| match pattern.strip_prefix('*') {
            Some(ending) => name.ends_with(ending),
            None => pattern.strip_prefix('/') == Some(name),
        })
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let ignored = read(&root().join(".gitignore"));
    let mut found: Vec<String> = fs::read_dir(root())
        .expect("the workspace can be listed")
        .map(|entry| entry.expect("the entry can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !is_ignored(name, &ignored))
        .collect();
    found.sort();
    assert_eq!(found, TOP);
}

#[test]
fn every_test_and_bench_is_in_a_manifest() {
    let mut listed = BTreeSet::new();
    for package in PACKAGES {
        let folder = root().join(package);
        for line in read(&folder.join("Cargo.toml")).lines() {
            if let Some(value) = line.trim().strip_prefix("path = ") {
                let path = folder.join(value.trim_matches('"'));
                listed.insert(path.canonicalize().unwrap_or(path));
            }
        }
    }
    for folder in ["tests", "benches"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder exists") {
            let path = entry.expect("the entry can be read").path();
            if path.extension().is_some_and(|ending| ending == "rs") {
                let path = path.canonicalize().expect("the file exists");
                assert!(
                    listed.contains(&path),
                    "{} is in no manifest, so it never runs",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn imports_point_down() {
    let source = root().join("core/src");
    let lib = code(&read(&source.join("lib.rs")));
    let mut seen = BTreeSet::new();
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).expect("a file of that folder");
        let first = inside.components().next().expect("a file has a name");
        let room = first.as_os_str().to_string_lossy();
        let room = room.trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        seen.insert(room.to_owned());
        let (_, below) = ARROWS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("`{room}` has no place among the rooms of the core"));
        for name in crate_paths(&code(&read(&file))) {
            let target = room_of(&name, &lib);
            assert!(
                target == room || GROUND.contains(&target) || below.contains(&target),
                "{} imports crate::{name}, and `{room}` may not import `{target}`",
                inside.display()
            );
        }
    }
    for (room, _) in ARROWS {
        assert!(seen.contains(room), "the room `{room}` is empty");
    }
}

#[test]
fn only_isa_names_an_instruction_set() {
    for file in ["core/src", "cli/src"]
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)))
        .filter(|file| !file.ends_with("core/src/isa.rs"))
    {
        let code = code(&read(&file));
        for word in words(&code) {
            let names_one = ["V3", "V4", "Neon", "x86", "target_arch", "target_feature"]
                .contains(&word)
                || word.to_ascii_lowercase().contains("avx");
            assert!(!names_one, "{}: `{word}` belongs in isa.rs", file.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = all_rust_files()
        .iter()
        .map(|file| (file, read(file).lines().count()))
        .filter(|&(_, lines)| lines > LINES)
        .map(|(file, lines)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "over {LINES} lines: {long:#?}");
}

#[test]
fn unsafe_code_is_announced_and_argued() {
    // In two parts, so that this file is not among them.
    let keyword = concat!("un", "safe");
    for file in all_rust_files() {
        let source = read(&file);
        if words(&code(&source)).any(|word| word == keyword) {
            let dense: String = source.split_whitespace().collect();
            assert!(
                dense.contains(&format!("expect({keyword}_code")) && source.contains("SAFETY:"),
                "{} is {keyword} without an expect attribute and its reasons",
                file.display()
            );
        }
    }
}

#[test]
fn the_core_depends_on_pulp_and_rand_alone() {
    let manifest = read(&root().join("core/Cargo.toml"));
    let mut section = "";
    let mut needed = Vec::new();
    let lines = manifest.lines().map(str::trim);
    for line in lines.filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
            assert!(
                !line.contains("dependencies.") && !line.contains("build-dependencies"),
                "{line}: list dependencies in one table"
            );
        } else if section == "[dependencies]" && !line.contains("optional = true") {
            needed.extend(words(line).next().map(str::to_owned));
        } else if section == "[features]" && line.starts_with("default") {
            assert_eq!(line.replace(' ', ""), "default=[]");
        }
    }
    assert_eq!(needed, ["pulp", "rand"]);
}

#[test]
fn the_readers_of_this_file_read() {
    let source = "use crate::{error::Error, tensor::{self, matrix::{A, B}}, nn};\n// crate::cli\nlet x = crate::optim::f();";
    let names = crate_paths(&code(source));
    assert_eq!(
        names.iter().map(String::as_str).collect::<Vec<_>>(),
        ["error", "nn", "optim", "tensor"]
    );
    let lib = "pub mod error;\npub use error::{Error, Kind};\npub use isa::Isa;";
    assert_eq!(room_of("Kind", lib), "error");
    assert_eq!(room_of("Isa", lib), "isa");
    assert_eq!(room_of("tensor", lib), "tensor");
    assert!(is_ignored("target", "/target\n*.safetensors"));
    assert!(is_ignored("a.safetensors", "/target\n*.safetensors"));
    assert!(!is_ignored("a.rs", "/target\n*.safetensors"));
}
