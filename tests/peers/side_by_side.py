"""Runs tests side by side, in a few processes. What each hands back, and all that was said meanwhile, comes out whole and
in the order of the list.

The processes take numbers from one pipe, each the next that is left. Whatever ends this process ends them as well, and
they undo first what their tests have made.
"""

import contextlib
import os
import signal
import struct
import sys
import tempfile
import traceback
from multiprocessing.connection import Pipe, wait

NUMBER = struct.Struct("H")
ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Worker:
    """A process that calls `run` with one number after the other."""

    def __init__(self, numbers, run, others):
        self.said = tempfile.TemporaryFile()
        self.told = 0
        self.number = None
        self.results, writer = Pipe(duplex=False)
        self.process = os.fork()
        if self.process == 0:
            for other in (self, *others):
                other.results.close()
            self._work(numbers, writer, run)
        writer.close()

    def _work(self, numbers, writer, run):
        """Tells each number that it takes, then the result and how much has been said up to then."""
        code = 1
        try:
            for number in ENDS:
                signal.signal(number, end_once)
            for output in (1, 2):
                os.dup2(self.said.fileno(), output)
            while record := os.read(numbers, NUMBER.size):
                number, = NUMBER.unpack(record)
                writer.send((number, None, 0))
                result = run(number)
                flush()
                writer.send((number, result, self._size()))
            code = 0
        except Exception:  # the number has no result, and this is why
            traceback.print_exc()
        finally:
            flush()
            os._exit(code)

    def receive(self):
        """Takes what the process tells next. A number, its result and what was said meanwhile; None where it has only
        begun. After its end the result is None, and the number too unless it was at work on one."""
        try:
            number, result, size = self.results.recv()
        except EOFError:
            number, result, size = self.number, None, self._size()
        else:
            self.number = number if result is None else None
            if result is None:
                return None
        # Read where it stands: the process writes at the same place of the same file.
        said = os.pread(self.said.fileno(), size - self.told, self.told)
        self.told = size
        return number, result, said.decode(errors="replace")

    def _size(self):
        return os.fstat(self.said.fileno()).st_size

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGTERM)
        os.waitpid(self.process, 0)
        self.said.close()


def end_once(*_):
    """Another signal must not disturb what is undone because of the first."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def side_by_side(count, workers, run):
    """For each number below `count`, in order: what `run` hands back for it, and what was said meanwhile. The former is
    None where the process ended before it could."""
    numbers, giver = os.pipe()
    os.write(giver, b"".join(map(NUMBER.pack, range(count))))
    os.close(giver)
    flush()
    started = []
    try:
        for _ in range(min(workers, count)):
            started.append(Worker(numbers, run, started))
        yield from in_order(count, started)
    finally:
        os.close(numbers)
        for worker in started:
            worker.end()


def in_order(count, workers):
    """The results of these workers, each as soon as all before it are there."""
    done, number = {}, 0
    alive = {worker.results: worker for worker in workers}
    while alive:
        for results in wait(list(alive)):
            told = alive[results].receive()
            if told and told[1] is None:
                del alive[results]
            if told:
                done[told[0]] = told[1:]
        while number in done:
            yield done.pop(number)
            number += 1
    for number in range(number, count):
        yield done.get(number, (None, ""))


def flush():
    sys.stdout.flush()
    sys.stderr.flush()
