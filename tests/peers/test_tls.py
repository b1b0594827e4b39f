"""TLS 1.3 as nginx and OpenSSL speak it, with chains of every kind that a maker may have; and whoever cannot prove
itself is not believed.
"""

import datetime
from pathlib import Path

import chains
from cryptography.hazmat.primitives import hashes
from device import FAILED, RESTART, Device
from maker import Workshop
from place import Skip, command, test, tests
from web import Web, tls_lines


def https_device(place, workshop, chain, root, *, url_host="localhost", protocols="TLSv1.3", more=""):
    web = Web(place, workshop.repository, tls=tls_lines(chain, protocols) + more, host=url_host)
    device = Device(place, workshop.root, web.url)
    device.settings["server"]["ca_files"] = [root]
    return web, device


def updates_over(place, root, authority, server, digest, host):
    workshop = Workshop(place)
    images = workshop.publish(2)
    chain = chains.make(place, "good", root=root, authority=authority, server=server, signed_with=digest, host=host)
    web, device = https_device(place, workshop, chain, chain.root, url_host=host)
    device.update(2, images)
    requests = web.requests()
    assert requests and all(request["tls"] == "TLSv1.3" for request in requests)
    return f"{len(requests)} requests"


S256, S384, S512 = hashes.SHA256, hashes.SHA384, hashes.SHA512
tests(updates_over, "a_whole_update_over_tls_1_3_with_{}", [
    ("rsa_2048_and_sha256", "rsa-2048", "rsa-2048", "rsa-2048", S256, "localhost"),
    ("rsa_4096_and_sha384", "rsa-4096", "rsa-4096", "rsa-4096", S384, "localhost"),
    ("p_256_and_sha256", "p-256", "p-256", "p-256", S256, "localhost"),
    ("p_384_and_sha384", "p-384", "p-384", "p-384", S384, "localhost"),
    ("p_256_below_p_384", "p-384", "p-384", "p-256", S384, "localhost"),
    ("p_256_below_rsa_4096_and_sha512", "rsa-4096", "rsa-2048", "p-256", S512, "localhost"),
    ("a_certificate_for_an_address", "p-256", "p-256", "p-256", S256, "127.0.0.1"),
])


# What a server may insist on. The names are OpenSSL's, the lines nginx's.
ONLY = {
    "chacha20": "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;",
    "aes_128_gcm": "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
    "x25519": "ssl_ecdh_curve X25519;",
    # The agent's first guess is another group: the server has to ask for this one.
    "p_256_to_agree_on_keys": "ssl_ecdh_curve prime256v1;",
}


def updates_with_only(place, more):
    workshop = Workshop(place)
    images = workshop.publish(2)
    chain = chains.make(place, "good")
    _, device = https_device(place, workshop, chain, chain.root, more=more)
    device.update(2, images)


tests(updates_with_only, "a_whole_update_from_a_server_that_has_only_{}", ONLY.items())


def refused(place, chain, url_host, protocols, other_root, says):
    workshop = Workshop(place)
    images = workshop.publish(2)
    good = chains.make(place, "good")
    chain = chains.make(place, "bad", **chain)
    pinned = good.root if other_root else chain.root
    web, device = https_device(place, workshop, chain, pinned, url_host=url_host, protocols=protocols)
    # The first request of a refresh asks for the next root.
    with device.untouched("ab"):
        device.once().must(FAILED, "step-failed step=poll", "2.root.json: server not proven", *says)
    assert device.status()["update"] == "idle"
    assert web.requests() == [], "a request was sent to a server that had proven nothing"
    # With a server that can prove itself it goes on.
    web.host = "localhost"
    web.start(tls=tls_lines(good))
    device.settings["server"].update(metadata_url=f"{web.url}metadata/", targets_url=f"{web.url}targets/",
                                     ca_files=[good.root])
    device.update(2, images)


def made_by_openssl(place, kind):
    """A certificate for localhost of a kind that people make by mistake, with OpenSSL's own commands."""
    folder = place.path("mistakes")
    folder.mkdir()
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    subject = ("-key", key, "-subj", "/CN=localhost")
    if kind == "authority":
        command("openssl", "req", "-x509", "-new", *subject, "-days", "900", "-out", certificate, "-addext",
                "subjectAltName=DNS:localhost")
        return chains.Chain(certificate, certificate, key)
    command("openssl", "req", "-new", *subject, "-out", folder / "csr.pem")
    command("openssl", "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            folder / "ca.key", "-subj", "/CN=ca", "-days", "900", "-out", folder / "ca.pem")
    more = []
    if kind == "nameless":
        (folder / "ext").write_text("basicConstraints=CA:FALSE\n")
        more = ["-extfile", folder / "ext"]
    command("openssl", "x509", "-req", "-in", folder / "csr.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-set_serial", "7", "-days", "800", "-out", certificate, *more)
    return chains.Chain(folder / "ca.pem", certificate, key)


def a_mistake_is_named(place, kind, says):
    workshop = Workshop(place)
    images = workshop.publish(2)
    good = chains.make(place, "good")
    chain = made_by_openssl(place, kind)
    web, device = https_device(place, workshop, chain, chain.root)
    with device.untouched("ab"):
        device.once().must(FAILED, f"2.root.json: server not proven: {says}")
    assert web.requests() == []
    web.start(tls=tls_lines(good))
    device.settings["server"]["ca_files"] = [good.root]
    device.update(2, images)


tests(a_mistake_is_named, "a_server_certificate_{}_is_named_with_its_mend", [
    ("that_is_an_authority", "authority",
     "its certificate is an authority's own (CA:TRUE): let that authority sign one for the server"),
    ("of_version_1", "version 1", "its certificate is of X.509 version 1: make one of version 3"),
    ("that_names_no_host", "nameless", "certificate is not for localhost: it names no host in subjectAltName"),
])


def by_a_clock_of_1970(place, server_time, wanted, *says):
    """The agent alone lives in 1970, and the server's certificate is younger than the agent's build."""
    workshop = Workshop(place)
    workshop.publish(2)
    chain = chains.make(place, "young", server_time=server_time)
    _, device = https_device(place, workshop, chain, chain.root)
    library = next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)
    if not library:
        raise Skip("needs libfaketime (Debian: libfaketime)")
    device.agent.runner = ("env", f"LD_PRELOAD={library}", "FAKETIME=@1970-01-02 00:00:00",
                           "FAKETIME_DONT_FAKE_MONOTONIC=1")
    device.once().must(wanted, *says)


DAYS = datetime.timedelta(days=1)
tests(by_a_clock_of_1970, "a_device_that_starts_in_1970_{}", [
    ("takes_a_certificate_that_is_younger_than_its_build", (30 * DAYS, 400 * DAYS), RESTART, "activating release=2"),
    ("refuses_a_certificate_that_had_expired_when_it_was_built", chains.EXPIRED, FAILED, "server not proven: ", "expired"),
])


@test
def a_certificate_that_is_not_valid_yet_is_told_with_the_clock(place):
    workshop = Workshop(place)
    workshop.publish(2)
    chain = chains.make(place, "young", server_time=(30 * DAYS, 400 * DAYS))
    _, device = https_device(place, workshop, chain, chain.root)
    with device.untouched("ab"):
        device.once().must(FAILED, "certificate not valid yet: ", "the clock of this device is probably wrong")


tests(refused, "a_server_{}_is_refused", [
    ("of_another_authority", {}, "localhost", "TLSv1.3", True, ["UnknownIssuer"]),
    ("whose_certificate_expired", {"server_time": chains.EXPIRED}, "localhost", "TLSv1.3", False, ["expired"]),
    ("whose_certificate_is_for_another_name", {"host": "other.example"}, "localhost", "TLSv1.3", False,
     ["certificate is not for localhost"]),
    ("whose_certificate_is_for_a_name_and_not_the_address", {}, "127.0.0.1", "TLSv1.3", False,
     ["certificate is not for 127.0.0.1"]),
    ("that_speaks_only_tls_1_2", {}, "localhost", "TLSv1.2", False, ["TLS"]),
])
