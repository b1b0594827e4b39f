"""`komainu-maker kernel-check` on configurations that others made: Debian's kernels, and the kernel that runs here."""

import gzip
import json
import lzma
import os
import re
import subprocess
from pathlib import Path

from place import KOMAINU_MAKER, PATIENCE, ROOT, Skip, test, tests

#: Debian's package linux-config-6.1 has a configuration for each of its kernels.
DEBIANS = Path("/usr/src/linux-config-6.1")
#: They come along with others, or are of no use to a machine that forwards nothing.
NOT_LOADED_BY_NAME = {"nft_reject", "nft_fib_ipv4", "nft_fib_ipv6", "nf_conntrack_netlink"}


def kernel_check(*words):
    return subprocess.run([KOMAINU_MAKER, "kernel-check", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                          check=False)


def debians(place, flavour):
    packed = DEBIANS / f"config.amd64_{flavour}.xz"
    if not packed.is_file():
        raise Skip("needs Debian's configurations (Debian: linux-config-6.1)")
    file = place.path("config")
    file.write_bytes(lzma.decompress(packed.read_bytes()))
    return file


@test
def debians_kernel_can_do_every_job_and_has_the_firewall_as_modules(place):
    done = kernel_check(debians(place, "none_amd64"), "--slots", "block", "--slots", "ubi", "--read-only-root", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["good"] and found["firewall"] == "nf_tables", found
    # The machines of tests/emulators start such kernels with these modules, and the gate works there.
    loaded = set(re.search(r'MODULES = """(.*?)"""', (ROOT / "tests/emulators/image.py").read_text(), re.DOTALL)[1].split())
    firewall = {name for name in found["modules"] if name.startswith(("nf", "xt"))}
    assert "nf_tables" in firewall and firewall - NOT_LOADED_BY_NAME <= loaded, firewall - loaded
    assert [one["options"] for one in found["missing"]] == [["CONFIG_PANIC_TIMEOUT"]], found["missing"]


@test
def debians_kernel_for_clouds_has_no_raw_flash_and_that_is_said(place):
    done = kernel_check(debians(place, "none_cloud-amd64"), "--slots", "ubi")
    assert done.returncode == 1 and "MISSING CONFIG_MTD_UBI: update: there are no volumes of UBI." in done.stdout, done.stdout
    assert "options are missing without which Komainu cannot do its work (2 in all)" in done.stderr, done.stderr
    assert kernel_check(debians(place, "none_cloud-amd64")).returncode == 0


@test
def a_configuration_packed_by_gzip_is_judged_as_it_is_unpacked(place):
    file = debians(place, "none_amd64")
    packed = place.path("config.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert kernel_check(packed).stdout == kernel_check(file).stdout != ""


@test
def the_kernel_that_runs_here_is_judged_by_its_own_file(place):
    if not Path("/proc/config.gz").is_file():
        raise Skip("this kernel does not show its configuration")
    done = kernel_check("/proc/config.gz", "--json")
    running = Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].strip()
    assert running.split(".")[:2] == json.loads(done.stdout)["kernel"].split()[-1].split(".")[:2], done.stdout


def refused(place, content, says):
    file = place.path("config")
    if content is not None:
        file.write_bytes(content)
    done = kernel_check(file)
    assert done.returncode == 1 and not done.stdout, done
    assert str(file) in done.stderr and says in done.stderr, done.stderr


tests(refused, "{}_is_refused_as_a_configuration_with_its_name_and_the_mend", [
    ("a_file_that_is_not_there", None, "there is no file"),
    ("an_empty_file", b"", "it is no configuration of a kernel"),
    ("a_page_of_a_web_server", b"<!doctype html>\n<p>404\n", "line 1: `<!doctype html>`"),
    ("the_image_of_a_kernel", b"MZ\x00\xff\xfe" * 100, "scripts/extract-ikconfig"),
    ("a_defconfig", b"CONFIG_NET=y\n# CONFIG_MTD is not set\n", "make olddefconfig"),
    ("a_gzip_that_is_cut", gzip.compress(b"# Linux/arm 6.1.0 Kernel Configuration\nCONFIG_NET=y\n" * 99)[:60],
     "cannot be unpacked by gzip"),
    ("a_gzip_without_end", gzip.compress(b"#" * (8 << 20)), "longer than 4194304 bytes"),
])


@test
def the_fragment_is_what_the_table_asks_for_and_the_page_shows_the_table(place):
    table = kernel_check("--table").stdout
    assert table in (ROOT / "docs/kernel.md").read_text()
    fragment = kernel_check("--fragment", "--slots", "ubi", "--read-only-root").stdout
    options = re.findall(r"^CONFIG_(\w+)=", fragment, re.MULTILINE)
    assert "MTD_UBI" in options and "SQUASHFS_XZ" in options and "IP_NF_FILTER" not in options, options
    assert all(f"`{name}`" in table for name in options), options
    file = place.path("config")
    file.write_text("# Linux/mips 6.1.0 Kernel Configuration\n" + fragment)
    done = kernel_check(file, "--slots", "ubi", "--read-only-root")
    assert done.returncode == 0 and "nothing is missing" in done.stdout, done.stdout


@test
def a_fifo_is_refused_and_options_of_a_device_say_nothing_to_the_table(place):
    pipe = place.path("pipe")
    os.mkfifo(pipe)
    done = kernel_check(pipe)
    assert done.returncode == 1 and "pipe is no ordinary file" in done.stderr and not done.stdout, done
    for words in (["--slots", "ubi"], ["--firewall", "nft"], ["--read-only-root"]):
        done = kernel_check("--table", *words)
        assert done.returncode == 2 and "cannot be used with" in done.stderr and not done.stdout, done
