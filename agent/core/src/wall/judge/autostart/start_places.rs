//! The places from which devices start programs, as the firmware projects of the field have them: at power-on, by time,
//! when a link, a modem or a drive comes up, and by request. Files that those call are followed from there. The device
//! walks to them, and so does the maker's audit of an image.

use super::entry::Kind;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

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

/// Lists all such files that may be there, below the root. `names` gives the names in a folder.
pub fn each(names: &mut dyn FnMut(&str) -> Vec<String>, take: &mut dyn FnMut(String, Kind)) {
    for (name, kind) in FILES {
        take((*name).into(), *kind);
    }
    for (folder, kind, which) in FOLDERS {
        for name in names(folder) {
            let path = format!("{folder}/{name}");
            let ends = |ending: &str| name.ends_with(ending);
            match which {
                All => take(path, *kind),
                Ending(ending) if ends(ending) => take(path, *kind),
                Each(file) => take(format!("{path}/{file}"), *kind),
                Below(ending, inner) if ends(ending) => {
                    for name in names(&path).iter().filter(|name| name.ends_with(inner)) {
                        take(format!("{path}/{name}"), *kind);
                    }
                }
                _ => {}
            }
        }
    }
}
