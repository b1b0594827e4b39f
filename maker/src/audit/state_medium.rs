//! Where the agent's state would lie, by the mounts that an image makes at its start: fstab, `mount` lines of init and of
//! start scripts, and the settings of `komainu-start`. State in RAM is lost at every restart.

use super::finding::Findings;
use super::image::{Image, shown};
use super::shipped_settings::ShippedSettings;
use super::start_files::StartFiles;
use anyhow::Result;

/// File systems in RAM.
const IN_RAM: &[&str] = &["tmpfs", "ramfs", "devtmpfs", "rootfs"];
/// Folders that are in RAM on every Linux, whatever mounts them.
const ALWAYS_IN_RAM: &[&str] = &["/dev", "/proc", "/sys", "/run"];
/// Largest fstab, and largest start.conf, in bytes.
const FSTAB_BYTES_MAX: u64 = 64 * 1024;
/// The program that mounts the state, and its settings.
const STARTER: &str = "komainu-start";
const START_CONF: &str = "/etc/komainu/start.conf";

/// A mount that a file of the image makes.
#[derive(Clone, Debug)]
struct Mount {
    /// Where: a path without links.
    at: String,
    in_ram: bool,
    file: String,
    line: u32,
    says: String,
}

/// Judges the folder of the state.
///
/// # Errors
/// The image is broken.
pub fn judge(
    image: &Image,
    files: &StartFiles,
    settings: &ShippedSettings,
    found: &mut Findings,
) -> Result<()> {
    let mounts = mounts(image, files)?;
    let state = real(image, &settings.state);
    // The mount below which the state is: of several at one place the last.
    let covers = |mount: &&Mount| is_inside(&state, &mount.at);
    let best = mounts.iter().filter(covers).max_by_key(|mount| mount.at.len());
    match best {
        Some(mount) if mount.in_ram => {
            let what = format!("[state] directory {} lies in RAM here: {}", settings.state, mount.says);
            found.add("state-on-ram", &mount.file, Some(mount.line), what);
        }
        Some(_) => {}
        None => {
            let ram = ALWAYS_IN_RAM.iter().find(|folder| is_inside(&state, folder));
            // procd mounts /tmp in RAM, without a line in any file.
            let openwrt = is_inside(&state, "/tmp") && image.file(b"sbin/procd").is_some();
            if let Some(folder) = ram.copied().or(openwrt.then_some("/tmp")) {
                let what =
                    format!("[state] directory {} leads to {state}, and {folder} is in RAM", settings.state);
                found.add("state-on-ram", &settings.state, None, what);
            } else if image.kind.starts_with("squashfs") {
                let what = format!("no file of the image mounts anything over {state}");
                found.add("state-unmounted", &settings.state, None, what);
            }
        }
    }
    Ok(())
}

fn mounts(image: &Image, files: &StartFiles) -> Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    if let Some((bytes, _)) = image.read(b"etc/fstab", FSTAB_BYTES_MAX)? {
        for (line, number) in String::from_utf8_lossy(&bytes).lines().zip(1..) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [source, at, kind, rest @ ..] = &fields[..]
                && !source.starts_with('#')
                && at.starts_with('/')
            {
                let options = rest.first().copied().unwrap_or_default();
                add(image, &mut mounts, ("/etc/fstab", number, line), at, kind, options);
            }
        }
    }
    for file in &files.all {
        for (line, number) in String::from_utf8_lossy(&file.text).lines().zip(1..) {
            let code = if line.trim_start().starts_with('#') { "" } else { line };
            for command in code.split([';', '&', '|', '(', ')']) {
                if let Some((at, kind, options)) = mount_command(command) {
                    add(image, &mut mounts, (&file.path, number, line), at, kind, options);
                }
            }
        }
    }
    let starts = |line: &str| line.split('#').next().is_some_and(|code| code.contains(STARTER));
    if files.all.iter().any(|file| String::from_utf8_lossy(&file.text).lines().any(starts))
        && let Some((bytes, _)) = image.read(START_CONF.as_bytes(), FSTAB_BYTES_MAX)?
    {
        let text = String::from_utf8_lossy(&bytes);
        let conf = StartConf::read(&text);
        // A file system that is mounted there already is left alone.
        let is_mounted = mounts.iter().any(|mount| mount.at == real(image, conf.state));
        if let Some((number, line)) = conf.device.filter(|_| !is_mounted) {
            add(image, &mut mounts, (START_CONF, number, line), conf.state, conf.kind, conf.options);
        }
    }
    Ok(mounts)
}

/// The settings of `komainu-start`, as far as they say where the state lies: assignments of a shell, the last one counts.
#[derive(Debug, PartialEq, Eq)]
struct StartConf<'a> {
    state: &'a str,
    /// The line that names the storage, and its number.
    device: Option<(u32, &'a str)>,
    kind: &'a str,
    options: &'a str,
}

impl<'a> StartConf<'a> {
    fn read(text: &'a str) -> StartConf<'a> {
        let mut conf = StartConf { state: "/var/lib/komainu", device: None, kind: "ext4", options: "" };
        for (line, number) in text.lines().zip(1..) {
            let words = line.split([' ', '\t', ';']).take_while(|word| !word.starts_with('#'));
            for (name, value) in words.filter_map(|word| word.split_once('=')) {
                let value = value.trim_matches(['"', '\'']);
                match name {
                    "STATE" => conf.state = value,
                    "DEVICE" => conf.device = (!value.is_empty()).then_some((number, line)),
                    "TYPE" => conf.kind = value,
                    "OPTIONS" => conf.options = value,
                    _ => {}
                }
            }
        }
        conf
    }
}

/// The place, kind and options of a `mount` command in a script or in inittab.
fn mount_command(command: &str) -> Option<(&str, &str, &str)> {
    let mut words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    words.find(|word| {
        let program = word.rsplit(':').next().unwrap_or_default();
        program == "mount" || program.ends_with("/mount")
    })?;
    let (mut kind, mut options, mut places) = ("", "", Vec::new());
    while let Some(word) = words.next() {
        match word {
            "-t" => kind = words.next()?,
            "-o" => options = words.next()?,
            _ if word.starts_with("-t") => kind = &word[2..],
            _ if word.starts_with('-') => {}
            _ => places.push(word),
        }
    }
    let at = places.last().filter(|at| at.starts_with('/') && places.len() >= 2)?;
    Some((at, kind, options))
}

fn add(
    image: &Image,
    mounts: &mut Vec<Mount>,
    (file, line, says): (&str, u32, &str),
    at: &str,
    kind: &str,
    options: &str,
) {
    let option = |name: &str| options.split(',').find_map(|word| word.strip_prefix(name));
    let in_ram = match option("upperdir=") {
        // An overlay is where its upper layer is.
        Some(upper) => {
            let upper = real(image, upper);
            let best =
                mounts.iter().filter(|mount| is_inside(&upper, &mount.at)).max_by_key(|mount| mount.at.len());
            best.map_or(ALWAYS_IN_RAM.iter().any(|folder| is_inside(&upper, folder)), |mount| mount.in_ram)
        }
        None => IN_RAM.contains(&kind),
    };
    let at = real(image, at);
    mounts.push(Mount { at, in_ram, file: file.into(), line, says: says.trim().into() });
}

/// The path without links, as far as the image has it.
fn real(image: &Image, path: &str) -> String {
    let mut there = path.trim_end_matches('/');
    let mut rest = String::new();
    loop {
        if let Some((real, _)) = image.find(there.as_bytes()) {
            return [shown(&real).trim_end_matches('/'), &rest].concat();
        }
        // A link whose target the image does not have leads there all the same.
        if let Some(target) = image.entry(there.trim_start_matches('/').as_bytes()).and_then(link_target) {
            let folder = there.rsplit_once('/').map_or("", |(folder, _)| folder);
            let target = if target.starts_with('/') { target } else { format!("{folder}/{target}") };
            if target.len() < 4096 && rest.len() < 4096 {
                return [target.trim_end_matches('/'), &rest].concat();
            }
        }
        let Some((before, last)) = there.rsplit_once('/') else { return path.to_owned() };
        rest = format!("/{last}{rest}");
        there = before;
    }
}

fn link_target(node: &super::image::Node) -> Option<String> {
    match &node.kind {
        super::image::NodeKind::Link(target) => Some(String::from_utf8_lossy(target).into_owned()),
        _ => None,
    }
}

fn is_inside(path: &str, folder: &str) -> bool {
    folder == "/"
        || folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_commands_are_taken_apart() {
        for (command, expected) in [
            ("mount -t tmpfs tmpfs /var", Some(("/var", "tmpfs", ""))),
            ("::sysinit:/bin/mount -o remount,rw /", None),
            ("::sysinit:/bin/mount -t ubifs ubi0:data /data", Some(("/data", "ubifs", ""))),
            ("\t/bin/mount -n -t ramfs -o size=1m ramfs \"/tmp\"", Some(("/tmp", "ramfs", "size=1m"))),
            ("mount -a", None),
            ("mount", None),
            ("umount /var", None),
            (
                "mount -t overlay overlay -o lowerdir=/,upperdir=/tmp/root /mnt",
                Some(("/mnt", "overlay", "lowerdir=/,upperdir=/tmp/root")),
            ),
        ] {
            assert_eq!(mount_command(command), expected, "{command}");
        }
    }

    #[test]
    fn the_settings_of_the_starter_name_the_storage_of_the_state() {
        let read = |text| {
            let StartConf { state, device, kind, .. } = StartConf::read(text);
            (state.to_owned(), device.map(|(line, _)| line), kind.to_owned())
        };
        let usual = "/var/lib/komainu";
        for (text, state, device, kind) in [
            ("", usual, None, "ext4"),
            ("# DEVICE=/dev/sda1\n", usual, None, "ext4"),
            ("DEVICE=\n", usual, None, "ext4"),
            ("# x\nDEVICE=/dev/mmcblk0p6\n", usual, Some(2), "ext4"),
            ("DEVICE='ubi0:data' TYPE=\"ubifs\" # the log\nSTATE=/data\n", "/data", Some(1), "ubifs"),
            ("DEVICE=none;TYPE=tmpfs\n", usual, Some(1), "tmpfs"),
            ("DEVICE=/dev/sda1\nDEVICE=\n", usual, None, "ext4"),
        ] {
            assert_eq!(read(text), (state.to_owned(), device, kind.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_folder_is_inside_itself_and_not_inside_one_whose_name_it_begins_with() {
        assert!(is_inside("/var/lib", "/var") && is_inside("/var", "/var") && is_inside("/var", "/"));
        assert!(!is_inside("/variety", "/var"));
    }
}
