"""Runs good devices through a year in short, beside a wall that enforces everything, and one as shipped; and the same
devices taken by malware.

    python3 tests/good/run.py               all of them, some at a time
    python3 tests/good/run.py openwrt nas   those whose name, or file, has one of these words in it

It counts as tests/peers/run.py does, and a table says what each event was found to be. Needs root, and Debian's programs
(tests/setup).

    KOMAINU, KOMAINU_STANDIN   as for tests/namespaces/run.py
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "namespaces"), str(HERE)]

import run as runner  # noqa: E402  the one of tests/peers
import table  # noqa: E402
import test_good  # noqa: E402, F401  fills the list of tests

#: Lives at a time: they wait most of the time, for a minute to pass or the wall to look.
AT_ONCE = 5

if __name__ == "__main__":
    code = runner.main(sys.argv[1:], [], notes=table.ROWS, at_once=AT_ONCE)
    print("\n".join(table.shown(table.ROWS)), file=sys.stderr)
    sys.exit(code)
