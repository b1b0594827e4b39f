//! The Python beside us: one child for the whole run, asked through pipes, gone when they close.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running `peer.py`.
pub struct Peer {
    questions: ChildStdin,
    answers: ChildStdout,
    _child: Child,
}

/// What securesystemslib makes of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// The canonical form.
    Canonical(Vec<u8>),
    /// That it is not acceptable.
    Refused(String),
}

impl Peer {
    /// Starts it with the Python that `tests/setup` made, or the one that `KOMAINU_PYTHON` names.
    ///
    /// # Panics
    /// There is none.
    pub fn start() -> Peer {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("KOMAINU_PYTHON")
            .map_or_else(|| here.join("../../work/tests-venv/bin/python"), PathBuf::from);
        let mut child = Command::new(&python)
            .arg(here.join("peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}; run tests/setup", python.display()));
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("both pipes were asked for")
        };
        Peer { questions, answers, _child: child }
    }

    /// Asks for the canonical form of a file.
    ///
    /// # Panics
    /// The child is gone.
    pub fn canonical(&mut self, file: &[u8]) -> Said {
        let frame = [&(file.len() as u32).to_le_bytes(), file].concat();
        self.questions.write_all(&frame).expect("the Python child takes a frame");
        let mut head = [0; 5];
        self.answers.read_exact(&mut head).expect("the Python child answers");
        let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize];
        self.answers.read_exact(&mut body).expect("the Python child answers in full");
        match head[4] {
            0 => Said::Canonical(body),
            _ => Said::Refused(String::from_utf8_lossy(&body).into_owned()),
        }
    }
}
