"""Talks telnet, no more than is needed: refuses every option that is offered, and hears what a shell says."""

import contextlib
import socket
import time

from place import PATIENCE

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240


class Telnet:
    """A connection to a telnet service. `negotiates` once it has offered an option, as only telnet does."""

    def __init__(self, net, where, address, port=23):
        self.socket = net.socket(where, 6 if ":" in address else 4, socket.SOCK_STREAM)
        self.negotiates, self.text, self.rest = False, b"", b""
        self.socket.connect((address, port))
        self.socket.settimeout(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def hear(self, word, seconds):
        """Hears until the word is said; whether it was. Whoever hangs up says nothing more."""
        deadline = time.monotonic() + seconds
        while word not in self.text and time.monotonic() < deadline:
            try:
                got = self.socket.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
            if not got:
                break
            self._take(got)
        return word in self.text

    def say(self, line):
        with contextlib.suppress(OSError):
            self.socket.send(line.encode() + b"\r\n")

    def _take(self, got):
        data, at = self.rest + got, 0
        while at < len(data):
            if data[at] != IAC:
                self.text += data[at:at + 1]
                at += 1
            elif data[at + 1:at + 2] == bytes([SB]):
                end = data.find(bytes([IAC, SE]), at)
                if end < 0:
                    break
                at = end + 2
            elif at + 2 < len(data):
                self._refuse(data[at + 1], data[at + 2])
                at += 3
            else:
                break
        self.rest = data[at:]

    def _refuse(self, verb, option):
        self.negotiates = True
        answer = {DO: WONT, WILL: DONT}.get(verb)
        if answer:
            with contextlib.suppress(OSError):
                self.socket.send(bytes([IAC, answer, option]))


def shell(net, where, address, port=23, seconds=PATIENCE):
    """A connection to a telnet service that shows a shell's prompt; None where there is none."""
    try:
        one = Telnet(net, where, address, port)
    except OSError:
        return None
    if one.hear(b"# ", seconds):
        return one
    one.socket.close()
    return None


def answers(net, where, address, port=23, seconds=PATIENCE):
    """Whether somebody there offers an option of telnet's."""
    try:
        one = Telnet(net, where, address, port)
    except OSError:
        return False
    with one:
        deadline = time.monotonic() + seconds
        while not one.negotiates and time.monotonic() < deadline and not one.hear(b"\xff", 0.1):
            pass
        return one.negotiates
