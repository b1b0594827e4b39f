//! The list of passwords that no device accepts, made by the program and read by the device's own code.

use super::device::Place;
use komainu_bootstrap::password_rule::word_filter::{WordFilter, head};
use komainu_maker::files;
use std::process::{Command, Output};

fn passwords(place: &Place, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_komainu-maker"));
    command.arg("passwords").args(words).current_dir(place.path(".")).output().unwrap()
}

#[test]
fn a_list_of_ones_own_is_read_by_a_device() {
    let place = Place::new();
    files::replace(&place.path("words"), "# ours\nShishi99\nkarashishi\n".as_bytes()).unwrap();
    files::replace(&place.path("more"), "Agyo!\nungyo\n".as_bytes()).unwrap();
    let done = passwords(&place, &["--out", "own.list", "words", "more"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("own.list: 4 words in "));
    let bytes = std::fs::read(place.path("own.list")).unwrap();
    let set = WordFilter::open(&bytes).unwrap();
    for (word, is_there) in
        [("shishi", true), ("karashishi", true), ("agyo", true), ("ungyo", true), ("komainu", false)]
    {
        assert_eq!(set.has(head(&komainu_bootstrap::password_rule::fold::fold(word))), is_there, "{word}");
    }
}

#[test]
fn a_list_that_cannot_be_made_leaves_no_file() {
    let place = Place::new();
    files::replace(&place.path("words"), b"shishi\n").unwrap();
    for (words, expected) in [
        (&["--out", "own.list", "none"][..], "cannot read none"),
        (&["--out", "own.list", "--bytes-max", "24577", "words"], "at most 24576 bytes"),
        (&["--out", "own.list", "--bytes-max", "9", "words"], "9 bytes are too few"),
        (&["--out", "own.list", "--false-bits", "0", "words"], "from 1 to 28"),
    ] {
        let done = passwords(&place, words);
        assert_eq!(done.status.code(), Some(1));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(expected), "{said}");
        assert!(!place.path("own.list").exists());
    }
}
