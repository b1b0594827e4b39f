//! The bytes that obscure a list of passwords, at build time and again on the device. No secret: whoever wants the list
//! finds it in any repository. It only keeps the text of it out of flash and memory, where scanners would take the agent
//! for a bot.

/// An endless row of bytes, always the same.
pub struct Stream(u32);

impl Stream {
    /// From its beginning.
    pub fn new() -> Stream {
        Stream(0x6b6f_6d61)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 24) as u8
    }
}
