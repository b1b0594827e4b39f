//! The demonstration as a stranger starts it: it ends well, its page needs nothing else, and it leaves nothing
//! behind, neither a file nor a process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_demonstration_ends_well_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let (temporary, report) = (place.path().join("temporary"), place.path().join("report.html"));
    fs::create_dir(&temporary).unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_komainu-maker"));
    demo.args(["demo", "--report"]).arg(&report).env("TMPDIR", &temporary);
    // An agent that is built already; without one the demonstration builds it, with fewer features below it: all anew.
    if let Some(agent) = std::env::var_os("KOMAINU") {
        demo.arg("--komainu").arg(agent);
    }
    let output = demo.output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert!(said.contains("All as told: 7 chapters"), "{said}");
    assert!(!said.contains('\x1b'), "colours are for terminals: {said}");

    let left: Vec<_> = fs::read_dir(&temporary).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(processes_that_name(&temporary), Vec::<String>::new());

    let page = fs::read_to_string(&report).unwrap();
    for chapter in [
        "A new device waits for its owner",
        "Telnet appears, and goes",
        "An update, from start to finish",
        "The power goes in the middle",
        "A release that starts, but does not work",
        "A release that does not even start",
        "An attacker owns the web server",
    ] {
        assert!(page.contains(chapter), "{chapter}");
    }
    assert_eq!(page.matches("<figure>").count(), 7);
    assert_eq!(page.matches("role=\"img\" aria-labelledby=").count(), 7);
    for reference in ["src=", "href=\"http", "url(http", "@import", "<script", "<link"] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(
        page.contains("<title>")
            && page.contains("charset=\"utf-8\"")
            && page.contains("prefers-color-scheme")
    );
}

fn processes_that_name(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&folder) {
            found.push(line);
        }
    }
    found
}
