//! Random rows of bytes, widened and scaled into a batch.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use mlp_benches::Images;
use mlp_benches::images::PIXELS;
use mlp_core::Isa;
use mlp_core::tensor::{MatMut, Matrix};
use oracle::rng::Rng;

pub(super) fn gather(criterion: &mut Criterion) {
    let (rows, batch) = (2000, 128);
    let images = Images::new(rows);
    let data = images.dataset(rows).expect("the digits are a data set");
    let floats = images.floats(rows);
    let mut rng = Rng::new(4);
    let indices = rng.labels(batch, rows as u32);
    let mut out = Matrix::zeros(batch, PIXELS);
    let stride = out.row_stride();
    let mut group = criterion.benchmark_group("gather 128 rows of 784 bytes");
    group.throughput(Throughput::Bytes(
        (batch * PIXELS * (1 + size_of::<f32>())) as u64,
    ));
    let check = |out: &mut Matrix, name: &str| {
        for (r, &index) in indices.iter().enumerate() {
            let want = &floats[index as usize * PIXELS..][..PIXELS];
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(out.row(r).iter().zip(want).all(near), "{name}, row {r}");
            out.row_mut(r).fill(f32::NAN);
        }
    };
    for isa in Isa::available() {
        let run = |out: &mut Matrix| {
            let mut view = out.view_mut();
            let out = MatMut::new(view.data(), batch, PIXELS, stride);
            let rows = black_box(&indices).iter().map(|&i| i as usize);
            data.inputs().gather_on(isa, rows, out);
        };
        run(&mut out);
        check(&mut out, isa.name());
        group.bench_function(isa.name(), |bencher| bencher.iter(|| run(&mut out)));
    }
    let inputs = data.inputs().bytes().expect("digits are bytes");
    let naive = |out: &mut Matrix| {
        for (r, &index) in black_box(&indices).iter().enumerate() {
            let from = &inputs[index as usize * PIXELS..][..PIXELS];
            for (x, &byte) in out.row_mut(r).iter_mut().zip(from) {
                *x = f32::from(byte) / 255.0;
            }
        }
    };
    naive(&mut out);
    check(&mut out, "naive");
    group.bench_function("naive", |bencher| bencher.iter(|| naive(&mut out)));
    group.finish();
}
