//! How a run ends: with the weights that are kept and its history, or with numbers that are lost.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::History;
use super::leader::Leader;
use super::run::Run;
use super::share::Share;
use crate::dataset::{Dataset, Targets};
use crate::error::{Error, Kind};
use crate::optim::Optimizer;

/// What is left of a run.
pub(super) struct End {
    pub(super) shares: Vec<Share>,
    pub(super) history: History,
}

impl Run<'_> {
    /// The weights that are kept, if they are finite.
    pub(super) fn end(self, leader: Leader<'_, '_>) -> Result<End, Error> {
        let threads = self.shares.len();
        let seconds = leader.seconds();
        if let Some(fault) = leader.fault {
            return Err(fault);
        }
        let mut shares = Vec::with_capacity(threads);
        for share in self.shares {
            let mut share = share.into_inner().unwrap_or_else(PoisonError::into_inner);
            if leader.patience.is_some() && leader.best_epoch > 0 {
                share.restore();
            }
            if let Some(l) = (0..self.layers).find(|&l| !share.is_finite(l)) {
                return Err(diverged(
                    (self.train, &self.optimizer),
                    (leader.epochs.len(), self.steps.load(Ordering::Relaxed)),
                    &format!("weights of layer {} are no longer finite", l + 1),
                ));
            }
            shares.push(share);
        }
        let history = History {
            epochs: leader.epochs,
            best_epoch: leader.best_epoch,
            stopped: leader.stopped,
            seconds,
            threads,
        };
        Ok(End { shares, history })
    }
}

/// The end of a run whose numbers are lost.
pub(super) fn diverged(
    (train, optimizer): (&Dataset, &Optimizer),
    (epoch, step): (usize, usize),
    what: &str,
) -> Error {
    let lr = optimizer.lr();
    let targets = match train.targets() {
        Targets::Classes { .. } => "",
        Targets::Values { .. } => "targets nearer to 0 and 1, ",
    };
    Error::new(
        Kind::Diverged,
        format!(
            "training diverged in epoch {epoch}, step {step}: {what}; try a smaller learning rate (it was {lr:?}), \
             {targets}scaled inputs, or smaller first weights"
        ),
    )
}
