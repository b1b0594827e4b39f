"""The most memory that the agent has resident on the emulated MIPS machine while it stages images of three sizes, with all
of its jobs at work: 63 MB for Linux, slots on NOR, and a web server in the machine's own WAN.
"""

import shutil

from image import MODULES, PARAMETERS
from maker import Workshop
from place import Place, Skip, command
from router import KOMAINU, LOG, WAN, Router

MIB = 1 << 20
SIZES = (4, 16, 48)
GOAL_KIB = 4096
#: The machine's memory: Linux has the first 48 MiB but one, and the last 16, where the archive that it starts with lies.
MEGABYTES, WORDS = "256", ("mem=47M@1M", "mem=16M@240M")
CHIP_AT, CHIP_MIB, BLOCK = 48, 192, 64 * 1024
#: Parts of the chip: megabytes from its beginning, and their number.
PARTS = {"state": (0, 2), "rootfs_a": (2, 56), "rootfs_b": (58, 56), "web": (114, 78)}


def run():
    try:
        rows = []
        for size in SIZES:
            with Place() as place:
                rows.append((size, *measure(place, size)))
    except Skip as why:
        print(f"memory on MIPS: {why}")
        return
    print(f"{'image':>8} {'at rest':>10} {'staging, most':>14} {'of 4 MiB':>9} {'seconds':>8}")
    for size, rest, most, seconds in rows:
        print(f"{size:4} MiB {rest:6} KiB {most:10} KiB {most / GOAL_KIB:8.0%} {seconds:8.0f}")
    print(f"largest image against smallest: {rows[-1][2] - rows[0][2]:+} KiB")


def measure(place, mib):
    workshop = Workshop(place)
    workshop.publish(2, sizes={"rootfs": mib * MIB})
    modules = {name: PARAMETERS.get(name, "") for name in MODULES}
    modules["phram"] = f"phram=chip,{CHIP_AT}Mi,{CHIP_MIB}Mi,{BLOCK}"
    router = Router(place, flash=modules, chip=chip(place, workshop.repository), chip_memory=(MEGABYTES, WORDS),
                    files={"usr/share/komainu/root.json": workshop.root})
    router.must("set -e\n" + "".join(f"mtdpart add /dev/mtd0 {name} {first * MIB} {count * MIB} >/dev/null\n"
                                     for name, (first, count) in PARTS.items()) + f"""
        mkdir -p /state /web
        flash_erase -q /dev/mtd1 0 0
        mount -t jffs2 /dev/mtdblock1 /state
        mount -t squashfs /dev/mtdblock4 /web
        at wan httpd -p {WAN[4]}:80 -h /web""")
    agent = router.start()
    router.must("sleep 10", 60)
    rest = router.memory_kib(agent)[0]
    router.must(f"kill {agent}; while kill -0 {agent}; do usleep 50000; done; rm -rf /run/komainu", 120)
    router.settings["server"] = {"metadata_url": f"http://{WAN[4]}/metadata/", "targets_url": f"http://{WAN[4]}/targets/"}
    router.settings["poll"] = {"first_within_seconds": 0}
    router.settings["state"] = {"directory": "/state/komainu"}
    settings = router.settings_text({"rootfs": ("mtd:rootfs_a", "mtd:rootfs_b")})
    router.must(f"cat >/etc/komainu.toml <<'end of settings'\n{settings}end of settings\n")
    began = router.machine.uptime()
    # VmHWM never falls: the last look before the end is enough.
    said = router.must(f"""{KOMAINU} run >{LOG} 2>&1 & agent=$!
        while most=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$agent/status) && [ -n "$most" ]; do
            last=$most; usleep 50000; done 2>/dev/null
        wait $agent; echo $last $?""", 3600)
    seconds = router.machine.uptime() - began
    most, code = map(int, said.split()[-2:])
    log = router.log()
    assert code == 3 and "activating release=2" in log, f"exit {code}:\n{log}"
    return rest, most, seconds


def chip(place, repository):
    """A file of the machine's memory in whose chip the repository lies as squashfs."""
    packed, memory = place.path("web.squashfs"), place.path("chip")
    command("mksquashfs", repository, packed, "-quiet", "-no-progress", "-all-root", "-b", "128K")
    with open(memory, "wb") as out:
        out.truncate(int(MEGABYTES) * MIB)
        out.seek((CHIP_AT + PARTS["web"][0]) * MIB)
        with open(packed, "rb") as file:
            shutil.copyfileobj(file, out)
    assert packed.stat().st_size <= PARTS["web"][1] * MIB
    return memory
