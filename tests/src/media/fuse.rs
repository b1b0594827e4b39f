//! The fuse: counts the operations that change a medium, and cuts the power in one of them.

use crate::sim::disk::{ALL_AFTERS, After};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// The power of all media of one device.
#[derive(Clone, Debug, Default)]
pub struct Fuse(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    operations: u64,
    cut_in: Option<(u64, After)>,
    blown: bool,
    noise: u64,
}

impl Fuse {
    /// A fuse that never blows by itself; the seed decides about bits that nobody knows.
    pub fn new(seed: u64) -> Fuse {
        Fuse(Rc::new(RefCell::new(State { noise: seed | 1, ..State::default() })))
    }

    /// Cuts the power in the operation of that number, counted from 1 on from now; `None`: not at all.
    pub fn cut_in(&self, cut: Option<(u64, After)>) {
        self.0.borrow_mut().cut_in = cut;
    }

    /// Operations since the last time this was asked.
    pub fn take_operations(&self) -> u64 {
        std::mem::take(&mut self.0.borrow_mut().operations)
    }

    /// Whether the power is gone.
    pub fn is_blown(&self) -> bool {
        self.0.borrow().blown
    }

    /// The power goes now, or comes back.
    pub fn set_blown(&self, blown: bool) {
        self.0.borrow_mut().blown = blown;
    }

    /// The power comes back, and is not cut any more. Says whether it was gone.
    pub fn restore(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.cut_in = None;
        std::mem::take(&mut state.blown)
    }

    /// The next number of the noise.
    pub fn noise(&self) -> u64 {
        let mut state = self.0.borrow_mut();
        state.noise ^= state.noise << 13;
        state.noise ^= state.noise >> 7;
        state.noise ^= state.noise << 17;
        state.noise
    }

    /// Whether there is power to read with.
    ///
    /// # Errors
    /// There is none.
    pub fn power(&self) -> io::Result<()> {
        if self.is_blown() { Err(no_power()) } else { Ok(()) }
    }

    /// Counts an operation that changes the medium. `Some`: the power goes in the middle of it, and so much of it
    /// reaches the medium.
    ///
    /// # Errors
    /// The power was gone before.
    pub fn operation(&self) -> io::Result<Option<After>> {
        self.power()?;
        let mut state = self.0.borrow_mut();
        state.operations += 1;
        match &mut state.cut_in {
            Some((1, after)) => {
                let after = *after;
                (state.cut_in, state.blown) = (None, true);
                Ok(Some(after))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

/// A cut in each of so many operations, in every way.
pub fn all_cuts(operations: u64) -> impl Iterator<Item = (u64, After)> {
    (1..=operations).flat_map(|operation| ALL_AFTERS.map(|after| (operation, after)))
}

/// The error of every call without power.
pub fn no_power() -> io::Error {
    io::Error::other("no power")
}
