"""Seeds for what the wall reads back or is told by the kernel: guarded files, the security log, mounts."""

MOUNTS = r"""22 1 254:0 / / rw,relatime - squashfs /dev/root ro
23 22 0:5 / /dev rw,nosuid shared:1 - devtmpfs dev rw,mode=755
24 22 0:20 / /tmp rw,nosuid,nodev shared:2 master:3 - tmpfs tmpfs rw
25 22 0:23 /a /mnt/a\040b\012 ro,noexec,nosymfollow - vfat /dev/sdb1 rw
"""
LOG = """boot+7 telnet-ended port=23 program='busybox'
2026-11-22T10:00:00Z probe port=23 times=999
2026-11-22T11:00:00Z left-out count=9940
"""
BASELINE = f"""komainu-baseline 1
file 644 0 0 copy {"ab" * 32} /etc/resolv.conf
link 0 0 0 copy {"cd" * 32} /etc/localtime
folder 755 0 0 - {"00" * 32} /etc/cron.d
absent 0 0 0 - {"00" * 32} /etc/ld.so.preload
other 600 0 4294967295 - {"00" * 32} /etc/a pipe
"""


def files():
    yield "mountinfo", "common", MOUNTS.encode()
    yield "mountinfo", "stacked", (MOUNTS.splitlines()[2] + "\n").encode() * 2
    yield "mountinfo", "torn", MOUNTS.encode()[:-30]
    yield "security_log", "common", LOG.encode()
    yield "security_log", "torn", LOG.encode() + b"boot+8 telnet-e\0\0\0\0"
    yield "security_log", "spoilt", b"\xff\xfe\n\x1b[2J\n" + b"x" * 400 + b"\n" + LOG.encode()
    yield "baseline", "common", b"\1" + BASELINE.encode()
    yield "baseline", "empty", b"\1komainu-baseline 1\n"
    yield "baseline", "twice", b"\1" + (BASELINE + BASELINE.splitlines()[1] + "\n").encode()
    yield "baseline", "unchecked", b"\0" + BASELINE.encode()
