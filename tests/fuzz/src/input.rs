//! Reading the fuzzer's bytes as decisions. At their end everything is zero: every input means something.

/// What is left of the fuzzer's bytes.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below 65,536.
    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    /// One of `things`, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[usize::from(self.byte()) % things.len()]
    }

    /// Up to so many of the bytes that are left.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// True if nothing is left.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// `bytes` with one to four small changes that the input decides.
pub fn edited(bytes: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=input.byte() % 4 {
        let (how, at, value) = (input.byte(), input.number(), input.byte());
        let at = at % (bytes.len() + 1);
        match how % 7 {
            0 if at < bytes.len() => bytes[at] ^= value,
            1 if at < bytes.len() => bytes[at] = value,
            2 => bytes.insert(at, value),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            5 => {
                let end = bytes.len().min(at + usize::from(value));
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            // The other case of a letter.
            6 if at < bytes.len() && bytes[at].is_ascii_alphabetic() => bytes[at] ^= 0x20,
            _ => {}
        }
    }
    bytes
}
