"""The packages of cross/: Debian's are built with debhelper, judged by lintian, installed and run; and what all recipes have in
common. OpenWrt's is in test_openwrt.py, Buildroot's and Yocto's in test_build_systems.py.
"""

import os
import re
import shutil
import subprocess
import tomllib

from place import KOMAINU, KOMAINU_MAKER, PATIENCE, ROOT, alone, command, need, need_root, test

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
