//! Ctrl-C and its like: the first asks a run to stop after its step, the second ends the process at once. A terminal that
//! is closed asks too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The terminal is closed. The number is the same on every Unix.
const SIGHUP: i32 = 1;

/// The ears of a run for the signals that would end it.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Listens from now on. Where the system lets nobody listen, signals end the process as ever.
    pub(crate) fn listen() -> Self {
        let (heard, which) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        for signal in [SIGINT, SIGTERM] {
            // In this order: whoever has heard one already leaves, before the next is written down.
            let listens =
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&heard))
                    .and_then(|_| flag::register_usize(signal, Arc::clone(&which), signal as usize))
                    .and_then(|_| flag::register(signal, Arc::clone(&heard)));
            drop(listens);
        }
        if hangs_up() {
            // A session that ends tells so more than once.
            let listens = flag::register_usize(SIGHUP, Arc::clone(&which), SIGHUP as usize)
                .and_then(|_| flag::register(SIGHUP, heard));
            drop(listens);
        }
        Self(which)
    }

    /// The number of the signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal as u8),
        }
    }
}

/// Whether a closed terminal would end this process: not under `nohup`, which has that signal ignored. Where the system
/// does not tell, nobody listens to it, and it stays what it was.
fn hangs_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // One bit a signal, the first one last.
    ignored
        .and_then(|bits| bits.chars().last()?.to_digit(16))
        .is_some_and(|bits| bits % 2 == 0)
}
