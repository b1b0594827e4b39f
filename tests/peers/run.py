"""Runs the tests against real peers: python-tuf, nginx, OpenSSL, the U-Boot tools, the kernel's loop devices, QEMU.

    python3 tests/peers/run.py              all of them
    python3 tests/peers/run.py tls resume   those whose name, or file, has one of these words in it
    python3 tests/peers/run.py --list       only their names

One line a test, and a last line that counts. Exit code 1 if one failed. Needs the packages of requirements.txt;
what else a test needs (nginx, root, a cross-built agent) it says when it is skipped.

Tests mostly wait, so a few are run at once; those that measure, or take what there is once only, come last, one by one.

    KOMAINU, KOMAINU_MAKER   the programs under test        (target/debug/komainu, target/debug/komainu-maker)
    KOMAINU_DEVICE           the folder of cross/build      (target/device)
    WORKERS                  how many tests at once         (3; 1: all of them in the order of --list)
"""

import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import fresh  # noqa: E402
from place import TESTS, Place, Skip  # noqa: E402
from side_by_side import ENDS, end_once, side_by_side  # noqa: E402


def main(words, files, notes=None, at_once=3):
    """Runs those of the tests in `files` that are chosen by `words`. `notes` is a list that tests add to."""
    fresh.anew()
    # An end by signal must undo as much as an end by failure: no loop device, mount or server is left behind.
    for number in ENDS:
        signal.signal(number, end_once)
    for file in files:
        importlib.import_module(file.stem)
    only_list = "--list" in words
    words = [word for word in words if word != "--list"]
    chosen = [test for test in TESTS if not words or any(word in f"{test.file} {test.name}" for word in words)]
    if only_list:
        print("\n".join(f"{test.file}: {test.name}" for test in chosen))
        return 0
    if not chosen:
        print(f"no test has one of these words in its name: {' '.join(words)}")
        return 1
    counts = {"ok": 0, "FAIL": 0, "SKIPPED": 0}
    at_once = int(os.environ.get("WORKERS") or at_once)
    for word, line in results(chosen, at_once, [] if notes is None else notes):
        counts[word] += 1
        print(line, flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIPPED']} skipped")
    return 1 if counts["FAIL"] else 0


def results(tests, at_once, notes):
    """Runs these tests, and hands back for each a word and a line that say how it ended."""
    together = [test for test in tests if at_once > 1 and not test.alone]

    def noted(number):
        before = len(notes)
        return *run(together[number]), notes[before:]

    for test, (result, said) in zip(together, side_by_side(len(together), at_once, noted)):
        sys.stderr.write(said)
        word, line, added = result or ("FAIL", f"FAIL {test.name}: the process that ran it has ended", [])
        notes += added
        yield word, line
    for test in tests:
        if test not in together:
            yield run(test)


def run(test):
    """Runs one test; a word and a line that say how it ended."""
    began = time.monotonic()
    try:
        with Place() as place:
            note = test.run(place)
    except Skip as why:
        return "SKIPPED", f"SKIPPED {test.name}: {why}"
    except Exception as why:  # whatever it is, the next test is run
        traceback.print_exc()
        first = (str(why) or type(why).__name__).splitlines()[0]
        return "FAIL", f"FAIL {test.name}: {first}"
    note = f" ({note})" if note else ""
    print(f"      {test.file} {time.monotonic() - began:.1f} s {test.name}", file=sys.stderr)
    return "ok", f"ok {test.name}{note}"


if __name__ == "__main__":
    all_files = [*sorted(HERE.glob("test_*.py")), *sorted(HERE.glob("attack_*.py")), HERE / "cross.py"]
    sys.exit(main(sys.argv[1:], all_files))
