//! The one way to touch a file that others may have a hand in: a path is walked folder by folder, each held by its
//! descriptor, and everything that follows goes through the folder that is held, never by the path again.
//!
//! Map: `walk` the walk to a place; `place` what stands there, and reading; `replace` changing, restoring and removing; `in_place` a file that is a mount of its
//! own; `wipe` emptying a folder.
//!
//! **Looking**: a link on the way is followed only where root made it in a folder that root alone can change. The last
//! entry is opened for nothing but its metadata first; only a regular file is then opened for reading, and by that
//! very descriptor: no device, no pipe, and no link of a user is ever opened. File systems that may never answer (over a network,
//! or by a program) are not entered.
//!
//! **Changing**: every folder up to the root is root's. A folder that others may write keeps them out of
//! root's entries where it is sticky (`/tmp`): the kernel lets them neither rename nor remove those. So root's folders
//! below a `/tmp` of mode 1777 (`/etc` → `/tmp/etc` is common) are as good as any, and a user's folder there is refused.
//!
//! There is one walk for all kernels: `openat2` (5.6) follows links without asking to whom they belong, so each step
//! would have to be taken singly with it as well.

mod in_place;
mod place;
mod replace;
#[cfg(test)]
mod tests;
mod walk;
mod wipe;

pub use in_place::finish;
pub use place::{Foreign, Place, Stamp, stamp};
pub use replace::{MODE_BITS, Owner};
pub use walk::{Tree, read};
pub use wipe::wipe;
