//! The places from which devices start programs, as the firmware projects of the field have them: at power-on, by time,
//! when a link, a modem or a drive comes up, and by request. Files that those call are followed from there.

use crate::os::foreign_file::Tree;
use crate::os::procfs::mountinfo::TABLE;
use crate::os::procfs::text_reader::{BUFFER_BYTES, read_lines};
use crate::wall::scan::executable::OnDevice;
use crate::wall::scan::medium::Mounts;
use komainu_core::wall::judge::autostart::entry::{Kind, Origin};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Files that are read by themselves, each with its kind.
const FILES: &[(&str, Kind)] = &[
    ("etc/inittab", Kind::Inittab),
    ("etc/inetd.conf", Kind::Inetd),
    ("etc/xinetd.conf", Kind::Xinetd),
    ("etc/crontab", Kind::CronOfUsers),
    ("etc/network/interfaces", Kind::Interfaces),
    ("etc/mdev.conf", Kind::Mdev),
    ("etc/rc", Kind::Script),
    ("etc/rc.local", Kind::Script),
    ("etc/rc.modules", Kind::Script),
    ("etc/rc.sysinit", Kind::Script),
    ("etc/rcS", Kind::Script),
    ("etc/preinit", Kind::Script),
    ("etc/profile", Kind::Script),
    ("etc/shinit", Kind::Script),
    ("root/.profile", Kind::Script),
    ("sbin/hotplug", Kind::Script),
    ("sbin/hotplug-call", Kind::Script),
    ("sbin/mdev.sh", Kind::Script),
    ("usr/share/udhcpc/default.script", Kind::Script),
    ("etc/udhcpc.script", Kind::Script),
    ("etc/udhcpc.user", Kind::Script),
    ("etc/firewall.user", Kind::Script),
    ("etc/storage/started_script.sh", Kind::Script),
    ("etc/storage/start_script.sh", Kind::Script),
    ("etc/storage/post_wan_script.sh", Kind::Script),
];

/// The files of a folder that count.
#[derive(Clone, Copy)]
enum Which {
    All,
    /// Those with this ending.
    Ending(&'static str),
    /// The file of this name in each folder in there.
    Each(&'static str),
    /// Those with the second ending, in each folder in there with the first.
    Below(&'static str, &'static str),
}

use Which::{All, Below, Each, Ending};

/// Folders of such files: the most telling ones first, in case there are too many.
const FOLDERS: &[(&str, Kind, Which)] = &[
    ("etc/inetd.d", Kind::Inetd, All),
    ("etc/xinetd.d", Kind::Xinetd, All),
    ("etc/crontabs", Kind::Cron, All),
    ("etc/cron.d", Kind::CronOfUsers, All),
    ("etc/network/interfaces.d", Kind::Interfaces, All),
    ("etc/init.d", Kind::Script, All),
    ("etc/rc.d", Kind::Script, All),
    ("etc/rc.d/init.d", Kind::Script, All),
    ("etc/rcS.d", Kind::Script, All),
    ("etc/rc0.d", Kind::Script, All),
    ("etc/rc1.d", Kind::Script, All),
    ("etc/rc2.d", Kind::Script, All),
    ("etc/rc3.d", Kind::Script, All),
    ("etc/rc4.d", Kind::Script, All),
    ("etc/rc5.d", Kind::Script, All),
    ("etc/rc6.d", Kind::Script, All),
    ("etc/local.d", Kind::Script, All),
    ("etc/sv", Kind::Supervised, Each("run")),
    ("etc/service", Kind::Supervised, Each("run")),
    ("service", Kind::Supervised, Each("run")),
    ("app", Kind::Script, Ending(".sh")),
    ("opt/etc/init.d", Kind::Script, All),
    ("jffs/scripts", Kind::Script, All),
    ("jffs/etc/config", Kind::Script, All),
    ("usr/local/etc/rc.d", Kind::Script, All),
    ("lib/preinit", Kind::Script, All),
    ("etc/hotplug.d", Kind::Script, Below("", "")),
    ("etc/uci-defaults", Kind::Script, All),
    ("etc/ppp", Kind::Script, Ending("up")),
    ("etc/ppp/ip-up.d", Kind::Script, All),
    ("etc/ppp/ip-down.d", Kind::Script, All),
    ("etc/network/if-pre-up.d", Kind::Script, All),
    ("etc/network/if-up.d", Kind::Script, All),
    ("etc/network/if-down.d", Kind::Script, All),
    ("etc/udhcpc", Kind::Script, All),
    ("etc/udhcpc.d", Kind::Script, All),
    ("usr/share/udhcpc/default.script.d", Kind::Script, All),
    ("etc/profile.d", Kind::Script, All),
    ("etc/periodic/15min", Kind::Script, All),
    ("etc/periodic/hourly", Kind::Script, All),
    ("etc/periodic/daily", Kind::Script, All),
    ("etc/periodic/weekly", Kind::Script, All),
    ("etc/periodic/monthly", Kind::Script, All),
    ("etc/cron.hourly", Kind::Script, All),
    ("etc/cron.daily", Kind::Script, All),
    ("etc/cron.weekly", Kind::Script, All),
    ("etc/cron.monthly", Kind::Script, All),
    ("etc/udev/rules.d", Kind::Udev, Ending(".rules")),
    ("lib/udev/rules.d", Kind::Udev, Ending(".rules")),
    ("usr/lib/udev/rules.d", Kind::Udev, Ending(".rules")),
    ("etc/systemd/system", Kind::Unit, Ending(".service")),
    ("etc/systemd/system", Kind::Unit, Below(".d", ".conf")),
    ("run/systemd/system", Kind::Unit, Ending(".service")),
    ("lib/systemd/system", Kind::Unit, Ending(".service")),
    ("usr/lib/systemd/system", Kind::Unit, Ending(".service")),
    // Others than root may write there: their files must not be too many for the rest.
    ("var/spool/cron/crontabs", Kind::Cron, All),
    ("var/spool/cron", Kind::Cron, All),
    ("etc/storage/cron/crontabs", Kind::Cron, All),
    ("var/service", Kind::Supervised, Each("run")),
];

/// The folders in which a script is looked for that is called by its name alone.
pub const PROGRAM_FOLDERS: &[&str] = &["sbin", "bin", "usr/sbin", "usr/bin", "etc", "etc/init.d"];

/// Lists the names of all such files that may be there, below the root, at most `names_max`; `folders` gets the folders that
/// were asked for names. False: there are more.
pub fn each(
    tree: &Tree,
    names_max: usize,
    folders: &mut Vec<PathBuf>,
    take: &mut dyn FnMut(PathBuf, Kind),
) -> bool {
    for (name, kind) in FILES {
        take(name.into(), *kind);
    }
    let mut left = names_max;
    for (folder, kind, which) in FOLDERS {
        for name in names(tree, Path::new(folder), &mut left, folders) {
            let path = Path::new(folder).join(&name);
            let ends = |ending: &str| name.ends_with(ending);
            match which {
                All => take(path, *kind),
                Ending(ending) if ends(ending) => take(path, *kind),
                Each(file) => take(path.join(file), *kind),
                Below(ending, inner) if ends(ending) => {
                    for name in
                        names(tree, &path, &mut left, folders).iter().filter(|name| name.ends_with(inner))
                    {
                        take(path.join(name), *kind);
                    }
                }
                _ => {}
            }
        }
    }
    left > 0
}

/// The names in a folder, by their bytes; the folder is added to `asked`. A name that is no text is none of a start script's.
pub fn names(tree: &Tree, folder: &Path, left: &mut usize, asked: &mut Vec<PathBuf>) -> Vec<String> {
    asked.push(folder.into());
    let place = tree.find(folder).ok().flatten();
    let names = place.and_then(|place| place.names(*left).ok()).unwrap_or_default();
    *left -= names.len().min(*left);
    let mut names: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// The layer of a file, and the path of the firmware's file below it.
pub(super) fn layer(root: &Path, real: &Path) -> (Origin, Option<PathBuf>) {
    if root != Path::new("/") {
        return (Origin::Unknown, None);
    }
    let mut mounts = Mounts::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    if read_lines(TABLE, &mut buffer, &mut |line| mounts.take(line)).is_err() {
        return (Origin::Unknown, None);
    }
    let (origin, lower) = mounts.origin(real.as_os_str().as_bytes(), &OnDevice(&mounts));
    (origin, lower.map(|path| PathBuf::from(std::ffi::OsString::from_vec(path))))
}
