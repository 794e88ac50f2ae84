//! The options of a network's start and of a run do what they say, each beside a run without it.

mod sample;

use mlp_core::dataset::{Dataset, Inputs, Targets};
use mlp_core::nn::{DrawOrder, Init, Loss, Network};
use mlp_core::rng::LegacyRandom;
use mlp_core::train::{History, Monitor, Trainer};
use mlp_core::{Activation, Adam, AdamW, Error, Kind, Matrix, Sgd};
use sample::{bits, greatest_of, names};

fn network() -> Network {
    Network::builder(5)
        .dense(7, Activation::Tanh)
        .dense(3, Activation::Softmax)
        .build()
        .expect("a network")
}

fn data() -> Dataset {
    greatest_of(40, 5, 3, 3)
}

/// A fit of three epochs of a fresh network.
fn fitted(trainer: Trainer<'_>) -> (Network, History) {
    let mut net = network();
    let history = trainer
        .batch_size(8)
        .epochs(3)
        .fit(&mut net, &data(), Some(&greatest_of(11, 5, 3, 4)))
        .expect("a fit");
    (net, history)
}

fn losses(history: &History) -> Vec<[Option<f64>; 2]> {
    let of = |epoch: &mlp_core::Epoch| [Some(epoch.loss), epoch.validation_loss];
    history.epochs.iter().map(of).collect()
}

/// The message of a fit that is refused before it begins.
fn refused(trainer: Trainer<'_>) -> String {
    let mut net = network();
    let before = bits(&net);
    let mut trainer = trainer;
    let error = trainer.fit(&mut net, &data(), None).expect_err("a fault");
    assert_eq!((error.kind(), bits(&net)), (Kind::Setting, before));
    error.to_string()
}

#[test]
fn a_reported_loss_is_told_and_not_trained() {
    let (plain, history) = fitted(Trainer::new(Sgd::new(0.1)));
    let (reporting, reported) = fitted(Trainer::new(Sgd::new(0.1)).report(Loss::SquaredError));
    assert_eq!(bits(&plain), bits(&reporting));
    assert_ne!(losses(&history), losses(&reported));
    let right = |history: &History| -> Vec<_> {
        history
            .epochs
            .iter()
            .map(|epoch| (epoch.accuracy, epoch.validation_accuracy))
            .collect()
    };
    assert_eq!(right(&history), right(&reported), "what is hit is the same");

    let (_, same) = fitted(Trainer::new(Sgd::new(0.1)).report(Loss::CrossEntropy));
    assert_eq!(
        losses(&history),
        losses(&same),
        "the loss that is trained can be asked for"
    );
}

/// At a learning rate of 0 the network stays as it is, so its predictions say what must be reported.
#[test]
fn a_reported_loss_is_that_of_the_outputs() {
    for (trained, output) in [
        (Loss::CrossEntropy, Activation::Softmax),
        (Loss::Mae, Activation::Gelu),
    ] {
        let mut net = Network::builder(5)
            .dense(3, output)
            .build()
            .expect("a network");
        let data = data();
        let Targets::Classes { labels, .. } = data.targets() else {
            panic!("classes")
        };
        let outputs = net.predict(data.inputs());
        let error = |r: usize, c: usize| {
            f64::from(outputs.row(r)[c]) - f64::from(u8::from(labels[r] as usize == c))
        };
        let squares = (0..data.len()).flat_map(|r| (0..3).map(move |c| (r, c)));
        let want = squares.map(|(r, c)| error(r, c).powi(2)).sum::<f64>() / data.len() as f64;
        for (reported, want) in [
            (Loss::SquaredError, want),
            (Loss::HalfSquaredError, want / 2.0),
            (Loss::Mse, want / 3.0),
        ] {
            let mut trainer = Trainer::new(Sgd::new(0.0))
                .loss(trained)
                .report(reported)
                .epochs(1);
            let history = trainer.fit(&mut net, &data, Some(&data)).expect("a fit");
            for told in losses(&history).concat() {
                let told = told.expect("a loss");
                assert!(
                    (told - want).abs() < 1e-6 * want,
                    "{reported:?}: {told}, not {want}"
                );
            }
        }
    }
}

#[test]
fn a_reported_loss_must_go_with_the_outputs() {
    let trainer = || Trainer::new(Sgd::new(0.1));
    let told = refused(trainer().loss(Loss::Mse).report(Loss::CrossEntropy));
    assert!(
        told.contains("`cross-entropy` takes logits") && told.contains("`mse`"),
        "{told}"
    );
    let told = refused(trainer().report(Loss::Huber(-1.0)));
    assert!(told.contains("positive distance"), "{told}");
}

#[test]
fn rates_of_layers() {
    let (plain, _) = fitted(Trainer::new(Sgd::new(0.1)));
    let (ones, _) = fitted(Trainer::new(Sgd::new(0.1)).layer_rates(&[1.0, 1.0]));
    assert_eq!(bits(&plain), bits(&ones));
    let (halves, _) = fitted(Trainer::new(Sgd::new(0.2)).layer_rates(&[0.5, 0.5]));
    assert_eq!(bits(&plain), bits(&halves), "half of twice the rate");

    let start = network();
    let optimizers: [mlp_core::Optimizer; 3] = [
        Sgd::new(0.1).into(),
        Adam::new(0.01).into(),
        AdamW::new(0.01).weight_decay(0.5).into(),
    ];
    for optimizer in optimizers {
        let (frozen, _) = fitted(Trainer::new(optimizer).layer_rates(&[0.0, 1.0]));
        let layer = |net: &Network, l: usize| {
            (
                net.layers()[l].weight().to_vec(),
                net.layers()[l].bias().to_vec(),
            )
        };
        assert_eq!(
            layer(&frozen, 0),
            layer(&start, 0),
            "a rate of 0 keeps weights and biases"
        );
        assert_ne!(layer(&frozen, 1), layer(&start, 1));
    }
    for (rates, part) in [
        (&[1.0][..], "1 rates of layers are given for 2 layers"),
        (&[1.0, -0.5], "layer 2 is -0.5"),
        (&[f64::NAN, 1.0], "layer 1 is NaN"),
    ] {
        let told = refused(Trainer::new(Sgd::new(0.1)).layer_rates(rates));
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn the_rows_held_out_must_go_with_the_network_too() {
    let two_classes = || {
        Network::builder(5)
            .dense(2, Activation::Softmax)
            .build()
            .expect("a network")
    };
    let train = greatest_of(20, 5, 2, 3);
    let none = Dataset::classes(Matrix::zeros(0, 5).into(), vec![], names(2)).expect("a data set");
    for (validation, kinds) in [
        (none, &[Kind::Data][..]),
        (greatest_of(9, 4, 2, 4), &[Kind::Data]),
        (greatest_of(9, 5, 3, 4), &[Kind::Setting, Kind::Data]),
    ] {
        let (mut net, before) = (two_classes(), bits(&two_classes()));
        let fault = Trainer::new(Sgd::new(0.1))
            .epochs(1)
            .fit(&mut net, &train, Some(&validation))
            .expect_err("a fault");
        assert!(kinds.contains(&fault.kind()), "{fault}");
        assert_eq!(bits(&net), before, "{fault}");
    }
}

#[test]
fn values_have_no_accuracy_to_monitor() {
    let values = Matrix::from_fn(8, 1, |r, _| r as f32);
    let data = Dataset::values(values.clone().into(), values).expect("a data set");
    let mut net = Network::builder(1)
        .dense(1, Activation::Identity)
        .build()
        .expect("a network");
    let fault = Trainer::new(Sgd::new(0.0))
        .monitor(Monitor::Accuracy)
        .fit(&mut net, &data, None)
        .expect_err("a fault");
    assert_eq!(fault.kind(), Kind::Setting, "{fault}");
}

/// Row r has a one in column r, so that its gradient reaches weight r alone.
#[test]
fn a_last_batch_that_is_not_full_can_be_left_out() {
    let run = |batch, rows| {
        let ones = Matrix::from_fn(rows, rows, |r, c| f32::from(u8::from(r == c)));
        let targets = Matrix::from_fn(rows, 1, |_, _| 1.0);
        let data = Dataset::values(Inputs::from_matrix(ones), targets).expect("a data set");
        let mut net = Network::builder(rows)
            .dense_no_bias(1, Activation::Identity)
            .init(Init::Zeros)
            .build()
            .expect("a network");
        let mut steps = Vec::new();
        let mut trainer = Trainer::new(Sgd::new(0.5))
            .batch_size(batch)
            .epochs(1)
            .shuffle(false)
            .drop_last(true)
            .on_step(|step| steps.push((step.step, step.steps, step.rows_done, step.rows)));
        let history = trainer.fit(&mut net, &data, None).expect("a fit");
        drop(trainer);
        let met = net.layers()[0]
            .weight()
            .to_vec()
            .iter()
            .filter(|&&w| w != 0.0)
            .count();
        (met, steps, history.epochs[0].loss)
    };
    let (met, steps, loss) = run(5, 23);
    assert_eq!(
        (met, loss),
        (20, 1.0),
        "the mean is over the rows that were met"
    );
    assert_eq!(
        steps,
        [
            (1, 4, 5, 20),
            (2, 4, 10, 20),
            (3, 4, 15, 20),
            (4, 4, 20, 20)
        ]
    );
    assert_eq!(run(50, 23).0, 23, "fewer rows than a batch are one");
}

/// Numbers of the generator in the order of their use.
#[test]
fn weights_are_drawn_in_the_order_asked_for() {
    let built = |order| {
        let mut random = LegacyRandom::new(3);
        let net = Network::builder(4)
            .dense(3, Activation::Relu)
            .next_init(Init::Constant(-2.5))
            .dense(2, Activation::Relu)
            .next_init(Init::Uniform(0.1))
            .dense_no_bias(2, Activation::Identity)
            .init(Init::Normal(0.01))
            .bias_init(Init::Normal(1.0))
            .draw_order(order)
            .build_from(&mut random)
            .expect("a network");
        (net, random)
    };
    let (out_in, random) = built(DrawOrder::OutIn);
    let (in_out, same) = built(DrawOrder::InOut);
    assert_eq!(random, same, "the order costs no draw");

    let mut random = LegacyRandom::new(3);
    let first: Vec<f32> = (0..12).map(|_| (0.01 * random.randn()) as f32).collect();
    let biases: Vec<f32> = (0..3 + 2).map(|_| random.randn() as f32).collect();
    let last: Vec<f32> = (0..4).map(|_| random.uniform(-0.1, 0.1) as f32).collect();
    let [first_layer, second, third] = out_in.layers() else {
        panic!("three layers")
    };
    assert_eq!(first_layer.weight().to_vec(), first);
    assert_eq!(
        (first_layer.bias(), second.bias()),
        (&biases[..3], &biases[3..])
    );
    assert_eq!(second.weight().to_vec(), [-2.5; 6]);
    assert_eq!(third.weight().to_vec(), last);
    assert!(!third.has_bias());
    let turned = in_out.layers()[0].weight();
    for (i, &drawn) in first.iter().enumerate() {
        assert_eq!(
            turned.row(i % 3)[i / 3],
            drawn,
            "number {i} goes to input {}",
            i / 3
        );
    }
}

#[test]
fn own_generators_draw_by_seed_and_start_biases_at_zero() {
    let builder = || Network::builder(4).dense(3, Activation::Relu);
    let plain = builder().build().expect("a network");
    assert_eq!(plain.layers()[0].bias(), [0.0; 3]);
    let turned = builder()
        .draw_order(DrawOrder::InOut)
        .bias_init(Init::Constant(0.5))
        .build()
        .expect("a network");
    assert_eq!(turned.layers()[0].bias(), [0.5; 3]);
    let sorted = |net: &Network| {
        let mut weights = net.layers()[0].weight().to_vec();
        weights.sort_by(f32::total_cmp);
        weights
    };
    assert_eq!(
        sorted(&plain),
        sorted(&turned),
        "the same numbers elsewhere"
    );
    assert_ne!(bits(&plain), bits(&turned));
}

#[test]
fn starts_that_cannot_be() {
    let fault = |result: Result<Network, Error>| result.expect_err("a fault").to_string();
    let builder = || Network::builder(4).dense(3, Activation::Relu);
    for (found, part) in [
        (
            fault(builder().next_init(Init::Zeros).build()),
            "no layer after the last",
        ),
        (
            fault(builder().bias_init(Init::Normal(-1.0)).build()),
            "`normal:-1` needs a positive number",
        ),
        (
            fault(builder().init(Init::Constant(f64::NAN)).build()),
            "needs a finite number",
        ),
        (
            fault(
                Network::builder(4)
                    .next_init(Init::Uniform(1e39))
                    .dense(3, Activation::Relu)
                    .build(),
            ),
            "needs a positive number",
        ),
    ] {
        assert!(found.contains(part), "{found}");
    }
    for init in [
        Init::Constant(-0.25),
        Init::Normal(0.01),
        Init::Uniform(0.1),
        Init::LecunNormal,
    ] {
        assert_eq!(Init::parse(&init.name()).expect("its own name"), init);
    }
    for name in Init::NAMES {
        assert!(Init::parse(name).is_ok(), "{name}");
    }
}

#[test]
fn another_dropout_for_a_trained_network() {
    let mut net = network();
    assert!(
        net.set_dropout(1, 1.0)
            .expect_err("too much")
            .to_string()
            .contains("less than 1, not 1")
    );
    assert_eq!(
        net.layers()[1].dropout(),
        0.0,
        "a rate that is refused changes nothing"
    );
    net.set_dropout(1, 0.5).expect("a rate");
    let mut dropping = net.clone();
    net.set_dropout(1, 0.0).expect("a rate");
    for net in [&mut net, &mut dropping] {
        let _ = Trainer::new(Sgd::new(0.1))
            .epochs(1)
            .fit(net, &data(), None)
            .expect("a fit");
    }
    assert_ne!(bits(&net), bits(&dropping));
}

#[test]
fn what_is_validated_on_is_like_what_is_trained_on() {
    let told = |validation: &Dataset| {
        let error = Trainer::new(Sgd::new(0.1)).fit(&mut network(), &data(), Some(validation));
        let error = error.expect_err("a fault");
        assert_eq!(error.kind(), Kind::Data);
        error.to_string()
    };
    let inputs = || Inputs::from_matrix(Matrix::zeros(3, 5));
    let names = ["2", "1", "0"].map(String::from).to_vec();
    let turned = Dataset::classes(inputs(), vec![0, 1, 2], names).expect("a data set");
    assert_eq!(
        told(&turned),
        "the classes of the validation data are not those of the training data, in their order"
    );
    let values = Dataset::values(inputs(), Matrix::zeros(3, 3)).expect("a data set");
    assert_eq!(
        told(&values),
        "the validation data has values, the training data classes"
    );
}
