"""Certificates: a root, an authority that it signed, and a server's certificate, of any kind and any time."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The agent's clock is never earlier than its build; a test machine's may be.
BUILT = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
NOW = max(datetime.datetime.now(datetime.timezone.utc), BUILT)
LONG = (datetime.timedelta(days=-1000), datetime.timedelta(days=3650))
EXPIRED = (datetime.timedelta(days=-20), datetime.timedelta(days=-10))

KEYS = {
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


@dataclass
class Chain:
    """What nginx is given, and the root that a device pins."""

    root: Path
    certificates: Path
    key: Path


def make(place, name, *, root="p-256", authority="p-256", server="p-256", signed_with=hashes.SHA256,
         host="localhost", server_time=LONG):
    """Makes a chain of three. `host` is what the server's certificate is for: a name or an address."""
    folder = place.path(f"chains/{name}")
    folder.mkdir()
    root_key, authority_key, server_key = KEYS[root](), KEYS[authority](), KEYS[server]()
    root_name, authority_name = _name(f"{name} root"), _name(f"{name} authority")
    root_one = _sign(root_name, root_key, root_name, root_key, signed_with, LONG, _authority(1))
    authority_one = _sign(authority_name, authority_key, root_name, root_key, signed_with, LONG, _authority(0))
    server_one = _sign(_name(f"{name} server"), server_key, authority_name, authority_key, signed_with, server_time,
                       _server(host))
    chain = Chain(folder / "root.pem", folder / "chain.pem", folder / "key.pem")
    pem = serialization.Encoding.PEM
    chain.root.write_bytes(root_one.public_bytes(pem))
    chain.certificates.write_bytes(server_one.public_bytes(pem) + authority_one.public_bytes(pem))
    chain.key.write_bytes(server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                                   serialization.NoEncryption()))
    return chain


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority(length):
    usage = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                          encipher_only=False, decipher_only=False)
    return [(x509.BasicConstraints(ca=True, path_length=length), True), (usage, True)]


def _server(host):
    try:
        name = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    return [(x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([name]), False)]


def _sign(subject, key, issuer, issuer_key, digest, time, extensions):
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(NOW + time[0]).not_valid_after(NOW + time[1]))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, digest())
