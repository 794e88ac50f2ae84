//! BLAS's `sgemm_` over the core's public product, so that Netlib's level-3 tester can be turned on it (`run` beside this
//! file). A test instrument: it copies where the core has no alpha and beta.
//!
//! Fortran's matrices lie by columns, which is the transpose of a matrix that lies by rows: C = op(A) op(B) by columns is
//! C^T = op(B)^T op(A)^T by rows, and neither operand is moved.
#![cfg(unix)]
#![expect(
    unsafe_code,
    reason = "a function that Fortran calls takes pointers and has a name of its own"
)]

use std::ffi::{c_char, c_int};

use mlp_core::Isa;
use mlp_core::tensor::gemm::{Operand, Output, gemm};
use mlp_core::tensor::{MatMut, MatRef, Matrix};

/// Threads of every product.
const THREADS: usize = 2;

/// A matrix of the caller: its rows and columns as Fortran counts them, the distance of its columns.
struct Fortran {
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Fortran {
    /// How many numbers lie between the first and the last.
    fn len(&self) -> usize {
        if self.rows == 0 || self.cols == 0 {
            return 0;
        }
        (self.cols - 1) * self.stride + self.rows
    }

    /// Its transpose, by rows, or what it is itself where `transposed`.
    fn operand<'a>(&self, data: &'a [f32], transposed: bool) -> Operand<'a> {
        let view = MatRef::new(data, self.cols, self.rows, self.stride);
        if transposed {
            Operand::Transposed(view)
        } else {
            Operand::Plain(view)
        }
    }
}

/// C = alpha op(A) op(B) + beta C.
fn product(
    [alpha, beta]: [f32; 2],
    a: Operand<'_>,
    b: Operand<'_>,
    c: &mut [f32],
    shape: &Fortran,
) {
    let isa = Isa::detect().expect("an instruction set of this CPU");
    let view = MatMut::new(c, shape.cols, shape.rows, shape.stride);
    match (alpha, beta) {
        (1.0, 0.0) => gemm(isa, THREADS, b, a, view, Output::Overwrite),
        (1.0, 1.0) => gemm(isa, THREADS, b, a, view, Output::Accumulate),
        _ => {
            let mut fresh = Matrix::from_fn(shape.cols, shape.rows, |_, _| f32::NAN);
            if alpha != 0.0 {
                gemm(isa, THREADS, b, a, fresh.view_mut(), Output::Overwrite);
            }
            for (j, column) in c.chunks_mut(shape.stride).take(shape.cols).enumerate() {
                for (c, &sum) in column.iter_mut().zip(fresh.row(j)) {
                    let old = if beta == 0.0 { 0.0 } else { beta * *c };
                    *c = if alpha == 0.0 { old } else { alpha * sum + old };
                }
            }
        }
    }
}

/// Tells the caller's `xerbla_` which argument is wrong.
fn complain(argument: c_int) {
    type Xerbla = unsafe extern "C" fn(*const c_char, *const c_int, usize);
    // SAFETY: the name ends with NUL, and the handle means the whole program.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"xerbla_".as_ptr()) };
    assert!(!symbol.is_null(), "there is no xerbla_ to complain to");
    // SAFETY: that name is BLAS's own, whose signature this is: a text, a number and, hidden, the length of the text.
    let xerbla = unsafe { std::mem::transmute::<*mut libc::c_void, Xerbla>(symbol) };
    // SAFETY: the text is six characters long, and the number outlives the call.
    unsafe { xerbla(c"SGEMM ".as_ptr(), &raw const argument, 6) };
}

/// BLAS level 3: C = alpha op(A) op(B) + beta C, by columns.
///
/// # Safety
/// As BLAS has it: the scalars can be read, and the matrices are as large as the numbers say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sgemm_(
    transa: *const c_char,
    transb: *const c_char,
    m: *const c_int,
    n: *const c_int,
    k: *const c_int,
    alpha: *const f32,
    a: *const f32,
    lda: *const c_int,
    b: *const f32,
    ldb: *const c_int,
    beta: *const f32,
    c: *mut f32,
    ldc: *const c_int,
) {
    // SAFETY: the caller's letters and scalars can be read.
    let (letters, [m, n, k, lda, ldb, ldc], scalars) = unsafe {
        (
            [*transa as u8, *transb as u8],
            [*m, *n, *k, *lda, *ldb, *ldc],
            [*alpha, *beta],
        )
    };
    let transposed = letters.map(|letter| matches!(letter.to_ascii_uppercase(), b'T' | b'C'));
    let known = letters.map(|letter| b"NTCntc".contains(&letter));
    let (rows_of_a, rows_of_b) = (
        if transposed[0] { k } else { m },
        if transposed[1] { n } else { k },
    );
    let faults = [
        (!known[0], 1),
        (!known[1], 2),
        (m < 0, 3),
        (n < 0, 4),
        (k < 0, 5),
        (lda < rows_of_a.max(1), 8),
        (ldb < rows_of_b.max(1), 10),
        (ldc < m.max(1), 13),
    ];
    if let Some(&(_, argument)) = faults.iter().find(|(wrong, _)| *wrong) {
        return complain(argument);
    }
    let [m, n, k, lda, ldb, ldc] = [m, n, k, lda, ldb, ldc].map(|number| number as usize);
    let shape = |rows, cols, transposed, stride| {
        let (rows, cols) = if transposed {
            (cols, rows)
        } else {
            (rows, cols)
        };
        Fortran { rows, cols, stride }
    };
    let (shape_a, shape_b) = (
        shape(m, k, transposed[0], lda),
        shape(k, n, transposed[1], ldb),
    );
    let shape_c = shape(m, n, false, ldc);
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: the caller's matrices are as large as the numbers say, and C is nobody else's during the call.
    let (a, b, c) = unsafe {
        (
            std::slice::from_raw_parts(a, shape_a.len()),
            std::slice::from_raw_parts(b, shape_b.len()),
            std::slice::from_raw_parts_mut(c, shape_c.len()),
        )
    };
    let (a, b) = (
        shape_a.operand(a, transposed[0]),
        shape_b.operand(b, transposed[1]),
    );
    product(scalars, a, b, c, &shape_c);
}

/// The level-3 routines that are not ours: the tester links to them, and is told not to call them.
macro_rules! refuse {
    ($($name:ident)*) => {$(
        /// Not here.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() {
            eprintln!("{} is not tested here", stringify!($name));
            std::process::abort();
        }
    )*};
}
refuse!(ssymm_ strmm_ strsm_ ssyrk_ ssyr2k_);
