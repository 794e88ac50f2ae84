//! All memory of a fit is taken before its first step: a counting allocator sees none between two steps of an epoch, on
//! any thread, and none in a prediction with a scratch.
#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one passes everything on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use mlp_core::dataset::{Dataset, Inputs};
use mlp_core::nn::{Network, Scratch};
use mlp_core::optim::{Adam, Optimizer, Sgd};
use mlp_core::tensor::Matrix;
use mlp_core::tensor::activation::Activation;
use mlp_core::train::Trainer;
use oracle::rng::Rng;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`, which is the same, and `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, which is the same, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations so far, on all threads.
fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::Relaxed)
}

fn data() -> Dataset {
    let mut rng = Rng::new(51);
    let inputs = Matrix::from_vec(130, 40, &rng.uniform(130 * 40, -1.0, 1.0));
    let names = (0..10).map(|class| class.to_string()).collect();
    let labels = rng.labels(130, 10);
    Dataset::classes(Inputs::from_matrix(inputs), labels, names).expect("a data set")
}

fn network() -> Network {
    Network::builder(40)
        .dropout(0.1)
        .dense(50, Activation::Gelu)
        .dropout(0.2)
        .dense(10, Activation::Softmax)
        .build()
        .expect("a network")
}

/// The most allocations between two steps of one epoch.
fn most_in_a_step(threads: usize, batch: usize, optimizer: Optimizer) -> usize {
    let data = data();
    let (mut before, mut most) = (0, 0);
    let _ = Trainer::new(optimizer)
        .batch_size(batch)
        .epochs(3)
        .threads_exactly(threads)
        .on_step(|step| {
            if step.step > 1 {
                most = most.max(allocations() - before);
            }
            before = allocations();
        })
        .fit(&mut network(), &data, None)
        .expect("a fit");
    most
}

// Without the usual harness, whose main thread allocates while a test runs.
fn main() {
    let before = allocations();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(allocations() - before, 1, "the count is not at work");

    for threads in [1, 2, 3] {
        for batch in [1, 32] {
            for optimizer in [Sgd::new(0.01).into(), Adam::new(0.001).into()] {
                let most = most_in_a_step(threads, batch, optimizer);
                assert_eq!(
                    most, 0,
                    "allocations in a step: {threads} threads, batch {batch}, {optimizer:?}"
                );
            }
        }
    }

    let net = network();
    let (row, mut out) = ([0.5; 40], [0.0; 10]);
    let mut scratch = Scratch::new(&net);
    let before = allocations();
    net.predict_into(&row, &mut scratch, &mut out);
    assert_eq!(allocations(), before, "allocations in a prediction");
    assert!((out.iter().sum::<f32>() - 1.0).abs() < 1e-5);
}
