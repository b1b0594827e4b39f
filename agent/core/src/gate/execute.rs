//! What the gate's steps do, and in which order. Where the power could go between two lines, the table in
//! `gate.rs` says what the next start makes of it.

use crate::device::{Account, Hooks, World};
use crate::fault::Text;
use crate::reason::Fault;

/// Sets the password that waits at the page. The account's line is the point of no return; what can refuse is
/// asked before it, and gives up without a trace after a refusal.
pub(crate) fn claim(world: &mut dyn World) -> Result<(), Fault> {
    world.keep_next_credential().map_err(Fault::Device)?;
    let set = world.run_hooks(Hooks::Prepare).and_then(|()| world.write_account(Account::Next));
    if let Err(why) = set {
        // If this fails too, the next turn finds it among its facts.
        withdraw(world)?;
        return Err(Fault::Device(why));
    }
    finish(world)
}

/// The account holds the next credential: the hooks bring it to wherever else it belongs, then it is the kept one.
pub(crate) fn finish(world: &mut dyn World) -> Result<(), Fault> {
    done(world.run_hooks(Hooks::Commit))?;
    done(world.next_becomes_kept())
}

/// The account does not hold the next credential: it is given up.
pub(crate) fn withdraw(world: &mut dyn World) -> Result<(), Fault> {
    done(world.run_hooks(Hooks::Abort))?;
    done(world.forget_next_credential())
}

/// Forgets the owner. The credential goes first: from then on there is no owner, whatever else fails; and what fails
/// keeps nothing else from being done: a full file system, say, from being emptied. The mark goes last, so that a cut
/// anywhere begins this anew.
pub(crate) fn forget(world: &mut dyn World) -> Result<(), Fault> {
    let all = [
        world.forget_next_credential(),
        world.forget_kept_credential(),
        world.write_account(Account::Locked),
        world.run_hooks(Hooks::Reset),
        world.wipe_owner(),
    ];
    all.into_iter().try_for_each(done)?;
    done(world.mark_reset(false))
}

fn done(result: Result<(), Text>) -> Result<(), Fault> {
    result.map_err(Fault::Device)
}
