"""OpenWrt's packages and the script that reads UCI, with stand-ins for the build system and for the program uci, which no
registry has; cross/README.md says what was run by hand with the real ones.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from place import KOMAINU, PATIENCE, ROOT, need, test, tests

CROSS = ROOT / "cross"
#: Making a package takes a while beside other work.
LONG = 5 * PATIENCE

#: The part of OpenWrt's build system that a package's Makefile speaks to. It stands in for include/*.mk, which no registry
#: has: it says what would be installed.
OPENWRT = {
    "rules.mk": "INCLUDE_DIR:=$(TOPDIR)/include\nINSTALL_DIR:=install -d -m0755\nINSTALL_BIN:=install -m0755\n"
                "INSTALL_DATA:=install -m0644\nINSTALL_CONF:=install -m0600\nCP:=cp -fpR\nRSTRIP:=false\n"
                "PKG_BUILD_DIR=$(TOPDIR)/build\nPKG_INSTALL_DIR=$(TOPDIR)/built\n",
    "include/package.mk": "define BuildPackage\nall:\n\t$$(call Build/Prepare)\n\t$$(call Build/Compile)\n"
                          "\t$$(call Package/$(1)/install,$(TOPDIR)/root)\nendef\n",
    "feeds/packages/lang/rust/rust-package.mk":
        "CARGO_PKG_PROFILE:=release\nRUST_ARCH_DEPENDS:=@mips\n"
        "define Build/Compile/Cargo\n\t@echo cargo install --profile $(CARGO_PKG_PROFILE) --path $(PKG_BUILD_DIR)/$(1)\n"
        "\tinstall -D -m755 $(KOMAINU_PROGRAM) $(PKG_INSTALL_DIR)/bin/komainu\nendef\n",
}


def openwrt(place, package, program, *more):
    top = place.path("openwrt")
    for name, text in OPENWRT.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run([need("make", "make"), "-C", CROSS / "openwrt" / package, f"TOPDIR={top}",
                           f"KOMAINU_PROGRAM={program}", *more], capture_output=True, text=True, timeout=LONG, check=False)
    return top / "root", done


@test
def openwrts_package_installs_the_finished_file_and_what_an_upgrade_keeps(place):
    root, done = openwrt(place, "komainu", KOMAINU, "ARCH=mipsel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "usr/sbin/komainu").read_bytes() == Path(KOMAINU).read_bytes()
    assert (root / "etc/init.d/komainu").stat().st_mode & 0o777 == 0o755
    assert "START=12" in (root / "etc/init.d/komainu").read_text()
    # Every command finds the settings that komainu-uci writes.
    settings = re.search(r"^SETTINGS=(.*)$", (root / "etc/init.d/komainu").read_text(), re.MULTILINE)[1]
    assert os.readlink(root / "etc/komainu.toml") == settings
    state = re.search(r"option state '(.*)'", (root / "etc/config/komainu").read_text())[1]
    assert (root / "lib/upgrade/keep.d/komainu").read_text().splitlines() == [state]
    assert (root / "usr/share/komainu/policies/router.toml").is_file() and (root / "usr/share/komainu/boot/rauc.toml").is_file()


@test
def openwrts_package_says_what_to_build_first(place):
    _, done = openwrt(place, "komainu", "/nowhere/komainu", "ARCH=mipsel")
    assert done.returncode != 0 and "run cross/build mipsel" in done.stderr, done.stderr


@test
def openwrts_package_with_its_own_rust_builds_the_agent_with_the_small_profile(place):
    # The copy of the sources is a whole checkout; here it is a small one.
    small = place.path("checkout")
    shutil.copytree(ROOT / "agent/dist", small / "agent/dist")
    shutil.copytree(CROSS / "openwrt", small / "cross/openwrt")
    root, done = openwrt(place, "komainu-source", KOMAINU, f"KOMAINU_TOP={small}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"cargo install --profile device --path \S+/build/agent$", done.stdout, re.MULTILINE), done.stdout
    assert (root / "usr/sbin/komainu").is_file() and (root / "usr/sbin/komainu-uci").is_file()


#: `uci -q get PLACE` and `uci -q show PACKAGE` of UCI's files, as the real program prints them. It stands in for it here.
UCI = '''#!PYTHON
import re, sys
from pathlib import Path
def read(package):
    sections, counts = [], {}
    for line in (Path("CONFIG") / package).read_text().splitlines():
        words = [a or b or c for a, b, c in re.findall(r"'([^']*)'|\\"([^\\"]*)\\"|(\\S+)", line.split("#")[0])]
        if words[:1] == ["config"]:
            kind = words[1]
            name = words[2] if len(words) > 2 else f"@{kind}[{counts.get(kind, 0)}]"
            counts[kind] = counts.get(kind, 0) + (len(words) <= 2)
            sections.append((name, kind, {}))
        elif words:
            sections[-1][2].setdefault(words[1], []).append(words[2])
    return sections
what = sys.argv[-1].split(".")
found = {name: (kind, options) for name, kind, options in read(what[0])} if (Path("CONFIG") / what[0]).exists() else {}
if sys.argv[-2] == "show":
    for name, (kind, _) in found.items():
        print(f"{what[0]}.{name}={kind}")
elif what[1] in found and what[2] in found[what[1]][1]:
    print(" ".join(found[what[1]][1][what[2]]))
else:
    sys.exit(1)
'''

NETWORK = """config interface 'loopback'
\toption device 'lo'

config device
\toption name 'br-lan'
\toption type 'bridge'
\tlist ports 'lan1'

config interface 'lan'
\toption device 'br-lan'

config interface 'guest'
\toption ifname 'eth0.3 eth0.4'

config interface 'lan6'
\toption device '@lan'

config interface 'wan'
\toption device 'eth1'

config interface 'wg'
\toption device 'wg0'
"""
FIREWALL = """config defaults
\toption input REJECT

config zone
\toption name 'lan'
\tlist network 'lan'
\tlist network 'lan6'

config zone
\toption name 'wan'
\tlist network 'wan'

config zone
\toption name 'more'
\toption network 'guest'
\tlist device 'usb0'

config zone
\toption name 'vpn'
\tlist network 'wg'
"""


SCRIPT = CROSS / "openwrt/komainu/files/komainu-uci"
SHIPPED = str(ROOT / "agent/dist/komainu.toml")


def uci(place, main="", network=NETWORK, firewall=FIREWALL):
    """Runs komainu-uci, with `main` as further lines of /etc/config/komainu; the settings that it wrote, and what it said."""
    config, programs = place.path("config"), place.path("programs")
    config.mkdir(exist_ok=True)
    programs.mkdir(exist_ok=True)
    text = (CROSS / "openwrt/komainu/files/komainu.config").read_text()
    # What is said again counts: a list grows, an option is another one.
    for option in re.findall(r"option (\w+)", main):
        text = re.sub(rf"\n\toption {option} .*", "", text)
    text = text.replace("/usr/share/komainu/komainu.toml", SHIPPED).replace("/etc/komainu/state", str(place.path("state")))
    for name, content in (("komainu", text + main), ("network", network), ("firewall", firewall)):
        (config / name).write_text(content)
    (programs / "uci").write_text(UCI.replace("PYTHON", sys.executable).replace("CONFIG", str(config)))
    (programs / "uci").chmod(0o755)
    to = place.path("var/etc/komainu.toml")
    to.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run([need("busybox", "busybox-static"), "ash", SCRIPT, to], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment, check=False)
    return (tomllib.loads(to.read_text()) if to.exists() else None), done


@test
def uci_names_the_links_of_lan_and_vpn_and_all_others_are_the_wan(place):
    settings, done = uci(place, "\tlist lan_zone 'more'\n\tlist vpn_zone 'vpn'\n")
    assert done.returncode == 0, done.stderr
    assert settings["gate"]["lan"] == ["br-lan", "eth0.3", "eth0.4", "usb0"], settings["gate"]
    assert settings["wall"]["vpn"] == ["wg0"] and settings["wall"]["kind"] == "router"
    assert settings["state"]["directory"] == str(place.path("state"))
    # The agent reads it, and everything else is what the firmware ships.
    file = place.path("var/etc/komainu.toml")
    said = subprocess.run([KOMAINU, "check-settings", file], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert str(file) in said.stdout + said.stderr and "lan" not in said.stderr, (said.stdout, said.stderr)
    shipped = tomllib.loads((ROOT / "agent/dist/komainu.toml").read_text())
    assert settings["part"] == shipped["part"] and settings["server"] == shipped["server"]


@test
def uci_without_a_lan_leaves_every_link_closed_and_says_so(place):
    settings, done = uci(place, firewall="config zone\n\toption name 'wan'\n\tlist network 'wan'\n")
    assert done.returncode == 0 and settings["gate"]["lan"] == [], settings["gate"]
    assert "UCI names no link of the LAN" in done.stderr, done.stderr


@test
def uci_cannot_write_lines_of_its_own_into_the_settings(place):
    network = NETWORK.replace("'br-lan'", "'br-lan\"]#x'").replace("'eth0.3 eth0.4'", "'eth0.3 $(reboot) *'")
    settings, done = uci(place, "\tlist lan_zone 'more'\n", network=network)
    assert settings["gate"]["lan"] == ["eth0.3", "usb0"], settings["gate"]
    assert done.stderr.count("is no name of a link") == 3, done.stderr


def refused(place, option, says):
    settings, done = uci(place, f"\toption {option}\n")
    assert settings is None and done.returncode == 1 and says in done.stderr, (settings, done)


tests(refused, "uci_with_{}_leaves_no_settings_and_says_why", [
    ("a_kind_that_is_no_name", "kind 'a\"b'", "is no name of a policy"),
    ("a_state_that_is_no_whole_path", "state 'relative'", "is no path"),
    ("a_state_with_a_space", "state '/a b'", "is no path"),
    ("settings_that_are_not_there", "settings '/nowhere.toml'", "there are no settings /nowhere.toml"),
])
