"""What a machine starts with: a file system in one file (cpio), as the kernel unpacks it into memory.

Also which modules are loaded, and in which order. What happens in the machine then is in machine.py and guest/.
"""

import gzip
import os
import re
import stat
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUEST = HERE / "guest"

#: Modules by name; what they need comes along, and what is built into a kernel is left out.
MODULES = """crc32c_generic dummy veth bridge tun nf_tables nf_conntrack nf_nat nft_chain_nat nft_ct nft_compat
nft_connlimit nft_fib_inet nft_hash nft_limit nft_log nft_masq nft_nat nft_numgen nft_quota nft_redir
nft_reject_inet nf_log_syslog nfnetlink_log ip_tables iptable_filter iptable_nat iptable_mangle iptable_raw
ip6_tables ip6table_filter ip6table_nat ip6table_mangle ip6table_raw ipt_REJECT ip6t_REJECT ip6t_rt xt_tcpudp
xt_conntrack xt_state xt_mark xt_REDIRECT xt_limit xt_hashlimit xt_recent xt_addrtype xt_comment xt_multiport
xt_connlimit xt_connmark xt_LOG xt_pkttype xt_icmp xt_icmp6 xt_nat xt_set xt_rpfilter ipt_rpfilter ip6t_rpfilter
loop squashfs overlay softdog""".split()
#: Their parameters. The software watchdog only says that it would restart the machine.
PARAMETERS = {"softdog": "soft_noboot=1", "dummy": "numdummies=0"}
#: Parts of a package that a device has no use for.
NOT_IN = re.compile(r"usr/share/|usr/lib/[^/]*/(gconv|audit)/|etc/ld\.so|/libc_malloc_debug|/ebtables|-nft")
#: What judges flash, and the libraries of it.
JUDGES = re.compile(r"/(flash_erase|nandwrite|nanddump|mtdpart|ubi(attach|detach|format|mkvol|nfo|updatevol|block)"
                    r"|fw_printenv|(ld|libc|libz|libubootenv)[.-][^/]*)$")
#: Modules of raw flash that every machine with flash has.
FLASH_MODULES = ["mtdblock", "physmap", "cfi_probe", "cfi_cmdset_0001", "jffs2", "ubi"]


class Image:
    """Files by their paths, without the slash in front."""

    def __init__(self):
        self.entries = {}

    def folder(self, path, mode=0o755):
        """A folder, and those above it."""
        path = path.strip("/")
        if path:
            self.folder(str(Path(path).parent).strip("."))
            self.entries.setdefault(path, (stat.S_IFDIR | mode, b""))

    def file(self, path, content, mode=0o644):
        path = path.strip("/")
        self.folder(str(Path(path).parent).strip("."))
        self.entries[path] = (stat.S_IFREG | mode, content.encode() if isinstance(content, str) else content)

    def link(self, path, target):
        path = path.strip("/")
        self.folder(str(Path(path).parent).strip("."))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def tree(self, root, wanted=re.compile("")):
        """All that is below a folder of the host, or of it what is wanted, but for what a device has no use for."""
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if NOT_IN.search(name) or not wanted.search(name):
                continue
            if path.is_symlink():
                self.link(name, os.readlink(path))
            elif path.is_file():
                self.file(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def modules(self, folder, wanted=MODULES, parameters=None):
        """Modules and what they need, and a list of all in the order in which they are loaded."""
        parameters = PARAMETERS | (parameters or {})
        found = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
        order = []

        def add(name):
            if name not in found or name in order:
                return
            for needed in needs(found[name]):
                add(needed)
            order.append(name)
            self.file(f"lib/modules/{name}.ko", found[name].read_bytes())

        for name in wanted:
            add(name)
        self.file("lib/modules/order", "".join(f"{name} {parameters.get(name, '')}".rstrip() + "\n" for name in order))

    def write(self, file):
        """The archive: format newc, everything root's. It is compressed, as the machine must have room for both."""
        with gzip.open(file, "wb", 6) as out:
            entries = [*sorted(self.entries.items()), ("TRAILER!!!", (0, b""))]
            for number, (path, (mode, content)) in enumerate(entries, 1):
                name = path.encode() + b"\0"
                fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
                head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
                out.write(head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4))


def needs(module):
    """The names of the modules that one needs, as it says itself."""
    said = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module.read_bytes())
    return [name.replace("-", "_") for name in said[1].decode().split(",") if name] if said else []


def of_machine(folder, agent, control, files, iptables=False, flash=None):
    """The image of a machine: its busybox, modules, the agent, the terminal by which tests work in it, and files by
    path: content, or content and mode. The iptables of the old kind comes only where it is wanted: with its libraries
    it is a sixth of the memory. `flash` are modules of flash with their parameters; the judges come with them."""
    image = Image()
    for path in ("dev", "proc", "sys", "root", "mnt", "usr/bin", "usr/sbin", "sbin"):
        image.folder(path)
    if iptables:
        image.tree(folder / "iptables")
    if flash is not None:
        image.tree(folder / "flash", JUDGES)
    image.file("bin/busybox", (folder / "root/bin/busybox").read_bytes(), 0o755)
    image.link("bin/sh", "busybox")
    image.link("init", "/bin/busybox")
    for name in ("iptables", "ip6tables"):
        for ending in ("", "-save", "-restore") if iptables else ():
            image.link(f"usr/sbin/{name}{ending}", "xtables-legacy-multi")
    image.file("etc/inittab", f"::sysinit:/etc/rcS\n{control}::respawn:/sbin/control {control}\n::ctrlaltdel:/sbin/reboot\n")
    for name, place in (("rcS", "etc"), ("control", "sbin"), ("network", "sbin"), ("at", "bin")):
        path = GUEST / name
        image.file(f"{place}/{name}", path.read_bytes(), path.stat().st_mode & 0o777)
    wanted = MODULES if flash is None else ["loop", *FLASH_MODULES, *flash]
    image.modules(folder / "modules", wanted, flash)
    image.file("usr/sbin/komainu", agent.read_bytes(), 0o755)
    for path, content in files.items():
        image.file(path, *(content if isinstance(content, tuple) else (content,)))
    return image
