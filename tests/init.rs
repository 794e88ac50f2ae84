//! First weights are of the distribution that their name says, and of the one that goes with the activation unless told.

use mlp_core::Activation;
use mlp_core::nn::{Init, Network};

const INPUTS: usize = 300;
const OUTPUTS: usize = 200;

fn weights(init: Init, activation: Activation) -> Vec<f32> {
    let net = Network::builder(INPUTS)
        .dense(OUTPUTS, activation)
        .init(init)
        .build()
        .expect("a network");
    net.layers()[0].weight().to_vec()
}

#[test]
fn the_variance_is_that_of_the_name() {
    let (inputs, both) = (INPUTS as f64, (INPUTS + OUTPUTS) as f64);
    for (init, is_uniform, variance) in [
        (Init::HeNormal, false, 2.0 / inputs),
        (Init::HeUniform, true, 2.0 / inputs),
        (Init::GlorotNormal, false, 2.0 / both),
        (Init::GlorotUniform, true, 2.0 / both),
        (Init::LecunNormal, false, 1.0 / inputs),
        (Init::LecunUniform, true, 1.0 / inputs),
        (Init::Normal(0.5), false, 0.25),
        (Init::Uniform(0.5), true, 0.25 / 3.0),
    ] {
        let drawn = weights(init, Activation::Identity);
        let count = drawn.len() as f64;
        let mean = |power| drawn.iter().map(|&w| f64::from(w).powi(power)).sum::<f64>() / count;
        // Five standard deviations; the squares' is sqrt 2 times their mean if normal, and less if uniform.
        let bound = 5.0 / count.sqrt();
        assert!(mean(1).abs() < bound * variance.sqrt(), "{init:?}");
        let error = mean(2) / variance - 1.0;
        assert!(error.abs() < bound * 2_f64.sqrt(), "{init:?}: {error}");
        // Half the width of a uniform one; of 60000 normal numbers some are further out.
        let widest = drawn.iter().fold(0.0, |widest: f32, w| widest.max(w.abs()));
        let limit = (3.0 * variance).sqrt() as f32;
        assert_eq!(widest <= limit, is_uniform, "{init:?}: {widest}");
    }
}

#[test]
fn auto_goes_by_the_activation() {
    for (activation, init) in [
        (Activation::Relu, Init::HeNormal),
        (Activation::StraightThroughRelu, Init::HeNormal),
        (Activation::LeakyRelu(0.01), Init::HeNormal),
        (Activation::Elu(1.0), Init::HeNormal),
        (Activation::Gelu, Init::HeNormal),
        (Activation::Silu, Init::HeNormal),
        (Activation::Identity, Init::GlorotUniform),
        (Activation::Sigmoid, Init::GlorotUniform),
        (Activation::Tanh, Init::GlorotUniform),
        (Activation::Softmax, Init::GlorotUniform),
    ] {
        let found = weights(Init::Auto, activation);
        assert!(found == weights(init, activation), "{activation:?}");
    }
}
