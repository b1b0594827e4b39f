"""What a refresh of the metadata costs: requests, bytes, heap; with one product in the repository and with a thousand."""

import subprocess

from place import ROOT


def run():
    command = ["cargo", "run", "--quiet", "--locked", "--release", "-p", "komainu-tests", "--bin", "refresh-cost"]
    subprocess.run(command, cwd=ROOT, check=True)
