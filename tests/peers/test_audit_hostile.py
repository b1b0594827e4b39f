"""`komainu-maker audit` on images that want to harm it, and on an outside image: a root file system of Debian's packages,
as dpkg-deb unpacks them, of which every finding is judged here.
"""

import os
import random
import resource
import struct
import subprocess

from firmware_tree import Audit, Firmware
from place import KOMAINU_MAKER, PATIENCE, ROOT, Skip, command, need, test

#: Memory that an audit may have, whatever the image says.
MEMORY = 1 << 30


def small(place, name="small"):
    """A folder with a few files of all kinds."""
    firmware = object.__new__(Firmware)
    firmware.place, firmware.folder = place, place.path(name)
    firmware.folder.mkdir()
    firmware.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    firmware.write("etc/shadow", "root::1::::::\n", 0o600)
    firmware.write("usr/lib/data", bytes(range(256)) * 2000)
    firmware.write("usr/lib/noise", random.Random(1).randbytes(300_000))
    for number in range(300):
        firmware.write(f"usr/share/many/{number}", f"file {number}\n")
    firmware.path("etc/link").symlink_to("/etc/passwd")
    return firmware


def limited(image):
    """Audits with little memory; the exit code, and what was said."""
    def limits():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    done = subprocess.run([KOMAINU_MAKER, "audit", "--json", str(image)], capture_output=True, check=False, timeout=PATIENCE,
                          preexec_fn=limits)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def ends_well(image):
    """It ends with 0 or 1 and a sentence: never by a signal, a panic or a limit of memory."""
    code, _, said = limited(image)
    assert code in (0, 1), f"exit {code}: {said}"
    assert "panicked" not in said, said
    return code, said


@test
def an_image_that_is_cut_off_is_refused_with_its_byte(place):
    firmware = small(place)
    for whole, word in ((firmware.squashfs("gzip"), "byte 40: the image is cut off"), (firmware.ext4(16), "read last: byte")):
        bytes_ = whole.read_bytes()
        for length in (len(bytes_) - 5000, len(bytes_) // 2, 1500, 97, 3):
            cut = place.path("cut.img")
            cut.write_bytes(bytes_[:length])
            code, said = ends_well(cut)
            if length in (len(bytes_) // 2, len(bytes_) - 5000) and "squashfs" in whole.name:
                assert code == 1 and word in said, f"{length}: {said}"
            if length < 1600 or "squashfs" in whole.name:
                assert code == 1 and str(cut) in said, f"{length}: {said}"
    cut.write_bytes(whole.read_bytes()[: 8 << 10])
    code, said = ends_well(cut)
    assert code == 1 and word in said, said


@test
def an_image_with_any_damage_ends_with_a_sentence(place):
    firmware = small(place)
    chance = random.Random(7)
    for compression in ("gzip", "xz", "zstd", "lz4"):
        whole = firmware.squashfs(compression).read_bytes()
        tables = struct.unpack_from("<Q", whole, 64)[0]
        for _ in range(12):
            broken = bytearray(whole)
            # The head and the tables are where most can be broken.
            for at in (chance.randrange(96), chance.randrange(tables, len(whole)), chance.randrange(len(whole))):
                broken[at] = chance.randrange(256)
            damaged = place.path("damaged.squashfs")
            damaged.write_bytes(broken)
            ends_well(damaged)
    whole = firmware.ext4(16).read_bytes()
    for _ in range(12):
        broken = bytearray(whole)
        for _ in range(4):
            broken[chance.randrange(1024, 300_000)] = chance.randrange(256)
        damaged.write_bytes(broken)
        ends_well(damaged)


@test
def sizes_that_no_image_has_ask_for_no_memory(place):
    whole = small(place).squashfs("gzip", "-noI", "-noF").read_bytes()
    image = place.path("huge.squashfs")
    for at, form, value, says in (
        (12, "<I", 1 << 31, "byte 12: blocks of"),
        (16, "<I", 0xFFFF_FFFF, None),
        (4, "<I", 0xFFFF_FFFF, None),
        (20, "<H", 9, "byte 20: 9 is no known way"),
        (26, "<H", 0xFFFF, "the table of users"),
        (28, "<H", 3, "byte 28: version 3.0"),
        (32, "<Q", (1 << 63) - 1, "the root folder"),
        (40, "<Q", 1 << 62, "byte 40: the image is cut off"),
        (48, "<Q", (1 << 64) - 8, "byte"),
        (64, "<Q", (1 << 64) - 1, "byte"),
        (72, "<Q", 7, "the folder /"),
    ):
        changed = bytearray(whole)
        struct.pack_into(form, changed, at, value)
        image.write_bytes(changed)
        code, said = ends_well(image)
        assert says is None or code == 1 and says in said, f"{at}: {said}"
    # A file that is larger than the memory, and larger than any disk.
    firmware = small(place, "sparse")
    for bytes_, pack in ((2 << 30, lambda: firmware.squashfs("gzip")), (3 << 40, lambda: firmware.folder)):
        with open(firmware.path("usr/lib/sparse"), "wb") as file:
            file.truncate(bytes_)
        code, said = ends_well(pack())
        assert code == 1 and "must not ship" in said, said


@test
def folders_inside_themselves_end(place):
    firmware = small(place)
    whole = bytearray(firmware.squashfs("gzip", "-noI").read_bytes())
    # The root's names are changed to lead to the root itself.
    root, folders, fragments = struct.unpack_from("<Q", whole, 32)[0], *struct.unpack_from("<QQ", whole, 72)
    start, offset = root >> 16, root & 0xFFFF
    at = folders + 2
    changed = 0
    while at + 12 < fragments:
        count, block, _ = struct.unpack_from("<III", whole, at)
        if count > 255:
            break
        struct.pack_into("<I", whole, at + 4, start)
        at += 12
        for _ in range(count + 1):
            if at + 8 > fragments:
                break
            size = struct.unpack_from("<H", whole, at + 6)[0] + 1
            struct.pack_into("<H", whole, at, offset)
            at += 8 + size
            changed += 1
    assert changed > 300
    image = place.path("loop.squashfs")
    image.write_bytes(whole)
    code, said = ends_well(image)
    assert code == 1 and "inside itself" in said, said


@test
def links_never_lead_out_of_the_image(place):
    secret = place.path("outside/shadow")
    secret.write_text("root::1::::::\n")
    firmware = small(place)
    for name, target in (("etc/shadow", secret), ("etc/passwd", "/../../../../../../etc/passwd"), ("etc/round", "trip"),
                         ("etc/trip", "round"), ("etc/inittab", "/proc/self/environ"), ("root", "/root")):
        firmware.path(name).unlink(missing_ok=True)
        firmware.path(name).symlink_to(target)
    os.mkfifo(firmware.path("etc/komainu.toml"))
    for image in (firmware.folder, firmware.squashfs("xz"), firmware.ext4(16)):
        audit = Audit(image)
        assert audit.code == 1, audit.err
        assert "password-empty" not in audit.rules(), f"{image}: {audit.found()}"
        assert "settings-missing" in audit.rules()


@test
def names_with_line_ends_and_escapes_are_told_harmlessly(place):
    firmware = small(place)
    firmware.write("usr/lib/a\n\x1b[2J\x1b]0;title\x07b", "x", 0o666)
    firmware.path("usr/lib").joinpath(os.fsdecode(b"\xff\xfe")).write_text("x")
    firmware.path("usr/lib").joinpath(os.fsdecode(b"\xff\xfe")).chmod(0o666)
    told = None
    for image in (firmware.folder, firmware.squashfs("gzip"), firmware.ext4(16)):
        for form in (None, "--json", "--sarif"):
            said = Audit(image, form=form)
            assert said.code == 1 and "\x1b" not in said.out + said.err and "\x07" not in said.out, said.out
        found = [path for rule, path, _ in Audit(image).found() if rule == "world-writable"]
        assert len(found) == 2 and "/usr/lib/a\\u000a\\u001b[2J\\u001b]0;title\\u0007b" in found, found
        assert told in (None, found)
        told = found


@test
def what_is_no_image_is_named_with_what_to_give_instead(place):
    firmware = small(place)
    packed = place.path("rootfs.tar")
    command("tar", "-cf", packed, "-C", firmware.folder, ".")
    for name, bytes_, word in (("tar", packed.read_bytes(), "is packed (tar)"), ("empty", b"", "is empty"),
                               ("text", b"hello\n" * 99, "is no squashfs"), ("ubi", b"UBI#\x01" + bytes(4096), "is a UBI image"),
                               ("lzo", firmware.squashfs("lzo").read_bytes(), "packed with lzo")):
        image = place.path(f"{name}.img")
        image.write_bytes(bytes_)
        code, said = ends_well(image)
        assert code == 1 and word in said, said
    pipe = place.path("pipe")
    os.mkfifo(pipe)
    for image in (pipe, "/dev/zero"):
        code, said = ends_well(image)
        assert code == 1 and "is neither a folder nor a file" in said, said
    code, said = ends_well(place.path("nowhere"))
    assert code == 1 and "nowhere" in said, said


#: Findings in Debian's packages, each with the judgement that it is right, or what it tells.
DEBIAN = {
    # There is no agent in Debian's packages, nor anything that a maker adds.
    ("agent-missing", "/usr/sbin/komainu"), ("settings-missing", "/etc/komainu.toml"), ("sbom-missing", "/usr/share/komainu/sbom.json"),
    # Right: three servers with scripts of three kinds each, and no policy that names them.
    ("service-not-in-policy", "/etc/init.d/dropbear"), ("service-not-in-policy", "/lib/systemd/system/dropbear.service"),
    ("service-not-in-policy", "/etc/init.d/lighttpd"), ("service-not-in-policy", "/lib/systemd/system/lighttpd.service"),
    # Dnsmasq's units start it by a script, which is read.
    ("service-not-in-policy", "/usr/share/dnsmasq/init-system-common"), ("service-not-in-policy", "/etc/sv/dnsmasq/run"),
    # Right: these run a program whose name only the running script knows (a warning).
    ("start-unclear", "/etc/init.d/dnsmasq"), ("start-unclear", "/lib/lsb/init-functions"),
    ("start-unclear", "/usr/share/dnsmasq/init-system-common"), ("start-unclear", "/usr/share/dnsmasq/systemd-helper"),
    # The line of telnetd that its package's script adds at installation.
    ("telnet-started", "/etc/inetd.conf"),
}


@test
def every_finding_in_a_root_of_debian_packages_was_looked_at_and_is_right(place):
    need("dpkg-deb", "dpkg")
    root = place.path("debian")
    packages = sorted((ROOT / "work/debian-packages").glob("*.deb"))
    if not packages:
        raise Skip("needs Debian's packages (tests/setup)")
    for package in packages:
        command("dpkg-deb", "-x", package, root)
    (root / "etc/inetd.conf").write_text("#:STANDARD:\ntelnet\tstream\ttcp\tnowait\ttelnetd\t/usr/sbin/tcpd\t/usr/sbin/telnetd\n")
    audit = Audit(root)
    found = {(rule, path) for rule, path, _ in audit.found()}
    assert audit.code == 1
    assert found == DEBIAN, f"more {found - DEBIAN}, less {DEBIAN - found}"
    packed = place.path("debian.squashfs")
    command(need("mksquashfs", "squashfs-tools"), root, packed, "-comp", "xz", "-quiet", "-no-progress")
    assert {(rule, path) for rule, path, _ in Audit(packed).found()} == DEBIAN | {("state-unmounted", "/var/lib/komainu")}
