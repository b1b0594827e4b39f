//! Execution of the gate's steps, and their order. Where the power could go between two lines, the table in `plan.rs`
//! says how the next start recovers.

use crate::device::{Account, Hooks, Owner};
use crate::fault::Text;
use crate::operator_request::Password;
use crate::reason::Fault;

/// Sets the password that waits at the page. Writing the account's line is the point of no return: every check that
/// can refuse comes before it, and a refusal leaves no trace.
pub(crate) fn claim(device: &mut (impl Owner + ?Sized), password: &Password) -> Result<(), Fault> {
    device.keep_next_credential(password).map_err(Fault::Device)?;
    let set = device.run_hooks(Hooks::Prepare(password)).and_then(|()| device.write_account(Account::Next));
    if let Err(why) = set {
        // If this fails too, the next turn finds the rest among its facts.
        withdraw(device)?;
        return Err(Fault::Device(why));
    }
    finish(device)
}

/// The account holds the next credential: the hooks bring it to every other place, then it becomes the kept one.
pub(crate) fn finish(device: &mut (impl Owner + ?Sized)) -> Result<(), Fault> {
    done(device.run_hooks(Hooks::Commit))?;
    done(device.next_becomes_kept())
}

/// The account does not hold the next credential: it is given up.
pub(crate) fn withdraw(device: &mut (impl Owner + ?Sized)) -> Result<(), Fault> {
    done(device.run_hooks(Hooks::Abort))?;
    done(device.forget_next_credential())
}

/// Forgets the owner. The credential goes first: from then on there is no owner, even if a later step fails. A failed
/// step does not stop the others: a full file system, say, can still be emptied. The mark goes last, so that a cut at
/// any point begins this anew.
pub(crate) fn forget(device: &mut (impl Owner + ?Sized)) -> Result<(), Fault> {
    let all = [
        device.forget_next_credential(),
        device.forget_kept_credential(),
        device.write_account(Account::Locked),
        device.run_hooks(Hooks::Reset),
        device.wipe_owner(),
    ];
    all.into_iter().try_for_each(done)?;
    done(device.mark_reset(false))
}

fn done(result: Result<(), Text>) -> Result<(), Fault> {
    result.map_err(Fault::Device)
}
