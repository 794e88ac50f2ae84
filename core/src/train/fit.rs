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

use super::block::{Block, Shares, Source};
use super::drawn::DrawnMasks;
use super::layer_rows::{Aim, odd_lines};
use super::leader::Leader;
use super::mask::Draw;
use super::share::{Lesson, Needs, Part, Scratch, Share};
use super::snapshot::{self, Start};
use super::{History, Reduction, Schedule, Threads, Trainer, identity};
use crate::dataset::{Dataset, NonZeros};
use crate::error::{Error, Kind};
use crate::isa::Isa;
use crate::nn::{Layer, Loss, Network};
use crate::optim::{Optimizer, Penalty};
use crate::team::{self, Broken, MOST_THREADS, Member};
use crate::tensor::gemm::{KB, Rows, SparsePiece};

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
    pub(super) network: &'a Network,
    layers: usize,
    /// Made by [`without_zeros`].
    non_zeros: [Option<NonZeros>; 2],
    pub(super) optimizer: Optimizer,
    pub(super) schedule: Schedule,
    penalty: Penalty,
    /// The factor of the learning rate for each layer; empty where it is 1 for all.
    layer_rates: Vec<f64>,
    reduction: Reduction,
    pub(super) batch_size: usize,
    /// The rows of an epoch: all, unless the last batch is dropped.
    pub(super) rows: usize,
    pub(super) epochs: usize,
    pub(super) seed: u64,
    pub(super) shares: Vec<RwLock<Share>>,
    pub(super) blocks: Vec<RwLock<Block>>,
    pub(super) order: RwLock<Vec<u32>>,
    /// Dropout drawn from a stream.
    pub(super) masks: Option<RwLock<DrawnMasks>>,
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
    let aim = Aim {
        loss,
        reported: trainer.reported.filter(|&reported| reported != loss),
    };
    let drops = network.layers().iter().any(|layer| layer.dropout() > 0.0);
    let draws_masks = drops && trainer.legacy_random.is_some();
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
    let masks = if draws_masks {
        DrawnMasks::size(network, batch_size)
    } else {
        0
    };
    check_memory(network, needs, part.max(threads * ROWS_TO_MEASURE), masks)?;
    let non_zeros = without_zeros(train, validation, network.isa());
    let longest = non_zeros.iter().flatten().map(NonZeros::longest_row).max();
    let resume = trainer.resume.take();
    let settings = match (&trainer.checkpoints, &resume) {
        (None, None) => Vec::new(),
        _ => identity::settings(trainer, loss, network, train, validation),
    };
    let run = Run {
        train,
        validation,
        isa: network.isa(),
        network,
        layers: network.layers().len(),
        non_zeros,
        optimizer: trainer.optimizer,
        schedule: trainer.schedule,
        penalty: trainer.penalty,
        layer_rates: trainer.layer_rates.clone(),
        reduction: trainer.reduction,
        batch_size,
        rows: if trainer.drop_last {
            rows - rows % batch_size
        } else {
            rows
        },
        epochs: trainer.epochs,
        seed: trainer.seed,
        shares: (0..threads)
            .map(|index| RwLock::new(Share::new(network, index, threads, needs)))
            .collect(),
        blocks: (0..threads)
            .map(|index| {
                let capacity = capacity(index);
                RwLock::new(Block::new(network, aim, capacity, longest, measured))
            })
            .collect(),
        order: RwLock::new((0..rows as u32).collect()),
        masks: draws_masks.then(|| RwLock::new(DrawnMasks::new(network, batch_size))),
        stop: AtomicBool::new(false),
        keep: AtomicBool::new(false),
        steps: AtomicUsize::new(0),
    };
    let mut leader = Leader::new(trainer, settings, begin);
    let start = match &resume {
        Some(checkpoint) => snapshot::go_on(checkpoint, &mut leader, &run)?,
        None => Start::FRESH,
    };
    drop(resume);
    // A broken team means a panic, which `team::run` passes on.
    let _: Result<(), Broken> = team::run(
        threads,
        |member| run.epochs(&member, start, Some(&mut leader)),
        |member| {
            let _: Result<(), Broken> = run.epochs(&member, start, None);
        },
    );
    leader.save_at_end(&run);
    let end = run.end(leader)?;
    for share in end.shares {
        share.give_back(network);
    }
    Ok(end.history)
}

/// What is left of a run.
struct End {
    shares: Vec<Share>,
    history: History,
}

/// The inputs of training and validation without their zeros, if those of training mostly are zero.
fn without_zeros(train: &Dataset, validation: Option<&Dataset>, isa: Isa) -> [Option<NonZeros>; 2] {
    let own = train.inputs().non_zeros(isa, DENSITY);
    let validation = validation
        .filter(|_| own.is_some())
        .and_then(|data| data.inputs().non_zeros(isa, 1.0));
    [own, validation]
}

/// Whether there is room for a run with `rows` rows under way at a time.
fn check_memory(network: &Network, needs: Needs, rows: usize, masks: usize) -> Result<(), Error> {
    // Weights as panels and transposed, and what is kept about each; activations and gradients of the rows.
    let weights = (2 + needs.per_weight()).saturating_mul(network.parameters());
    let units = |layer: &Layer| 4 * odd_lines(layer.outputs());
    let row = odd_lines(network.inputs()) + network.layers().iter().map(units).sum::<usize>();
    let floats = weights.saturating_add(rows.saturating_mul(row));
    Error::unless_room_for(
        floats
            .saturating_mul(size_of::<f32>())
            .saturating_add(masks),
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
    /// The weights that are kept, if they are finite.
    fn end(self, leader: Leader<'_, '_>) -> Result<End, Error> {
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
                    leader.epochs.len(),
                    self.steps.load(Ordering::Relaxed),
                    &format!("weights of layer {} are no longer finite", l + 1),
                    &self.optimizer,
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

    /// What every member does; the leader with its part.
    fn epochs(
        &self,
        member: &Member<'_>,
        start: Start,
        mut leader: Option<&mut Leader<'_, '_>>,
    ) -> Result<(), Broken> {
        let mut scratch = Scratch::new(
            &read(&self.shares[member.index()]),
            self.batch_size.min(KB),
            self.non_zeros[0].is_some(),
        );
        let rows = self.rows;
        let mut step = start.steps(rows.div_ceil(self.batch_size));
        for epoch in start.epoch..=self.epochs {
            if let Some(leader) = &mut leader {
                leader.begin(self, epoch);
            }
            member.wait()?;
            if let Some(leader) = &mut leader {
                leader.save_if_due(self);
            }
            for first in (start.rows_done(epoch, self.batch_size)..rows).step_by(self.batch_size) {
                step += 1;
                let batch = first..rows.min(first + self.batch_size);
                for from in batch.clone().step_by(KB) {
                    let to = batch.end.min(from + KB);
                    self.rows_phase(member, epoch, from..to, from - batch.start);
                    member.wait()?;
                    let part = Part {
                        first: from == batch.start,
                        last: to == batch.end,
                    };
                    if let Some(leader) = &mut leader {
                        leader.collect(self, epoch, part);
                        if part.last {
                            leader.draw_masks(self, batch.end);
                        }
                    }
                    self.weights_phase(member, step, batch.len(), part, &mut scratch);
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

    /// `part` of the epoch's rows, which begins that many rows into its batch.
    fn rows_phase(
        &self,
        member: &Member<'_>,
        epoch: usize,
        part: std::ops::Range<usize>,
        in_batch: usize,
    ) {
        let own = team::share(part.len(), 4, member.index(), member.size());
        let position = part.start + own.start;
        let shares: Shares<'_> = read_all(&self.shares);
        let order = read(&self.order);
        let indices = &order[position..position + own.len()];
        let masks = self.masks.as_ref().map(read);
        let draw = Draw {
            seed: self.seed,
            epoch,
            position,
            in_batch: in_batch + own.start,
            masks: masks.as_deref(),
        };
        let source = source(self.train, self.non_zeros[0].as_ref());
        write(&self.blocks[member.index()]).meet(&shares, &source, indices, draw);
    }

    fn weights_phase(
        &self,
        member: &Member<'_>,
        step: usize,
        batch: usize,
        part: Part,
        scratch: &mut Scratch,
    ) {
        let blocks = read_all(&self.blocks);
        let mut share = write(&self.shares[member.index()]);
        let factor = match self.reduction {
            Reduction::Mean => 1.0 / batch as f32,
            Reduction::Sum => 1.0,
        };
        let steps = self.epochs * self.rows.div_ceil(self.batch_size);
        let lr_share = self.schedule.share(step as u64, steps as u64);
        let update = |rate, penalty| {
            let optimizer = self.optimizer.slowed(lr_share * rate);
            optimizer.at_step(step as u64, penalty).scaled(factor)
        };
        let sparse = read_sparse(&blocks);
        let mut lesson = Lesson {
            part,
            weight_step: update(1.0, self.penalty),
            bias_step: update(1.0, Penalty::default()),
            sparse: sparse.as_ref().map(|pieces| &pieces[..member.size()]),
            scratch,
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
            if let Some(&rate) = self.layer_rates.get(l) {
                lesson.weight_step = update(rate, self.penalty);
                lesson.bias_step = update(rate, Penalty::default());
            }
            share.learn(self.isa, l, &pieces[..member.size()], &mut lesson);
        }
    }

    /// The losses of this member's rows of the validation set.
    fn measure(&self, member: &Member<'_>, validation: &Dataset) {
        let own = team::share(validation.len(), 4, member.index(), member.size());
        let shares: Shares<'_> = read_all(&self.shares);
        let mut block = write(&self.blocks[member.index()]);
        let source = source(validation, self.non_zeros[1].as_ref());
        let rows = block.capacity();
        for from in own.clone().step_by(rows) {
            let range = from..own.end.min(from + rows);
            block.measure(&shares, &source, range, from - own.start);
        }
    }
}

/// What the first layer's weight gradient takes from all blocks, if inputs are sparse.
fn read_sparse<'a>(
    blocks: &'a [Option<RwLockReadGuard<'_, Block>>],
) -> Option<[SparsePiece<'a>; MOST_THREADS]> {
    let mut own = blocks.iter().flatten().map(|block| block.sparse_piece());
    let mut pieces = [own.next()??; MOST_THREADS];
    for (piece, own) in pieces[1..].iter_mut().zip(own) {
        *piece = own?;
    }
    Some(pieces)
}

fn source<'a>(data: &'a Dataset, non_zeros: Option<&'a NonZeros>) -> Source<'a> {
    Source {
        inputs: data.inputs(),
        targets: data.targets(),
        non_zeros,
    }
}
