//! A device with a wall: the real agent, a web server and, when it is told to, something that speaks telnet, in namespaces of
//! their own. In there they are root and alone; outside they are the user who plays, and reach nothing. The wall judges
//! processes and ports, so that it needs a machine of its own.

use super::agent_process::Agent;
use crate::clock::Stopwatch;
use crate::files;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Makes the device's root and becomes its first process, which does what the lines of its input say. Its words: the
/// folder for the root, the folder of the device, the agent, this program.
const MACHINE: &str = r#"set -e
root=$1 folder=$2 agent=$3 own=$4 all=${2%/*}
mount -t tmpfs -o mode=755 firmware "$root"
cd "$root"
mkdir proc dev etc firmware old tmp run var
for one in usr bin sbin lib lib32 lib64 nix gnu; do
    if [ -L "/$one" ]; then ln -s "$(readlink "/$one")" "$one"
    elif [ -d "/$one" ]; then mkdir "$one"; mount --rbind "/$one" "$one"; mount -o remount,bind,ro "$one" || true
    fi
done
for one in komainu webserver telnetd visitor; do
    : > "firmware/$one"
    from=$own; [ "$one" != komainu ] || from=$agent
    mount --bind "$from" "firmware/$one"
    mount -o remount,bind,ro "firmware/$one"
done
for one in null zero random urandom; do : > "dev/$one"; mount --bind "/dev/$one" "dev/$one"; done
mount -t proc proc proc
mkdir -p "$root$all"
mount --bind "$all" "$root$all"
mount --bind "$folder/etc" etc
ip link set lo up
pivot_root . old
cd /
exec /bin/sh -c '
umount -l /old
echo ready
while read -r what port; do
    case $what in
    agent) /firmware/komainu --settings "$port" run & ;;
    web) /firmware/webserver demo-program web "$port" 2>/dev/null & ;;
    telnet) /firmware/telnetd demo-program telnet "$port" 2>/dev/null & ;;
    ask) /firmware/visitor demo-program ask "$port" ;;
    esac
done'
"#;

/// The files of the device's /etc: nothing in them is wrong.
const ETC: [(&str, &str); 4] = [
    ("passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("shadow", "root:!:20000:0:99999:7:::\n"),
    ("inittab", "::sysinit:/etc/rcS\n::respawn:/firmware/webserver demo-program web 80\n"),
    ("rcS", "#!/bin/sh\nhostname demo\n"),
];

/// The device at work.
pub struct WalledDevice {
    machine: Child,
    /// None once the machine is to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// The log of the agent.
    log: Agent,
}

impl WalledDevice {
    /// Starts it; `Ok(Err(why))`: this system gives its users no namespaces.
    ///
    /// # Errors
    /// Its files cannot be written, or the machine cannot be started.
    pub fn start(
        folder: &Path,
        agent: &Path,
        settings: &str,
        clock: Stopwatch,
    ) -> Result<Result<WalledDevice, String>> {
        for name in ["etc", "root"] {
            files::make_folder(&folder.join(name))?;
        }
        for (name, text) in ETC {
            files::replace(&folder.join("etc").join(name), text.as_bytes())?;
        }
        files::replace(&folder.join("cmdline"), b"komainu.slot=a\n")?;
        let file = folder.join("komainu.toml");
        files::replace(&file, settings.as_bytes())?;
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let words = ["--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child"];
        let started = Command::new("unshare")
            .args(words)
            .args(["sh", "-c", MACHINE, "sh"])
            .args([&folder.join("root"), folder, agent, &own])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut machine = match started {
            Ok(machine) => machine,
            Err(error) => return Ok(Err(format!("unshare (util-linux) cannot be started: {error}"))),
        };
        let input = machine.stdin.take();
        let output = BufReader::new(machine.stdout.take().context("a pipe was asked for")?);
        let log = Agent::of_machine(machine.stderr.take().context("a pipe was asked for")?, clock);
        let mut device = WalledDevice { machine, input, output, log };
        if device.answer().is_ok_and(|said| said == "ready") {
            device.tell(&format!("web 80\nagent {}", file.display()))?;
            return Ok(Ok(device));
        }
        let _ = device.machine.kill();
        let said: Vec<String> =
            std::iter::from_fn(|| device.log.next_line().ok().flatten()).map(|(_, line)| line).collect();
        Ok(Err(said.join("; ")))
    }

    /// Starts something that speaks telnet, as a back door would.
    ///
    /// # Errors
    /// The machine has ended.
    pub fn start_telnet(&mut self, port: u16) -> Result<()> {
        self.tell(&format!("telnet {port}"))
    }

    /// The kind of server at a port of the device: `web`, `telnet` or `nobody`.
    ///
    /// # Errors
    /// The machine has ended.
    pub fn ask(&mut self, port: u16) -> Result<String> {
        self.tell(&format!("ask {port}"))?;
        self.answer()
    }

    /// A line of the agent's log that was said already, if there is one.
    pub fn line_so_far(&self) -> Option<(u64, String)> {
        self.log.line_so_far()
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        let input = self.input.as_mut().context("the device's machine is to end")?;
        writeln!(input, "{word}").context("the device's machine has ended")
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("the device's machine has ended")?;
        if line.is_empty() {
            bail!("the device's machine has ended");
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for WalledDevice {
    fn drop(&mut self) {
        // At the end of its input the first process ends, and with it the whole machine, before the wait is over.
        drop(self.input.take());
        let _ = self.machine.wait();
    }
}
