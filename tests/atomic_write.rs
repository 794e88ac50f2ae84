//! Promise: a file is written whole or not at all, and one can know beforehand whether it can be.

use std::fs;
use std::io;
use std::path::Path;

use mlp_core::Kind;
use mlp_core::model_file::{check_writable, stage, write_atomically};

fn write(path: &Path, text: &str) -> Result<(), mlp_core::Error> {
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

fn files_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn new_and_old_files_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    for text in ["first", "the second, longer", "3"] {
        write(&path, text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(files_in(dir.path()), ["out.txt"]);
}

#[test]
fn failure_halfway_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    write(&path, "old").unwrap();
    let error = write_atomically(&path, |file| {
        file.write_all(&vec![b'x'; 100_000])?;
        Err(io::Error::other("the disk is on fire"))
    })
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
    assert_eq!(
        error.to_string(),
        format!("{}: cannot write: the disk is on fire", path.display())
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(files_in(dir.path()), ["out.txt"]);
}

#[test]
fn check_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    check_writable(&path).unwrap();
    assert_eq!(files_in(dir.path()), Vec::<String>::new());
    write(&path, "old").unwrap();
    check_writable(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(files_in(dir.path()), ["out.txt"]);
}

#[test]
fn check_says_what_writing_would() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for (path, expected) in [
        (dir.path().join("no/such/out.txt"), "there is no directory"),
        (dir.path().join("file/out.txt"), "there is no directory"),
        (dir.path().to_path_buf(), "it is a directory"),
        (
            dir.path().join("new/"),
            "does not end in the name of a file",
        ),
        // Windows cuts it to the folder itself.
        #[cfg(unix)]
        (dir.path().join("no/.."), "there is no directory"),
        ("".into(), "the name of the file is empty"),
    ] {
        let before = check_writable(&path).unwrap_err().to_string();
        assert_eq!(before, write(&path, "text").unwrap_err().to_string());
        assert!(before.starts_with(&path.display().to_string()), "{before}");
        assert!(before.contains(expected), "{before}");
    }
    assert_eq!(files_in(dir.path()), ["file"]);

    // A directory in which nobody can make a file.
    #[cfg(target_os = "linux")]
    {
        let path = Path::new("/proc/out.txt");
        let before = check_writable(path).unwrap_err().to_string();
        assert_eq!(before, write(path, "text").unwrap_err().to_string());
    }
}

#[cfg(unix)]
#[test]
fn the_permissions_of_the_old_file_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.txt");
    write(&path, "old").unwrap();
    // Some more and some less than a new file has.
    for mode in [0o600, 0o755] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        write(&path, "new").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode
        );
    }
}

#[test]
fn read_only_file_is_respected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("precious");
    fs::write(&path, "keep").unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert!(
        check_writable(&path)
            .unwrap_err()
            .to_string()
            .contains("read-only")
    );
    assert!(write(&path, "gone").is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "keep");
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_devices_stay_devices() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    write(&link, "new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");

    // Through a link, so that a fault here replaces the link and not the device.
    let null = dir.path().join("null");
    std::os::unix::fs::symlink("/dev/null", &null).unwrap();
    check_writable(&null).unwrap();
    write(&null, "into the void").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    assert_eq!(files_in(dir.path()), ["link", "null", "target"]);
}

#[test]
fn a_staged_file_appears_when_it_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, dropped) = (dir.path().join("kept"), dir.path().join("dropped"));
    write(&kept, "old").unwrap();
    let staged = stage(&kept, |file| file.write_all(b"new")).unwrap();
    drop(stage(&dropped, |file| file.write_all(b"new")).unwrap());
    assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
    assert!(!dropped.exists());
    staged.publish().unwrap();
    assert_eq!(fs::read_to_string(&kept).unwrap(), "new");
    assert_eq!(files_in(dir.path()), ["kept"]);
}

/// (How long a name may be, Windows tells nobody beforehand.)
#[cfg(unix)]
#[test]
fn a_name_that_no_file_can_have_is_told_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x".repeat(300));
    let told = check_writable(&path).unwrap_err().to_string();
    assert!(told.contains("cannot write"), "{told}");
    assert_eq!(write(&path, "new").unwrap_err().to_string(), told);
    assert!(files_in(dir.path()).is_empty());
}
