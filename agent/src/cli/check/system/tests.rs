//! Signs of a kernel, in a made-up root.
#![expect(clippy::disallowed_methods, reason = "files of a test may be torn")]

use super::super::findings::Verdict;
use super::*;
use std::path::PathBuf;

/// A folder with the signs of a good kernel.
fn signs(name: &str) -> PathBuf {
    let root = std::env::temp_dir().join(format!("komainu-kernel-{name}-{}", std::process::id()));
    for folder in ["proc/net", "proc/sys/net", "proc/self"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for (file, text) in [
        ("net/unix", ""),
        ("locks", ""),
        ("filesystems", "nodev\tsysfs\nnodev\ttmpfs\n\text4\n"),
        ("self/status", "Name:\tx\nSeccomp:\t0\n"),
    ] {
        fs::write(root.join("proc").join(file), text).unwrap();
    }
    root
}

fn looked(root: &Path) -> Vec<(Verdict, String)> {
    let mut found = Findings::default();
    options(root, &mut found);
    found.lines.into_iter().map(|(_, verdict, sentence)| (verdict, sentence)).collect()
}

#[test]
fn a_kernel_with_every_sign_is_told_nothing() {
    let root = signs("good");
    assert_eq!(looked(&root), []);
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_sign_that_is_not_there_names_the_options_and_the_loss() {
    let root = signs("bad");
    fs::write(root.join("proc/filesystems"), "nodev\tramfs\n").unwrap();
    fs::write(root.join("proc/self/status"), "Name:\tSeccomp:\n").unwrap();
    fs::remove_file(root.join("proc/locks")).unwrap();
    let found = looked(&root);
    for (verdict, says) in [
        (
            Verdict::Fail,
            "there is no sign of CONFIG_SIGNALFD, CONFIG_FUTEX, CONFIG_FILE_LOCKING: komainu does not",
        ),
        (Verdict::Fail, "there is no sign of CONFIG_TMPFS: run_directory would be on flash"),
        (Verdict::Warn, "there is no sign of CONFIG_SECCOMP, CONFIG_SECCOMP_FILTER: the page's system calls"),
    ] {
        assert!(found.iter().any(|(one, said)| *one == verdict && said.starts_with(says)), "{found:?}");
    }
    assert_eq!(found.len(), 3, "{found:?}");
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_configuration_in_the_kernel_is_left_to_the_makers_desk() {
    let root = signs("config");
    fs::write(root.join("proc/config.gz"), "").unwrap();
    let found = looked(&root);
    assert!(
        matches!(&found[..], [(Verdict::Ok, said)] if said.contains("komainu-maker kernel-check")),
        "{found:?}"
    );
    fs::remove_dir_all(root).unwrap();
}
