//! Children of our own are ended, and no other process is.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A shell that says the numbers of those it started, and then waits for them.
fn family(script: &str) -> (Child, ProcessId, Vec<ProcessId>) {
    let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let below = said.split_whitespace().map(|pid| seen(pid.parse().unwrap())).collect();
    let id = seen(child.id());
    (child, id, below)
}

fn seen(pid: u32) -> ProcessId {
    match look(pid) {
        Some(Looked::Process { started, .. }) => ProcessId { pid, started },
        _ => panic!("{pid} is not there"),
    }
}

/// It has ended, or is being buried.
fn is_over(id: ProcessId) -> bool {
    let mut buffer = [0; 1024];
    let path = format!("/proc/{}/stat", id.pid);
    let Ok(bytes) = beginning(Path::new(&path), &mut buffer) else { return true };
    stat(bytes).is_none_or(|stat| stat.started != id.started || stat.is_over())
}

/// The kernel takes a moment to end a process; the bound is for a machine that is very busy.
fn ends(id: ProcessId) -> bool {
    let bound = crate::os::clock::uptime_milliseconds() + 20_000;
    while !is_over(id) {
        if crate::os::clock::uptime_milliseconds() > bound {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn a_process_ends_with_all_that_descend_from_it() {
    let script = "sleep 1000 & a=$!; sh -c 'sleep 1000 & wait' & echo $a $!; wait";
    let (mut child, id, below) = family(script);
    assert_eq!(below.len(), 2);
    end_tree(id).unwrap();
    child.wait().unwrap();
    assert!(below.iter().all(|one| ends(*one)));
}

/// One of the tree has ended, and another process has its number: the children of that one are no part of the tree.
#[test]
fn who_has_the_number_of_one_that_ended_keeps_its_children() {
    let (mut child, id, below) = family("sleep 1000 & echo $!; wait");
    let of = |id| Member { id, held: Held::Number };
    let mut tree = vec![of(ProcessId { started: id.started + 1, ..id })];
    gather(&mut tree).unwrap();
    assert_eq!(tree.len(), 1);
    tree = vec![of(id)];
    gather(&mut tree).unwrap();
    assert_eq!(tree[1].id, below[0]);
    end_tree(id).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_child_that_is_always_started_again_does_not_escape() {
    let script = "sh -c 'while :; do sleep 1000; done' & echo $!; while :; do wait; sleep 1000 & done";
    let (mut child, id, below) = family(script);
    end_tree(id).unwrap();
    child.wait().unwrap();
    assert!(ends(below[0]));
    let left = everybody().unwrap();
    assert!(
        !left.iter().any(|(one, parent)| (*parent == id.pid || *parent == below[0].pid) && !is_over(*one))
    );
}

/// Waits until a process is in this state; the bound is for a machine that is very busy.
fn comes_to(id: ProcessId, wanted: impl Fn(u8) -> bool) -> bool {
    let bound = crate::os::clock::uptime_milliseconds() + 20_000;
    let mut buffer = [0; 1024];
    let path = format!("/proc/{}/stat", id.pid);
    while crate::os::clock::uptime_milliseconds() < bound {
        let state = beginning(Path::new(&path), &mut buffer).ok().and_then(stat).map(|stat| stat.state);
        if state.is_some_and(&wanted) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn what_is_suspended_goes_on_with_its_children() {
    let (mut child, id, below) = family("sleep 1000 & a=$!; sh -c 'sleep 1000 & wait' & echo $a $!; wait");
    stop_tree(id).1.unwrap();
    assert!(below.iter().chain([&id]).all(|one| comes_to(*one, |state| state == b'T')));
    resume(id).unwrap();
    assert!(below.iter().chain([&id]).all(|one| comes_to(*one, |state| state != b'T')));
    let earlier = ProcessId { started: id.started - 1, ..id };
    stop_tree(earlier).1.unwrap();
    assert!(comes_to(id, |state| state != b'T'), "another that has the number now is left alone");
    assert!(stop_tree(seen(std::process::id())).1.is_err(), "we are not suspended");
    end_tree(id).unwrap();
    child.wait().unwrap();
    resume(id).unwrap();
}

#[test]
fn another_that_has_the_number_now_is_left_alone() {
    let (mut child, id, _) = family("echo; exec sleep 1000");
    let earlier = ProcessId { started: id.started - 1, ..id };
    end_tree(earlier).unwrap();
    assert!(child.try_wait().unwrap().is_none() && !is_over(id), "it was hit");
    end_tree(id).unwrap();
    child.wait().unwrap();
    // It is gone, and asking again is no error.
    end_tree(id).unwrap();
}

#[test]
fn neither_the_first_process_nor_we_nor_those_above_us_are_ended() {
    let us = seen(std::process::id());
    let above = seen(nix::unistd::getppid().as_raw().unsigned_abs());
    for (id, why) in
        [(us, "never ended"), (ProcessId { pid: 1, started: 0 }, "never ended"), (above, "descends")]
    {
        let fault = end_tree(id).unwrap_err();
        assert!(fault.contains(why), "{fault}");
    }
    let fault = end_tree(ProcessId { pid: u32::MAX, started: 0 }).unwrap_err();
    assert_eq!(&*fault, "4294967295 is no number of a process");
}

#[test]
fn in_another_house_nobody_is_ended() {
    let ours = || Ok(PathBuf::from("mnt:[1]"));
    let none = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
    assert_eq!(in_the_devices_house(ours(), ours()), Ok(()));
    let fault = in_the_devices_house(ours(), Ok(PathBuf::from("mnt:[2]"))).unwrap_err();
    assert_eq!(
        &*fault,
        "komainu runs in a mount namespace of its own: it cannot tell which processes are this device's"
    );
    for fault in [in_the_devices_house(ours(), none()), in_the_devices_house(none(), ours())] {
        assert!(fault.unwrap_err().starts_with("cannot tell whether"));
    }
}

#[test]
fn where_the_kernel_has_no_descriptors_of_processes_a_start_is_compared() {
    let (mut child, id, _) = family("echo; exec sleep 1000");
    let other = Member { id: ProcessId { started: id.started + 1, ..id }, held: Held::Number };
    signal(&other, Signal::SIGKILL).unwrap();
    assert!(child.try_wait().unwrap().is_none() && !is_over(id), "it was hit");
    signal(&Member { id, held: Held::Number }, Signal::SIGKILL).unwrap();
    child.wait().unwrap();
}
