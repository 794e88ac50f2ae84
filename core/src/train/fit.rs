//! The epoch loop on a team of threads.
//!
//! A batch comes in parts of at most [`KB`] rows. For each part every member
//! 1. takes its rows forward, measures their loss and takes the gradients back to every layer (it writes its [`Block`] and
//!    reads all [`Share`]s); barrier;
//! 2. computes the weight gradients of its share over all rows, and after the last part the step (it writes its share
//!    and reads all blocks); barrier.
//!
//! No gradient is summed across threads, and an element's chain of additions runs over the rows in the order of the
//! batch, so the number of threads cannot change a bit. The locks are never waited for: the barriers keep readers and
//! writers apart, the locks only prove it.
//!
//! The leader, member 0, is the calling thread: it shuffles, adds up losses, and talks to the callbacks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::block::{Batch, Block, Shares};
use super::layer_rows::odd_lines;
use super::leader::Leader;
use super::mask::Draw;
use super::share::{Lesson, Needs, Part, Share};
use super::{History, Reduction, Schedule, Threads, Trainer};
use crate::dataset::{Dataset, NonZeros};
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::nn::{Layer, Loss, Network};
use crate::optim::{Optimizer, Penalty};
use crate::team::{self, Broken, MOST_THREADS, Member};
use crate::tensor::gemm::{GROUP, KB, Rows};
use crate::tensor::matrix::Aligned;

/// Work of a step below which a further thread does not pay, in floating-point operations: some 20 microseconds.
const FLOPS_PER_THREAD: usize = 2_000_000;

/// Up to this share of numbers other than zero, skipping the zeros of the inputs is faster than not to: by a third at
/// 0.19 (MNIST, 784-128-10), not at all at 0.35 (digits; Zen 3, 2026-11-21, epochs of `mlp-fast train`).
const DENSITY: f64 = 0.3;

/// Rows of the validation set that go forward together, at least.
pub(super) const ROWS_TO_MEASURE: usize = 96;

/// All that the members share.
pub(super) struct Run<'a> {
    pub(super) train: &'a Dataset,
    pub(super) validation: Option<&'a Dataset>,
    isa: Isa,
    layers: usize,
    /// Where the training inputs are not zero, if they mostly are.
    non_zeros: Option<NonZeros>,
    pub(super) optimizer: Optimizer,
    schedule: Schedule,
    penalty: Penalty,
    reduction: Reduction,
    pub(super) batch_size: usize,
    pub(super) epochs: usize,
    pub(super) seed: u64,
    shares: Vec<RwLock<Share>>,
    pub(super) blocks: Vec<RwLock<Block>>,
    pub(super) order: RwLock<Vec<u32>>,
    /// The leader's word, to be obeyed after the next barrier.
    pub(super) stop: AtomicBool,
    pub(super) keep: AtomicBool,
    pub(super) steps: AtomicUsize,
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Everything held for reading, without an allocation.
fn read_all<T>(locks: &[RwLock<T>]) -> [Option<RwLockReadGuard<'_, T>>; MOST_THREADS] {
    std::array::from_fn(|index| locks.get(index).map(read))
}

/// Trains `network`; the settings have been checked.
pub(super) fn fit(
    trainer: &mut Trainer<'_>,
    loss: Loss,
    network: &mut Network,
    train: &Dataset,
    validation: Option<&Dataset>,
) -> Result<History, Error> {
    let begin = Instant::now();
    let rows = train.len();
    let batch_size = trainer.batch_size.unwrap_or(rows).min(rows);
    let threads = match trainer.threads {
        Threads::Exactly(threads) => threads.min(MOST_THREADS),
        Threads::AtMost(threads) => {
            let pays = network.parameters().saturating_mul(6 * batch_size) / FLOPS_PER_THREAD;
            threads.min(team::available_threads()).min(pays.max(1))
        }
    };
    let part = batch_size.min(KB);
    let needs = Needs::new(
        &trainer.optimizer,
        batch_size > KB,
        trainer.patience.is_some(),
    );
    let measured = validation.map_or(0, |data| {
        team::share(data.len(), 4, threads - 1, threads).len() + 4
    });
    let capacity = |index| {
        let own = team::share(part, 4, index, threads).len();
        if validation.is_some() {
            own.max(ROWS_TO_MEASURE)
        } else {
            own.max(4)
        }
    };
    check_memory(network, needs, part.max(threads * ROWS_TO_MEASURE))?;
    let run = Run {
        train,
        validation,
        isa: network.isa(),
        layers: network.layers().len(),
        non_zeros: train.inputs().non_zeros(network.isa(), DENSITY),
        optimizer: trainer.optimizer,
        schedule: trainer.schedule,
        penalty: trainer.penalty,
        reduction: trainer.reduction,
        batch_size,
        epochs: trainer.epochs,
        seed: trainer.seed,
        shares: (0..threads)
            .map(|index| RwLock::new(Share::new(network, index, threads, needs)))
            .collect(),
        blocks: (0..threads)
            .map(|index| RwLock::new(Block::new(network, loss, capacity(index), measured)))
            .collect(),
        order: RwLock::new((0..rows as u32).collect()),
        stop: AtomicBool::new(false),
        keep: AtomicBool::new(false),
        steps: AtomicUsize::new(0),
    };
    let mut leader = Leader::new(trainer);
    // A broken team means a panic, which `team::run` passes on.
    let _: Result<(), Broken> = team::run(
        threads,
        |member| run.epochs(&member, Some(&mut leader)),
        |member| {
            let _: Result<(), Broken> = run.epochs(&member, None);
        },
    );
    let Leader {
        fault,
        stopped,
        best_epoch,
        epochs,
        patience,
        ..
    } = leader;
    if let Some(fault) = fault {
        return Err(fault);
    }
    for share in &run.shares {
        let mut share = write(share);
        if patience.is_some() {
            share.restore();
        }
        if let Some(l) = (0..run.layers).find(|&l| !share.is_finite(l)) {
            return Err(diverged(
                epochs.len(),
                run.steps.load(Ordering::Relaxed),
                &format!("weights of layer {} are no longer finite", l + 1),
                &run.optimizer,
            ));
        }
        share.give_back(network);
    }
    Ok(History {
        epochs,
        best_epoch,
        stopped,
        seconds: begin.elapsed().as_secs_f64(),
        threads,
    })
}

/// Whether there is room for a run with `rows` rows under way at a time.
fn check_memory(network: &Network, needs: Needs, rows: usize) -> Result<(), Error> {
    // Weights as panels and transposed, and what is kept about each; activations and gradients of the rows.
    let weights = (2 + needs.per_weight()).saturating_mul(network.parameters());
    let units = |layer: &Layer| 4 * odd_lines(layer.outputs());
    let row = odd_lines(network.inputs()) + network.layers().iter().map(units).sum::<usize>();
    let floats = weights.saturating_add(rows.saturating_mul(row));
    Error::unless_room_for(
        floats.saturating_mul(size_of::<f32>()),
        "training this network",
    )
}

/// The end of a run whose numbers are lost.
pub(super) fn diverged(epoch: usize, step: usize, what: &str, optimizer: &Optimizer) -> Error {
    let lr = optimizer.lr();
    Error::new(
        Kind::Diverged,
        format!(
            "training diverged in epoch {epoch}, step {step}: {what}; try a smaller learning rate (it was {lr:?}), \
             scaled inputs, or smaller first weights"
        ),
    )
}

impl Run<'_> {
    /// What every member does; the leader with its part.
    fn epochs(
        &self,
        member: &Member<'_>,
        mut leader: Option<&mut Leader<'_, '_>>,
    ) -> Result<(), Broken> {
        let mut packed = Aligned::zeroed(self.batch_size.min(KB) * GROUP);
        let rows = self.train.len();
        let mut step = 0;
        for epoch in 1..=self.epochs {
            if let Some(leader) = &mut leader {
                leader.begin(self, epoch);
            }
            member.wait()?;
            for first in (0..rows).step_by(self.batch_size) {
                step += 1;
                let batch = first..rows.min(first + self.batch_size);
                for from in batch.clone().step_by(KB) {
                    let to = batch.end.min(from + KB);
                    self.rows_phase(member, epoch, from..to);
                    member.wait()?;
                    let part = Part {
                        first: from == batch.start,
                        last: to == batch.end,
                    };
                    if let Some(leader) = &mut leader {
                        leader.collect(self, epoch, part);
                    }
                    self.weights_phase(member, step, batch.len(), part, &mut packed);
                    member.wait()?;
                    if self.stop.load(Ordering::Acquire) {
                        return Ok(());
                    }
                }
                if let Some(leader) = &mut leader {
                    leader.after_step(self, epoch, batch.end);
                }
            }
            if let Some(leader) = &mut leader {
                leader.rows_done();
            }
            if let Some(validation) = self.validation {
                self.measure(member, validation);
            }
            member.wait()?;
            if let Some(leader) = &mut leader {
                leader.after_epoch(self, epoch);
            }
            member.wait()?;
            if self.keep.load(Ordering::Acquire) {
                write(&self.shares[member.index()]).keep();
            }
            if self.stop.load(Ordering::Acquire) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn rows_phase(&self, member: &Member<'_>, epoch: usize, part: std::ops::Range<usize>) {
        let own = team::share(part.len(), 4, member.index(), member.size());
        let position = part.start + own.start;
        let shares: Shares<'_> = read_all(&self.shares);
        let order = read(&self.order);
        let batch = Batch {
            inputs: self.train.inputs(),
            targets: self.train.targets(),
            non_zeros: self.non_zeros.as_ref(),
            indices: &order[position..position + own.len()],
        };
        let draw = Draw {
            seed: self.seed,
            epoch,
            position,
        };
        write(&self.blocks[member.index()]).meet(&shares, &batch, draw);
    }

    fn weights_phase(
        &self,
        member: &Member<'_>,
        step: usize,
        batch: usize,
        part: Part,
        packed: &mut [f32],
    ) {
        let blocks = read_all(&self.blocks);
        let mut share = write(&self.shares[member.index()]);
        let factor = match self.reduction {
            Reduction::Mean => 1.0 / batch as f32,
            Reduction::Sum => 1.0,
        };
        let steps = self.epochs * self.train.len().div_ceil(self.batch_size);
        let lr_share = self.schedule.share(step as u64, steps as u64);
        let optimizer = self.optimizer.slowed(lr_share);
        let update = |penalty| optimizer.at_step(step as u64, penalty).scaled(factor);
        let mut lesson = Lesson {
            part,
            weight_step: update(self.penalty),
            bias_step: update(Penalty::default()),
            sparse_inputs: self.non_zeros.is_some()
                && blocks.iter().flatten().all(|block| block.is_finite()),
            packed,
        };
        for l in 0..self.layers {
            let mut pieces = [Rows {
                a: &[],
                stride: 1,
                len: 0,
                lines: &[],
            }; MOST_THREADS];
            for (piece, block) in pieces.iter_mut().zip(blocks.iter().flatten()) {
                *piece = block.piece(l);
            }
            share.learn(self.isa, l, &pieces[..member.size()], &mut lesson);
        }
    }

    /// The losses of this member's rows of the validation set.
    fn measure(&self, member: &Member<'_>, validation: &Dataset) {
        let own = team::share(validation.len(), 4, member.index(), member.size());
        let shares: Shares<'_> = read_all(&self.shares);
        let mut block = write(&self.blocks[member.index()]);
        let rows = block.capacity();
        for from in own.clone().step_by(rows) {
            let range = from..own.end.min(from + rows);
            block.measure(
                &shares,
                (validation.inputs(), validation.targets()),
                range,
                from - own.start,
            );
        }
    }
}
