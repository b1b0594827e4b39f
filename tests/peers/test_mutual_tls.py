"""Servers that want a certificate of the device: nginx and OpenSSL's own server, keys made by OpenSSL."""

import socket
import subprocess

import chains
from device import FAILED, Device
from maker import Workshop
from place import command, end, need, test, tests, wait_until
from web import Web, tls_lines

KEYS = {
    "ed25519": ("genpkey", "-algorithm", "ed25519"),
    "p_256": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "p_256_of_ecparam": ("ecparam", "-name", "prime256v1", "-genkey", "-noout"),
    "rsa": ("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "p_384": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "encrypted": ("genpkey", "-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:x"),
}


def openssl(*words):
    return command(need("openssl", "openssl"), *words)


def authority(place, name="clients"):
    folder = place.path(name)
    folder.mkdir()
    openssl(*KEYS["p_256"], "-out", folder / "ca.key")
    openssl("req", "-x509", "-new", "-key", folder / "ca.key", "-subj", f"/CN={name}", "-days", "900", "-out",
            folder / "ca.pem")
    return folder


def client(folder, kind, password=()):
    """A key of this kind and a certificate for it."""
    key, request, certificate = (folder / f"{kind}.{end}" for end in ("key", "csr", "pem"))
    openssl(*KEYS[kind], "-out", key)
    openssl("req", "-new", "-key", key, *password, "-subj", "/CN=router-7", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-set_serial", "7",
            "-days", "800", "-out", certificate)
    return {"client_cert": str(certificate), "client_key": str(key)}


def made(place, verify="on"):
    workshop = Workshop(place)
    images = workshop.publish(2)
    chain, clients = chains.make(place, "good"), authority(place)
    more = f"ssl_client_certificate {clients}/ca.pem; ssl_verify_client {verify};"
    web = Web(place, workshop.repository, tls=tls_lines(chain) + more, host="localhost")
    device = Device(place, workshop.root, web.url)
    device.settings["server"]["ca_files"] = [chain.root]
    return device, web, images, clients


def updates_with(place, kind):
    device, web, images, clients = made(place)
    device.settings["server"].update(client(clients, kind))
    device.update(2, images)
    requests = web.requests()
    assert requests and all(request["status"] != 400 for request in requests)
    return f"{len(requests)} requests"


tests(updates_with, "a_whole_update_from_a_server_that_wants_a_certificate_of_the_device_with_{}", [
    ("ed25519",) * 2, ("p_256",) * 2, ("p_256_of_ecparam",) * 2,
])


@test
def a_server_that_wants_a_certificate_is_named_where_none_is_set(place):
    device, _, images, clients = made(place)
    with device.untouched("ab"):
        device.once().must(FAILED, "status 400: the server asks for a certificate of this device: set "
                           "server.client_cert and server.client_key")
    # One of another authority.
    other = authority(place, "others")
    device.settings["server"].update(client(other, "ed25519"))
    with device.untouched("ab"):
        device.once().must(FAILED, "status 400: the server asks for a certificate of this device, and may not take the "
                           "one of server.client_cert")
    device.settings["server"].update(client(clients, "ed25519"))
    device.update(2, images)


def a_key_that_cannot_be_used(place, kind, why):
    device, _, images, clients = made(place)
    device.settings["server"].update(client(clients, kind, ("-passin", "pass:x") if kind == "encrypted" else ()))
    with device.untouched("ab"):
        device.once().must(FAILED, f"clients/{kind}.key: {why}")
    device.settings["server"].update(client(clients, "ed25519"))
    device.update(2, images)


CANNOT = "a key of this kind cannot sign here: make one with `openssl genpkey -algorithm ed25519`"
tests(a_key_that_cannot_be_used, "a_device_with_a_key_of_{}_says_what_to_do", [
    ("rsa", "rsa", CANNOT), ("p_384", "p_384", CANNOT),
    ("an_encrypted_file", "encrypted", "holds no private key in PEM form, or an encrypted one"),
])


@test
def a_key_of_another_certificate_is_refused_by_its_name(place):
    device, _, _, clients = made(place)
    one, other = client(clients, "ed25519"), client(clients, "p_256")
    device.settings["server"].update(client_cert=one["client_cert"], client_key=other["client_key"])
    device.once().must(FAILED, f"{other['client_key']}: is not the key of the first certificate in {one['client_cert']}")
    device.settings["server"].update(client_cert=one["client_key"], client_key=one["client_key"])
    device.once().must(FAILED, f"{one['client_key']}: holds no certificate in PEM form")


def s_server(place, folder, chain, clients):
    """OpenSSL's own server. It has a page, and status 200, for what is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [need("openssl", "openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain.certificates,
             "-cert_chain", chain.certificates, "-key", chain.key, "-tls1_3", "-Verify", "2", "-verify_return_error",
             "-CAfile", clients / "ca.pem", "-WWW", "-quiet"]
    process = subprocess.Popen([str(word) for word in words], cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    place.undo.callback(end, process)

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(lambda: process.poll() is not None or listens(), "s_server listens")
    assert process.poll() is None
    return f"https://localhost:{port}/"


@test
def openssl_s_server_takes_the_certificate_and_its_page_for_a_missing_file_is_named(place):
    workshop = Workshop(place)
    workshop.publish(2)
    chain, clients = chains.make(place, "good"), authority(place)
    url = s_server(place, workshop.repository, chain, clients)
    device = Device(place, workshop.root, url)
    server = device.settings["server"]
    server["ca_files"] = [chain.root]
    with device.untouched("ab"):
        device.once().must(FAILED, "TLS alert 116: it wants a certificate of this device: set server.client_cert")
        other = authority(place, "others")
        server.update(client(other, "p_256"))
        device.once().must(FAILED, "it does not take the certificate of this device (server.client_cert)")
        for kind in ("p_256", "ed25519"):
            server.update(client(clients, kind))
            device.once().must(FAILED, "2.root.json refused (TUF 5.3.4): not acceptable JSON",
                               "the server must answer 404 or 403 for what it does not have")
