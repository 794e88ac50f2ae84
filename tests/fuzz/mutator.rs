//! New inputs from old ones: a seeded generator of small damages.

use oracle::rng::Rng;

/// Numbers that lie at the ends of ranges.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    1 << 60,
    u64::MAX,
];

/// The longest input that is made.
pub(crate) const LONGEST: usize = 1 << 16;

/// Makes inputs out of a corpus, the same ones for the same seed.
pub(crate) struct Mutator<'a> {
    rng: Rng,
    corpus: &'a [Vec<u8>],
    words: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(seed: u64, corpus: &'a [Vec<u8>], words: &'a [&'a str]) -> Self {
        Self {
            rng: Rng::new(seed),
            corpus,
            words,
        }
    }

    /// One of the corpus with one to eight damages.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.pick().to_vec();
        for _ in 0..=self.rng.below(8) {
            self.damage(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn pick(&mut self) -> &'a [u8] {
        &self.corpus[self.below(self.corpus.len())]
    }

    fn below(&mut self, n: usize) -> usize {
        self.rng.below(n as u64) as usize
    }

    /// A piece of `bytes`: mostly a short one.
    fn piece(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(bytes.len() + 1);
        let most = if self.below(4) == 0 { bytes.len() } else { 16 };
        let len = self.below(most.min(bytes.len() - from) + 1);
        from..from + len
    }

    fn damage(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.below(256) as u8,
            2 => {
                let byte = [b',', b'"', b'\n', b'\r', 0, b'9', b'-', b'{', 0xFF][self.below(9)];
                input.insert(at, byte);
            }
            3 => drop(input.drain(self.piece(input))),
            4 => {
                let copy = input[self.piece(input)].to_vec();
                let times = 1 + self.below(4);
                let copies = copy.repeat(times);
                input.splice(at..at, copies);
            }
            5 => {
                let other = self.pick();
                let piece = self.piece(other);
                let gone = self.piece(input);
                input.splice(gone, other[piece].iter().copied());
            }
            6 => {
                let edge = EDGES[self.below(EDGES.len())];
                let len = [1, 2, 4, 8][self.below(4)];
                let bytes = match self.below(2) {
                    0 => edge.to_le_bytes()[..len].to_vec(),
                    _ => edge.to_be_bytes()[8 - len..].to_vec(),
                };
                let end = input.len().min(at + len);
                input.splice(at..end, bytes);
            }
            7 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())];
                let gone = self.below(4).min(input.len() - at);
                input.splice(at..at + gone, word.bytes());
            }
            8 => input.truncate(at),
            _ => {
                let digits = input.iter().filter(|byte| byte.is_ascii_digit()).count();
                let chosen = self.below(digits.max(1));
                let new = b'0' + self.below(10) as u8;
                let mut digits = input.iter_mut().filter(|byte| byte.is_ascii_digit());
                if let Some(digit) = digits.nth(chosen) {
                    *digit = new;
                }
            }
        }
    }
}
