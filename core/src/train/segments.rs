//! The weights of a layer as its products take them: in pieces, each held by one thread.

use super::block::Shares;
use crate::team::MOST_THREADS;
use crate::tensor::gemm::Segment;

/// Calls `f` with the pieces of layer `l`'s weights, where they are shared out by inputs.
pub(super) fn with_segments<T>(
    shares: &Shares<'_>,
    l: usize,
    f: impl FnOnce(&[Segment<'_>]) -> T,
) -> T {
    // One thread has no need of room for many.
    if let [Some(share)] = shares {
        return f(&[share.segment(l)]);
    }
    let mut segments = [Segment { len: 0, lines: &[] }; MOST_THREADS];
    let held = shares.iter().flatten();
    let count = held.clone().count();
    for (segment, share) in segments.iter_mut().zip(held) {
        *segment = share.segment(l);
    }
    f(&segments[..count])
}
