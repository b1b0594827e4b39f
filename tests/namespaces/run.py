"""Runs the tests between network namespaces: a WAN, a device and a LAN, with real packets and the kernel's own firewall.

    python3 tests/namespaces/run.py                all of them
    python3 tests/namespaces/run.py redirect open  those whose name, or file, has one of these words in it

It counts as tests/peers/run.py does. Needs root, and the programs that each test names when it is skipped.

    KOMAINU            the agent under test       (target/debug/komainu)
    KOMAINU_FIREWALL   its firewall on its own    (target/debug/firewall)
    KOMAINU_STANDIN    what shows signs of malware (target/debug/standin)

When all have ended, a table says what was attacked, measure by measure, and what held.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE)]

import matrix  # noqa: E402
import run as runner  # noqa: E402  the one of tests/peers

if __name__ == "__main__":
    code = runner.main(sys.argv[1:], sorted(HERE.glob("test_*.py")), matrix.ATTACKS)
    print("\n".join(matrix.shown()), file=sys.stderr)
    sys.exit(code)
