"""A store of files: disks that are made, checked and filled, file servers, containers, and packages of the owner's on the
disk."""

import json
import shutil

import year
from net import DEVICE_LAN
from personality import LEASED, NUMBERS, PAGES, Personality, accounts, allows
from place import command, need, wait_until

RC = """#!/bin/sh
. /etc/numbers.sh
keep() { ( while :; do "$@" </dev/null >/dev/null 2>&1; sleep 1; done ) & }
mkdir -p /run/vsftpd/empty /mnt/data
if [ -b /dev/sda ] && blkid /dev/sda >/dev/null 2>&1; then
    e2fsck -p /dev/sda >/run/e2fsck.log 2>&1
    mount -o nosuid,nodev /dev/sda /mnt/data
fi
keep /usr/sbin/lighttpd -D -f /etc/lighttpd.conf
keep /usr/sbin/vsftpd /etc/vsftpd.conf
keep /usr/bin/rsync --daemon --no-detach --config=/etc/rsyncd.conf
keep udhcpc -f -i eth1 -S -s /usr/share/udhcpc/default.script -t 30 -T 1 -A 1
keep /usr/sbin/crond -f -c /etc/crontabs
for one in /mnt/data/packages/*/start; do
    [ -x "$one" ] && keep "$one"
done
"""
VSFTPD = """listen=YES
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
secure_chroot_dir=/run/vsftpd/empty
pasv_min_port=50000
pasv_max_port=50010
seccomp_sandbox=NO
"""
RSYNCD = """port = 873
use chroot = no
pid file = /run/rsyncd.pid
[share]
    path = /mnt/data/share
    read only = no
    uid = root
    gid = root
    hosts allow = 192.168.1.0/24
"""
#: So large is the disk, in MiB.
DISK = 192


def files(default):
    return {
        **{f"etc/{name}": text for name, text in accounts(default).items()},
        "etc/inittab": "::sysinit:/bin/busybox hostname -F /etc/hostname\n::sysinit:/etc/rc\n",
        "etc/rc": RC,
        "etc/numbers.sh": NUMBERS,
        "etc/lighttpd.conf": PAGES,
        "etc/vsftpd.conf": VSFTPD,
        "etc/rsyncd.conf": RSYNCD,
        "etc/crontabs/root": "* * * * * date >> /run/cron-ran\n",
        "usr/share/udhcpc/default.script": LEASED,
    }


def plug_in(device):
    """A disk is put in: the kernel's own, over a file of the test. It stays until the test ends."""
    if not hasattr(device, "disk"):
        image = device.place.path("disk")
        with open(image, "wb") as file:
            file.truncate(DISK << 20)
        device.disk = command(need("losetup", "util-linux"), "--find", "--show", image).stdout.strip()
        device.place.undo.callback(command, "losetup", "--detach", device.disk)
    major, minor = (int(word, 16) for word in command("stat", "-c", "%t %T", device.disk).stdout.split())
    device.shell(f"[ -b /dev/sda ] || mknod /dev/sda b {major} {minor}")


def new_disk(device):
    """The owner has the device make a file system on a new disk, while the wall looks."""
    plug_in(device)
    slow = device.start_program("mkfs.ext4", "-q", "-c", "-c", "-F", "/dev/sda")
    during(device, slow)
    device.shell("mount -o nosuid,nodev /dev/sda /mnt/data && mkdir -p /mnt/data/share /mnt/data/packages")


def during(device, program):
    """The wall takes turns while the program writes; it must end well."""
    turns = 0
    while program.poll() is None and turns < 50:
        device.take_turns(1)
        turns += 1
    wait_until(lambda: program.poll() is not None, "the disk's program ends", 60)
    assert program.returncode in (0, 1), f"it ended with {program.returncode}"


def disk_check(device):
    """The disk is checked block by block, each written anew."""
    device.shell("umount /mnt/data")
    during(device, device.start_program("e2fsck", "-f", "-y", "-c", "-c", "/dev/sda"))
    device.shell("mount -o nosuid,nodev /dev/sda /mnt/data")


def files_come(device):
    """A host of the LAN stores files, and has them back the same."""
    there = device.place.path("client")
    shutil.copytree("/usr/share/common-licenses", there / "one", symlinks=True)
    for words in ((f"{there}/one/", f"rsync://{DEVICE_LAN[4]}/share/"), (f"rsync://{DEVICE_LAN[4]}/share/", f"{there}/two/")):
        done = device.on_client("rsync", "-a", *words)
        assert done.returncode == 0, done.stderr
    command("diff", "-r", there / "one", there / "two")
    shutil.rmtree(there)


def container(device):
    """A container of the owner's, with a root on the disk, is started, serves, and ends."""
    need("crun", "crun")
    words = ["/bin/httpd", "-f", "-p", "8090", "-h", "/"]
    spec = json.loads(command("sh", "-c", "cd $(mktemp -d) && crun spec && cat config.json").stdout)
    spec["process"] |= {"args": words, "terminal": False}
    spec["linux"]["namespaces"] = [one for one in spec["linux"]["namespaces"] if one["type"] not in ("network", "cgroup")]
    spec["mounts"] = [one for one in spec["mounts"] if one["type"] in ("proc", "tmpfs")]
    spec["linux"].pop("resources", None)
    folder = "/mnt/data/containers/one"
    device.shell(f"mkdir -p {folder}/rootfs/bin {folder}/rootfs/proc {folder}/rootfs/dev && cp /bin/busybox {folder}/rootfs/bin/ && "
                 f"for one in sh httpd; do ln -sf busybox {folder}/rootfs/bin/$one; done")
    text = json.dumps(spec).replace("'", "")
    device.shell(f"cat > {folder}/config.json <<'END'\n{text}\nEND")
    running = device.start_program("crun", "--root", "/run/crun", "--cgroup-manager=disabled", "run", "--bundle", folder, "one")
    wait_until(lambda: 8090 in device.machine.listening() or running.poll() is not None, "the container serves", 30)
    assert running.poll() is None, (device.folder / "vendor.log").read_text()[-500:]
    device.take_turns(3)
    assert device.listens("lan", DEVICE_LAN[4], 8090), "the container does not answer any more"
    device.shell("crun --root /run/crun --cgroup-manager=disabled kill one KILL")
    wait_until(lambda: running.poll() is not None, "the container ends", 30)


def package(device):
    """The owner installs a package on the disk, with a program of its own, and it is started."""
    device.shell("mkdir -p /mnt/data/packages/media && cp /bin/busybox /mnt/data/packages/media/busybox-media && "
                 "printf '#!/bin/sh\\nexec /mnt/data/packages/media/busybox-media httpd -f -p 8200 -h /mnt/data/share\\n' > "
                 "/mnt/data/packages/media/start && chmod 755 /mnt/data/packages/media/start")
    device.start_program("/mnt/data/packages/media/start")
    wait_until(lambda: 8200 in device.machine.listening(), "the package serves", 30)


def restart(device):
    """The power comes again, and the disk is there."""
    device.machine.run("umount", "/mnt/data")
    year.restart(device)
    plug_in(device)
    device.shell("mount -o nosuid,nodev /dev/sda /mnt/data && test -d /mnt/data/share")


NAS = Personality(
    name="nas",
    kind="nas",
    layout="plain",
    files=files,
    runs=(("/usr/sbin/lighttpd",), ("/usr/sbin/vsftpd",), ("/usr/bin/rsync",), ("udhcpc",), ("/usr/sbin/crond",)),
    services=(allows("vsftpd", "tcp/21", "tcp/50000-50010"), allows("rsync", "tcp/873"),
              allows("busybox-media", "tcp/8200", public=True), allows("httpd", "tcp/8090", public=True)),
    wall={"programs": ["/mnt/data/packages/", "/mnt/data/containers/"], "noexec_mounts": ["/tmp", "/var", "/run", "/dev"]},
    links=(("usr/sbin/udhcpc", "../bin/busybox"), ("usr/sbin/crond", "../bin/busybox")),
    events=(
        ("first start", year.first_start),
        ("DHCP lease", year.lease),
        ("new disk", new_disk),
        ("owner changes settings", year.owner_changes(("/etc/rsyncd.conf", "# a share of the family"))),
        ("files come and go", files_come),
        ("disk check", disk_check),
        ("container", container),
        ("package", package),
        ("daemons restart", year.daemons_restart("/usr/sbin/vsftpd")),
        ("backup", year.backup),
        ("links go and come", year.link_flap),
        ("cron", year.cron_ran),
        ("restart", restart),
    ),
)
