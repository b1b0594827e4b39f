"""Seeds for what the kernel tells of processes, sockets and mounts."""

STAT = " S 1 7 7 0 -1 4194560 10 0 0 0 1 2 3 4 20 0 5 0 3738370 3133440 383 18446744073709551615 1 1 0"
STATUS = "Name:\tsh\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nUid:\t0\t33\t0\t0\nGid:\t0\t0\t0\t0\n"
INTERNET = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
QUEUES = "00000000:00000000 00:00000000 00000000     0        0"
HERE, ANY, ANY6 = "0100007F:0017", "00000000:0000", "0" * 32 + ":0000"
MAPPED = "0000000000000000FFFF00000100007F:0016"
MOUNTS = """20 25 31:2 / /rom ro,relatime - squashfs /dev/root ro
21 25 0:5 / /proc rw,nosuid - proc proc rw
22 25 0:19 / /tmp rw,nosuid,nodev shared:3 master:1 - tmpfs tmpfs rw
23 25 31:3 / /overlay rw,noatime - jffs2 /dev/mtdblock3 rw
25 1 0:17 / / rw,noatime - overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work
30 25 8:1 / /mnt/usb\\040disk rw - ext4 /dev/sda1 rw
31 25 0:40 / /mnt/nas rw - nfs4 nas:/x rw
"""


def files():
    """Target, name, bytes."""
    for name, comm in {"plain": b"sh", "odd": b"a) R (\n", "bytes": b"\xff\x00"}.items():
        yield "proc_process", f"stat-{name}", b"77 (" + comm + b")" + STAT.encode()
    yield "proc_process", "status", STATUS.encode()
    yield "proc_process", "words", b"busybox\0telnetd\0-l\0/bin/sh\0"
    yield "proc_process", "letters", "\u9b3c\u74e6\u202etxt.exe\x1b[2J".encode()
    yield "proc_process", "socket", b"socket:[1061]"
    yield "proc_process", "fdinfo", b"pos:\t0\nflags:\t0100002\nmnt_id:\t9\n"
    for number, name in enumerate(["tcp", "tcp6", "udp", "udp6", "raw", "raw6"]):
        state = "0A" if name.startswith("tcp") else "07"
        here, there = (MAPPED, ANY6) if name.endswith("6") else (HERE, ANY)
        lines = [f"   0: {here} {there} {state} {QUEUES} 1061 1 0 100 0 0 10 0", f"   1: {here} {there} 02 {QUEUES} 7 1 0"]
        yield "proc_net", name, bytes([number | 0x40]) + (INTERNET + "\n".join(lines) + "\n").encode()
    heading = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
    yield "proc_net", "packet", b"\x46" + heading.encode() + b"0000000000000000 3      3    0003   2     1 0      0      77\n"
    yield "proc_net", "small-buffer", b"\x00" + (INTERNET * 2).encode()
    yield "proc_mounts", "openwrt", MOUNTS.encode()
    yield "proc_mounts", "board", b"1 0 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n2 1 179:3 / /data rw - ext4  rw\n"
