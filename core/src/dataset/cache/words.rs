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

/// The bytes do not hold what is asked for.
pub(super) struct Garbled;

impl<'a> Words<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), Garbled> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Garbled)
        }
    }

    pub(super) fn take_number(&mut self) -> Result<u64, Garbled> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Garbled)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(super) fn take_text(&mut self) -> Result<String, Garbled> {
        let length = usize::try_from(self.take_number()?).map_err(|_| Garbled)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Garbled)?;
        self.0 = rest;
        let text = std::str::from_utf8(text).map_err(|_| Garbled)?;
        Ok(text.to_owned())
    }

    /// A list grows as its texts are found: each takes eight bytes of the file at least.
    pub(super) fn take_texts(&mut self) -> Result<Vec<String>, Garbled> {
        let count = self.take_number()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.take_text()?);
        }
        Ok(texts)
    }

    pub(super) fn take_optional<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, Garbled>,
    ) -> Result<Option<T>, Garbled> {
        match self.take_number()? {
            0 => Ok(None),
            1 => take(self).map(Some),
            _ => Err(Garbled),
        }
    }
}
