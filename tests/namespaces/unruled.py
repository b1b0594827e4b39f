"""Starts a program as on a kernel that can hold no rules: without nf_tables, and without the tables of iptables.

    python3 tests/namespaces/unruled.py PROGRAM [WORD...]

The kernel's own filter for system calls refuses the sockets by which rules are placed, as a kernel does that was built without
them. All that the program starts is refused the same.
"""

import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
AF_INET, AF_INET6, AF_NETLINK = 2, 10, 16
NETLINK_NETFILTER, IPPROTO_RAW = 12, 255
EPROTONOSUPPORT = 93
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | EPROTONOSUPPORT
LOAD, SAME, GIVE = 0x20, 0x15, 0x06
#: Where the kernel has the call's number, the architecture, and its first and third word.
NUMBER, ARCHITECTURE, FAMILY, PROTOCOL = 0, 4, 16, 32


def program(architecture, socket):
    """The filter: each line is code, steps if it is so, steps if not, value."""
    lines = [
        (LOAD, 0, 0, ARCHITECTURE), (SAME, 0, 10, architecture),
        (LOAD, 0, 0, NUMBER), (SAME, 0, 8, socket),
        (LOAD, 0, 0, FAMILY), (SAME, 0, 2, AF_NETLINK),
        (LOAD, 0, 0, PROTOCOL), (SAME, 5, 4, NETLINK_NETFILTER),
        (SAME, 1, 0, AF_INET), (SAME, 0, 2, AF_INET6),
        (LOAD, 0, 0, PROTOCOL), (SAME, 1, 0, IPPROTO_RAW),
        (GIVE, 0, 0, ALLOW), (GIVE, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def refuse():
    libc = ctypes.CDLL(None, use_errno=True)
    code = program(*NUMBERS[platform.machine()])
    held = ctypes.create_string_buffer(code, len(code))
    whole = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(whole, len(whole)), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter")


if __name__ == "__main__":
    refuse()
    os.execvp(sys.argv[1], sys.argv[1:])
