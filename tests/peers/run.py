"""Runs the tests against real peers: python-tuf, nginx, OpenSSL, the U-Boot tools, the kernel's loop devices, QEMU.

    python3 tests/peers/run.py              all of them
    python3 tests/peers/run.py tls resume   those whose name, or file, has one of these words in it
    python3 tests/peers/run.py --list       only their names

One line a test, and a last line that counts. Exit code 1 if one failed. Needs the packages of requirements.txt;
what else a test needs (nginx, root, a cross-built agent) it says when it is skipped.

    KOMAINU, KOMAINU_MAKER   the programs under test        (target/debug/komainu, target/debug/komainu-maker)
    KOMAINU_DEVICE           the folder of cross/build      (target/device)
"""

import importlib
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


def main(words, files):
    fresh.anew()
    # An end by signal must undo as much as an end by failure: no loop device, mount or server is left behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
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
    for test in chosen:
        word, line = run(test)
        counts[word] += 1
        print(line, flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['SKIPPED']} skipped")
    return 1 if counts["FAIL"] else 0


def run(test):
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
