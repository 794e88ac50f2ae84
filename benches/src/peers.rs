//! Other people's products of single precision, for the same operands: the crates `gemm`, `faer` and `matrixmultiply`.
//!
//! Each with the setting without which its figure would be a straw man: `gemm` needs its feature `x86-v4` for AVX-512;
//! `matrixmultiply` its feature `threading`, and the environment's `MATMUL_NUM_THREADS`, which it reads once, so that one
//! run measures it with one number of threads. OpenBLAS, BLIS and MKL are libraries of the system and not measured here.
#![expect(
    unsafe_code,
    reason = "two of the three crates take pointers and strides, and trust their callers"
)]

/// One peer: C = A B on so many threads, C being m x n and dense, as are A and B; shapes are `[m, n, k]`.
pub type Product = fn(shape: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32], threads: usize);

/// The peers that can be measured on so many threads.
pub fn peers(threads: usize) -> Vec<(&'static str, Product)> {
    let mut peers: Vec<(&'static str, Product)> = vec![("gemm", with_gemm), ("faer", with_faer)];
    let set = std::env::var("MATMUL_NUM_THREADS").ok();
    let matrixmultiply = set.and_then(|text| text.parse().ok()).unwrap_or(1);
    if matrixmultiply == threads {
        peers.push(("matrixmultiply", with_matrixmultiply));
    }
    peers
}

#[track_caller]
fn check([m, n, k]: [usize; 3], a: &[f32], b: &[f32], c: &[f32]) {
    assert!(
        a.len() == m * k && b.len() == k * n && c.len() == m * n,
        "{m} x {n} x {k}: {} and {} numbers for {}",
        a.len(),
        b.len(),
        c.len()
    );
}

fn with_gemm(shape: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32], threads: usize) {
    check(shape, a, b, c);
    let [m, n, k] = shape;
    let (row_k, row_n) = (k.cast_signed(), n.cast_signed());
    let parallelism = match threads {
        1 => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(threads),
    };
    // SAFETY: the slices have been checked to hold m x k, k x n and m x n numbers, which is what the strides walk over.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            row_n,
            false,
            a.as_ptr(),
            1,
            row_k,
            b.as_ptr(),
            1,
            row_n,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn with_matrixmultiply(shape: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32], _: usize) {
    check(shape, a, b, c);
    let [m, n, k] = shape;
    let (row_k, row_n) = (k.cast_signed(), n.cast_signed());
    // SAFETY: the slices have been checked to hold m x k, k x n and m x n numbers, which is what the strides walk over.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            row_k,
            1,
            b.as_ptr(),
            row_n,
            1,
            0.0,
            c.as_mut_ptr(),
            row_n,
            1,
        );
    }
}

fn with_faer([m, n, k]: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32], threads: usize) {
    let parallelism = match threads {
        1 => faer::Par::Seq,
        _ => faer::Par::rayon(threads),
    };
    faer::linalg::matmul::matmul(
        faer::MatMut::from_row_major_slice_mut(c, m, n),
        faer::Accum::Replace,
        faer::MatRef::from_row_major_slice(a, m, k),
        faer::MatRef::from_row_major_slice(b, k, n),
        1.0,
        parallelism,
    );
}
