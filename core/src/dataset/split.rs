//! Which rows go to training and which are held out, by seed.
//!
//! Both sides keep the order that the rows have in the data: a fit shuffles anyway, and one that is told not to should
//! see file order. A split depends on the number of rows (and the labels), the share and the seed, nothing else: the
//! stream is `Rng::stream(seed, "split")`.

use crate::error::{Error, Kind};
use crate::rng::Rng;

/// Row numbers, ascending: those to train on, and those held out.
pub(super) type Sides = (Vec<usize>, Vec<usize>);

/// round(share * n) random rows against the rest.
pub(super) fn random(rows: usize, share: f64, seed: u64) -> Result<Sides, Error> {
    let count = train_rows(rows, share)?;
    let mut order: Vec<usize> = (0..rows).collect();
    Rng::stream(seed, "split").shuffle(&mut order);
    let held_out = order.split_off(count);
    Ok(sorted(order, held_out))
}

/// The first round(share * n) rows against the rest.
pub(super) fn last(rows: usize, share: f64) -> Result<Sides, Error> {
    let count = train_rows(rows, share)?;
    Ok(((0..count).collect(), (count..rows).collect()))
}

/// The same number of rows, with each class shared out as evenly as whole rows allow: of `n_c` rows, floor(share * `n_c`)
/// go to training, and one more in the classes with the largest remainders (the first of equal ones).
pub(super) fn stratified(
    labels: &[u32],
    classes: usize,
    share: f64,
    seed: u64,
) -> Result<Sides, Error> {
    let count = train_rows(labels.len(), share)?;
    let mut members = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        members[label as usize].push(row);
    }
    let quota: Vec<f64> = members
        .iter()
        .map(|rows| share * rows.len() as f64)
        .collect();
    let mut taken: Vec<usize> = quota.iter().map(|quota| quota.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..classes)
        .filter(|&c| taken[c] < members[c].len())
        .collect();
    by_remainder.sort_by(|&a, &b| quota[b].fract().total_cmp(&quota[a].fract()));
    let missing = count.saturating_sub(taken.iter().sum());
    for &class in by_remainder.iter().take(missing) {
        taken[class] += 1;
    }

    let mut rng = Rng::stream(seed, "split");
    let (mut train, mut held_out) = (Vec::with_capacity(count), Vec::new());
    for (mut rows, taken) in members.into_iter().zip(taken) {
        rng.shuffle(&mut rows);
        held_out.extend(rows.drain(taken..));
        train.extend(rows);
    }
    if train.is_empty() || held_out.is_empty() {
        return Err(empty_side(labels.len(), share, train.is_empty()));
    }
    Ok(sorted(train, held_out))
}

fn sorted(mut train: Vec<usize>, mut held_out: Vec<usize>) -> Sides {
    train.sort_unstable();
    held_out.sort_unstable();
    (train, held_out)
}

fn train_rows(rows: usize, share: f64) -> Result<usize, Error> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::new(
            Kind::Setting,
            format!("a training share of {share} is not between 0 and 1"),
        ));
    }
    let count = (share * rows as f64).round() as usize;
    if count == 0 || count >= rows {
        return Err(empty_side(rows, share, count == 0));
    }
    Ok(count)
}

fn empty_side(rows: usize, share: f64, train: bool) -> Error {
    let side = if train { "to train on" } else { "to hold out" };
    // What is left of a share, 1 - 0.999, has digits of its own.
    let share = (share * 1e9).round() / 1e9;
    Error::new(
        Kind::Data,
        format!("a training share of {share} of {rows} rows leaves no row {side}"),
    )
}
