"""How the storage of each kind of device is laid out: a root that cannot be written, a root with an overlay, or one whose
/etc and /var are made in memory at every start. What is on flash outlives a restart; all else does not.
"""

from machine import Machine

#: Words, as machine.py has them: the folder for the root, the image of the firmware, the flash, the folder of the test, the
#: mark. The machine's own /usr is a layer of the firmware below that. `{layout}` lays /usr, /etc and /var; `{init}` becomes the first process.
ROOT = """set -e
root=$1 firmware=$2 flash=$3 folder=$4 ready=$5
bb=/old/usr/bin/busybox
mkdir "$root"
mount -t tmpfs -o mode=755 firmware "$root"
cd "$root"
mkdir -p mnt/data mnt/card usr proc sys dev tmp run root img rom overlay opt srv home old
mount -t squashfs -o ro,loop "$firmware" img
for one in bin sbin lib lib64; do ln -s "usr/$one" "$one"; done
mount -t proc proc proc
# What the kernel has once for all machines is not for this one to change.
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755,noexec,nosuid,nodev,size=1m groups sys/fs/cgroup
mount -t tmpfs -o mode=755,noexec,nosuid dev dev
mkdir dev/pts dev/net dev/shm
mount -t devpts -o newinstance,ptmxmode=666,noexec,nosuid devpts dev/pts
ln -s pts/ptmx dev/ptmx
mknod dev/null c 1 3
mknod dev/zero c 1 5
mknod dev/random c 1 8
mknod dev/urandom c 1 9
mknod dev/tty c 5 0
mknod dev/net/tun c 10 200
# Swallow what they are given: a watchdog that barks at nobody, a flash that keeps nothing.
mknod dev/watchdog c 1 3
mknod dev/mtd0 c 1 3
chmod 666 dev/null dev/zero dev/random dev/urandom dev/tty
mount -t tmpfs -o mode=1777,nosuid,nodev{exec_tmp} tmp tmp
mount -t tmpfs -o mode=755,noexec,nosuid,nodev run run
{layout}
mkdir -p "$root$folder"
# Where the test keeps settings and state: nothing is started from there.
mount --bind "$folder" "$root$folder"
mount -o remount,bind,noexec,nosuid,nodev "$root$folder"
pivot_root . old
cd /
{after}
$bb umount -l old
rmdir old
mount -o remount,ro /
: > "$ready"
exec setpriv --bounding-set=-sys_time,-sys_module {init}
"""
#: The firmware cannot be written; /etc is on flash, /var is memory.
PLAIN = """mkdir etc var data
mkdir -p "$flash/etc" "$flash/data"
[ -e "$flash/etc/passwd" ] || cp -a img/etc/. "$flash/etc/"
mount --bind "$flash/etc" etc
mount -o remount,bind,nosuid,nodev etc
mount --bind "$flash/data" data
mount -o remount,bind,noexec,nosuid,nodev data
mount -t tmpfs -o mode=755,noexec,nosuid,nodev var var
mkdir -p var/log var/lib var/empty var/spool/cron/crontabs
ln -s /run var/run"""
#: The firmware is at /rom; what is written over it is at /overlay.
OVERLAY = """mkdir etc rom/usr rom/etc
ln -s /tmp var
mount --bind img/etc rom/etc
mkdir -p "$flash/usr" "$flash/etc" "$flash/work/usr" "$flash/work/etc"
mount --bind "$flash" overlay
mount -o remount,bind,noexec,nosuid,nodev overlay"""
#: The layers must be named as the device sees them: so they are laid when it sees them.
ON_IMAGE = """$bb mount -t overlay -o "ro,lowerdir=/img/usr:/old/usr" firmware {usr}
"""
AFTER_OVERLAY = ON_IMAGE.format(usr="/rom/usr") + """for one in usr etc; do
    $bb mount -t overlay -o "lowerdir=/rom/$one,upperdir=/overlay/$one,workdir=/overlay/work/$one" overlay "/$one"
done"""
#: /etc and /var lead into memory; a first program of the firmware's lays them, and then starts init.
MEMORY = """ln -s /tmp/etc etc
ln -s /tmp/var var
mkdir nvram
mount --bind "$flash" nvram
mount -o remount,bind,noexec,nosuid,nodev nvram"""
#: As on a Debian: packages write over the firmware's programs, and /etc and /var are on disk.
WRITABLE = """mkdir etc var rom/usr
mkdir -p "$flash/etc" "$flash/var" "$flash/usr" "$flash/work/usr"
[ -e "$flash/etc/passwd" ] || cp -a img/etc/. "$flash/etc/"
[ -e "$flash/var/run" ] || { cp -a img/var/. "$flash/var/"; ln -s /run "$flash/var/run"; }
mount --bind "$flash" overlay
mount -o remount,bind,noexec,nosuid,nodev overlay
mount --bind "$flash/etc" etc
mount -o remount,bind,nosuid,nodev etc
mount --bind "$flash/var" var
mount -o remount,bind,noexec,nosuid,nodev var"""
AFTER_WRITABLE = ON_IMAGE.format(usr="/rom/usr") + """$bb mount -t overlay -o \
    "lowerdir=/rom/usr,upperdir=/overlay/usr,workdir=/overlay/work/usr" overlay /usr"""
LAYOUTS = {"plain": (PLAIN, ON_IMAGE.format(usr="/usr")), "overlay": (OVERLAY, AFTER_OVERLAY),
           "memory": (MEMORY, ON_IMAGE.format(usr="/usr")), "writable": (WRITABLE, AFTER_WRITABLE)}


class Board(Machine):
    """A machine with storage: what is on `flash` is there again after a restart."""

    starts = 0

    def __init__(self, place, net, firmware, flash, *, layout, init="/bin/busybox init", exec_tmp=False):
        Board.starts += 1
        first, after = LAYOUTS[layout]
        words = {"layout": first, "after": after, "init": init, "exec_tmp": "" if exec_tmp else ",noexec"}
        script = ROOT
        for name, text in words.items():
            script = script.replace(f"{{{name}}}", text)
        self.net = net
        super().__init__(place, net, "device", firmware, flash, script=script, tag=f"-{Board.starts}")

    def cut(self):
        """The power is cut: all that runs on it ends, and what the kernel kept for it is gone."""
        self.holder.kill()
        self.holder.wait()
        self.net.run("device", "nft", "flush", "ruleset")
