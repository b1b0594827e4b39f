"""Seeds for what comes to the page: requests, questions for names, messages between page and agent."""

import struct

# Of the visitor in targets/http_request.rs: the secret, 192.168.1.7 at 192.168.1.1, the second hour.
TOKEN = "9f373ce17945d4aa2fc1dfcb04794de8"
OURS = "Host: 192.168.1.1\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
STATE = """gate=open
account=root
lan4=192.168.1.1
now=1795305600
version=2.0.9
release=41
slot=a
other=42 (2.1.0)
update=staging
percent=40
polled=1795305000
next=1795309200
reason=up to date
offer=42
offer_version=2.1.0
severity=critical
fixes=CVE-2026-1 CVE-2026-2
note.en=What it <b>brings</b>
postponable=1
postponed=1795909200
support_end=1790000000
firewall=nftables
finding=one
finding=two "quoted"
login=1795305600 192.168.1.20 ok
login=1795305500 ::1 wrong
"""


def request(line, headers, body=""):
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{line} HTTP/1.1\r\n{headers}{length}\r\n{body}".encode()


def requests():
    yield "get", request("GET /", OURS + "Accept-Language: ja,en;q=0.5\r\n")
    yield "head", request("HEAD /?l=ja", "Host: gate.lan:80\r\n")
    yield "probe", request("GET /hotspot-detect.html", "Host: captive.apple.com\r\n")
    yield "whole-address", request("GET http://gate.lan/logo", "Host: gate.lan\r\n")
    yield "status", request("GET /status.json", OURS + "Cookie: komainu=00\r\n")
    setup = f"token={TOKEN}&password=a%2Bb+c&code=AB"
    yield "setup", request("POST /setup", OURS + FORM + "Origin: http://192.168.1.1\r\n", setup)
    yield "login", request("POST /login", OURS + FORM + "Sec-Fetch-Site: same-origin\r\n", setup)
    yield "reset", request("POST /reset", OURS + FORM, f"token={TOKEN}&sure=yes&password=a")
    yield "form", b"token=a&password=%E9%B3%A5&code=+"


def question(name, kind, tail=b""):
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, int(bool(tail))) + labels + b"\0" + struct.pack(">HH", kind, 1) + tail


def message(tag, number, *fields):
    return tag + struct.pack(">I", number) + b"".join(struct.pack(">H", len(one)) + one for one in fields)


def messages():
    peer = bytes(10) + b"\xff\xff\xc0\xa8\x01\x07"
    session = b"s" * 16
    yield "claim", message(b"c", 1, peer, b"password", b"code")
    yield "login", message(b"l", 2, peer, b"password")
    yield "change", message(b"p", 3, peer, session, b"old", b"new")
    yield "reset", message(b"r", 4, peer, session, b"password")
    yield "weak", message(b"k", 5, b"too-short=10", b"common")
    yield "wait", message(b"t", 6, struct.pack(">I", 60))
    yield "welcome", message(b"h", 7, session)
    yield "failed", message(b"f", 8, b"full")
    yield "state", message(b"s", 0, STATE.encode())


def files():
    """Target, name, bytes."""
    for number, (name, data) in enumerate(requests()):
        yield "http_request", name, bytes([number]) + data
    for name, kind in {b"captive.apple.com": 1, b"a": 28, b"www.msftconnecttest.com": 65}.items():
        yield "dns_query", name.decode(), question(name, kind)
    yield "dns_query", "edns", question(b"gate.lan", 1, b"\0\0)\x04\xd0\0\0\0\0\0\0")
    for name, data in messages():
        yield "asks", name, data
