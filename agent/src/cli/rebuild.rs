//! `rebuild`: the process that rebuilds an image from a patch. The agent starts it, with one end of a socket pair as standard
//! input; it gives up its privileges and serves until the agent has gone.

use super::call::{Call, Exit};
use super::page::close_what_was_inherited;
use crate::os::{log_output, sandbox};
use komainu_delta::rebuild_pipe::serve;
use nix::sys::resource::{Resource, setrlimit};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The user of a process without privileges, where the settings leave the gate to other software: `nobody`.
const NOBODY: u32 = 65_534;
/// Bytes of addresses that the program itself takes, beside what a patch needs.
const PROGRAM_BYTES: u64 = 32 * 1024 * 1024;

pub(super) fn rebuild(call: &Call) -> Result<Exit, String> {
    let memory: Option<u64> =
        call.operand.as_deref().and_then(Path::to_str).and_then(|word| word.parse().ok());
    let memory = memory.ok_or("rebuild is followed by bytes of memory")?;
    close_what_was_inherited();
    log_output::open(call.settings.log.places(), call.settings.log.prefers_terminal());
    let agent = std::io::stdin().as_fd().try_clone_to_owned();
    let mut agent = UnixStream::from(agent.map_err(|error| format!("no way to the agent: {error}"))?);
    let addresses = memory.saturating_add(PROGRAM_BYTES);
    let limited = setrlimit(Resource::RLIMIT_AS, addresses, addresses);
    limited.map_err(|error| format!("the memory cannot be limited: {error}"))?;
    let user = call.settings.gate.as_ref().map_or(NOBODY, |gate| gate.page_user);
    for what in sandbox::enter("the rebuilding", &call.settings.run.join("empty"), user)? {
        log::warn!("rebuild-less-safe why=\"{what}\"");
    }
    if let Err(error) = serve(&mut agent) {
        log::debug!("rebuild-ends why=\"{error}\"");
    }
    Ok(Exit::Done)
}
