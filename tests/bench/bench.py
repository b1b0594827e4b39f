"""The benchmarks by name; each prints its table."""

import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]

import delta  # noqa: E402
import emulated  # noqa: E402
import emulated_memory  # noqa: E402
import fresh  # noqa: E402
import gate  # noqa: E402
import hashing  # noqa: E402
import idle  # noqa: E402
import memory  # noqa: E402
import refresh  # noqa: E402
import sizes  # noqa: E402
import staging  # noqa: E402

def apart(name):
    """Runs one that uses modules of tests/namespaces: some of them are named as modules here are."""
    subprocess.run([sys.executable, HERE / f"{name}.py"], check=True)


BENCHMARKS = {
    "staging": staging.run, "memory": memory.run, "idle": idle.run, "refresh": refresh.run, "hash": hashing.run,
    "sizes": sizes.run, "growth": sizes.growth, "gate": gate.run, "delta": delta.run, "emulated": emulated.run,
    "emulated-memory": emulated_memory.run,
    "flood": lambda: apart("flood"),
}


def main(words):
    fresh.anew()
    for word in words or BENCHMARKS:
        if word not in BENCHMARKS:
            print(f"there is no benchmark {word}; there are: {' '.join(BENCHMARKS)}")
            return 2
        print(f"\n== {word}", flush=True)
        BENCHMARKS[word]()
    return 0


sys.exit(main(sys.argv[1:]))
