"""Chooses a small corpus out of all that was found: the seeds, then again and again the input that adds most coverage.

    python3 tests/fuzz/choose.py PROGRAM SEEDS FOUND CORPUS

PROGRAM is the built target, SEEDS what seeds.py wrote, FOUND what `tests/fuzz/run long` found (work/fuzz/TARGET).
CORPUS is written anew. The program itself says what each input covers, as it does for `cargo fuzz cmin`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILES_MAX = 40
BYTES_MAX = 64_000


def coverage(program, folders):
    """Pairs of a file and the edges that it reaches."""
    with tempfile.TemporaryDirectory() as scratch:
        control = Path(scratch, "control")
        subprocess.run([program, "-set_cover_merge=1", "-use_counters=0", "-use_cmp=0", f"-merge_control_file={control}", scratch,
                        *folders], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = control.read_text().splitlines()
    # The number of files, the number of those in the first folder, their names, then what each covers.
    names = [Path(name) for name in lines[2:2 + int(lines[0])]]
    edges = {}
    for line in lines[2 + len(names):]:
        kind, number, *covered = line.split()
        if kind == "FT":
            edges.setdefault(int(number), set()).update(covered)
    return [(name, edges.get(number, set())) for number, name in enumerate(names)]


def choose(known, seeds):
    chosen = [(file, edges) for file, edges in known if file.parent == seeds]
    covered = set().union(*(edges for _, edges in chosen))
    left = BYTES_MAX - sum(file.stat().st_size for file, _ in chosen)
    others = {file: edges for file, edges in known if file.parent != seeds}
    while len(chosen) < FILES_MAX:
        fitting = [file for file in others if file.stat().st_size <= left]
        best = max(fitting, key=lambda file: (len(others[file] - covered), -file.stat().st_size, file), default=None)
        if best is None or not others[best] - covered:
            break
        covered |= others[best]
        left -= best.stat().st_size
        chosen.append((best, others.pop(best)))
    return [file for file, _ in chosen], len(covered), len(set().union(*(edges for _, edges in known)))


def main():
    program, seeds, found, corpus = sys.argv[1], *map(Path, sys.argv[2:])
    files, covered, there_is = choose(coverage(program, [seeds, found]), seeds)
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    for file in files:
        shutil.copyfile(file, corpus / file.name)
    size = sum(file.stat().st_size for file in files)
    print(f"{corpus.name}: {len(files)} files, {size} bytes, {covered} of {there_is} edges")


if __name__ == "__main__":
    main()
