"""docs/porting.md, typed through from an empty folder: its own commands, in its own order, as far as a desk goes. The board's
part (kernel, boot loader, first start) is played by the machines of tests/emulators."""

import json
import os
import re
import subprocess
import tomllib

from place import KOMAINU, KOMAINU_MAKER, PATIENCE, ROOT, command, need, test, tests

GUIDE = ROOT / "docs/porting.md"
PAGES = sorted((ROOT / "docs").glob("*.md")) + [ROOT / "cross/README.md"]


def sections():
    """The commands of each step, a block each."""
    found = {}
    for part in re.split(r"^## ", GUIDE.read_text(), flags=re.MULTILINE)[1:]:
        number = re.match(r"(\d+)\. ", part)
        if number:
            found[int(number[1])] = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    return found


class Afternoon:
    """An empty folder with the source in it, and the programs as the first two steps leave them."""

    def __init__(self, place):
        self.place, self.steps = place, sections()
        self.board = place.path("board")
        (self.board / "komainu/target/device").mkdir(parents=True)
        for folder in ("agent", "docs"):
            (self.board / "komainu" / folder).symlink_to(ROOT / folder)
        for name in ("armv7", "x86_64"):
            program = self.board / "komainu/target/device" / name / "komainu"
            program.parent.mkdir()
            program.symlink_to(KOMAINU)
        programs = place.path("programs")
        programs.mkdir()
        (programs / "komainu-maker").symlink_to(KOMAINU_MAKER)
        (place.path("passphrase")).write_text("a long passphrase of ours\n")
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
                            "KOMAINU_PASSPHRASE_FILE": str(place.path("passphrase"))}

    def type(self, text, **words):
        """Types commands; words in capitals are the maker's own."""
        for word, meant in words.items():
            text = re.sub(rf"\b{word}\b", meant, text)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=self.board, env=self.environment,
                              capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def step(self, number, block=0, **words):
        return self.type(self.steps[number][block], **words)


def lines(text, start):
    return "\n".join(line for line in text.splitlines() if line.startswith(start))


@test
def the_guide_is_typed_through_from_an_empty_folder(place):
    for program, package in (("sgdisk", "gdisk"), ("mkenvimage", "u-boot-tools"), ("mksquashfs", "squashfs-tools"),
                             ("openssl", "openssl")):
        need(program, package)
    day = Afternoon(place)
    day.type(lines(day.steps[1][0], "mkdir -p"))
    (day.board / "LINUX").mkdir()
    fragment = day.type(lines(day.steps[3][0], "komainu-maker kernel-check --fragment") + "; cat komainu.config")
    (day.board / "LINUX/.config").write_text("# Linux/arm 6.1.0 Kernel Configuration\n" + fragment)
    assert "nothing is missing" in day.type(day.steps[3][0].splitlines()[0].split("  ")[0])
    day.type("truncate -s 400M disk.img")
    day.step(4, DISK="disk.img")
    for name in ("env", "kernel_a", "rootfs_b", "state"):
        assert name in command("sgdisk", "-p", day.board / "disk.img").stdout
    if (ROOT / "agent/dist/uboot").is_dir():
        day.type(lines(day.steps[5][0], "cat komainu/") + "\n" + lines(day.steps[5][0], "mkenvimage"))
        day.step(5, 1)
        day.step(5, 2)
        assert 0 < (day.board / "boot.scr").stat().st_size <= 0x20 * 512, "stock.env reads 0x20 blocks of it"
        assert (day.board / "stock.bin").stat().st_size == 0x40000 and (day.board / "firmware/fw_env.config").is_file()
    else:
        (day.board / "firmware/fw_env.config").write_text("/dev/mmcblk0p1 0x0 0x4000\n/dev/mmcblk0p1 0x4000 0x4000\n")
        (day.board / "copy.bin").write_bytes(bytes(0x4000))
    assert (day.board / "copy.bin").stat().st_size == 0x4000
    day.step(6)
    assert not list((day.board / "my-devices/keys/offline").iterdir()), "an offline key was left at the workshop"
    day.step(6, 1, NAME="us")
    command("openssl", "verify", "-CAfile", day.board / "firmware/ca.pem", "-verify_hostname", "updates.example",
            day.board / "server.pem")
    day.step(7)
    assert "can be read" in day.step(7, 1)
    (day.board / "ROOT").mkdir()
    (day.board / "build.cdx.json").write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "busybox", "version": "1.37.0", "cpe": "cpe:2.3:a:busybox:busybox:1.37.0:*:*:*:*:*:*:*"}]}))
    day.step(8, NAME="rauc", BUILD="build")
    assert "\nDEVICE=/dev/mmcblk0p6\n" in (day.board / "ROOT/etc/komainu/start.conf").read_text()
    (day.board / "ROOT/etc/inittab").write_text("::sysinit:/bin/mount -t proc proc /proc\n::sysinit:/etc/init.d/rcS\n")
    day.step(8, 1)
    programs = [line.rsplit(":", 1)[1] for line in (day.board / "ROOT/etc/inittab").read_text().splitlines()]
    assert programs[1:] == ["/usr/sbin/read-only-root", "/usr/sbin/komainu-start", "/etc/init.d/rcS", "/usr/sbin/komainu run"]
    assert os.access(day.board / "ROOT/etc/komainu/health/10-board", os.X_OK)
    (day.board / "kernel-1.0.0.itb").write_bytes(os.urandom(100_000))
    day.type("sed -i 's/^# release = .*/release = 7/' ROOT/etc/komainu.toml")       # a number that was typed in step 7
    listed = day.step(9).splitlines()
    assert any(": 0 errors, 0 warnings" in line for line in listed), listed
    settings = tomllib.loads((day.board / "ROOT/etc/komainu.toml").read_text())
    assert (settings["device"]["release"], settings["device"]["version"]) == (1, "1.0.0"), settings["device"]
    published = [line for line in listed if line.startswith(("metadata/", "targets/"))]
    assert published.index("metadata/timestamp.json") > published.index("metadata/2.targets.json"), published
    assert published.index("metadata/1.root.json") > published.index("metadata/timestamp.json"), published
    for part, megabytes in ((1, 1), (2, 16), (4, 128), (6, 64), (7, 1)):
        with open(day.board / f"disk-p{part}", "wb") as file:
            file.truncate(megabytes << 20)
    day.type("VERSION=1.0.0\n" + re.sub(r"DISKp(\d)", r"disk-p\1", day.steps[9][1]))
    copy = (day.board / "copy.bin").read_bytes()
    assert (day.board / "disk-p1").read_bytes()[:0x8000] == copy + copy
    assert (day.board / "disk-p4").read_bytes().startswith((day.board / "rootfs-1.0.0.squashfs").read_bytes())
    day.type(re.sub(r"DISKp(\d)", r"disk-p\1", day.steps[9][2]), DISK="disk-p2", ENV_OFFSET="0x80000")
    assert (day.board / "disk-p7").read_bytes().startswith((day.board / "boot.scr").read_bytes())
    assert (day.board / "disk-p2").read_bytes()[0x80000:].startswith((day.board / "stock.bin").read_bytes())
    server = {"SERVER:/srv/www": str(day.board / "server")}
    day.step(10, 0, **server)
    there = {str(file.relative_to(day.board / "server")) for file in (day.board / "server").rglob("*") if file.is_file()}
    assert set(published) == there, (published, there)
    for words in re.findall(r"^\| .*`(install -D [^`]*)`", GUIDE.read_text(), re.MULTILINE):
        day.type(words)
    assert os.access(day.board / "ROOT/etc/init.d/S10komainu", os.X_OK) and (day.board / "ROOT/etc/init.d/komainu").is_file()
    for words in re.findall(r"`(komainu-maker (?:publish --online-only|bundle)[^`]*)`", GUIDE.read_text()):
        day.type(words, **server)
    assert (day.board / "update.tar").is_file()


@test
def the_web_servers_settings_of_the_guide_are_taken_by_nginx(place):
    settings = re.search(r"^```nginx\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)[1]
    folder = place.path("nginx")
    folder.mkdir()
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=updates.example", "-keyout", folder / "server.key", "-out", folder / "server.pem")
    for name in ("server.pem", "server.key"):
        settings = settings.replace(name, str(folder / name), 1)
    (folder / "nginx.conf").write_text(f"pid {folder}/pid;\nerror_log {folder}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{settings}}}\n")
    command(need("nginx", "nginx-light"), "-t", "-c", folder / "nginx.conf")


def answered(place, *words):
    text = re.sub(r"\s+", " ", GUIDE.read_text())
    missing = [word for word in words if word not in text]
    assert not missing, missing


#: The gaps that an expert met on a first afternoon with a real board, and the words that answer each.
tests(answered, "the_guide_answers_{}", [
    ("where_the_working_folder_is", "mkdir board && cd board", "everything below is in this folder"),
    ("what_the_kernel_needs", "komainu-maker kernel-check --slots", "[kernel.md](kernel.md)"),
    ("how_a_root_that_is_read_only_takes_a_password", "read-only-root", "`/etc/shadow` is then new at each start"),
    ("the_order_of_mounts", "**The order**: `/proc`, `/sys`, `/dev`; `read-only-root`; `komainu-start`"),
    ("mount_options_and_sysctls", "noatime,nosuid,nodev,noexec", "**Sysctls**: none has to be set"),
    ("how_releases_are_numbered", "**The rule**: a release has a number", "never used twice"),
    ("where_a_boot_script_is", "boot.cmd", "mkimage -A arm -T script"),
    ("where_a_template_of_the_environment_is", "komainu.env", "mkenvimage -r -s 0x4000"),
    ("what_panic_is_for", "`panic=10`: without it a kernel that panics hangs for ever"),
    ("how_u_boot_is_rebuilt", "make -C UBOOT olddefconfig all"),
    ("which_flash_is_supported", "mtd:kernel_a", "never `mtdblock`", "128 MB NAND", "16 MB NOR", "8 MB NOR"),
    ("what_check_covers", "`check` looks at settings, device id, state", "what cannot be known before a trial"),
    ("what_the_passphrase_is", "**A passphrase that is lost is a key that is lost.**", "--passphrase-file"),
    ("whose_masquerading_is", "Yours are: masquerading", "oifname eth1 masquerade"),
    ("what_starts_the_agent_again", "komainu.inittab", "it starts the agent again by itself"),
])


def without_commands(page):
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@test
def every_link_of_the_makers_pages_leads_to_a_file_and_a_heading(place):
    def anchors(page):
        headings = re.findall(r"^#+ (.*)$", without_commands(page), re.MULTILINE)
        return {re.sub(r"[^a-z0-9 _-]", "", heading.lower().replace("`", "")).replace(" ", "-") for heading in headings}

    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", without_commands(page)):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            # The boot loader's files come from elsewhere in this tree; a page must not name what is not there.
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {link}: {sorted(anchors(target))}"
