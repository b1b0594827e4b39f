//! The process tree: descent of processes, the processes that may be ended at all, and the programs that the firmware
//! or the maker's policy vouches for. No judgement is made here.

use super::evidence::Origin;
use super::policy::{Policy, Service};
use super::process_snapshot::{Listener, Medium, Process, ProcessSnapshot, Program};
use super::remediation::{ProcessId, Remediation};

/// Limit of the walk from a process up to its ancestors. The kernel allows no loop among them; a limit costs nothing.
const ANCESTORS_MAX: usize = 64;

/// The number of the first process of a device: it is never ended, because the kernel would stop with it.
const INIT: u32 = 1;

/// A snapshot, with everything that is known of the processes in it.
pub struct ProcessTree<'a> {
    pub snapshot: &'a ProcessSnapshot,
    pub policy: &'a Policy,
    own: &'a [ProcessId],
}

impl<'a> ProcessTree<'a> {
    /// `own` are the agent's and its page's processes.
    pub fn new(snapshot: &'a ProcessSnapshot, policy: &'a Policy, own: &'a [ProcessId]) -> ProcessTree<'a> {
        ProcessTree { snapshot, policy, own }
    }

    /// It is the agent, or its page.
    pub fn is_own(&self, id: ProcessId) -> bool {
        self.own.contains(&id)
    }

    /// One of the holders of the socket is the agent, or its page.
    pub fn is_ours(&self, listener: &Listener) -> bool {
        listener.owners.iter().any(|owner| self.is_own(*owner))
    }

    /// The processes that hold a socket and answer for it, as far as the snapshot has them; `user` made it.
    pub fn owners(&self, owners: &'a [ProcessId], user: u32) -> impl Iterator<Item = &'a Process> {
        let holders = owners.iter().filter_map(|owner| self.snapshot.process(*owner));
        holders.filter(move |process| self.answers_for(process, user))
    }

    /// Any user can hand a socket to a program that takes what it is sent (`SCM_RIGHTS`): one that is vouched for
    /// answers for its own sockets, and for root's, which it may have had before it gave up root's rights.
    pub fn answers_for(&self, process: &Process, user: u32) -> bool {
        user == 0 || user == process.user || !self.is_trusted(&process.program)
    }

    /// It is one of these, or descends from one of them.
    pub fn is_below(&self, process: &Process, those: &[ProcessId]) -> bool {
        if those.contains(&process.id) {
            return true;
        }
        let mut parent = process.parent;
        for _ in 0..ANCESTORS_MAX {
            let Some(above) = self.snapshot.processes.iter().find(|above| above.id.pid == parent) else {
                return false;
            };
            if those.contains(&above.id) {
                return true;
            }
            parent = above.parent;
        }
        false
    }

    /// The remediation that ends it, if it may be ended: not the first process, not the agent, and not an ancestor of
    /// the agent; and not while a program of the firmware among those that would end with it writes to flash or a disk.
    pub fn end(&self, process: &Process) -> Option<Remediation> {
        let writes = |one: &Process| {
            one.writes_flash && self.is_firmware(&one.program) && self.is_below(one, &[process.id])
        };
        let ends = self.may_be_touched(process) && !self.snapshot.processes.iter().any(writes);
        ends.then_some(Remediation::End(process.id))
    }

    /// The remediation that ends it because it is part of an infection, whatever it writes.
    pub fn end_infected(&self, process: &Process) -> Option<Remediation> {
        self.may_be_touched(process).then_some(Remediation::End(process.id))
    }

    /// The remediation that suspends it, under the same conditions as [`ProcessTree::end_infected`].
    pub fn suspend(&self, process: &Process) -> Option<Remediation> {
        let suspend = Remediation::Suspend { id: process.id, done: process.stopped };
        self.may_be_touched(process).then_some(suspend)
    }

    fn may_be_touched(&self, process: &Process) -> bool {
        let above_us = |own: &ProcessId| {
            self.snapshot.process(*own).is_some_and(|own| self.is_below(own, &[process.id]))
        };
        process.id.pid > INIT && !self.is_own(process.id) && !self.own.iter().any(above_us)
    }

    /// How far its program is vouched for.
    pub fn origin(&self, process: &Process) -> Origin {
        match self.is_trusted(&process.program) {
            true => Origin::Vouched,
            false if process.namespaced => Origin::Contained,
            false => Origin::Foreign,
        }
    }

    /// The policy names its program among those that may run, wherever they are.
    pub fn is_listed(&self, program: &Program) -> bool {
        let (path, may_be_below) = match program {
            Program::File { elsewhere: true, .. } | Program::Hidden => return false,
            Program::File { path, .. } => (path, true),
            // `memfd:` and a name, as a whole.
            Program::Nameless(name) => (name, false),
        };
        self.policy.programs.iter().any(|listed| {
            let below = may_be_below && listed.ends_with('/') && path.starts_with(listed.as_str());
            below || path == listed
        })
    }

    /// Its program is the firmware's, in the place where it was built in or since upgraded, or one that policy names.
    /// Only then does its name prove anything: an attacker can call a file `dnsmasq`. A file that was written over the
    /// firmware's own has the firmware's name: it may be an intruder's, which `infection` tells.
    pub fn is_trusted(&self, program: &Program) -> bool {
        self.is_firmware(program) || self.is_listed(program)
    }

    /// Its program is the firmware's, in the place where it was built in or since upgraded.
    pub fn is_firmware(&self, program: &Program) -> bool {
        matches!(
            program,
            Program::File { medium: Medium::Firmware | Medium::Upgraded, there, replaced, elsewhere: false, .. }
                if *there || *replaced
        )
    }

    /// Policy allows it raw sockets, and to write to flash.
    pub fn is_privileged(&self, process: &Process) -> bool {
        let called = process.called();
        self.is_trusted(&process.program) && self.policy.privileged.iter().any(|name| name == called)
    }

    /// The row of policy's services speaks of this process.
    pub fn runs(&self, service: &Service, process: &Process) -> bool {
        let named = &*service.program;
        match &process.program {
            Program::File { path, there, replaced, elsewhere, .. } if named.contains('/') => {
                path == named && (*there || *replaced) && !*elsewhere
            }
            program @ Program::File { medium, .. } if named.is_empty() => {
                *medium == Medium::Firmware && self.is_trusted(program)
            }
            program => !named.contains('/') && process.called() == named && self.is_trusted(program),
        }
    }
}

/// The rows of the policy's services for this socket, regardless of the process that holds it.
pub fn rows<'a>(policy: &'a Policy, listener: &'a Listener) -> impl Iterator<Item = &'a Service> {
    policy.services.iter().filter(|service| {
        let (first, last) = service.ports;
        service.transport == listener.transport && (first..=last).contains(&listener.port)
    })
}

/// A process as text: its name, its number, and its file. The text that an attacker controls comes last.
pub struct Told<'a>(pub &'a Process);

impl core::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let process = self.0;
        write!(f, "process {} ", process.id.pid)?;
        match &process.program {
            Program::File { path, elsewhere: true, .. } => write!(f, "({path} in a view of its own)"),
            Program::File { path, there: true, .. } => write!(f, "({path})"),
            Program::File { path, .. } => write!(f, "({path}, deleted)"),
            Program::Nameless(_) => write!(f, "({}, a program without a file)", process.name),
            Program::Hidden => write!(f, "({}, its program is hidden)", process.name),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! Processes, sockets and a policy for the judges' tables.

    use super::*;
    use crate::wall::policy::Reach;
    use crate::wall::policy::tests::bare;
    use crate::wall::process_snapshot::Transport;
    use alloc::borrow::ToOwned;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;
    use core::net::IpAddr;

    pub fn id(pid: u32) -> ProcessId {
        ProcessId { pid, started: 100_000 + u64::from(pid) * 10 }
    }

    pub fn file(path: &str, medium: Medium) -> Program {
        Program::File { path: path.to_owned(), there: true, replaced: false, medium, elsewhere: false }
    }

    /// One that is in another view of the files than ours.
    pub fn elsewhere(path: &str, medium: Medium) -> Program {
        Program::File { path: path.to_owned(), there: true, replaced: false, medium, elsewhere: true }
    }

    pub fn deleted(path: &str, medium: Medium, replaced: bool) -> Program {
        Program::File { path: path.to_owned(), there: false, replaced, medium, elsewhere: false }
    }

    /// An ordinary process: named after its program.
    pub fn process(pid: u32, parent: u32, program: Program) -> Process {
        let base = program.base_name().to_owned();
        Process {
            id: id(pid),
            parent,
            user: 0,
            name: base.chars().take(15).collect(),
            first_word: base,
            second_word: String::new(),
            program,
            stopped: false,
            namespaced: false,
            holds_watchdog: false,
            writes_flash: false,
        }
    }

    /// One of the firmware's.
    pub fn firmware(pid: u32, path: &str) -> Process {
        process(pid, 1, file(path, Medium::Firmware))
    }

    /// A busybox that was started under this name.
    pub fn applet(pid: u32, name: &str) -> Process {
        let mut applet = firmware(pid, "/bin/busybox");
        applet.first_word = name.to_owned();
        applet.name = name.to_owned();
        applet
    }

    pub fn listener(transport: Transport, address: &str, port: u16, owners: &[u32]) -> Listener {
        let address: IpAddr = address.parse().unwrap();
        let owners = owners.iter().map(|pid| id(*pid)).collect();
        Listener { transport, address, port, user: 0, owners, telnet: None }
    }

    pub fn service(program: &str, transport: Transport, port: u16, reach: Reach) -> Service {
        Service { program: program.to_owned(), transport, ports: (port, port), reach, public: false }
    }

    /// Everything else is not allowed.
    pub fn policy(services: Vec<Service>) -> Policy {
        Policy {
            services,
            programs: vec!["/opt/maker/".to_owned(), "/data/helper".to_owned()],
            privileged: vec!["pppd".to_owned(), "udhcpc".to_owned(), "mtd".to_owned()],
            ..bare()
        }
    }

    #[test]
    fn neither_init_nor_the_agent_nor_who_started_it_is_ended() {
        let (policy, own) = (policy(vec![]), [id(50), id(51)]);
        let processes = vec![
            firmware(1, "/sbin/init"),
            process(40, 1, file("/sbin/supervise", Medium::Firmware)),
            process(50, 40, file("/usr/sbin/komainu", Medium::Firmware)),
            process(51, 50, file("/usr/sbin/komainu", Medium::Firmware)),
            process(52, 50, file("/tmp/x", Medium::Memory)),
            process(60, 1, file("/tmp/y", Medium::Memory)),
        ];
        let snapshot = ProcessSnapshot { processes, ..ProcessSnapshot::default() };
        let tree = ProcessTree::new(&snapshot, &policy, &own);
        let ended: Vec<u32> =
            snapshot.processes.iter().filter(|one| tree.end(one).is_some()).map(|one| one.id.pid).collect();
        assert_eq!(ended, [52, 60]);
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let processes = vec![process(7, 8, Program::Hidden), process(8, 7, Program::Hidden)];
        let (policy, snapshot) =
            (policy(vec![]), ProcessSnapshot { processes, ..ProcessSnapshot::default() });
        let tree = ProcessTree::new(&snapshot, &policy, &[]);
        assert!(!tree.is_below(&snapshot.processes[0], &[id(9)]));
    }

    #[test]
    fn a_name_counts_only_where_the_firmware_or_the_maker_vouches_for_the_file() {
        let policy = policy(vec![service("dnsmasq", Transport::Udp, 53, Reach::Lan)]);
        let snapshot = ProcessSnapshot::default();
        let tree = ProcessTree::new(&snapshot, &policy, &[]);
        let row = &policy.services[0];
        for (program, runs) in [
            (file("/usr/sbin/dnsmasq", Medium::Firmware), true),
            (file("/opt/maker/dnsmasq", Medium::Storage), true),
            (file("/opt/makers/dnsmasq", Medium::Storage), false),
            (file("/tmp/dnsmasq", Medium::Memory), false),
            (deleted("/usr/sbin/dnsmasq", Medium::Firmware, true), true),
            (deleted("/usr/sbin/dnsmasq", Medium::Firmware, false), false),
            (file("/usr/sbin/dnsmasq", Medium::Upgraded), true),
            (deleted("/usr/sbin/dnsmasq", Medium::Upgraded, false), false),
            (file("/usr/sbin/dnsmasq", Medium::Unknown), false),
            (elsewhere("/usr/sbin/dnsmasq", Medium::Firmware), false),
            (elsewhere("/opt/maker/dnsmasq", Medium::Storage), false),
            (Program::Nameless("memfd:dnsmasq".to_owned()), false),
            (Program::Hidden, false),
        ] {
            assert_eq!(tree.runs(row, &process(9, 1, program.clone())), runs, "{program:?}");
        }
    }

    #[test]
    fn a_listed_path_counts_only_with_the_devices_own_file_there() {
        let mut policy = policy(vec![service("/usr/sbin/dnsmasq", Transport::Udp, 53, Reach::Lan)]);
        policy.programs.push("memfd:runc_cloned:/proc/self/exe".to_owned());
        policy.programs.push("memfd:odd/".to_owned());
        let snapshot = ProcessSnapshot::default();
        let tree = ProcessTree::new(&snapshot, &policy, &[]);
        for (program, runs, listed) in [
            (file("/usr/sbin/dnsmasq", Medium::Firmware), true, false),
            (file("/usr/sbin/dnsmasq", Medium::Upgraded), true, false),
            (elsewhere("/usr/sbin/dnsmasq", Medium::Memory), false, false),
            (elsewhere("/usr/sbin/dnsmasq", Medium::Firmware), false, false),
            (file("/data/helper", Medium::Storage), false, true),
            (elsewhere("/data/helper", Medium::Storage), false, false),
            (elsewhere("/opt/maker/x", Medium::Storage), false, false),
            (Program::Nameless("memfd:runc_cloned:/proc/self/exe".to_owned()), false, true),
            (Program::Nameless("memfd:runc_cloned:/proc/self/ex".to_owned()), false, false),
            (Program::Nameless("memfd:odd/bot".to_owned()), false, false),
            (file("memfd:runc_cloned:/proc/self/exe2", Medium::Memory), false, false),
        ] {
            assert_eq!(tree.is_listed(&program), listed, "{program:?}");
            assert_eq!(tree.runs(&policy.services[0], &process(9, 1, program.clone())), runs, "{program:?}");
        }
    }
}
