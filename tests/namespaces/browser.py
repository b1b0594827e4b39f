"""Asks for pages over HTTP from a namespace, as a browser does: one cookie, forms with their token."""

import http.client
import re
import socket
import time
import urllib.parse
from dataclasses import dataclass

from net import DEVICE_LAN
from place import PATIENCE

#: What the page says until it has heard from the agent how things stand.
STARTING = "The device is starting"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict
    text: str

    @property
    def token(self):
        found = re.search(r'name="token" value="([^"]+)"', self.text)
        assert found, f"no token in {self.status} {self.text[:300]}"
        return found[1]


class Browser:
    """In the LAN, where nothing else is said."""

    def __init__(self, net, where="lan"):
        self.net, self.where, self.cookie = net, where, None

    def ask(self, path="/", *, patient=True, **more):
        """Asks, and as a person does once more where the device is only starting; without patience it asks once, and
        nobody is None."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = self._ask(path, **more)
            except (OSError, http.client.HTTPException):
                if patient:
                    raise
                return None
            if not patient or STARTING not in answer.text or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def _ask(self, path, *, form=None, host=None, to=None, port=80, version=4, headers=None, seconds=PATIENCE):
        """Asks once. `host` is what it asks for, `to` the address where."""
        to = to or DEVICE_LAN[version]
        shown = f"[{to}]" if version == 6 else to
        host = host or (shown if port == 80 else f"{shown}:{port}")
        made = self.net.socket(self.where, version, socket.SOCK_STREAM)
        made.settimeout(seconds)
        asking = http.client.HTTPConnection(to, port)
        asking.sock = made
        try:
            made.connect((to, port))
            body = None if form is None else urllib.parse.urlencode(form)
            asking.request("GET" if form is None else "POST", path, body, self._headers(host, form, headers))
            got = asking.getresponse()
            answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()},
                            got.read().decode("utf-8", "replace"))
        finally:
            asking.close()
            made.close()
        self._keep(answer)
        return answer

    def _headers(self, host, form, more):
        headers = {"Host": host, "Accept-Language": "en"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = f"http://{host}"
        if self.cookie:
            headers["Cookie"] = self.cookie
        return {**headers, **(more or {})}

    def _keep(self, answer):
        if "set-cookie" in answer.headers:
            cookie, _, rest = answer.headers["set-cookie"].partition(";")
            self.cookie = None if "max-age=0" in rest.lower() else cookie

    def send(self, page, path, fields, **more):
        """Fills in the form of a page and sends it."""
        shown = self.ask(page, **more)
        return self.ask(path, form={"token": shown.token, **fields}, **more)
