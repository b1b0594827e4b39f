"""Updates by way of a proxy: tinyproxy and squid, plain and by a tunnel, with and without a password; and what comes out
of the network between server and device that a client must step over.
"""

import chains
import proxies
from device import FAILED, Device
from maker import Workshop
from place import command, test, tests
from web import Web, tls_lines


def made(place, *, tls=False, host="localhost", extra=""):
    workshop = Workshop(place)
    images = workshop.publish(2)
    chain = chains.make(place, "good", host=host) if tls else None
    web = Web(place, workshop.repository, tls=tls_lines(chain) if tls else "", host=host, extra=extra)
    device = Device(place, workshop.root, web.url)
    if tls:
        device.settings["server"]["ca_files"] = [chain.root]
    return device, web, images


def updates_by_way_of(place, make, tls, word):
    # Squid takes localhost for ::1, where no one listens.
    host = "127.0.0.1" if make is proxies.squid else "localhost"
    device, web, images = made(place, tls=tls, host=host)
    proxy = make(place)
    device.settings["server"]["proxy"] = proxy.url()
    device.update(2, images)
    requests = len(web.requests())
    seen = sum(word in line and f"{host}:{web.port}" in line for line in proxy.log().splitlines())
    assert seen and (tls or seen >= requests), f"{seen} of {requests} requests:\n{proxy.log()}"
    return f"{seen} × {word} for {requests} requests"


tests(updates_by_way_of, "a_whole_update_by_way_of_{}", [
    ("tinyproxy", proxies.tinyproxy, False, "GET"),
    ("tinyproxy_and_its_tunnel", proxies.tinyproxy, True, "CONNECT"),
    ("squid", proxies.squid, False, "GET"),
    ("squid_and_its_tunnel", proxies.squid, True, "CONNECT"),
])


def a_proxy_with_a_password(place, tls):
    device, _, images = made(place, tls=tls)
    proxy = proxies.tinyproxy(place, "BasicAuth router p-s_w")
    server = device.settings["server"]
    asks = "status 407: the proxy asks for a user and a password"
    # Tinyproxy says 401, as a server would, to a wrong password.
    wrong = asks if tls else "status 401: the server, or the proxy, does not take the user and the password"
    for login, says in (("", asks), ("router:wr0ngw0rd@", wrong), ("nobody:p%2Ds%5Fw@", wrong)):
        server["proxy"] = proxy.url(login)
        with device.untouched("ab"):
            run = device.once().must(FAILED, says)
        assert "wr0ngw0rd" not in run.log + device.komainu("status").out + device.komainu("plan").out, run.log
    server["proxy"] = proxy.url("router:p%2Ds%5Fw@")
    device.update(2, images)


tests(a_proxy_with_a_password, "a_proxy_with_a_password_is_told_it_and_nobody_else_is_{}", [
    ("plain", False), ("by_a_tunnel", True),
])


def exceptions_are_asked_directly(place, word, host):
    device, _, images = made(place, host=host)
    proxy = proxies.tinyproxy(place)
    device.settings["server"].update(proxy=proxy.url(), no_proxy=["other.example", word])
    device.update(2, images)
    assert "GET" not in proxy.log(), proxy.log()


tests(exceptions_are_asked_directly, "no_proxy_may_name_{}", [
    ("a_host", "localhost", "localhost"), ("a_network", "127.0.0.0/8", "127.0.0.1"),
])


@test
def a_name_that_only_the_proxy_knows_is_not_looked_up(place):
    device, web, images = made(place)
    # nginx takes any name that it is asked for.
    device.settings["server"].update(metadata_url="http://updates.invalid/metadata/",
                                     targets_url="http://updates.invalid/targets/", proxy=f"http://127.0.0.1:{web.port}")
    device.update(2, images)


@test
def a_proxy_that_is_away_or_refuses_is_named(place):
    device, _, _ = made(place, tls=True)
    server = device.settings["server"]
    server["proxy"] = "http://127.0.0.1:9"
    device.once().must(FAILED, "unreachable: the proxy 127.0.0.1:9: connecting to 127.0.0.1:9: Connection refused")
    proxy = proxies.tinyproxy(place, "ConnectPort 563")
    server["proxy"] = proxy.url()
    device.once().must(FAILED, f"unreachable: the proxy 127.0.0.1:{proxy.port}: answered CONNECT localhost:",
                       "with status 403")


def a_variable_is_ignored(place, name):
    device, web, images = made(place)
    device.agent.runner = ("env", f"{name}=http://127.0.0.1:9")
    web.stop()
    with device.untouched("ab"):
        device.once().must(FAILED, f"{name} is ignored: set server.proxy")
    web.start()
    device.update(2, images)


tests(a_variable_is_ignored, "the_variable_{}_is_ignored_and_named_where_a_server_is_out_of_reach", [
    ("http_proxy",) * 2, ("HTTPS_PROXY",) * 2, ("all_proxy",) * 2,
])


@test
def early_hints_of_haproxy_are_stepped_over(place):
    device, web, images = made(place)
    proxy = proxies.haproxy(place, web.port)
    url = f"{proxy.url()}/"
    raw = command("curl", "-si", f"{url}metadata/1.root.json").stdout
    assert raw.startswith("HTTP/1.1 103 "), raw[:100]
    device.settings["server"].update(metadata_url=f"{url}metadata/", targets_url=f"{url}targets/")
    device.update(2, images)
