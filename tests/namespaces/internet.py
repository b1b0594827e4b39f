"""The internet, as far as a device and its owner's phone ask for it: one web server on the WAN host that answers for
every name, and a few open ports."""

import contextlib
import http.server
import socket
import threading

from net import Services

APPLE = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
FIREFOX = '<meta http-equiv="refresh" content="0;url=https://support.mozilla.org/kb/captive-portal"/>'
#: Who asks, host, path, and what it wants to hear: a status, and what is in the body.
PROBES = (
    ("android", "connectivitycheck.gstatic.com", "/generate_204", 204, ""),
    ("android_without_google", "www.google.com", "/gen_204", 204, ""),
    ("android_once_more", "play.googleapis.com", "/generate_204", 204, ""),
    ("android_in_china", "connect.rom.miui.com", "/generate_204", 204, ""),
    ("ios_and_macos", "captive.apple.com", "/hotspot-detect.html", 200, APPLE),
    ("older_ios", "www.apple.com", "/library/test/success.html", 200, APPLE),
    ("windows", "www.msftconnecttest.com", "/connecttest.txt", 200, "Microsoft Connect Test"),
    ("windows_by_ipv6", "ipv6.msftconnecttest.com", "/connecttest.txt", 200, "Microsoft Connect Test"),
    ("older_windows", "www.msftncsi.com", "/ncsi.txt", 200, "Microsoft NCSI"),
    ("firefox", "detectportal.firefox.com", "/canonical.html", 200, FIREFOX),
    ("firefox_by_ipv4", "detectportal.firefox.com", "/success.txt?ipv4", 200, "success\n"),
    ("chrome", "www.gstatic.com", "/generate_204", 204, ""),
    ("networkmanager", "nmcheck.gnome.org", "/check_network_status.txt", 200, "NetworkManager is online\n"),
    ("kindle", "spectrum.s3.amazonaws.com", "/kindle-wifi/wifistub.html", 200, "81ce4465-7167-4dcb-835b-dcc9e44c112a"),
)
ELSE = "somewhere in the internet\n"


class Internet:
    """The WAN host; `folder` is served to who asks for its address. `asked` has host and path of every request."""

    def __init__(self, net, folder=None):
        self.asked = []
        for version in (4, 6):
            self._serve(net, version, self._handler(folder))
        Services(net, "wan", "wan", tcp=[22, 443], udp=[123, 443])

    def _handler(self, folder):
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *more):
                super().__init__(*more, directory=folder)

            def do_GET(self):
                host = self.headers.get("Host", "")
                asked.append((host, self.path))
                if folder and host[:1].isdigit():
                    # Who is called away hangs up.
                    with contextlib.suppress(ConnectionError):
                        super().do_GET()
                    return
                for _, name, path, status, body in PROBES:
                    if (name, path) == (host, self.path):
                        self._say(status, body)
                        return
                self._say(200, ELSE)

            def _say(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Says nothing."""

        return Handler

    def _serve(self, net, version, handler):
        made = net.socket("wan", version, socket.SOCK_STREAM, port=80)
        made.listen(100)
        made.settimeout(None)
        server = http.server.ThreadingHTTPServer(made.getsockname()[:2], handler, bind_and_activate=False)
        server.socket.close()
        server.socket, server.daemon_threads = made, True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        net.place.undo.callback(thread.join)
        net.place.undo.callback(server.shutdown)
