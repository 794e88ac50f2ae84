//! A fit from its settings to its history: room is made, the team runs ([`Run::epochs`]), the network gets the weights.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize};
use std::time::Instant;

use super::block::Block;
use super::drawn::DrawnMasks;
use super::first::First;
use super::given::Given;
use super::layer_rows::Aim;
use super::leader::Leader;
use super::memory::{Extent, Memory, rows_of_a_member};
use super::relay::{Ahead, HandedOn, Leg};
use super::run::Run;
use super::share::{Needs, Share};
use super::sharing::Sharing;
use super::snapshot::{self, Start};
use super::{History, Threads, Trainer, identity};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::nn::{Loss, Network};
use crate::team::{self, Broken, MOST_THREADS};
use crate::tensor::gemm::KB;
use crate::tensor::sparse::SparseRows;

/// Work of a step below which a further thread does not pay, in floating-point operations: some 20 microseconds.
const FLOPS_PER_THREAD: usize = 2_000_000;

/// Up to this share of pairs other than zero, skipping the others is faster than not to: by a fifth at 0.46 (digits;
/// Zen 3, 2026-11-22, `mlp-fast train --threads 1`), where a third of the single numbers is not zero.
const DENSITY: f64 = 0.6;

/// Trains `network`; the settings have been checked.
pub(super) fn fit(
    trainer: &mut Trainer<'_>,
    loss: Loss,
    network: &mut Network,
    train: &Dataset,
    validation: Option<&Dataset>,
) -> Result<History, Error> {
    let begin = Instant::now();
    let resume = trainer.resume.take();
    let settings = match (&trainer.checkpoints, &resume) {
        (None, None) => Vec::new(),
        _ => identity::settings(trainer, loss, network, train, validation),
    };
    let run = plan(trainer, loss, network, train, validation)?;
    let threads = run.shares.len();
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

/// Makes room for all that a run needs, or says that there is none.
fn plan<'a>(
    trainer: &Trainer<'_>,
    loss: Loss,
    network: &'a Network,
    train: &'a Dataset,
    validation: Option<&'a Dataset>,
) -> Result<Run<'a>, Error> {
    let rows = train.len();
    let batch_size = trainer.batch_size.unwrap_or(rows).min(rows);
    let aim = Aim::new(loss, trainer.reported);
    let threads = team_size(trainer.threads, network, batch_size);
    let part = batch_size.min(KB);
    let needs = Needs::new(
        &trainer.optimizer,
        batch_size > KB,
        trainer.patience.is_some(),
    );
    let validation_rows = validation.map_or(0, Dataset::len);
    let [capacity, measured] = rows_of_a_member(part, validation_rows, threads);
    let masks = match trainer.legacy_random {
        Some(_) => DrawnMasks::size(network, batch_size),
        None => 0,
    };
    let extent = Extent {
        optimizer: trainer.optimizer,
        batch: batch_size,
        rows,
        validation_rows,
        keeps_best: trainer.patience.is_some(),
        threads,
    };
    let bytes = Memory::of_fit(network, &extent).total();
    Error::unless_room_for(bytes.saturating_add(masks), "training this network")?;
    train.inputs().move_to_large_pages();
    train.targets().move_to_large_pages();
    let sparse = train.inputs().are_sparse(network.isa(), DENSITY);
    let table = byte_table(network, train, validation);
    let sparse_rows = |capacity, cols| match table {
        Some(table) => SparseRows::of_bytes(capacity, cols, table),
        None => SparseRows::of_floats(capacity, cols),
    };
    let given = |capacity| {
        let cols = network.inputs();
        let rows = sparse.then(|| sparse_rows(capacity, cols));
        Given::new(capacity, cols, rows)
    };
    let sharing = Sharing::of(network, part, threads, sparse);
    let shares: Vec<_> = (0..threads)
        .map(|index| Share::new(network, (index, threads), sharing, needs))
        .collect();
    let firsts = shares.iter().filter(|_| sharing == Sharing::Units);
    let legs = (0..threads).filter(|_| matches!(sharing, Sharing::Sums { .. }));
    let legs = legs.map(|index| {
        let columns = sharing.inputs(0, network.inputs(), (index, threads));
        let given = sparse_rows(part, columns.len());
        (columns, given)
    });
    Ok(Run {
        train,
        validation,
        isa: network.isa(),
        network,
        layers: network.layers().len(),
        optimizer: trainer.optimizer,
        schedule: trainer.schedule,
        penalty: trainer.penalty,
        layer_rates: trainer.layer_rates.clone(),
        reduction: trainer.reduction,
        batch_size,
        rows: rows - usize::from(trainer.drop_last) * (rows % batch_size),
        epochs: trainer.epochs,
        seed: trainer.seed,
        firsts: firsts
            .map(|share| RwLock::new(First::new(network, share, part, given(part))))
            .collect(),
        legs: legs
            .clone()
            .map(|(columns, given)| RwLock::new(Leg::new(network, columns, part, given)))
            .collect(),
        ahead: legs
            .take(threads - 1)
            .map(|(columns, given)| RwLock::new(Ahead::new(network.isa(), columns, given)))
            .collect(),
        handed_on: (0..threads).map(|_| HandedOn::default()).collect(),
        shares: shares.into_iter().map(RwLock::new).collect(),
        blocks: (0..threads)
            .map(|_| {
                // Where the first layer is not met here, only rows to measure are given.
                let is_met = sharing == Sharing::Inputs;
                let given = given(if !is_met && validation.is_none() {
                    0
                } else {
                    capacity
                });
                RwLock::new(Block::new(network, aim, [capacity, part], given, measured))
            })
            .collect(),
        sparse,
        order: RwLock::new((0..rows as u32).collect()),
        masks: (masks > 0).then(|| RwLock::new(DrawnMasks::new(network, batch_size))),
        stop: AtomicBool::new(false),
        cut: AtomicBool::new(false),
        keep: AtomicBool::new(false),
        words: [AtomicU8::new(0), AtomicU8::new(0)],
        steps: AtomicUsize::new(0),
    })
}

/// What the bytes of all inputs stand for, if they are bytes, and the same, and nothing of them is dropped.
fn byte_table(
    network: &Network,
    train: &Dataset,
    validation: Option<&Dataset>,
) -> Option<[f32; 256]> {
    let table = train.inputs().byte_table()?;
    let same = validation.is_none_or(|data| data.inputs().byte_table() == Some(table));
    (same && network.layers()[0].dropout() == 0.0).then_some(table)
}

/// The floating-point operations of a step on so many rows, were no zeros skipped.
pub(super) fn flops(network: &Network, rows: usize) -> usize {
    network.parameters().saturating_mul(6 * rows)
}

/// How many threads a run with batches of so many rows has.
fn team_size(threads: Threads, network: &Network, batch_size: usize) -> usize {
    match threads {
        Threads::Exactly(threads) => threads.min(MOST_THREADS),
        Threads::AtMost(threads) => {
            let pays = flops(network, batch_size) / FLOPS_PER_THREAD;
            threads.min(team::available_threads()).min(pays.max(1))
        }
    }
}
