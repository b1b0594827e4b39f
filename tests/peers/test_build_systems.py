"""Buildroot's external tree and Yocto's layer: read by make, shell and BitBake's own parser. Their package systems are in no
registry, so that stand-ins say what would be installed; cross/README.md says what was run by hand with the real ones.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib

from place import PATIENCE, ROOT, Skip, command, test

CROSS = ROOT / "cross"
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

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
