"""Starts a program with signals as they are by default, whatever the caller has ignored or blocked.

    python3 tests/peers/fresh.py PROGRAM [WORD...]

Ignored and blocked signals are inherited: under nohup, or in the background of a script, every program below would
never hear SIGHUP or SIGINT, and a test that waits for one would fail. Under nohup the program gets a session of its own
besides, so that the end of the terminal does not reach it.
"""

import os
import signal
import sys

#: Python itself ignores these, and subprocess gives them back to what it starts.
PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}
UNCHANGEABLE = {signal.SIGKILL, signal.SIGSTOP}


def anew():
    """Starts this Python program once more where it has inherited ignored or blocked signals."""
    ignored = [number for number in signal.valid_signals() - PYTHONS_OWN - UNCHANGEABLE
               if signal.getsignal(number) is signal.SIG_IGN]
    if ignored or signal.pthread_sigmask(signal.SIG_BLOCK, []):
        start([sys.executable, *sys.argv])


def start(words):
    """Becomes this program."""
    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    if not hangs_up:
        in_own_session()
    for number in signal.valid_signals() - UNCHANGEABLE:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(words[0], words)


def in_own_session():
    """Goes on in a child that leads a session; this process only waits for it, and passes on what shall end it."""
    to_be_passed_on = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, to_be_passed_on)
    child = os.fork()
    if child == 0:
        os.setsid()
        return
    for number in to_be_passed_on:
        signal.signal(number, lambda number, _: pass_on(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, to_be_passed_on)
    _, status = os.waitpid(child, 0)
    # As a shell says it of a program that a signal has ended.
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def pass_on(child, number):
    try:
        os.killpg(child, number)
    except ProcessLookupError:
        # It does not lead its session yet, or has ended.
        os.kill(child, number)


if __name__ == "__main__":
    start(sys.argv[1:])
