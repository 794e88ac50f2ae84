//! Sum, maximum and dot product of a padded row, in one order on every instruction set.
//!
//! Element i belongs to virtual lane i % 16; each lane is one chain in ascending order; then lane j takes lane j + 8,
//! j + 4, j + 2, j + 1. Sixteen is one register of AVX-512, two of AVX2, four of NEON.
//!
//! Rows are whole lines of 16 floats ([`LINE`]); what lies in the padding takes part, so it must be neutral.

use pulp::Simd;

use super::LINE;

/// The virtual lanes of a reduction that is under way; one line long.
pub type Lanes = [f32; LINE];

/// The fixed tree: 16 -> 8 -> 4 -> 2 -> 1; where the lanes are vectors, of as many reductions side by side.
#[inline(always)]
pub fn tree<V: Copy>(mut lanes: [V; LINE], combine: impl Fn(V, V) -> V) -> V {
    let mut half = LINE / 2;
    while half > 0 {
        for j in 0..half {
            lanes[j] = combine(lanes[j], lanes[j + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The sum of the lanes.
#[inline(always)]
pub fn tree_sum(lanes: Lanes) -> f32 {
    tree(
        lanes,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The sum of a row of whole lines.
#[inline(always)]
pub fn sum16<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut lanes = [0.0; LINE];
    for line in lines(row) {
        let sums = S::as_mut_simd_f32s(&mut lanes).0;
        for (sum, &x) in sums.iter_mut().zip(S::as_simd_f32s(line).0) {
            *sum = simd.add_f32s(*sum, x);
        }
    }
    tree_sum(lanes)
}

/// The greatest of a row of whole lines; -inf for an empty one. NaN is passed over: it cannot be the greatest.
#[inline(always)]
pub fn max16<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LINE];
    for line in lines(row) {
        let tops = S::as_mut_simd_f32s(&mut lanes).0;
        for (top, &x) in tops.iter_mut().zip(S::as_simd_f32s(line).0) {
            // Not `max`, which treats NaN and -0 differently from one instruction set to the next.
            *top = simd.select_f32s(simd.greater_than_f32s(x, *top), x, *top);
        }
    }
    tree(
        lanes,
        #[inline(always)]
        |a, b| if b > a { b } else { a },
    )
}

/// The dot product of two rows of whole lines, by fused multiply-adds.
#[inline(always)]
pub fn dot16<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len(), "rows of one length");
    let mut lanes = [0.0; LINE];
    for (a, b) in lines(a).iter().zip(lines(b)) {
        let sums = S::as_mut_simd_f32s(&mut lanes).0;
        let (a, b) = (S::as_simd_f32s(a).0, S::as_simd_f32s(b).0);
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = simd.mul_add_f32s(a, b, *sum);
        }
    }
    tree_sum(lanes)
}

/// Writes `value` behind the first `cols` floats of a row of whole lines.
///
/// By bit masks on the last line, and not as a `fill` of few floats, which is a call of memset, nor as a select, which
/// becomes a masked store; both are several times slower.
#[inline(always)]
pub fn fill_padding<S: Simd>(simd: S, row: &mut [f32], cols: usize, value: f32) {
    /// A line of ones and a line of zeros, bit by bit.
    const MASKS: [f32; 2 * LINE] = {
        let mut masks = [0.0; 2 * LINE];
        let mut i = 0;
        while i < LINE {
            masks[i] = f32::from_bits(u32::MAX);
            i += 1;
        }
        masks
    };
    let kept = cols % LINE;
    if kept == 0 {
        return;
    }
    if let (Some(line), Some(keep)) = (
        lines_mut(row).last_mut(),
        MASKS[LINE - kept..].first_chunk::<LINE>(),
    ) {
        let value = simd.splat_f32s(value);
        let xs = S::as_mut_simd_f32s(line).0.iter_mut();
        for (x, &keep) in xs.zip(S::as_simd_f32s(keep).0) {
            let filled = simd.and_f32s(value, simd.not_f32s(keep));
            *x = simd.or_f32s(simd.and_f32s(*x, keep), filled);
        }
    }
}

/// The lines of a row.
#[inline(always)]
pub fn lines(row: &[f32]) -> &[Lanes] {
    let (lines, rest) = row.as_chunks();
    debug_assert!(rest.is_empty(), "a row is whole lines, not {}", row.len());
    lines
}

/// The lines of a row, to write.
#[inline(always)]
pub fn lines_mut(row: &mut [f32]) -> &mut [Lanes] {
    debug_assert!(
        row.len().is_multiple_of(LINE),
        "a row is whole lines, not {}",
        row.len()
    );
    row.as_chunks_mut().0
}
