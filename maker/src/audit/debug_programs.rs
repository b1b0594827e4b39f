//! Programs for debugging, which help an intruder and no owner.

use super::finding::Findings;
use super::image::{Image, shown};

/// Programs that serve everybody who reaches them.
const SERVERS: &[&str] =
    &["gdbserver", "lldb-server", "frida-server", "adbd", "tcf-agent", "ttyd", "shellinaboxd"];
/// Programs that show or change what others do.
const TOOLS: &[&str] = &[
    "gdb", "lldb", "strace", "ltrace", "perf", "valgrind", "tcpdump", "tshark", "dumpcap", "nmap", "ncat",
    "socat", "iperf", "iperf3", "devmem", "devmem2", "memtool",
];

/// Looks for them in all folders.
pub fn judge(image: &Image, found: &mut Findings) {
    for (path, _) in image.nodes().filter(|(_, node)| node.is_program()) {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if SERVERS.contains(&name) {
            found.add("debug-server", &shown(path), None, format!("the program {name}"));
        } else if TOOLS.contains(&name) {
            found.add("debug-tool", &shown(path), None, format!("the program {name}"));
        }
    }
}
