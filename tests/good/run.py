"""Runs good devices through a year in short, beside a wall that enforces everything, and one as shipped.

    python3 tests/good/run.py               all of them
    python3 tests/good/run.py openwrt nas   those whose name has one of these words in it

It counts as tests/peers/run.py does, and shows what each event was found to be. Needs root, and Debian's programs
(tests/setup).

    KOMAINU, KOMAINU_STANDIN   as for tests/namespaces/run.py
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "namespaces"), str(HERE)]

import life  # noqa: E402
import run as runner  # noqa: E402  the one of tests/peers

if __name__ == "__main__":
    code = runner.main(sys.argv[1:], sorted(HERE.glob("test_*.py")))
    print("\n".join(life.shown()), file=sys.stderr)
    sys.exit(code)
