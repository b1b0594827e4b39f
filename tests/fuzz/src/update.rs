//! Several refreshes of one device. The fuzzer's bytes are a small program: what the clock says, at which point of
//! its life the server is, what becomes of each answer, and after which write the power fails.
//!
//! At the end a server is honest again, and the device must come along.

use crate::history::{HISTORY, State};
use crate::input::{Input, edited};
use crate::invariants;
use crate::invariants::Memory;
use komainu_tests::repository::TODAY;
use komainu_trust::delegations::{Found, Wanted};
use komainu_trust::refresh::{Answer, Ask, Keep};
use komainu_trust::roles::Role;
use komainu_trust::trusted::{Clock, Stored};
use komainu_trust::{Moment, Refresh, TrustFault, Trusted};

const DAY: i64 = 86_400;
const PATHS: [&str; 3] = ["a", "boards/gate-1/stable.json", "nothing/of/that/name"];

/// Runs the program.
///
/// # Panics
/// An invariant does not hold.
pub fn run(program: &[u8]) {
    let mut input = Input(program);
    let stored = Stored { root: HISTORY.shipped_root.clone(), ..Stored::default() };
    let mut device =
        Device { stored, memory: Memory { root: 1, ..Memory::default() }, robbed: false, writes_left: None };
    for _ in 0..8 {
        if input.is_over() {
            break;
        }
        device.refresh(&mut input);
    }
    device.invariant_an_honest_server_is_accepted_afterwards();
}

struct Device {
    stored: Stored,
    memory: Memory,
    /// It was served what a thief signed: only new keys can mend that.
    robbed: bool,
    /// Writes until the power fails.
    writes_left: Option<u8>,
}

/// The power failed.
struct Cut;

impl Device {
    fn refresh(&mut self, input: &mut Input<'_>) {
        let clock = clock(input);
        let server = &HISTORY.states[usize::from(input.byte()) % HISTORY.states.len()];
        self.writes_left = Some(input.byte() % 16).filter(|writes| *writes > 0);
        let mut refresh = Refresh::begin(self.stored.clone(), clock).expect("what was stored loads again");
        let mut requests = 0;
        let mut cut = false;
        while let (Some(ask), false) = (refresh.ask(), cut) {
            requests += 1;
            invariants::invariant_a_refresh_ends(requests);
            let bytes = self.answer(&ask, server, input);
            let answer = bytes.as_deref().map_or(Answer::NotThere, Answer::Bytes);
            match refresh.give(answer) {
                Ok(keep) => cut = self.keep(keep, bytes.as_deref().unwrap_or_default()).is_err(),
                Err(fault) => {
                    assert!(!fault.to_string().is_empty());
                    assert_eq!(refresh.ask(), None, "a refusal ends the refresh");
                }
            }
        }
        invariants::invariant_what_is_stored_loads_again(&self.stored, &self.memory, clock);
        if !cut {
            let mut trusted = refresh.into_trusted();
            for path in PATHS {
                // Any answer will do, as long as one comes in the end.
                let _ = self.search(&mut trusted, path, |device, ask| device.answer(ask, server, input));
            }
        }
        self.writes_left = None;
    }

    /// What the server says, as the program decides.
    fn answer(&mut self, ask: &Ask, server: &State, input: &mut Input<'_>) -> Option<Vec<u8>> {
        let how = input.byte();
        let other = || &HISTORY.states[usize::from(how.rotate_left(4)) % HISTORY.states.len()];
        let mut file = |state: &State, name: &str| {
            let file = state.files.get(name).cloned();
            self.robbed |= state.stolen && file.is_some();
            file
        };
        match how % 12 {
            6 => file(other(), &ask.name),
            7 => {
                let names: Vec<&str> = server.files.keys().map(String::as_str).collect();
                file(server, input.pick(&names))
            }
            8 => Some(edited(&file(server, &ask.name)?, input)),
            9 => None,
            10 => Some(input.take(usize::from(how)).to_vec()),
            11 => {
                // White space behind the file means nothing, and makes other bytes of it; or too many.
                let mut bytes = file(server, &ask.name)?;
                let length = if how < 128 { bytes.len() + 1 } else { ask.bytes_max as usize + 1 };
                bytes.resize(length.max(bytes.len()), b' ');
                Some(bytes)
            }
            _ => file(server, &ask.name),
        }
    }

    /// Keeps what was accepted, write by write, as the agent does: what is forgotten goes first.
    fn keep(&mut self, keep: Keep, bytes: &[u8]) -> Result<(), Cut> {
        let role = match keep {
            Keep::Nothing => return Ok(()),
            Keep::Given(role) => role,
            Keep::GivenRootForgetRest => {
                self.write()?;
                self.stored.timestamp = None;
                self.memory.timestamp = (0, 0);
                self.write()?;
                self.stored.snapshot = None;
                self.memory.listed.clear();
                self.memory.targets = 0;
                Role::Root
            }
        };
        self.write()?;
        invariants::invariant_versions_never_go_back(&mut self.memory, role, bytes);
        invariants::invariant_nothing_unsigned_is_trusted(role, bytes, self.memory.root);
        match role {
            Role::Root => {
                let forgets = keep == Keep::GivenRootForgetRest;
                invariants::invariant_only_new_keys_make_a_device_forget(self.memory.root, forgets);
                self.stored.root = bytes.to_vec();
            }
            Role::Timestamp => self.stored.timestamp = Some(bytes.to_vec()),
            Role::Snapshot => self.stored.snapshot = Some(bytes.to_vec()),
            Role::Targets => self.stored.targets = Some(bytes.to_vec()),
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Cut> {
        match &mut self.writes_left {
            Some(0) => Err(Cut),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Searches a target, with every delegated role that it takes; true if it was found.
    fn search(
        &mut self,
        trusted: &mut Trusted,
        path: &str,
        mut fetch: impl FnMut(&mut Device, &Ask) -> Option<Vec<u8>>,
    ) -> Result<bool, TrustFault> {
        let mut requests = 0;
        loop {
            match trusted.find(path)? {
                Found::Nothing => return Ok(false),
                Found::Target(target) => {
                    assert_eq!(target.path, path);
                    invariants::invariant_a_found_target_is_the_makers(&target);
                    return Ok(true);
                }
                Found::Wanted(wanted) => {
                    requests += 1;
                    invariants::invariant_a_search_ends(requests);
                    let bytes = fetch(self, &wanted.ask);
                    trusted.give_delegated(&wanted, bytes.as_deref())?;
                    if self.keep_delegated(&wanted, &bytes.unwrap_or_default()).is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn keep_delegated(&mut self, wanted: &Wanted, bytes: &[u8]) -> Result<(), Cut> {
        self.write()?;
        invariants::invariant_no_unsigned_delegated_role_is_trusted(bytes);
        self.stored.delegated.retain(|(name, _)| *name != wanted.role);
        self.stored.delegated.push((wanted.role.clone(), bytes.to_vec()));
        Ok(())
    }

    /// After any input, an honest server with newer metadata is accepted; after a theft, with new keys.
    fn invariant_an_honest_server_is_accepted_afterwards(&mut self) {
        self.comes_along(if self.robbed { &HISTORY.mended } else { &HISTORY.later });
    }

    fn comes_along(&mut self, server: &State) {
        let clock = Clock { system: TODAY, built: Moment(0) };
        let mut refresh = Refresh::begin(self.stored.clone(), clock).expect("what was stored loads again");
        while let Some(ask) = refresh.ask() {
            let bytes = server.files.get(&ask.name);
            let answer = bytes.map_or(Answer::NotThere, |bytes| Answer::Bytes(bytes));
            let keep = refresh.give(answer).unwrap_or_else(|fault| panic!("an honest server: {fault}"));
            assert!(self.keep(keep, bytes.map_or(&[], Vec::as_slice)).is_ok(), "no power cut here");
        }
        let mut trusted = refresh.into_trusted();
        assert!(trusted.usable().is_ok());
        for (path, is_there) in PATHS.into_iter().zip([true, true, false]) {
            let fetch = |_: &mut Device, ask: &Ask| server.files.get(&ask.name).cloned();
            assert_eq!(self.search(&mut trusted, path, fetch), Ok(is_there), "{path}");
        }
    }
}

fn clock(input: &mut Input<'_>) -> Clock {
    let days = |days: i64| TODAY.plus_seconds(days * DAY);
    let moments =
        [days(0), days(0), days(1), Moment(0), days(3), days(31), days(299), days(2500), Moment(i64::MAX)];
    let how = input.byte();
    let built = if how & 0x80 == 0 { Moment(0) } else { input.pick(&moments) };
    Clock { system: moments[usize::from(how & 0x7f) % moments.len()], built }
}
