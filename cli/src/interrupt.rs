//! Ctrl-C and its like: the first asks a run to stop after its step, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

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
