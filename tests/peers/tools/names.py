"""Runs a program in a network of its own, made by `unshare --net --mount`, with one name server and one web server in it.

    names.py mute|answers RESOLV_CONF QUERIES REPOSITORY PORT PROGRAM…

The name server says nothing, or that every name is 127.0.0.1; it writes the names that it was asked for to QUERIES. The
web server is Python's own: it closes after every answer and knows no ranges.
"""

import functools
import socket
import struct
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def names(door, answers, queries):
    while True:
        query, asker = door.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        with open(queries, "a", encoding="utf-8") as file:
            file.write(f"{kind} {'.'.join(labels)}\n")
        if answers:
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if kind == 1 else b""
            head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, kind == 1, 0, 0)
            door.sendto(head + query[12:at + 5] + answer, asker)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main(mode, resolv, queries, repository, port, *program):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 53))
    threading.Thread(target=names, args=(door, mode == "answers", queries), daemon=True).start()
    web = ThreadingHTTPServer(("127.0.0.1", int(port)), functools.partial(Quiet, directory=repository))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    return subprocess.run(program, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
