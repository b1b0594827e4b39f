"""The packages of cross/: Debian's are built with debhelper, judged by lintian, installed and run; the recipes of OpenWrt,
Buildroot and Yocto are read by make, shell and BitBake's parser, as far as those are packages of a registry.

What no registry has (the trees of OpenWrt, Buildroot and OpenEmbedded) is not here: cross/README.md says what was run by
hand.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from place import KOMAINU, KOMAINU_MAKER, PATIENCE, ROOT, Skip, alone, command, need, need_root, test

CROSS = ROOT / "cross"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
#: Building and judging a package takes a while beside other work.
LONG = 5 * PATIENCE

#: Installs in a copy of this machine that ends with the script: Debian's own database, and real dependencies.
IN_A_COPY = """set -e
mount -t tmpfs copy "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" copy "$1/root"
mount -t proc proc "$1/root/proc"
mkdir -p "$1/root/debs"
cp $2/*.deb "$1/root/debs/"
exec chroot "$1/root" sh -ec "$3"
"""

INSTALLED = """
export DEBIAN_FRONTEND=noninteractive
dpkg -i /debs/*.deb >/dev/null
komainu version
komainu-maker --version
test -x /usr/sbin/komainu-start
test -f /usr/share/komainu/policies/router.toml
test -f /usr/share/komainu/boot/rauc.toml
man -w komainu >/dev/null
! ls /etc/rc?.d/S??komainu /etc/systemd/system/*/komainu.service 2>/dev/null
echo '# changed' >> /etc/komainu/start.conf
dpkg -i /debs/*.deb >/dev/null
tail -n 1 /etc/komainu/start.conf
dpkg --purge komainu komainu-maker >/dev/null
! ls /usr/sbin/komainu /usr/bin/komainu-maker /etc/komainu/start.conf /etc/init.d/komainu 2>/dev/null
"""


@alone
@test
def debians_packages_are_built_judged_by_lintian_installed_started_and_purged(place):
    need_root("a copy of this machine in which packages are installed")
    need("dh", "debhelper")
    debs = place.path("debs")
    programs = place.path("programs")
    programs.mkdir()
    for program in (KOMAINU, KOMAINU_MAKER):
        shutil.copy(program, programs)
    settings = {**os.environ, "KOMAINU_PROGRAMS": str(programs), "KOMAINU_DEBS": str(debs)}
    command(CROSS / "debian/build", seconds=LONG, env=settings)
    names = sorted(path.name.split("_")[0] for path in debs.glob("*.deb"))
    assert names == ["komainu", "komainu-maker"], names
    listed = command("dpkg-deb", "--contents", next(debs.glob("komainu_*.deb"))).stdout
    for name in ("./usr/sbin/komainu", "./etc/init.d/komainu", "./lib/systemd/system/komainu.service",
                 "./usr/share/man/man8/komainu.8.gz", "./usr/share/doc/komainu/copyright"):
        assert re.search(rf"root/root .* {re.escape(name)}$", listed, re.MULTILINE), (name, listed)
    # No error; the man page of the maker's program is its own --help.
    judged = subprocess.run([need("lintian", "lintian"), "--allow-root", "--fail-on=error", *debs.glob("*.deb")],
                            capture_output=True, text=True, timeout=LONG, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    copy = place.path("copy")
    copy.mkdir()
    said = command("unshare", "--mount", "sh", "-c", IN_A_COPY, "copy", copy, debs, INSTALLED, seconds=LONG).stdout
    assert VERSION in said and f"komainu-maker {VERSION}" in said and "# changed" in said, said


@test
def every_recipe_has_the_version_of_the_workspace(place):
    for recipe, pattern in (("debian/debian/changelog", r"^komainu \((.*)\)"),
                            ("openwrt/komainu/Makefile", r"^PKG_VERSION:=(.*)$"),
                            ("openwrt/komainu-source/Makefile", r"^PKG_VERSION:=(.*)$"),
                            ("buildroot/package/komainu/komainu.mk", r"^KOMAINU_VERSION = (.*)$"),
                            ("yocto/meta-komainu/recipes-core/komainu/komainu_0.1.0.bb", r'^PV = "(.*)\+git"$')):
        found = re.search(pattern, (CROSS / recipe).read_text(), re.MULTILINE)
        assert found and found[1] == VERSION, (recipe, found)


@test
def every_file_that_a_recipe_installs_is_there(place):
    for recipe in (*CROSS.glob("openwrt/*.mk"), *CROSS.glob("openwrt/*/Makefile"), *CROSS.glob("buildroot/package/*/*.mk"),
                   *CROSS.glob("yocto/*/recipes-core/komainu/*.bb"), *CROSS.glob("debian/debian/*")):
        named = re.findall(r"(?:\$\(KOMAINU_TOP\)/|\$\(@D\)/|\$\{S\}/)((?:agent|cross|LICENSE)[A-Za-z0-9_./-]*)", recipe.read_text())
        named += re.findall(r"^dist/(\S+)", recipe.read_text(), re.MULTILINE) if recipe.parent.name == "debian" else []
        for name in named:
            path = ROOT / "agent/dist" / name if recipe.parent.name == "debian" else ROOT / name
            # The last words of a path may be the recipe's own: $(KOMAINU_KIND).toml, *.toml.
            assert path.exists() or path.parent.is_dir() and name.endswith("/"), f"{recipe}: {name} is not there"


@test
def the_shell_of_the_recipes_is_clean(place):
    scripts = [CROSS / "debian/build", CROSS / "openwrt/komainu/files/komainu-uci",
               CROSS / "buildroot/board/komainu/post-build.sh"]
    command(need("shellcheck", "shellcheck"), *scripts)
    for script in (*scripts, CROSS / "openwrt/komainu/files/komainu.init"):
        command(need("busybox", "busybox-static"), "ash", "-n", script)


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


def uci(place, more="", network=NETWORK, firewall=FIREWALL):
    """Runs komainu-uci; the settings that it wrote, and what it said."""
    config, programs = place.path("config"), place.path("programs")
    config.mkdir(exist_ok=True)
    programs.mkdir(exist_ok=True)
    text = (CROSS / "openwrt/komainu/files/komainu.config").read_text()
    text = text.replace("/usr/share/komainu/komainu.toml", str(ROOT / "agent/dist/komainu.toml"))
    text = text.replace("/etc/komainu/state", str(place.path("state")))
    for name, content in (("komainu", text + more), ("network", network), ("firewall", firewall)):
        (config / name).write_text(content)
    (programs / "uci").write_text(UCI.replace("PYTHON", sys.executable).replace("CONFIG", str(config)))
    (programs / "logger").write_text("#!/bin/sh\nexit 1\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    to = place.path("var/etc/komainu.toml")
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run([need("busybox", "busybox-static"), "ash", CROSS / "openwrt/komainu/files/komainu-uci", to],
                          capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)
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
    assert settings["gate"]["lan"] == ["*", "eth0.3", "usb0"] or settings["gate"]["lan"] == ["eth0.3", "usb0"], settings["gate"]
    assert "is no name of a link" in done.stderr, done.stderr
    for option in ("kind 'a\"b'", "state 'relative'", "state '/a b'"):
        place.path("var/etc/komainu.toml").unlink(missing_ok=True)
        name = option.split()[0]
        settings, done = uci(place, "")
        config = place.path("config") / "komainu"
        del settings, done, config
        text = f"\nconfig komainu 'main'\n\toption {option}\n"
        replaced, done = uci_with_main(place, text)
        assert replaced is None and name in done.stderr and done.returncode == 1, (option, done.stderr)


def uci_with_main(place, text):
    place.path("var/etc/komainu.toml").unlink(missing_ok=True)
    config = place.path("config/komainu")
    config.write_text(text + f"\toption settings '{ROOT / 'agent/dist/komainu.toml'}'\n")
    environment = {**os.environ, "PATH": f"{place.path('programs')}:{os.environ['PATH']}"}
    to = place.path("var/etc/komainu.toml")
    done = subprocess.run([need("busybox", "busybox-static"), "ash", CROSS / "openwrt/komainu/files/komainu-uci", to],
                          capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)
    return (to.read_text() if to.exists() else None), done


#: The lines of BusyBox's inittab as Buildroot ships it, in their order.
BUILDROOT_INITTAB = """::sysinit:/bin/mount -t proc proc /proc
::sysinit:/bin/mount -a
# now run any rc scripts
::sysinit:/etc/init.d/rcS
console::respawn:/sbin/getty -L console 0 vt100
::shutdown:/etc/init.d/rcK
"""


@test
def buildroots_script_puts_the_lines_before_the_network_and_twice_is_once(place):
    target = place.path("target")
    for folder in ("etc", "usr/sbin"):
        (target / folder).mkdir(parents=True)
    (target / "usr/sbin/read-only-root").write_text("")
    inittab = target / "etc/inittab"
    inittab.write_text(BUILDROOT_INITTAB)
    script = CROSS / "buildroot/board/komainu/post-build.sh"
    for _ in range(2):
        command(script, target)
        lines = inittab.read_text().splitlines()
        at = {line: number for number, line in enumerate(lines)}
        order = [at[line] for line in ("::sysinit:/bin/mount -a", "::sysinit:/usr/sbin/read-only-root",
                                       "::sysinit:/usr/sbin/komainu-start", "::respawn:/usr/sbin/komainu run",
                                       "::sysinit:/etc/init.d/rcS")]
        assert order == sorted(order) and len(lines) == len(BUILDROOT_INITTAB.splitlines()) + 3, lines
    inittab.write_text("::respawn:/sbin/getty\n")
    done = subprocess.run([script, target], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1 and "by hand" in done.stderr and inittab.read_text() == "::respawn:/sbin/getty\n", done.stderr


#: The part of Buildroot's package system that the package speaks to; it stands in for package/*.mk.
BUILDROOT = """qstrip = $(strip $(subst ",,$(1)))
INSTALL = install
generic-package = KIND = generic
cargo-package = KIND = cargo
include $(CROSS)/buildroot/package/komainu/komainu.mk
all:
\t@echo kind $(KIND) target $(KOMAINU_TARGET)
\t$(if $(filter generic,$(KIND)),@$(KOMAINU_BUILD_CMDS))
\t$(KOMAINU_INSTALL_TARGET_CMDS)
\t$(KOMAINU_INSTALL_FILES)
\t$(KOMAINU_INSTALL_READ_ONLY_ROOT)
\t$(KOMAINU_INSTALL_INIT_SYSV)
"""


@test
def buildroots_package_takes_the_finished_file_on_mips_and_cargo_elsewhere(place):
    makefile = place.path("Makefile")
    makefile.write_text(BUILDROOT)
    target, checkout = place.path("target"), place.path("checkout")
    shutil.copytree(ROOT / "agent/dist", checkout / "agent/dist")
    words = ["make", "-f", makefile, f"CROSS={CROSS}", f"TARGET_DIR={target}", "BR2_PACKAGE_KOMAINU_KIND=\"camera\"",
             f"KOMAINU_SITE={checkout}", "RUSTC_TARGET_NAME=armv7-unknown-linux-musleabihf"]

    def made(*more):
        return subprocess.run([*words, *more], capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=checkout)

    missing = made("BR2_mipsel=y", "BR2_PACKAGE_KOMAINU_READ_ONLY_ROOT=y")
    assert missing.returncode != 0 and "run cross/build mipsel" in missing.stderr, missing.stderr
    for program in ("device/mipsel/komainu", "armv7-unknown-linux-musleabihf/device/komainu"):
        path = checkout / "target" / program
        path.parent.mkdir(parents=True)
        path.write_text(program)
        path.chmod(0o755)
    done = made("BR2_mipsel=y", "BR2_PACKAGE_KOMAINU_READ_ONLY_ROOT=y")
    assert done.returncode == 0 and "kind generic target mipsel" in done.stdout, done.stdout + done.stderr
    assert (target / "usr/sbin/komainu").read_text() == "device/mipsel/komainu"
    assert (target / "usr/share/komainu/policies/camera.toml").is_file() and (target / "usr/sbin/read-only-root").is_file()
    assert not (target / "usr/share/komainu/policies/router.toml").exists()
    done = made("BR2_arm=y", "BR2_PACKAGE_KOMAINU_CARGO=y")
    assert done.returncode == 0 and "kind cargo target armv7" in done.stdout, done.stdout + done.stderr
    assert (target / "usr/sbin/komainu").read_text().startswith("armv7-unknown")


@test
def yoctos_list_of_crates_is_the_one_of_cargo_lock(place):
    made = command(sys.executable, CROSS / "yocto/crates", "--print").stdout
    recipe = CROSS / "yocto/meta-komainu/recipes-core/komainu"
    assert made == (recipe / "komainu-crates.inc").read_text(), "run cross/yocto/crates"
    locked = [one for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"] if "source" in one]
    for package in locked:
        assert f"crate://crates.io/{package['name']}/{package['version']} " in made and package["checksum"] in made, package


#: What a recipe of BitBake inherits. OpenEmbedded's classes are in no registry: these say only that they were asked for.
CLASSES = ("cargo", "systemd", "update-rc.d")
BITBAKE = """
import json, os, sys, types
# The client of a server that the package leaves out; nothing here speaks to one.
for name in ("hashserv", "hashserv.client"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["hashserv"].client = sys.modules["hashserv.client"]
import bb, bb.data_smart, bb.parse
data = bb.data_smart.DataSmart()
top, layer, recipe = sys.argv[1:]
for name, value in (("TOPDIR", top), ("BBPATH", top), ("LAYERDIR", layer), ("PN", "komainu"), ("S", "/s"), ("B", "/b"), ("D", "/d"),
                    ("sysconfdir", "/etc")):
    data.setVar(name, value)
data.setVar("__bbclasstype", "recipe")
data = bb.parse.handle(os.path.join(layer, "conf/layer.conf"), data, True)
data = bb.parse.handle(recipe, data, True)
bb.data.expandKeys(data)
wanted = ("SRC_URI", "CARGO_SRC_DIR", "CARGO_PROFILE", "PV", "LICENSE", "SYSTEMD_SERVICE:komainu", "do_install", "ASKED_FOR",
          "CONFFILES:komainu")
print(json.dumps({name: data.getVar(name, name != "do_install") for name in wanted}))
"""


@test
def bitbakes_own_parser_reads_layer_and_recipe(place):
    if importlib.util.find_spec("bb") is None:
        raise Skip("needs bitbake's parser (PyPI: bitbake-setup)")
    top = place.path("build")
    for name in CLASSES:
        (top / "classes").mkdir(parents=True, exist_ok=True)
        (top / "classes" / f"{name}.bbclass").write_text(f'ASKED_FOR .= " {name}"\n')
    (top / "conf").mkdir()
    layer = CROSS / "yocto/meta-komainu"
    recipe = next(layer.glob("recipes-core/komainu/*.bb"))
    done = subprocess.run([sys.executable, "-c", BITBAKE, top, layer, recipe], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    crates = found["SRC_URI"].split()
    locked = [one for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"] if "source" in one]
    assert len([one for one in crates if one.startswith("crate://crates.io/")]) == len(locked), len(crates)
    assert crates[0].startswith(f"git://{ROOT};protocol=file;branch=main"), crates[0]
    assert (found["CARGO_SRC_DIR"], found["CARGO_PROFILE"], found["PV"]) == ("agent", "device", f"{VERSION}+git"), found
    assert "komainu.service" in found["SYSTEMD_SERVICE:komainu"] and "komainu-start" in found["do_install"]
    assert set(CLASSES) <= set(found["ASKED_FOR"].split()), found["ASKED_FOR"]
    assert found["CONFFILES:komainu"] == "/etc/komainu/start.conf"
