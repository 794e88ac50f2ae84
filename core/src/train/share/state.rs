//! A share's numbers in the order of a file, `[outputs, inputs]` row by row, and back: how they lie in the share is its own
//! affair, and may change without a checkpoint noticing.

use super::{Parameters, Share, Slab};
use crate::isa::Isa;
use crate::tensor::LINE;
use crate::train::checkpoint::{LayerState, ParameterState};

impl Parameters {
    /// Copies what is kept here to where it belongs in `state`; a place is an index here and the one there.
    fn export(&self, state: &mut ParameterState, places: impl Iterator<Item = (usize, usize)>) {
        places.for_each(|(here, there)| {
            state.value[there] = self.value[here];
            for (kept, state) in [
                (&self.m, &mut state.m),
                (&self.v, &mut state.v),
                (&self.best, &mut state.best),
            ] {
                if let Some(x) = state.get_mut(there) {
                    *x = kept[here];
                }
            }
        });
    }

    /// The way back.
    fn import(&mut self, state: &ParameterState, places: impl Iterator<Item = (usize, usize)>) {
        places.for_each(|(here, there)| {
            self.value[here] = state.value[there];
            for (kept, state) in [
                (&mut self.m, &state.m),
                (&mut self.v, &state.v),
                (&mut self.best, &state.best),
            ] {
                if let Some(x) = state.get(there) {
                    kept[here] = *x;
                }
            }
        });
    }
}

impl Slab {
    /// Where each weight stands here, and where in `[outputs, inputs]`.
    fn places(&self, inputs: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, outputs, height) = (self.rows.clone(), self.outputs, self.rows.len());
        let (panels, left_of) = (self.panels.len(), self.panels.start * LINE);
        (0..panels).flat_map(move |panel| {
            let first = rows.start;
            rows.clone().flat_map(move |input| {
                let here = (panel * height + input - first) * LINE;
                let lanes = LINE.min(outputs - panel * LINE);
                let output = left_of + panel * LINE;
                (0..lanes).map(move |lane| (here + lane, (output + lane) * inputs + input))
            })
        })
    }
}

impl Share {
    /// Copies what is kept of layer `l` here to where it belongs in the layer's state.
    pub(in crate::train) fn export(&self, l: usize, state: &mut LayerState) {
        let slab = &self.slabs[l];
        let places = slab.places(state.inputs);
        slab.weight.export(&mut state.weight, places);
        if let (Some(bias), Some(state)) = (&self.biases[l], &mut state.bias) {
            bias.export(state, (0..).zip(slab.columns()));
        }
    }

    /// The way back, after which the share is as it was when it was exported.
    pub(in crate::train) fn import(&mut self, isa: Isa, l: usize, state: &LayerState) {
        let slab = &mut self.slabs[l];
        let places = slab.places(state.inputs);
        slab.weight.import(&state.weight, places);
        slab.transpose(isa);
        if let (Some(bias), Some(state)) = (&mut self.biases[l], &state.bias) {
            bias.import(state, (0..).zip(slab.columns()));
        }
    }
}
