//! `setup` and `reset`: the gate from the device's own console. They ask the komainu that is running. `firewall`, for
//! init scripts: puts the rules into the kernel before anything else starts.

use super::call::{Call, Exit, open_without_updates, print};
use crate::config::gate_settings::GateSettings as Settings;
use crate::daemon::control_socket;
use crate::daemon::device_names::press;
use crate::daemon::linux_device::LinuxDevice;
use crate::gate::credential_store::CredentialStore;
use crate::os::clock::uptime_milliseconds;
use komainu_bootstrap::ipc::{PASSWORD_BYTES_MAX, Reply, Request, Secret, SessionId};
use komainu_bootstrap::page::refusal_text;
use komainu_core::device::{Device, Owner};
use komainu_core::firewall::wanted_table::wanted_table;
use komainu_core::gate::state::FirewallStatus;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io;
use std::io::{BufRead, IsTerminal, Read, Write, stderr, stdin};

pub(super) fn setup(call: &Call) -> Result<Exit, String> {
    let owned = CredentialStore::new(gate(call)?, &call.settings.state).facts().kept.is_some();
    let is_terminal = stdin().is_terminal();
    let old = if owned { Some(read_secret("Password that holds now: ")?) } else { None };
    let new = read_secret("New password: ")?;
    if !is_terminal && new.0.is_empty() {
        let lines = if owned {
            "two lines: the password that holds, and the new one"
        } else {
            "one line: the password"
        };
        return Err(format!("standard input should hold {lines}"));
    }
    if is_terminal && read_secret("The same again: ")? != new {
        return Err("the two are not the same".into());
    }
    let answer = match old {
        Some(old) => ask(call, Request::Change { session: SessionId::default(), old, new })?,
        None => ask(call, Request::Claim { password: new, code: String::new() })?,
    };
    match answer {
        Reply::Done => print("The password is set.\n"),
        other => Err(in_words(&other)),
    }
}

/// The button of the device was pressed: for two minutes a first password may be set.
pub(super) fn button_pressed(call: &Call) -> Result<Exit, String> {
    gate(call)?;
    let run = &call.settings.run;
    press(run, uptime_milliseconds() / 1000)
        .map_err(|error| format!("cannot write to {}: {error}", run.display()))?;
    print("A first password may be set in the next two minutes.\n")
}

/// Puts the rules for the gate's state into the kernel, and ends: then an init script that starts the network next
/// knows that they are there.
pub(super) fn firewall(call: &Call) -> Result<Exit, String> {
    gate(call)?;
    let mut device = open_without_updates(call);
    let put = put_rules(&mut device, call);
    let contained = device.grants_at_start().contained;
    device.close_without_rules(contained);
    put?;
    Ok(call.exit_by_settings())
}

/// This works even if nothing else can be done.
pub(super) fn put_rules(device: &mut LinuxDevice, call: &Call) -> Result<(), String> {
    let Some(gate) = device.gate() else { return Ok(()) };
    let grants = device.grants_at_start();
    let device: &mut dyn Device = device;
    let table = wanted_table(device, gate.gate_state(), &call.settings.core.firewall, &grants);
    match device.firewall_status(&table) {
        FirewallStatus::Differ => device.apply_firewall(&table).map_err(|why| why.to_string()),
        FirewallStatus::Hold | FirewallStatus::Beyond(_) => Ok(()),
    }
}

pub(super) fn reset(call: &Call) -> Result<Exit, String> {
    gate(call)?;
    let password = Secret(String::new());
    match ask(call, Request::Reset { session: SessionId::default(), password })? {
        Reply::Done => print("The owner is being forgotten; the firmware stays. The gate is closed.\n"),
        other => Err(in_words(&other)),
    }
}

fn gate(call: &Call) -> Result<&Settings, String> {
    let gate = call.settings.gate.as_ref();
    gate.ok_or_else(|| "the settings leave the gate to other software ([gate] keep = false)".into())
}

fn ask(call: &Call, what: Request) -> Result<Reply, String> {
    let answer = control_socket::ask(&call.settings.run, what)?;
    answer.ok_or_else(|| "no komainu is running here: start it first (komainu run)".into())
}

fn in_words(answer: &Reply) -> String {
    match answer {
        Reply::Weak(words) => {
            let whys: Vec<String> = words.iter().map(|word| refusal_text::in_english(word)).collect();
            format!("not good enough: {}", whys.join(" "))
        }
        Reply::Wrong => "the password is wrong".into(),
        Reply::RateLimited(seconds) => format!("too many were wrong; wait {seconds} s"),
        Reply::NotNow => "not as things stand; see komainu status".into(),
        Reply::Failed(why) => why.clone(),
        Reply::Done | Reply::SessionOpened(..) | Reply::NoSession => "komainu answered something else".into(),
    }
}

/// Reads one line; a terminal does not show the input.
fn read_line(question: &str) -> io::Result<Vec<u8>> {
    let mut hidden = None;
    if stdin().is_terminal() {
        let _ = write!(stderr(), "{question}");
        hidden = Some(Hidden::new()?);
    }
    let mut line = Vec::new();
    stdin().lock().take(PASSWORD_BYTES_MAX as u64 + 2).read_until(b'\n', &mut line)?;
    if hidden.is_some() {
        let _ = writeln!(stderr());
    }
    Ok(line)
}

fn read_secret(question: &str) -> Result<Secret, String> {
    let mut line = read_line(question).map_err(|error| format!("cannot read the password: {error}"))?;
    while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        line.pop();
    }
    if line.len() > PASSWORD_BYTES_MAX {
        return Err(format!("a password may have {PASSWORD_BYTES_MAX} bytes at most"));
    }
    String::from_utf8(line).map(Secret).map_err(|_| "a password must be UTF-8".into())
}

/// A terminal that does not show the typed letters, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Hidden> {
        let before = tcgetattr(stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSANOW, &hidden)?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}
