"""Runs the tests on emulated machines: a whole small computer with a kernel of its own, and the agent built for it.

    python3 tests/emulators/run.py                  all of them
    python3 tests/emulators/run.py boots telnetd    those whose name, or file, has one of these words in it

It counts as tests/peers/run.py does. Needs no root, but what tests/emulators/setup installs, and cross/build.

    KOMAINU_EMULATORS   the folder of tests/emulators/setup  (work/emulators)
    KOMAINU_DEVICE      the folder of cross/build            (target/device)
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
# Of the namespaces only what has no file of its name here: cables, and a browser.
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE)]
sys.path.append(str(HERE.parent / "namespaces"))

import run as runner  # noqa: E402  the one of tests/peers

#: Machines at a time: each takes a processor while it starts.
AT_ONCE = 2

if __name__ == "__main__":
    sys.exit(runner.main(sys.argv[1:], sorted(HERE.glob("test_*.py")), at_once=AT_ONCE))
