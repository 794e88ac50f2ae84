//! Values that are far from what a fresh network gives: trained on as (t - mean) / deviation, and given back by the last
//! layer of the finished network.

use mlp_core::Error;
use mlp_core::dataset::{Dataset, TargetScaling, Targets};
use mlp_core::nn::Network;
use mlp_core::tensor::activation::Activation;

use crate::args::TrainArgs;
use crate::data::Parts;

/// Values beyond this a fresh network learns slowly or not at all.
const FAR: f32 = 10.0;

/// How targets are scaled, and those of the rows held out as they were.
#[derive(Debug)]
pub(crate) struct Scaled {
    pub(crate) scaling: TargetScaling,
    pub(crate) held_out: Option<Targets>,
}

/// The same parts with their targets scaled, if these are far and the network's last layer can give them back. A network
/// that was trained before is made to give them scaled.
pub(crate) fn scaled(
    args: &TrainArgs,
    parts: Parts,
    network: &mut Network,
) -> Result<Parts, Error> {
    let Some(scaling) = scaling(args, &parts.train, network) else {
        return Ok(parts);
    };
    if args.from.is_some() {
        let scale: Vec<f64> = scaling.deviation().iter().map(|d| 1.0 / d).collect();
        let shift = scaling.mean().iter().zip(&scale);
        let shift: Vec<f64> = shift.map(|(mean, scale)| -mean * scale).collect();
        network.rescale_outputs(&scale, &shift)?;
    }
    let held_out = parts.held_out.as_ref().map(|rows| rows.targets().clone());
    Ok(Parts {
        train: scaling.apply(parts.train),
        held_out: parts.held_out.map(|rows| scaling.apply(rows)),
        targets: Some(Scaled { scaling, held_out }),
        ..parts
    })
}

fn scaling(args: &TrainArgs, rows: &Dataset, network: &Network) -> Option<TargetScaling> {
    let Targets::Values { values, .. } = rows.targets() else {
        return None;
    };
    let last = network.layers().last()?;
    let is_linear = last.activation() == Activation::Identity && last.has_bias();
    let fits = network.outputs() == values.cols();
    let mut all = (0..values.rows()).flat_map(|r| values.row(r));
    let scaled = fits && is_linear && !args.fine.raw_targets && all.any(|t| t.abs() > FAR);
    scaled.then(|| TargetScaling::fit(rows)).flatten()
}

/// Makes the network that was trained on these parts give targets as they were.
pub(crate) fn given_back(parts: &Parts, network: &mut Network) -> Result<(), Error> {
    match &parts.targets {
        Some(Scaled { scaling, .. }) => {
            network.rescale_outputs(scaling.deviation(), scaling.mean())
        }
        None => Ok(()),
    }
}
