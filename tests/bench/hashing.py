"""Compact or unrolled SHA-2 on processors without instructions for it: executed instructions, counted by callgrind on
this machine with the portable code that a MIPS runs; and the bytes of the code."""

import os
import re
import subprocess

from place import ROOT, need

BYTES = 1 << 20
KINDS = {
    "unrolled": '--cfg sha2_backend="soft"',
    "compact": '--cfg sha2_backend="soft" --cfg sha2_backend_soft="compact"',
}


def run():
    valgrind = need("valgrind", "valgrind")
    counted = {kind: instructions(valgrind, build(kind, flags)) for kind, flags in KINDS.items()}
    for kind, count in counted.items():
        print(f"{kind:10} {count / BYTES:7.1f} instructions a byte")
    print(f"compact / unrolled: {counted['compact'] / counted['unrolled']:.2f}")


def build(kind, flags):
    target = ROOT / "target" / f"bench-sha2-{kind}"
    words = ["cargo", "build", "--locked", "--release", "-q", "-p", "komainu-tests", "--example", "hash"]
    subprocess.run(words, check=True, cwd=ROOT, env={**os.environ, "RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(target)})
    return target / "release/examples/hash"


def instructions(valgrind, binary):
    """Of hashing alone: what one run takes more than another that hashes nothing."""
    return collected(valgrind, binary, BYTES) - collected(valgrind, binary, 0)


def collected(valgrind, binary, count):
    words = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", str(binary), str(count)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stderr
    return int(re.search(r"Collected : (\d+)", said)[1])
