"""Runs good devices through a year in short, beside a wall that enforces everything, and one as shipped; and the same
devices taken by malware.

    python3 tests/good/run.py               all of them, some at a time
    python3 tests/good/run.py openwrt nas   those whose name has one of these words in it

It counts as tests/peers/run.py does, and shows what each event was found to be. Needs root, and Debian's programs
(tests/setup).

    KOMAINU, KOMAINU_STANDIN   as for tests/namespaces/run.py
"""

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "namespaces"), str(HERE)]

import run as runner  # noqa: E402  the one of tests/peers
import table  # noqa: E402
import test_good  # noqa: E402, F401  fills the list of tests
from place import TESTS  # noqa: E402

#: Lives at a time: they wait most of the time, for a minute to pass or the wall to look.
AT_ONCE = 5
ALONE, ROWS = "--alone", "rows "


def one(name):
    """One life, in a process of its own, for a thread of it enters namespaces; its result and its rows."""
    with contextlib.suppress(subprocess.SubprocessError):
        done = subprocess.run([sys.executable, __file__, ALONE, name], capture_output=True, text=True, check=False,
                              timeout=600)
        rows = next((line for line in done.stdout.splitlines() if line.startswith(ROWS)), ROWS + "[]")
        first = next((line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAIL ", "SKIPPED "))), "")
        if first.startswith("FAIL") or not first:
            print(f"{done.stdout}\n{done.stderr}", file=sys.stderr)
        print(first or f"FAIL {name}: it broke down", flush=True)
        return first.split(" ")[0] or "FAIL", json.loads(rows[len(ROWS):])
    print(f"FAIL {name}: it does not end", flush=True)
    return "FAIL", []


def alone(name):
    """In a process of its own."""
    code = runner.main([name], [])
    print(ROWS + json.dumps(table.ROWS))
    return code


def main(words):
    names = [test.name for test in TESTS if not words or any(word in test.name for word in words)]
    if not names:
        print(f"no life has one of these words in its name: {' '.join(words)}")
        return 1
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(one, names))
    print("\n".join(table.shown([row for _, rows in results for row in rows])))
    count = {word: sum(result == word for result, _ in results) for word in ("ok", "FAIL", "SKIPPED")}
    print(f"{count['ok']} passed, {count['FAIL']} failed, {count['SKIPPED']} skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(alone(sys.argv[2]) if sys.argv[1:2] == [ALONE] else main(sys.argv[1:]))
