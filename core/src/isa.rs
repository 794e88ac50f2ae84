//! The instruction set in use: the only file that names one.
//!
//! [`Isa`] holds a token of `pulp`, which safe code can get only on a CPU that has the instructions, so holding an
//! `Isa` is the proof that its kernels may run. A kernel is a struct that implements [`pulp::WithSimd`]; its one
//! generic body is compiled once per instruction set and picked here, once per phase of work, never inside a loop.
//! Everything generic over `S: Simd` below such a body must be `#[inline(always)]`, or it is compiled for the
//! baseline CPU.

use std::fmt;

/// The version whose traits [`Isa::dispatch`] takes a kernel by: who writes one of their own imports them from here.
pub use pulp;
use pulp::{Simd, WithSimd};

use crate::error::{Error, Kind};

/// The environment variable that forces an instruction set by [`Isa::name`].
pub const ISA_VARIABLE: &str = "MLP_FAST_ISA";

/// One instruction set that this CPU has.
#[derive(Clone, Copy)]
pub struct Isa(Token);

#[derive(Clone, Copy)]
enum Token {
    Scalar,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    V3(pulp::x86::V3),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    V4(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

impl Isa {
    /// Plain Rust, one number at a time, with the fused `f32::mul_add`: runs anywhere, slowly; the reference for bits.
    pub const SCALAR: Self = Self(Token::Scalar);

    /// Every instruction set that this CPU has, the slowest first.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(
            not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")),
            expect(unused_mut, reason = "nothing to add on a CPU that has no other set")
        )]
        let mut all = vec![Self::SCALAR];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            all.extend(pulp::x86::V3::try_new().map(|token| Self(Token::V3(token))));
            all.extend(pulp::x86::V4::try_new().map(|token| Self(Token::V4(token))));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(pulp::aarch64::Neon::try_new().map(|token| Self(Token::Neon(token))));
        all
    }

    /// The fastest instruction set of this CPU, or the one that `MLP_FAST_ISA` names.
    ///
    /// # Errors
    /// When `MLP_FAST_ISA` names a set that this CPU, or this program, does not have.
    pub fn detect() -> Result<Self, Error> {
        match std::env::var_os(ISA_VARIABLE) {
            Some(name) if !name.is_empty() => {
                Self::by_name(&name.to_string_lossy()).map_err(|error| error.at(ISA_VARIABLE))
            }
            _ => Ok(Self::available().pop().unwrap_or(Self::SCALAR)),
        }
    }

    /// The instruction set of that [`name`](Self::name).
    ///
    /// # Errors
    /// When this CPU does not have it.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        let all = Self::available();
        all.iter()
            .copied()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = all.iter().map(|isa| isa.name()).collect();
                Error::new(
                    Kind::Setting,
                    format!(
                        "instruction set `{name}` is not one that this CPU has: {}",
                        names.join(", ")
                    ),
                )
            })
    }

    /// `scalar`, `v3` (AVX2 and FMA), `v4` (AVX-512) or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Token::Scalar => "scalar",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::V3(_) => "v3",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::V4(_) => "v4",
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => "neon",
        }
    }

    /// How many f32 a vector of it holds.
    pub fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.dispatch(Lanes)
    }

    /// Runs `op` compiled for this instruction set: one copy of each kernel, wherever it is called from.
    #[inline(always)]
    pub fn dispatch<Op: WithSimd>(self, op: Op) -> Op::Output {
        op.on(self)
    }
}

/// Runs `op` from within a kernel as a function of its own: one copy for all the kernels that use it, where a copy in
/// each would cost more to compile than the call costs to make.
#[inline(always)]
pub fn apart<S: Simd, Op: WithSimd>(simd: S, op: Op) -> Op::Output {
    op.apart(simd)
}

/// What [`Isa::dispatch`] and [`apart`] are for. (Methods of the kernels: the compiler puts those with the module of the
/// kernel, and compiles modules side by side, where functions of this module would all be compiled one after the other.)
trait Kernel: WithSimd + Sized {
    fn on(self, isa: Isa) -> Self::Output {
        match isa.0 {
            Token::Scalar => Simd::vectorize(pulp::Scalar, self),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::V3(simd) => Simd::vectorize(simd, self),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::V4(simd) => Simd::vectorize(simd, self),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(simd) => Simd::vectorize(simd, self),
        }
    }

    #[inline(never)]
    fn apart<S: Simd>(self, simd: S) -> Self::Output {
        simd.vectorize(self)
    }
}

impl<Op: WithSimd> Kernel for Op {}

/// Asks for the line at the beginning of `data` to be brought into the first-level cache, where the CPU can be asked so:
/// nothing waits for it, and no result depends on it.
#[inline(always)]
pub fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        sse._mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(data.as_ptr().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}

/// a b + c, rounded once, of numbers that are in no vector. (By pulp: the standard library leaves it to the
/// system, and on `MinGW` it is rounded twice.)
#[inline(always)]
pub fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    pulp::Scalar.mul_add_f32s(a, b, c)
}

/// The same in f64.
#[inline(always)]
pub fn mul_add_f64(a: f64, b: f64, c: f64) -> f64 {
    pulp::Scalar.mul_add_f64s(a, b, c)
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Isa({})", self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
