"""Small questions that reflectors answer, as those who misuse them ask: one or more for each port of the list in the
facts about reflection. Each is asked of the device's own address, in these tests only.
"""

import contextlib
import select
import socket
import struct
import time

from net import DEVICE_WAN

#: An open question for every kind of record, which is what makes the answer long.
DNS_ANY = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\x07example\x03com\0" + struct.pack("!2H", 255, 1)
DNS_A = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + b"\x07example\x03com\0" + struct.pack("!2H", 1, 1)
MDNS = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + b"\x09_services\x07_dns-sd\x04_udp\x05local\0" + struct.pack("!2H", 12, 1)
SSDP = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nST: ssdp:all\r\n\r\n'
SNMP = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010101000500")
NETBIOS = bytes.fromhex("000000000001000000000000") + b" CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0" + bytes.fromhex("00210001")
CLDAP = bytes.fromhex("3025020101632004000a01000a0100020100020100010100870b6f626a656374636c6173733000")
PORTMAP = struct.pack("!10I", 1, 0, 2, 100000, 2, 4, 0, 0, 0, 0)
DISCOVERY = (b'<?xml version="1.0"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" '
             b'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Body><d:Probe/></e:Body></e:Envelope>')
RIP = struct.pack("!BBH", 1, 1, 0) + struct.pack("!HHIIII", 0, 0, 0, 0, 0, 16)

#: Name, port and question. What the first three surveys of NICT ask for has a real service on the device.
QUESTIONS = (
    ("DNS", 53, DNS_A), ("DNS any", 53, DNS_ANY),
    ("NTP mode 3", 123, b"\x23" + bytes(47)),
    ("NTP mode 6", 123, b"\x16\x02" + struct.pack("!5H", 1, 0, 0, 0, 0)),
    ("NTP mode 7", 123, b"\x17\x00\x03\x2a" + bytes(188)),
    ("SSDP", 1900, SSDP),
    ("QOTD", 17, b"\r\n"), ("CharGEN", 19, b"\r\n"), ("TFTP", 69, b"\0\1a\0octet\0"), ("portmap", 111, PORTMAP),
    ("NetBIOS", 137, NETBIOS), ("SNMP", 161, SNMP), ("CLDAP", 389, CLDAP), ("RIP", 520, RIP),
    ("ARMS", 3283, b"\0\x14\0\1\3"), ("WS-Discovery", 3702, DISCOVERY), ("mDNS", 5353, MDNS),
    ("CoAP", 5683, bytes.fromhex("40017d70bb2e77656c6c2d6b6e6f776e04636f7265")), ("Ubiquiti", 10001, b"\1\0\0\0"),
    ("memcached", 11211, b"\0\1\0\0\0\1\0\0stats\r\n"), ("DHCPDiscover", 37810, b"\xff"),
)
#: Ports that a stand-in answers at: no real service for them is at hand.
STAND_INS = sorted({port for _, port, _ in QUESTIONS} - {53, 123})


def reflected(net, where="wan", addresses=(DEVICE_WAN[4],), seconds=1.0):
    """Which questions are answered within the time, and by how many bytes for each that was asked, from `where`."""
    poll, asked = select.poll(), {}
    for address in addresses:
        for name, port, question in QUESTIONS:
            one = net.socket(where, 6 if ":" in address else 4, socket.SOCK_DGRAM)
            one.sendto(question, (address, port))
            poll.register(one, select.POLLIN)
            asked[one.fileno()] = name, one, len(question)
    found, deadline = {}, time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for number, _ in poll.poll(left * 1000):
            name, one, length = asked[number]
            with contextlib.suppress(OSError):
                found[name] = len(one.recv(65536)) / length
    for _, one, _ in asked.values():
        one.close()
    return found
