//! Ctrl-C ends a run within a step, with all that it has; a second one ends it at once. One output has one writer.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::room::Room;

/// A program under way.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Started, and its first epoch done.
    fn start(room: &Room, arguments: &str) -> Self {
        Self::until("epoch ", &mut room.command(arguments))
    }

    /// Started, and so far that it has said a line that begins like this.
    fn until(said: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        while !line.starts_with(said) {
            line.clear();
            assert!(
                stderr.read_line(&mut line).expect("text") > 0,
                "it ended early"
            );
        }
        Self { child, stderr }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Its exit code and the last line it said.
    fn end(mut self) -> (Option<i32>, String) {
        let lines = self.stderr.lines().map(|line| line.expect("text"));
        let last = lines.last().unwrap_or_default();
        (self.child.wait().expect("an end").code(), last)
    }
}

#[test]
fn ctrl_c_ends_a_run_with_checkpoint_and_model_and_it_goes_on() {
    let train = "train --rows 2000 --hidden 64 --epochs 40 --batch-size 8 --patience 39";
    let (whole, room) = (Room::new(), Room::new());
    whole.ok(&format!("{train} -q -o m.safetensors"));
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        if signal == "HUP" && !hangs_up() {
            continue;
        }
        let run = Running::start(
            &room,
            &format!("{train} -o m.safetensors --checkpoint-every 10minutes --resume"),
        );
        run.signal(signal);
        if signal == "HUP" {
            // As from the shell, and from the terminal.
            run.signal(signal);
        }
        let (ended, told) = run.end();
        assert_eq!(ended, Some(code), "{told}");
        assert!(
            told.starts_with("mlp-fast: interrupted in epoch "),
            "{told}"
        );
        assert!(
            told.ends_with(" of 40: the same command goes on from m.checkpoint"),
            "{told}"
        );
        let record = &room.json("inspect m.safetensors --json")["record"];
        assert_eq!(record["interrupted"], true, "{record}");
    }
    room.fails(
        &format!("{train} -o m.safetensors --checkpoint-every 1"),
        1,
        &["m.checkpoint", "not finished", "--resume"],
    );
    room.ok(&format!("{train} -q -o m.safetensors --resume"));
    let model = |room: &Room| std::fs::read(room.path("m.safetensors")).expect("a model");
    assert!(model(&room) == model(&whole));
}

/// Whether a closed terminal ends the programs that this one starts, and they can know it.
fn hangs_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|bits| bits.ends_with(|bit: char| "02468ace".contains(bit)))
}

#[test]
fn under_nohup_a_closed_terminal_is_nothing() {
    let room = Room::new();
    let train = "train --rows 2000 --hidden 64 --epochs 100000 -o m.safetensors";
    let program = room.command(train);
    let mut nohup = Command::new("sh");
    nohup
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(room.path(""));
    let run = Running::until("epoch ", &mut nohup);
    run.signal("HUP");
    std::thread::sleep(std::time::Duration::from_millis(100));
    run.signal("TERM");
    assert_eq!(run.end().0, Some(143));
}

#[test]
fn ctrl_c_leaves_nothing_of_a_file_that_is_being_drawn() {
    let room = Room::new();
    let mut child = room
        .command("generate digits --rows 100000 -o d.csv")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    while !room.path(".d.csv.lock").exists() {
        assert!(child.try_wait().expect("a process").is_none(), "it ended");
    }
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let run = Running { child, stderr };
    run.signal("INT");
    assert_eq!(run.end(), (Some(130), "mlp-fast: interrupted".to_owned()));
    assert!(room.files().is_empty(), "{:?}", room.files().keys());
}

#[test]
fn without_a_checkpoint_the_model_is_written_and_that_is_said() {
    let room = Room::new();
    let run = Running::start(
        &room,
        "train --rows 2000 --hidden 64 --epochs 1000 -o m.safetensors",
    );
    run.signal("INT");
    let (code, told) = run.end();
    assert_eq!(code, Some(130), "{told}");
    assert!(
        told.contains("--checkpoint-every") && !room.path("m.checkpoint").exists(),
        "{told}"
    );
    room.ok("evaluate m.safetensors digits --take 50");
}

#[test]
fn before_the_first_epoch_ends_old_files_stay() {
    let room = Room::new();
    room.ok("train --rows 100 --epochs 1 -q -o m.safetensors");
    let old = room.files();
    // Steps of a tenth of a second and more, many of them an epoch.
    let long =
        "train --rows 8000 --hidden 1024,1024 --batch-size 1000 --threads 1 -o m.safetensors";
    for (options, words) in [
        ("", "so the same command begins anew"),
        ("--resume", "goes on from m.checkpoint"),
    ] {
        let run = Running::until("network ", &mut room.command(&format!("{long} {options}")));
        // It is about to listen.
        std::thread::sleep(std::time::Duration::from_millis(100));
        run.signal("INT");
        let (code, told) = run.end();
        assert_eq!(code, Some(130), "{told}");
        assert!(
            told.contains("in epoch 1 of 10, so no model was written: ") && told.ends_with(words),
            "{told}"
        );
        let mut files = room.files();
        let checkpoint = files.remove(&room.path("m.checkpoint"));
        assert_eq!(checkpoint.is_some(), options == "--resume");
        assert!(files == old, "{options}: an old file is another");
    }
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let room = Room::new();
    // Steps of a quarter of a second and more each.
    let run = Running::start(
        &room,
        "train --rows 2000 --hidden 1024,1024 --batch-size full --epochs 1000 --threads 1 -o m.safetensors",
    );
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(20));
    run.signal("INT");
    assert_eq!(run.end().0, Some(130));
    assert!(!room.path("m.safetensors").exists(), "it was not at once");
}

#[test]
fn the_second_writer_of_a_file_is_told() {
    let room = Room::new();
    let long = "train --rows 2000 --hidden 64 --epochs 100000";
    let run = Running::start(&room, &format!("{long} -o m.safetensors"));
    let process = run.child.id().to_string();
    let refused = |arguments: &str, file: &str| {
        let outcome = room.run(arguments);
        assert_eq!(outcome.code, Some(1), "{arguments}: {}", outcome.stderr);
        for word in [file, "another run", &process] {
            assert!(
                outcome.stderr.contains(word),
                "{arguments}: {}",
                outcome.stderr
            );
        }
    };
    refused(&format!("{long} -o m.safetensors"), "m.safetensors");
    refused(&format!("{long} -o ./m.safetensors"), "m.safetensors");
    // Another model that would have the same curves beside it.
    refused(&format!("{long} -o m.model"), "m.svg");
    room.ok("train --rows 100 --epochs 1 -o other.safetensors");
    // Killed, it leaves its locks behind, and they hold nobody up.
    let mut run = run;
    run.child.kill().expect("killed");
    run.child.wait().expect("an end");
    room.ok("train --rows 100 --epochs 1 -o m.safetensors");
    let mut names: Vec<_> = room.files().into_keys().collect();
    names.retain(|path| path.to_string_lossy().ends_with(".lock"));
    assert!(names.is_empty(), "{names:?}");
}
