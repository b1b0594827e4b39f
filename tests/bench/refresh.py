"""What a refresh of the metadata costs: requests, bytes, heap; with one product in the repository and with a thousand."""

import subprocess

from place import ROOT


def run():
    # tests/bench/run has built it.
    subprocess.run([ROOT / "target/release/refresh-cost"], cwd=ROOT, check=True)
