//! Evidence of our own children, read back by the reader of bundles and by tar.

use super::*;
use crate::update::source::bundle::{Entry, entries};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::{Child, Command, Stdio};

struct Case {
    state: PathBuf,
    suspect: Child,
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = self.suspect.kill();
        let _ = self.suspect.wait();
        let _ = fs::remove_dir_all(&self.state);
    }
}

impl Case {
    /// A suspicious process: a copy of a program, started and then deleted.
    fn new(name: &str) -> Case {
        let state = std::env::temp_dir().join(format!("komainu-evidence-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&state);
        fs::create_dir_all(&state).unwrap();
        let program = state.join("x7fk2");
        // By a program: the children of other tests also hold a file that this one has open for writing, and it could
        // not be started.
        assert!(Command::new("cp").arg("/bin/cat").arg(&program).status().unwrap().success());
        let pipes = (Stdio::piped(), Stdio::piped());
        let mut suspect = Command::new(&program).arg("-").stdin(pipes.0).stdout(pipes.1).spawn().unwrap();
        // A suspect that answers has begun: before that the kernel does not know its words yet.
        suspect.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        suspect.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        fs::remove_file(program).unwrap();
        Case { state, suspect }
    }

    fn suspect(&self) -> ProcessId {
        let pid = self.suspect.id();
        ProcessId { pid, started: started(pid).unwrap() }
    }

    fn keep(&self, processes: &[ProcessId], files: &[PathBuf]) -> PathBuf {
        keep(&self.state, &Wanted { why: "telnetd\nunder another name", time: &"boot+7", processes, files })
            .unwrap()
    }
}

/// The files of an archive, by name.
fn content(path: &Path) -> Vec<(String, Vec<u8>)> {
    let file = File::open(path).unwrap();
    let total = file.metadata().unwrap().len();
    let list = entries(total, &|buffer, offset| file.read_exact_at(buffer, offset)).unwrap();
    let read = |Entry { name, offset, bytes }| {
        let mut content = vec![0; usize::try_from(bytes).unwrap()];
        file.read_exact_at(&mut content, offset).unwrap();
        (String::from_utf8(name).unwrap(), content)
    };
    list.into_iter().map(read).collect()
}

#[test]
fn a_process_whose_program_was_deleted_is_kept_with_its_program() {
    let case = Case::new("deleted");
    let suspect = case.suspect();
    let another_life = ProcessId { started: suspect.started + 1, ..suspect };
    let path = case.keep(&[suspect, another_life], &[PathBuf::from("/etc/hostname"), "/nowhere".into()]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = content(&path);
    let named =
        |name: &str| &kept.iter().find(|(kept, _)| kept == name).unwrap_or_else(|| panic!("{name}")).1;
    let pid = suspect.pid;
    assert!(*named(&format!("process/{pid}/exe")) == fs::read("/bin/cat").unwrap());
    assert!(named(&format!("process/{pid}/cmdline")).ends_with(b"x7fk2\0-\0"));
    assert!(named(&format!("process/{pid}/status")).starts_with(b"Name:\tx7fk2"));
    assert!(!named("net/tcp").is_empty() && !named("mounts").is_empty());
    assert_eq!(*named("files/etc/hostname"), fs::read("/etc/hostname").unwrap());
    let processes = String::from_utf8_lossy(named("processes"));
    assert!(processes.contains("x7fk2 (deleted)"), "{processes}");
    let manifest = String::from_utf8_lossy(named("manifest.txt"));
    let expected = "komainu-evidence 1\ntime boot+7\nwhy telnetd under another name\n";
    assert!(manifest.starts_with(expected), "{manifest}");
    assert!(manifest.contains(&format!("process {pid} has gone\n")), "the one of another life: {manifest}");
    assert!(manifest.contains("not kept: files/nowhere: "), "{manifest}");
    assert!(!kept.iter().any(|(name, _)| name.ends_with("environ")));
    // Others can read it too.
    let tar = Command::new("tar").arg("-tf").arg(&path).output().unwrap();
    assert!(tar.status.success());
    assert_eq!(String::from_utf8_lossy(&tar.stdout).lines().count(), kept.len());
}

#[test]
fn the_two_newest_are_kept_and_what_a_cut_left_goes() {
    let case = Case::new("two");
    let numbers: Vec<PathBuf> = (0..4).map(|_| case.keep(&[], &[])).collect();
    File::create(case.state.join("evidence/9.new")).unwrap();
    case.keep(&[], &[]);
    let mut left: Vec<_> =
        fs::read_dir(case.state.join("evidence")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["4.tar", "5.tar"]);
    assert!(numbers[3].ends_with("evidence/4.tar"));
}

#[test]
fn an_archive_has_its_limit_and_odd_files_do_not_stop_it() {
    let case = Case::new("limit");
    let pipe = case.state.join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let link = case.state.join("link");
    std::os::unix::fs::symlink("/etc/shadow", &link).unwrap();
    let mut files = vec![pipe, link];
    for number in 0..40 {
        let path = case.state.join(format!("large-{number}-{}", "long".repeat(40)));
        File::create(&path).unwrap().set_len(ITEM_BYTES_MAX + 1).unwrap();
        files.push(path);
    }
    let path = case.keep(&[], &files);
    let bytes = fs::metadata(&path).unwrap().len();
    assert!((BYTES_MAX / 2..=BYTES_MAX).contains(&bytes), "{bytes}");
    let kept = content(&path);
    let manifest = String::from_utf8_lossy(&kept.last().unwrap().1);
    for words in ["pipe: not a file", "link: ", " bytes, its beginning", ": no room for 131072 bytes"] {
        assert!(manifest.contains(words), "{words}: {manifest}");
    }
    assert!(kept.iter().all(|(name, content)| !name.ends_with("link") && content.len() <= 1 << 17));
}
