//! The lock of `fw_setenv` in other hands: another user's is ignored, root's is waited for, and the wait has a bound.
#![expect(clippy::disallowed_methods, reason = "tests prepare their files in place")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use komainu_agent::update::boot::flash_devices::KernelFlash;
use komainu_agent::update::boot::uboot::env_config::Config;
use komainu_agent::update::boot::uboot::env_fault::EnvironmentFault;
use komainu_agent::update::boot::uboot::env_image::{Endian, Format, encode};
use komainu_agent::update::boot::uboot::environment::{Environment, Written};
use komainu_agent::update::boot::uboot::variables::Variables;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const LOCK: &str = "/var/lock/fw_printenv.lock";

/// A process of this user that holds the lock until it is ended.
struct Holder(Child);

impl Holder {
    fn of(user: u32) -> Holder {
        // fw_setenv makes the file; here it may not have run yet.
        fs::OpenOptions::new().append(true).create(true).open(LOCK).unwrap();
        let mut words = vec!["flock", LOCK, "sh", "-c", "echo held; exec sleep 60"];
        let id = format!("--reuid={user}");
        if user != 0 {
            words.splice(0..0, ["setpriv", &*id, "--clear-groups"]);
        }
        let mut child = Command::new(words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 5];
        child.stdout.take().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"held\n");
        Holder(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The lock is let go with the last process that has the file open: flock's child, whose parent it is.
        let children = format!("/proc/{0}/task/{0}/children", self.0.id());
        let child = fs::read_to_string(children).unwrap_or_default();
        let _ = Command::new("kill").args(child.split_whitespace()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_of_another_user_is_ignored_and_one_of_roots_is_waited_for_and_then_named() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root: it starts a process of another user");
    let file =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("environment-lock-{}", std::process::id()));
    let image = encode(&Variables::default(), 0, 0x400, Format::Single, Endian::of_this_cpu()).unwrap();
    fs::write(&file, image).unwrap();
    let config = Config::parse(&file, &format!("{} 0 0x400\n", file.display())).unwrap();
    let mut environment = Environment::open(&config, Endian::of_this_cpu(), &KernelFlash).unwrap();
    {
        let _holder = Holder::of(65_534);
        let written = environment.write(&[("a", Some("1"))]).unwrap();
        assert!(matches!(written, Written::Copy(_)));
    }
    {
        let _holder = Holder::of(0);
        let fault = environment.write(&[("a", Some("2"))]).expect_err("root holds the lock");
        assert!(matches!(fault, EnvironmentFault::Locked { .. }), "{fault}");
        assert_eq!(fault.to_string(), format!("{LOCK} is held by another program"));
        assert_eq!(environment.read().unwrap().variables.text("a"), Some("1"));
    }
    environment.write(&[("a", Some("2"))]).unwrap();
    fs::remove_file(&file).unwrap();
}
