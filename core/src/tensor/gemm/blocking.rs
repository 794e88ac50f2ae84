//! Sizes: what is part of the result ([`KB`]), what is chosen for speed (everything else).
//!
//! | loop | cut | must fit | why |
//! | --- | --- | --- | --- |
//! | registers | MR x 16 NP | the register file | see `microkernel` |
//! | k | [`KB`] | MR rows of A in half of the first-level cache (8 * 512 * 4 = 16 KiB at most) | fixed by the contract |
//! | n | [`block_in_l2`] | that part of B in half of the second-level cache | B is read from there once per row tile |

use std::sync::OnceLock;

use crate::tensor::LINE;

/// The reduction index restarts its chain of fused multiply-adds every `KB` steps; the sums of the blocks are added in
/// ascending order. A constant of the numeric contract, not a tunable: changing it changes results.
pub const KB: usize = 512;

/// Sizes of this machine's caches, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caches {
    /// First level, data.
    pub l1: usize,
    /// Second level.
    pub l2: usize,
    /// Third level, as one core sees it (shared by all).
    pub l3: usize,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            l1: 48 << 10,
            l2: 256 << 10,
            l3: 2 << 20,
        }
    }
}

impl Caches {
    /// The caches of the first CPU, as the kernel of the system tells them; the defaults where it does not. (What
    /// CPUID and `getconf` tell of a virtual machine can be the host's.)
    pub fn of_this_machine() -> Self {
        static CACHES: OnceLock<Caches> = OnceLock::new();
        *CACHES.get_or_init(|| Self::read("/sys/devices/system/cpu/cpu0/cache"))
    }

    /// Whether the first level is of 32 KiB or less. What is then better left (Cascade Lake, 2026-11-28): rows of B
    /// that lie apart are no stream to it, so that a second tile of rows pays for packing them (128 x 128 x 128: 81 GFLOP/s
    /// in place, 119 packed); and a stream is seen coming by itself, while asking for it takes the place of loads (one row by
    /// 784 x 128: 36 GFLOP/s asked for, 47 not; an epoch of 784-512-512-10 4 to 6 % longer).
    pub(crate) fn is_l1_small(self) -> bool {
        self.l1 < 48 << 10
    }

    fn read(folder: &str) -> Self {
        let mut caches = Self::default();
        for index in 0..8 {
            let text =
                |name: &str| std::fs::read_to_string(format!("{folder}/index{index}/{name}"));
            let (Ok(level), Ok(kind), Ok(size)) = (text("level"), text("type"), text("size"))
            else {
                break;
            };
            let Some(size) = parse_size(size.trim()) else {
                continue;
            };
            match (level.trim(), kind.trim()) {
                ("1", "Data" | "Unified") => caches.l1 = size,
                ("2", "Data" | "Unified") => caches.l2 = size,
                ("3", "Data" | "Unified") => caches.l3 = size,
                _ => {}
            }
        }
        caches
    }
}

/// `512K`, `32M` or a plain number of bytes.
fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(['K', 'M']);
    let unit = match &text[digits.len()..] {
        "K" => 1 << 10,
        "M" => 1 << 20,
        "" => 1,
        _ => return None,
    };
    digits
        .parse::<usize>()
        .ok()?
        .checked_mul(unit)
        .filter(|&size| size > 0)
}

/// Steps of a reduction of k that are done for all of C before the next: deeper blocks of B have room for fewer columns, and A
/// is read more often; but what is left of fewer than two blocks is not worth a pass over C.
pub(super) fn steps(k: usize) -> usize {
    if k < 2 * KB { k.max(1) } else { KB }
}

/// How much of a B of k steps is to be read again and again from the second-level cache: steps, and columns, as many as half
/// of it has room for: A is read once for so many, C once for so many steps.
pub(super) fn block_in_l2(caches: Caches, k: usize) -> (usize, usize) {
    let lines = caches.l2 / 2 / (LINE * size_of::<f32>());
    let steps = match steps(k) {
        deep if deep * WIDEST > lines => deep.min(KB),
        deep => deep,
    };
    let panels = (lines / steps / WIDEST).max(1) * WIDEST;
    (steps, panels * LINE)
}

/// Panels in the widest tile: others are slower, so a block is to have whole ones.
const WIDEST: usize = 3;

/// Bytes of a matrix of k rows, n apart, as it lies.
pub(super) fn bytes(k: usize, n: usize) -> usize {
    (size_of::<f32>() * n).saturating_mul(k)
}

/// Whether such a B stays in the second-level cache, so that it can be read again and again.
pub(super) fn stays_near(k: usize, n: usize) -> bool {
    bytes(k, n) <= Caches::of_this_machine().l2 / 2
}

/// Whether it is best read where it lies, by however many rows.
pub(super) fn is_near(k: usize, n: usize) -> bool {
    stays_near(k, n) && !Caches::of_this_machine().is_l1_small()
}

/// Whether it fits that cache at all.
pub(super) fn fits_l2(k: usize, n: usize) -> bool {
    bytes(k, n) <= Caches::of_this_machine().l2
}

/// Whether its rows fall into few sets of the caches, where some hundred of them have no room together.
pub(super) fn collides(n: usize) -> bool {
    (size_of::<f32>() * n).is_multiple_of(2 << 10)
}

/// Whether it is so large that it pays to ask for it in time, and to read it by whole lines: not with 300 KiB that come
/// from the second-level cache (Zen 5), where both lose a tenth, but with 400 KiB, where they win it.
pub(super) fn passes_by(k: usize, n: usize) -> bool {
    bytes(k, n) > 384 << 10
}

#[cfg(test)]
mod tests {
    use super::{Caches, block_in_l2, parse_size};

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("32K"), Some(32 << 10));
        assert_eq!(parse_size("16M"), Some(16 << 20));
        assert_eq!(parse_size("x"), None);
        assert_eq!(Caches::read("/nowhere"), Caches::default());
    }

    #[test]
    fn a_block_of_b_fills_half_of_l2() {
        let with = |l2| Caches {
            l2,
            ..Caches::default()
        };
        assert_eq!(block_in_l2(with(1 << 20), 512), (512, 240));
        assert_eq!(block_in_l2(with(1 << 20), 784), (784, 144));
        assert_eq!(block_in_l2(with(1 << 20), 2500), (512, 240));
        assert_eq!(block_in_l2(with(512 << 10), 2500), (512, 96));
        assert_eq!(block_in_l2(with(256 << 10), 784), (512, 48));
        assert_eq!(block_in_l2(with(1 << 10), 9999), (512, 48));
        assert_eq!(block_in_l2(with(1 << 10), 0).0, 1);
    }
}
