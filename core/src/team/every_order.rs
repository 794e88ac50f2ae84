//! Every order in which two or three threads can come to the barrier:
//! `RUSTFLAGS="--cfg loom" cargo test --release --package mlp-core --lib every_order`.

use super::{AtomicUsize, Barrier, Broken, Member, Ordering};
use loom::sync::Arc;
use loom::thread;

/// Every order, or, of many threads, every one with at most that many changes of thread that nobody asked for.
fn try_all(most: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = most;
    builder.check(model);
}

/// Each marks its own cell, waits, and reads the others': a relaxed read may see an old value unless the barrier
/// orders it behind the mark. Who sleeps for ever is found too.
fn meet(size: usize, rounds: usize, most: Option<usize>) {
    try_all(most, move || {
        let barrier = Arc::new(Barrier::new(size));
        let cells: Arc<Vec<_>> = Arc::new((0..size).map(|_| AtomicUsize::new(0)).collect());
        let work = move |index: usize, barrier: &Barrier, cells: &[AtomicUsize]| {
            let member = Member::new(index, barrier);
            for round in 1..=rounds {
                cells[index].store(round, Ordering::Relaxed);
                assert_eq!(member.wait(), Ok(()));
                for cell in cells {
                    assert!(cell.load(Ordering::Relaxed) >= round);
                }
            }
        };
        let others: Vec<_> = (1..size)
            .map(|index| {
                let (barrier, cells) = (Arc::clone(&barrier), Arc::clone(&cells));
                thread::spawn(move || work(index, &barrier, &cells))
            })
            .collect();
        work(0, &barrier, &cells);
        for other in others {
            other.join().expect("no panic");
        }
    });
}

#[test]
fn two_meet_three_times() {
    meet(2, 3, Some(4));
}

#[test]
fn two_meet_once_in_any_order() {
    meet(2, 1, None);
}

#[test]
fn three_meet_twice() {
    meet(3, 2, Some(2));
}

#[test]
fn who_waits_hears_of_a_panic() {
    for size in [2, 3] {
        try_all(Some(3), move || {
            let barrier = Arc::new(Barrier::new(size));
            let others: Vec<_> = (1..size)
                .map(|index| {
                    let barrier = Arc::clone(&barrier);
                    thread::spawn(move || match index {
                        1 => barrier.break_up(),
                        _ => assert_eq!(Member::new(index, &barrier).wait(), Err(Broken)),
                    })
                })
                .collect();
            assert_eq!(Member::new(0, &barrier).wait(), Err(Broken));
            for other in others {
                other.join().expect("no panic");
            }
        });
    }
}
