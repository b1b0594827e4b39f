//! For tests only: a test that changes what a whole process has (mounts, capabilities) runs again in a process of its
//! own, with own mounts and with the powers of root over nothing but itself.

use std::process::Command;

const MARK: &str = "KOMAINU_TEST_APART";

/// Does it apart; `test` is the full name of the calling test. Needs the program `unshare` and namespaces of users.
pub fn apart(test: &str, act: fn()) {
    if std::env::var_os(MARK).is_some() {
        return act();
    }
    let this = std::env::current_exe().expect("a test is a program");
    let apart = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--"])
        .arg(this)
        .args([test, "--exact", "--test-threads=1", "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("the program unshare of util-linux");
    let said = String::from_utf8_lossy(&apart.stdout).into_owned() + &String::from_utf8_lossy(&apart.stderr);
    // A test that was not found is no success.
    assert!(apart.status.success() && said.contains("1 passed"), "{said}");
}
