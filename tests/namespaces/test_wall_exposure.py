"""What a program gives to anybody in the LAN: pictures, a stream, an export of settings. The wall asks for it without a
log-in, tells the owner, and disturbs nobody who speaks another language."""

import re
import socket
import time

from firmware import LIGHTTPD, Firmware
from matrix import attacked
from net import DEVICE_LAN
from place import need, test, wait_until
from walled import SECONDS, Walled, need_wall

PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01" + bytes(200) + b"\xff\xd9"
EXPORT = b"Login=admin\nPassword=not-known 7\nSSID1=home\n"
GOOD_PASSWORD = "Take-no-ko 5 Yama"
#: More questions than these are not asked of one program.
QUESTIONS_MAX = 40
#: The vendor's page with files in /etc, where the test can put them, and a line of log for each request.
WEB = (LIGHTTPD.replace("/usr/share/www", "/etc/www").replace('"mod_cgi")', '"mod_cgi", "mod_accesslog")')
       + 'accesslog.filename = "/run/access.log"\naccesslog.format = "%r"\n')
LOGGED_IN = WEB.replace('"/cgi-bin/" =>', '"/" =>')
SDP = ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
       "a=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n")


def device(place, web, services=("web", "names"), **more):
    """A device whose page has a picture and an export of settings among its files."""
    need_wall()
    firmware = Firmware(services=services, web_password=GOOD_PASSWORD, more_etc={"lighttpd.conf": web})
    one = Walled(place, "nft", firmware=firmware, **more)
    (one.etc / "www").mkdir(exist_ok=True)
    for name, content in (("snapshot.jpg", PICTURE), ("backup.cfg", EXPORT), ("index.html", b"the vendor's page\n")):
        (one.etc / "www" / name).write_bytes(content)
    one.vendor()
    return one


def exposed(one):
    return [what for measure, what in one.findings() if measure == "exposure"]


def requests(one):
    """The requests that the vendor's web server logged, but for a last one of this test: it writes its log now and
    then."""
    with one.net.inside("device"), socket.create_connection((DEVICE_LAN[4], 80), 10) as last:
        last.sendall(b"GET /the-last HTTP/1.0\r\n\r\n")
        while last.recv(1000):
            pass
    read = lambda: one.machine.run("cat", "/run/access.log").stdout
    wait_until(lambda: "/the-last" in read(), "the log of the web server")
    return read().partition("GET /the-last")[0].splitlines()


@test
def what_a_program_gives_to_anybody_is_told_to_the_owner(place):
    one = device(place, WEB)
    # No agent is at work: the command asks for itself, at once.
    told = exposed(one)
    assert len(told) == 2, told
    settings, pictures = told
    assert re.search(r"lighttpd at port 80 shows pictures without a log-in \(/snapshot\.jpg\)", pictures), told
    assert re.search(r"lighttpd at port 80 gives its settings away .*\(/backup\.cfg\)", settings), told
    asked = len(requests(one))
    assert 0 < asked <= QUESTIONS_MAX, asked
    # The agent at work finds it at its own pace, and leaves the program alone.
    number = one.machine.runs("/usr/sbin/lighttpd")
    one.run()
    one.set_up()
    began = time.monotonic()
    wait_until(lambda: any("/snapshot.jpg" in what for what in exposed(one)), "the owner is told", SECONDS)
    seconds = time.monotonic() - began
    attacked("exposure", "pictures without a log-in", "both", True)
    attacked("exposure", "an export of settings without a log-in", "both", True)
    assert one.machine.runs("/usr/sbin/lighttpd") == number, "the program was disturbed"
    return f"{asked} requests at once; the agent told after {seconds:.1f} s"


@test
def what_needs_a_log_in_is_no_finding(place):
    one = device(place, LOGGED_IN)
    assert exposed(one) == [], exposed(one)
    lines = requests(one)
    assert 0 < len(lines) <= QUESTIONS_MAX, lines
    assert any("/snapshot.jpg" in line for line in lines), f"this test sees the questions: {lines}"


def announce(one, port):
    """A camera's side of a real RTSP server: it brings a stream, and holds the line."""
    with one.net.inside("device"):
        source = socket.create_connection(("127.0.0.1", port), 10)
    request = (f"ANNOUNCE rtsp://127.0.0.1:{port}/live RTSP/1.0\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n"
               f"Content-Length: {len(SDP)}\r\n\r\n{SDP}")
    source.sendall(request.encode())
    said = source.recv(1000).decode()
    assert " 200 " in said.splitlines()[0], said
    return source


@test
def a_stream_of_a_real_server_is_told_to_the_owner(place):
    need("rtsp-server-perl", "rtsp-server-perl")
    one = device(place, LOGGED_IN, services=("web", "names"))
    one.start_program("/usr/bin/perl", "/usr/bin/rtsp-server-perl", "-c", "554", "-s", "5545")
    wait_until(lambda: {554, 5545} <= set(one.machine.listening()), "the RTSP server")
    assert not [what for what in exposed(one) if "shows pictures" in what], "a server without a stream"
    source = announce(one, 5545)
    told = exposed(one)
    source.close()
    assert any(re.search(r"perl at port 554 shows pictures without a log-in \(/live\)", what) for what in told), told
    attacked("exposure", "a stream without a log-in", "both", True)


@test
def programs_of_other_languages_are_not_disturbed(place):
    need("cupsd", "cups-daemon")
    one = device(place, LOGGED_IN, services=("web", "names", "ssh"))
    one.write("cups/cupsd.conf", "Listen 0.0.0.0:631\nLogLevel debug\nAccessLogLevel all\n"
              "<Location />\nOrder allow,deny\nAllow all\n</Location>\n")
    one.write("cups/cups-files.conf", "ErrorLog /run/cups/error\nAccessLog /run/cups/access\nStateDir /run/cups\n"
              "ServerRoot /etc/cups\nCacheDir /run/cups\nRequestRoot /run/cups\nTempDir /run/cups\nUser nobody\nGroup nogroup\n")
    # Its folder is its own: it empties it.
    one.machine.run("mkdir", "/run/cups")
    one.start_program("/usr/sbin/cupsd", "-f", "-c", "/etc/cups/cupsd.conf", "-s", "/etc/cups/cups-files.conf")
    # A printer's own port: whatever is sent there is printed.
    one.start_program("/bin/busybox", "sh", "-c", "while :; do busybox nc -l -p 9100 >>/run/printed; done")
    wanted = {22, 53, 80, 631, 9100}
    wait_until(lambda: wanted <= set(one.machine.listening()), "all of them listen")
    assert exposed(one) == [], exposed(one)
    assert one.machine.run("cat", "/run/printed").stdout == "", "it printed"
    access = one.machine.run("sh", "-c", "cat /run/cups/access 2>/dev/null || true").stdout
    assert access == "", access
    return f"the web server logged {len(requests(one))} lines, the print server {len(access.splitlines())}"
