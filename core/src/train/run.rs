//! The epoch loop on a team of threads.
//!
//! A batch comes in parts of at most [`KB`] rows. For each part every member
//! 1. takes its rows forward, measures their loss and takes the gradients back to every layer (it writes its [`Block`] and
//!    reads all [`Share`]s); barrier;
//! 2. computes the weight gradients of its share over all rows, and after the last part the step (it writes its share
//!    and reads all blocks); barrier.
//!
//! Where the first layer is shared out by its units ([`First`]) or by sums ([`Leg`]), a member's rows begin with what all
//! members' weights have made of them: a member finds that out for the next part right after the step of these weights.
//!
//! Where a step is so small that this does not pay, the leader does it for all ([`Pace`]).
//!
//! No gradient is summed across threads, and an element's chain of additions runs over the rows in the order of the
//! batch, so the number of threads cannot change a bit. The locks are never waited for: the barriers keep readers and
//! writers apart, the locks only prove it.
//!
//! The leader, member 0, is the calling thread: it shuffles, adds up losses, and talks to the callbacks.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::Block;
use super::drawn::DrawnMasks;
use super::first::First;
use super::fit::flops;
use super::given::Source;
use super::leader::Leader;
use super::pace::{Pace, Word};
use super::relay::{Ahead, HandedOn, Leg};
use super::share::{Part, Scratch, Share};
use super::skipped::all_skipped;
use super::snapshot::Start;
use super::{Reduction, Schedule};
use crate::dataset::Dataset;
use crate::isa::Isa;
use crate::nn::Network;
use crate::optim::{Optimizer, Penalty};
use crate::team::{self, Broken, MOST_THREADS, Member};
use crate::tensor::gemm::KB;

/// All that the members share.
pub(super) struct Run<'a> {
    pub(super) train: &'a Dataset,
    pub(super) validation: Option<&'a Dataset>,
    pub(super) isa: Isa,
    pub(super) network: &'a Network,
    pub(super) layers: usize,
    /// Whether zeros of the inputs are skipped, as most of those of training are zero.
    pub(super) sparse: bool,
    pub(super) optimizer: Optimizer,
    pub(super) schedule: Schedule,
    pub(super) penalty: Penalty,
    /// The factor of the learning rate for each layer; empty where it is 1 for all.
    pub(super) layer_rates: Vec<f64>,
    pub(super) reduction: Reduction,
    pub(super) batch_size: usize,
    /// The rows of an epoch: all, unless the last batch is dropped.
    pub(super) rows: usize,
    pub(super) epochs: usize,
    pub(super) seed: u64,
    pub(super) shares: Vec<RwLock<Share>>,
    pub(super) blocks: Vec<RwLock<Block>>,
    /// None, unless the first layer is shared out by its units.
    pub(super) firsts: Vec<RwLock<First>>,
    /// None, unless it is shared out by the sums of its inputs,
    pub(super) legs: Vec<RwLock<Leg>>,
    /// what each but the last will be given next,
    pub(super) ahead: Vec<RwLock<Ahead>>,
    /// and of which member `index` has handed on so many.
    pub(super) handed_on: Vec<HandedOn>,
    pub(super) order: RwLock<Vec<u32>>,
    /// Dropout drawn from a stream.
    pub(super) masks: Option<RwLock<DrawnMasks>>,
    /// The leader's word, to be obeyed after the next barrier.
    pub(super) stop: AtomicBool,
    /// The same, while rows held out are measured, which is then not done. (Not one with `stop`: the leader may give that
    /// word before the last member has looked whether this one was given.)
    pub(super) cut: AtomicBool,
    pub(super) keep: AtomicBool,
    /// The leader's [`Word`] about a stretch of steps, of every other one: it may give the next before the last member has
    /// heard the one before.
    pub(super) words: [AtomicU8; 2],
    pub(super) steps: AtomicUsize,
}

pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Everything held for reading, up to N members', without an allocation.
pub(super) fn read_all<T, const N: usize>(
    locks: &[RwLock<T>],
) -> [Option<RwLockReadGuard<'_, T>>; N] {
    std::array::from_fn(|index| locks.get(index).map(read))
}

impl Run<'_> {
    /// What every member does; the leader with its part.
    pub(super) fn epochs(
        &self,
        member: &Member<'_>,
        start: Start,
        mut leader: Option<&mut Leader<'_, '_>>,
    ) -> Result<(), Broken> {
        let batch = self.batch_size.min(KB);
        let skipping = all_skipped(self.network, batch).next().is_some();
        let sparse = skipping || self.sparse;
        let mut scratch = Scratch::new(batch, sparse);
        let rows = self.rows;
        let lone = member.size() == 1;
        let flops = flops(self.network, self.batch_size);
        let (mut pace, mut stretch) = (Pace::new(flops), 0);
        let mut step = start.steps(rows.div_ceil(self.batch_size));
        for epoch in start.epoch..=self.epochs {
            if let Some(leader) = &mut leader {
                leader.begin(self, epoch);
            }
            member.wait()?;
            if let Some(leader) = &mut leader {
                leader.save_if_due(self);
            }
            pace.pause();
            // Held for the epoch: each time is a line's way from core to core.
            let order = read(&self.order);
            // The barrier of the first stretch is before anybody reads it.
            let row = start.rows_done(epoch, self.batch_size);
            self.first_phase(Some(member), member.index(), &order, row)?;
            let (mut members, mut attended) = (member.index()..member.index() + 1, true);
            let firsts = (start.rows_done(epoch, self.batch_size)..rows).step_by(self.batch_size);
            for (steps, first) in firsts.enumerate() {
                if steps % pace.steps() == 0 && !lone {
                    let word = leader.is_some().then(|| pace.next(member.slept()));
                    let word = self.hear(member, &mut stretch, word)?;
                    members = match (word, leader.is_some()) {
                        (Word::Together, _) => member.index()..member.index() + 1,
                        (Word::Alone | Word::Tried, true) => 0..member.size(),
                        (Word::Alone | Word::Tried, false) => 0..0,
                        (Word::Stop, _) => return Ok(()),
                    };
                    attended = word != Word::Alone;
                }
                step += 1;
                if members.is_empty() && !attended {
                    continue;
                }
                let batch = first..rows.min(first + self.batch_size);
                let at = (&order[..], epoch, step, batch.clone());
                let (members, by) = (&members, attended.then_some(member));
                if self.step(by, members, at, &mut leader, &mut scratch)? {
                    if !attended {
                        // The others wait to hear of the next stretch, or the end of the epoch.
                        self.hear(member, &mut stretch, Some(Word::Stop))?;
                    }
                    return Ok(());
                }
                if let Some(leader) = &mut leader {
                    leader.after_step(self, epoch, batch.end);
                }
            }
            drop(order);
            let word = leader.is_some().then_some(Word::Together);
            if self.hear(member, &mut stretch, word)? == Word::Stop {
                return Ok(());
            }
            if let Some(leader) = &mut leader {
                leader.rows_done();
            }
            if let Some(validation) = self.validation {
                self.measure(member, validation, &mut leader);
            }
            member.wait()?;
            if self.cut.load(Ordering::Acquire) {
                // The run is where its last step left it.
                return Ok(());
            }
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

    /// What is done for `members` in one step on a batch of the epoch's rows, by all of the team if there is a member to
    /// meet the others as; whether the run stops.
    fn step(
        &self,
        member: Option<&Member<'_>>,
        members: &Range<usize>,
        (order, epoch, step, batch): (&[u32], usize, usize, Range<usize>),
        leader: &mut Option<&mut Leader<'_, '_>>,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        let meet = || member.map_or(Ok(()), Member::wait);
        for from in batch.clone().step_by(KB) {
            let to = batch.end.min(from + KB);
            let in_batch = from - batch.start;
            for index in members.clone() {
                // What is held of every member of a large team is much beside a small step.
                match self.blocks.len() {
                    1 => self.rows_phase::<1>(index, order, epoch, from..to, in_batch),
                    2..=4 => self.rows_phase::<4>(index, order, epoch, from..to, in_batch),
                    _ => self.rows_phase::<MOST_THREADS>(index, order, epoch, from..to, in_batch),
                }
            }
            meet()?;
            let part = Part {
                first: from == batch.start,
                last: to == batch.end,
            };
            if let Some(leader) = leader {
                leader.collect(self, epoch, part);
                if part.last {
                    leader.draw_masks(self, batch.end);
                }
            }
            let steps = self.updates(1.0, step, batch.len());
            for index in members.clone() {
                let (at, rows) = ((step, batch.len(), steps), (order, to));
                match self.blocks.len() {
                    1 => self.weights_phase::<1>(member, index, at, part, rows, scratch),
                    2..=4 => self.weights_phase::<4>(member, index, at, part, rows, scratch),
                    _ => self.weights_phase::<MOST_THREADS>(member, index, at, part, rows, scratch),
                }?;
            }
            meet()?;
            if self.stop.load(Ordering::Acquire) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for all to hear the leader's word about the next stretch of steps, of which `stretch` have been.
    fn hear(
        &self,
        member: &Member<'_>,
        stretch: &mut usize,
        word: Option<Word>,
    ) -> Result<Word, Broken> {
        *stretch += 1;
        let place = &self.words[*stretch % 2];
        if let Some(word) = word {
            place.store(word as u8, Ordering::Release);
        }
        member.wait()?;
        Ok(Word::of(place.load(Ordering::Acquire)))
    }

    /// The losses of this member's rows of the validation set, unless the run is to stop meanwhile.
    fn measure(
        &self,
        member: &Member<'_>,
        validation: &Dataset,
        leader: &mut Option<&mut Leader<'_, '_>>,
    ) {
        let own = team::share(validation.len(), 4, member.index(), member.size());
        let shares = read_all::<_, MOST_THREADS>(&self.shares);
        let mut block = write(&self.blocks[member.index()]);
        let source = source(validation);
        let rows = block.capacity();
        for from in own.clone().step_by(rows) {
            if let Some(leader) = leader {
                leader.measuring(self);
            }
            if self.cut.load(Ordering::Acquire) {
                return;
            }
            let range = from..own.end.min(from + rows);
            block.measure(&shares, &source, range, from - own.start);
        }
    }
}

pub(super) fn source(data: &Dataset) -> Source<'_> {
    Source {
        inputs: data.inputs(),
        targets: data.targets(),
    }
}
