//! Signing in two steps, so that a root or targets key never meets a network: the workshop writes a request, people
//! add signatures on the machines that have their keys, and the workshop publishes a request with enough signatures.
//!
//! Map: `signing_request` is the file that is carried; `asking` makes it, `waiting` remembers it, `publishing` publishes it;
//! `judge` decides whether it may be signed, by the rules of `next`, and `judged` is the outcome; `signer_state` is the
//! memory of a signer; `words` tells a person the changes; `add_signatures` adds signatures.

mod add_signatures;
mod asking;
mod judge;
pub mod judged;
mod next;
mod publishing;
pub mod signer_state;
pub mod signing_request;
mod waiting;
mod words;
