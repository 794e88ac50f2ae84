//! A run that is killed at random moments, and goes on each time, ends with the files of one that was not, to the byte.
//!
//! A few kills by default; `MLP_FAST_KILLS=200 cargo test --release --package mlp-fast --test cli killed` for more.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::room::Room;

/// A run of some hundred steps with everything that has a state: moments, dropout, shuffling, early stopping.
const TRAIN: &str =
    "train --rows 800 --hidden 32 --epochs 8 --batch-size 16 --dropout 0.2 --patience 7 --quiet";

/// Numbers that need not be random, only scattered.
struct Scattered(u64);

impl Scattered {
    /// From 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / f64::from(1 << 24)
    }
}

/// The lines of a history without what the clock said.
fn history(room: &Room) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let epoch = line.as_object_mut().expect("an object");
        assert!(epoch.remove("seconds").is_some() && epoch.remove("rows_per_second").is_some());
        line
    };
    room.read("m.jsonl").lines().map(line).collect()
}

#[test]
fn kill_nine_at_random_moments_loses_nothing() {
    let kills = std::env::var("MLP_FAST_KILLS")
        .map_or(6, |kills| kills.parse().expect("a number of kills"));
    let whole = Room::new();
    whole.ok(&format!("{TRAIN} -o m.safetensors"));
    let names = |room: &Room| -> Vec<_> {
        let paths = room.files().into_keys();
        paths
            .map(|path| path.file_name().expect("a name").to_owned())
            .collect()
    };

    let mut moments = Scattered(20);
    let (mut killed, mut runs, mut lost) = (0, 0, 0);
    while killed < kills {
        let room = Room::new();
        // How long a life may be; found anew for each run, as the machine may be busy.
        let begin = Instant::now();
        let probe = TRAIN.replace("--epochs 8", "--epochs 2");
        room.ok(&format!(
            "{probe} -o probe.safetensors --checkpoint-every 2steps"
        ));
        let life = begin.elapsed() * 2;
        loop {
            let threads = 1 + runs % 3;
            let mut run = room
                .command(&format!(
                    "{TRAIN} -o m.safetensors --checkpoint-every 2steps --resume --threads {threads}"
                ))
                .spawn()
                .expect("the program runs");
            runs += 1;
            if killed < kills {
                std::thread::sleep(life.mul_f64(moments.next()).max(Duration::from_millis(1)));
                if run.try_wait().expect("a process").is_none() {
                    run.kill().expect("killed");
                    killed += 1;
                    run.wait().expect("an end");
                    lost += usize::from(!room.path("m.checkpoint").exists());
                    continue;
                }
            }
            assert!(run.wait().expect("an end").success());
            break;
        }
        for name in ["m.safetensors", "m.svg"] {
            let read = |room: &Room| std::fs::read(room.path(name)).expect("a file");
            assert!(
                read(&room) == read(&whole),
                "{name} is another after {killed} kills"
            );
        }
        assert_eq!(history(&room), history(&whole));
        // No passing files, no locks.
        for name in [
            "probe.checkpoint",
            "probe.jsonl",
            "probe.safetensors",
            "probe.svg",
        ] {
            std::fs::remove_file(room.path(name)).expect("a file");
        }
        assert_eq!(
            names(&room),
            ["m.checkpoint", "m.jsonl", "m.safetensors", "m.svg"]
        );
    }
    println!("{killed} kills in {runs} processes, {lost} of them before the first checkpoint");
}
