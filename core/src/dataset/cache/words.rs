//! The names in a cache: numbers of eight bytes, and texts after their length.

/// What is left to be read.
pub(super) struct Words<'a>(&'a [u8]);

pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend(text.as_bytes());
}

pub(super) fn put_texts(out: &mut Vec<u8>, texts: &[String]) {
    put_number(out, texts.len() as u64);
    for text in texts {
        put_text(out, text);
    }
}

pub(super) fn put_optional<T: ?Sized>(
    out: &mut Vec<u8>,
    value: Option<&T>,
    put: impl FnOnce(&mut Vec<u8>, &T),
) {
    put_number(out, u64::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

/// Nothing where the bytes do not hold what is asked for.
impl<'a> Words<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take_number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    pub(super) fn take_text(&mut self) -> Option<String> {
        let length = usize::try_from(self.take_number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }

    /// A list grows as its texts are found: each takes eight bytes of the file at least.
    pub(super) fn take_texts(&mut self) -> Option<Vec<String>> {
        let count = self.take_number()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.take_text()?);
        }
        Some(texts)
    }

    pub(super) fn take_optional<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.take_number()? {
            0 => Some(None),
            1 => take(self).map(Some),
            _ => None,
        }
    }
}
