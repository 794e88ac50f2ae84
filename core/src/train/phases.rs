//! What a member of the team does between two barriers.

use std::ops::Range;
use std::sync::RwLockReadGuard;
use std::sync::atomic::Ordering;

use super::Reduction;
use super::block::{Begun, Block};
use super::mask::Draw;
use super::run::{Run, read, read_all, source, write};
use super::share::{Lesson, Part, Scratch};
use crate::optim::{Penalty, Update};
use crate::team::{self, Broken, MOST_THREADS, Member};
use crate::tensor::gemm::{KB, Rows};

impl Run<'_> {
    /// What member `index` does with `part` of the epoch's rows, which begins that many rows into its batch.
    pub(super) fn rows_phase<const N: usize>(
        &self,
        index: usize,
        order: &[u32],
        epoch: usize,
        part: Range<usize>,
        in_batch: usize,
    ) {
        let own = team::share(part.len(), 4, index, self.blocks.len());
        let position = part.start + own.start;
        let shares = read_all::<_, N>(&self.shares);
        let firsts = read_all::<_, N>(&self.firsts);
        let leg = self.legs.last().map(read);
        let indices = &order[position..position + own.len()];
        // Where the next part is as long as this one: a guess does, for it is but fetched.
        let next = order.get(part.end + own.start..).unwrap_or_default();
        let next = &next[..own.len().min(next.len())];
        let masks = self.masks.as_ref().map(read);
        let draw = Draw {
            seed: self.seed,
            epoch,
            position,
            in_batch: in_batch + own.start,
            masks: masks.as_deref(),
        };
        let source = source(self.train);
        let begun = Begun {
            firsts: &firsts,
            leg: leg.as_deref(),
            part: own,
        };
        write(&self.blocks[index]).meet(&shares, begun, &source, [indices, next], draw);
    }

    /// What member `index` does with its part of the first layer, if that is shared out by units or sums: for the part of a
    /// batch that begins with that row of the epoch, if there is one.
    pub(super) fn first_phase(
        &self,
        member: Option<&Member<'_>>,
        index: usize,
        order: &[u32],
        row: usize,
    ) -> Result<(), Broken> {
        if row >= self.rows || self.firsts.is_empty() && self.legs.is_empty() {
            return Ok(());
        }
        let part = |from: usize| {
            let batch = from / self.batch_size * self.batch_size + self.batch_size;
            from..(from + KB).min(batch).min(self.rows)
        };
        let now = part(row);
        let is_last = now.end == self.rows;
        let next = &order[part(now.end.min(self.rows - 1))];
        let source = source(self.train);
        let share = read(&self.shares[index]);
        let rows = [&order[now], next];
        if let Some(first) = self.firsts.get(index) {
            write(first).meet(&share, &source, rows);
        }
        if let Some(leg) = self.legs.get(index) {
            let mut leg = write(leg);
            let mut ahead = self.ahead.get(index).map(write);
            leg.set_out(share.segment(0), ahead.as_deref_mut(), &source, rows);
            if let (Some(member), Some(before)) = (member, index.checked_sub(1)) {
                let handed_on = &self.handed_on[before].0;
                member.wait_until(|| handed_on.load(Ordering::Acquire) >= leg.met())?;
            }
            let before = read_all::<_, MOST_THREADS>(&self.legs[..index]);
            leg.arrive(
                share.segment(0),
                before.iter().flatten().map(|leg| &**leg),
                &source,
                next,
            );
            let met = leg.met();
            drop(leg);
            self.handed_on[index].0.store(met, Ordering::Release);
            if let Some(ahead) = ahead.as_mut().filter(|_| !is_last) {
                ahead.look(&source, next);
            }
        }
        Ok(())
    }

    /// The updates of weights and of biases at that step, on a batch of so many rows, at `rate` times the learning rate.
    pub(super) fn updates(&self, rate: f64, step: usize, batch: usize) -> [Update; 2] {
        let factor = match self.reduction {
            Reduction::Mean => 1.0 / batch as f32,
            Reduction::Sum => 1.0,
        };
        let steps = self.rows.div_ceil(self.batch_size);
        let steps = self.epochs.saturating_mul(steps);
        let lr_share = self.schedule.share(step as u64, steps as u64);
        let optimizer = self.optimizer.slowed(lr_share * rate);
        let penalties = [self.penalty, Penalty::default()];
        penalties.map(|penalty| optimizer.at_step(step as u64, penalty).scaled(factor))
    }

    /// What member `index` does with the weights of its share, and then for the rows of the epoch from `row` on.
    pub(super) fn weights_phase<const N: usize>(
        &self,
        member: Option<&Member<'_>>,
        index: usize,
        at: (usize, usize, [Update; 2]),
        part: Part,
        (order, row): (&[u32], usize),
        scratch: &mut Scratch,
    ) -> Result<(), Broken> {
        // Held once: each time is a line's way from core to core.
        let blocks = read_all::<_, N>(&self.blocks);
        let mut weights = |layers| self.weights(index, &blocks, layers, at, part, scratch);
        if self.legs.is_empty() {
            weights(0..self.layers);
            return self.first_phase(member, index, order, row);
        }
        // Who hands something on does so early, who waits for it does all else before.
        let is_last = index + 1 == self.legs.len();
        if is_last {
            weights(1..self.layers);
        }
        weights(0..1);
        self.first_phase(member, index, order, row)?;
        if !is_last {
            weights(1..self.layers);
        }
        Ok(())
    }

    /// The weights of some layers.
    fn weights<const N: usize>(
        &self,
        index: usize,
        blocks: &[Option<RwLockReadGuard<'_, Block>>; N],
        layers: Range<usize>,
        (step, batch, [weight_step, bias_step]): (usize, usize, [Update; 2]),
        part: Part,
        scratch: &mut Scratch,
    ) {
        let first = self.firsts.get(index).map(read);
        let leg = self.legs.get(index).map(read);
        let mut share = write(&self.shares[index]);
        let sparse = match (&leg, &first) {
            (Some(leg), _) => Some(([leg.given(); N], 1)),
            (None, Some(first)) => first.given().sparse().map(|own| ([own; N], 1)),
            (None, None) => read_all_of(blocks, |block| block.given().sparse()),
        };
        let mut lesson = Lesson {
            part,
            weight_step,
            bias_step,
            sparse: sparse.as_ref().map(|(all, count)| &all[..*count]),
            own_inputs: leg.is_some(),
            scratch,
        };
        for l in layers {
            let mut pieces = [Rows {
                a: &[],
                stride: 1,
                len: 0,
                lines: &[],
            }; N];
            let mut begin = 0;
            for (piece, block) in pieces.iter_mut().zip(blocks.iter().flatten()) {
                *piece = block.piece(l);
                if let Some(first) = first.as_ref().filter(|_| l == 0) {
                    *piece = first.piece(begin, *piece);
                    begin += piece.len;
                }
            }
            if let Some(&rate) = self.layer_rates.get(l) {
                [lesson.weight_step, lesson.bias_step] = self.updates(rate, step, batch);
            }
            let skipping = read_all_of::<_, N>(blocks, |block| block.skipped(l));
            let skipping = skipping.as_ref().map(|(all, count)| &all[..*count]);
            let pieces = (&pieces[..self.shares.len()], skipping);
            share.learn(self.isa, l, pieces, &mut lesson);
        }
    }
}

/// Something of all blocks, if they have it, and how many there are.
fn read_all_of<'a, P: Copy, const N: usize>(
    blocks: &'a [Option<RwLockReadGuard<'_, Block>>],
    part: impl Fn(&'a Block) -> Option<P>,
) -> Option<([P; N], usize)> {
    let mut own = blocks.iter().flatten().map(|block| part(block));
    let (mut parts, mut count) = ([own.next()??; N], 1);
    for (part, own) in parts[1..].iter_mut().zip(own) {
        *part = own?;
        count += 1;
    }
    Some((parts, count))
}
