//! For tests only: a test that changes what a whole process has (mounts, capabilities) runs again in a process of its
//! own, with own mounts and with the powers of root over nothing but itself.

use std::process::Command;

const MARK: &str = "KOMAINU_TEST_APART";

/// Does it apart; `test` is the full name of the calling test. Needs the program `unshare` and namespaces of users.
pub fn apart(test: &str, act: fn()) {
    if is_apart() {
        return act();
    }
    run(test, &["--map-root-user", "--mount", "--"]);
}

fn run(test: &str, arguments: &[&str]) {
    let this = std::env::current_exe().expect("a test is a program");
    let apart = Command::new("unshare")
        .args(arguments)
        .arg(this)
        .args([test, "--exact", "--test-threads=1", "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("the program unshare of util-linux");
    let said = String::from_utf8_lossy(&apart.stdout).into_owned() + &String::from_utf8_lossy(&apart.stderr);
    // A test that was not found is no success.
    assert!(apart.status.success() && said.contains("1 passed"), "{said}");
}

/// Does it apart with the powers of the real root, for what a namespace of users may not: loop devices, and file systems on
/// them. `false`, and said: this is not root, and nothing was tested.
pub fn apart_as_root(test: &str, act: fn()) -> bool {
    if is_apart() {
        act();
        return true;
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: {test} needs root");
        return false;
    }
    run(test, &["--mount", "--propagation", "private", "--"]);
    true
}

/// Whether this is the process apart. Nothing that it mounted may be under a folder that it removes.
pub fn is_apart() -> bool {
    std::env::var_os(MARK).is_some()
}
