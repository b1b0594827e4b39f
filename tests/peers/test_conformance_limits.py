"""The test client where repositories go to the edge of what the specification allows: keys in other words, of other
kinds, more of everything, fields of other people, servers that answer oddly.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from place import test, tests
from securesystemslib.signer import CryptoSigner, SSlibKey
from simulated import ROLES, Repository, Watched, in_days, new_key, refused, refreshed, start
from test_conformance_delegations import delegating, visited


def other_words(place, curve, change):
    """A root that names the same timestamp key in other words: the timestamp does not start again."""
    repo = Repository()
    private = ec.generate_private_key(curve())
    repo.keys("timestamp", [CryptoSigner(private)])
    repo.publish("root", "timestamp")
    repo.root = repo.files["metadata/2.root.json"]
    repo.signed["timestamp"]["version"] = 100
    repo.put("timestamp")
    client = Watched(place, repo)
    assert client.refreshes(), client.said
    public = CryptoSigner(private).public_key
    said = {"keyid": public.keyid, "keytype": public.keytype, "keyval": dict(public.keyval)} | change(public)
    repo.keys("timestamp", [CryptoSigner(private, SSlibKey(scheme=public.scheme, **said))])
    repo.publish("root")
    repo.signed["timestamp"]["version"] = 1
    repo.publish("timestamp")
    refused(client, "100 was seen before")
    assert client.trusts()[:2] == [3, 100]


def pem(public, change):
    return {"keyval": {"public": change(public.keyval["public"])}}


tests(other_words, "a_timestamp_key_with_{}_is_the_same_key", [
    ("another_identifier", ec.SECP256R1, lambda _: {"keyid": "0f" * 32}),
    ("another_word_for_its_type", ec.SECP256R1, lambda _: {"keytype": "ecdsa-sha2-nistp256"}),
    ("one_more_line_in_its_pem", ec.SECP256R1, lambda key: pem(key, lambda text: text + "\n")),
    ("a_pem_without_line_ends", ec.SECP256R1, lambda key: pem(key, lambda text: "\n".join(
        [text.splitlines()[0], "".join(text.splitlines()[1:-1]), text.splitlines()[-1]]))),
    ("other_line_ends_in_its_pem", ec.SECP256R1, lambda key: pem(key, lambda text: text.replace("\n", "\r\n"))),
    ("all_of_that_on_p384", ec.SECP384R1, lambda key: {"keyid": "0f" * 32, "keytype": "ecdsa-sha2-nistp384"} | pem(
        key, lambda text: "\n" + text)),
])


@test
def an_ed25519_key_in_capitals_is_the_same_key(place):
    repo, client = refreshed(place)
    [signer] = repo.signers["snapshot"]
    repo.signed["root"]["keys"][signer.public_key.keyid]["keyval"]["public"] = signer.public_key.keyval["public"].upper()
    repo.signed["snapshot"]["version"] = 50
    repo.publish("root", "snapshot", "timestamp")
    assert client.refreshes() and client.trusts()[2] == 51, client.said
    repo.signed["root"]["keys"][signer.public_key.keyid]["keyval"]["public"] = signer.public_key.keyval["public"]
    repo.signed["snapshot"]["version"] = 3
    repo.publish("root", "snapshot", "timestamp")
    refused(client, "snapshot.json version 4, 51 was seen before")


ODD_KEYS = [
    ("without_a_public_part", {"keytype": "x", "scheme": "x", "keyval": {"identity": "a@b", "issuer": "c"}}),
    ("with_a_public_part_that_is_an_object", {"keytype": "x", "scheme": "x", "keyval": {"public": {"n": 1, "e": 3}}}),
    ("with_a_public_part_that_is_nothing", {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": None}}),
    ("without_keyval", {"keytype": "x", "scheme": "x"}), ("without_a_scheme", {"keytype": "x", "keyval": {"public": ""}}),
    ("with_a_number_for_its_type", {"keytype": 7, "scheme": "ed25519", "keyval": {"public": "00"}}),
    ("that_is_a_text", "not a key at all"), ("that_is_nothing", None),
]


def odd_key(place, key):
    """Beside good keys, in a root and in a delegation: it verifies nothing, and the rest counts."""
    repo, client = delegating(place, ("targets", "A"))
    repo.signed["root"]["keys"]["0d" * 32] = key
    for role in ROLES:
        repo.signed["root"]["roles"][role]["keyids"].append("0d" * 32)
    repo.signed["targets"]["delegations"]["keys"]["0d" * 32] = key
    repo.signed["targets"]["delegations"]["roles"][0]["keyids"].append("0d" * 32)
    repo.add("a", b"a", "A")
    repo.publish("root")
    repo.publish_delegations()
    assert client.downloads("a"), client.said
    # And alone it can sign for nothing: nobody can.
    repo.signed["root"]["roles"]["timestamp"]["keyids"] = ["0d" * 32]
    repo.publish("root", "timestamp")
    repo.edit("timestamp", lambda whole: whole["signatures"].append({"keyid": "0d" * 32, "sig": "00"}))
    refused(client, "of a kind that this software does not know")
    assert "attack" not in client.said, client.said


tests(odd_key, "a_key_{}_stands_in_nobodys_way", ODD_KEYS)


def unknown_kind(place, keytype, scheme):
    repo, client = refreshed(place)
    private = ec.generate_private_key(ec.SECP521R1())
    public = CryptoSigner(private).public_key
    key = {"keytype": keytype, "scheme": scheme, "keyval": dict(public.keyval)}
    repo.signed["root"]["keys"][public.keyid] = key
    repo.signed["root"]["roles"]["timestamp"]["keyids"] = [public.keyid]
    repo.publish("root", "timestamp")
    repo.edit("timestamp", lambda whole: whole.update(signatures=[{"keyid": public.keyid, "sig": "00"}]))
    refused(client, "0 valid signatures of 1 needed; 1 by keys of a kind that this software does not know")
    assert "attack" not in client.said, client.said


tests(unknown_kind, "a_signature_by_a_key_of_scheme_{}_is_said_to_be_unknown", [
    ("p521", "ecdsa", "ecdsa-sha2-nistp521"), ("sphincs", "sphincs", "sphincs-shake-128s"),
    ("sigstore_oidc", "sigstore-oidc", "Fulcio")])


def many_roots(place, count, polls):
    """`count` new roots wait: each refresh takes 256 of them, keeps what it reached, and goes on from there."""
    repo, client = refreshed(place)
    for _ in range(count):
        [before] = repo.signers["timestamp"]
        del repo.signed["root"]["keys"][before.public_key.keyid]
        repo.keys("timestamp", [new_key()])
        repo.publish("root")
    repo.publish("timestamp")
    for poll in range(1, polls):
        refused(client, "this poll took 256 new roots and no more")
        assert "attack" not in client.said, client.said
        assert client.trusts()[0] == 1 + 256 * poll
    assert client.refreshes(), client.said
    assert client.trusts()[0] == 1 + count


tests(many_roots, "{}_new_roots_are_followed", [("two_hundred_and_fifty_five", 255, 1), ("six_hundred", 600, 3)])


@test
def two_hundred_and_fifty_six_new_roots_are_one_poll(place):
    """The limit is reached, and nothing is left to be said of it."""
    repo, client = refreshed(place)
    for _ in range(256):
        repo.publish("root")
    repo.publish()
    assert client.refreshes() and client.trusts() == [257, 2, 2, 2], client.said
    assert client.asked()[255:257] == ["257.root.json", "timestamp.json"]
    assert client.refreshes() and client.asked() == ["258.root.json", "timestamp.json"]


def bins(place, digits, count):
    """As many hash bins as there are prefixes, all in one role, as PyPI planned them."""
    repo, client = start(place, hashes=True)
    signer = new_key()
    width = 16 ** digits // count
    names = [f"bin-{number:04x}" for number in range(count)]
    keys = {signer.public_key.keyid: signer.public_key.to_dict()}
    repo.signed["targets"]["delegations"] = {"keys": keys, "roles": [
        {"name": name, "keyids": [*keys], "threshold": 1, "terminating": True,
         "path_hash_prefixes": [f"{prefix:0{digits}x}" for prefix in range(number * width, (number + 1) * width)]}
        for number, name in enumerate(names)]}
    here = names[int(hashlib.sha256(b"a").hexdigest()[:digits], 16) // width]
    repo.signers[here] = [signer]
    repo.signed[here] = {"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": in_days(30), "targets": {}}
    repo.add("a", b"a", here)
    repo.put(here)
    known = repo.signed["snapshot"]["meta"][f"{here}.json"]
    repo.signed["snapshot"]["meta"] |= {f"{name}.json": known for name in names}
    repo.publish()
    assert client.downloads("a"), client.said
    assert visited(client) == [here] and client.has() == [b"a"]
    size = sum(len(data) for name, data in repo.files.items() if name.startswith("metadata/2."))
    return f"{size >> 10} KB of targets and snapshot"


tests(bins, "{}_hash_bins_in_one_role_are_searched", [
    ("two_hundred_and_fifty_six", 2, 256), ("one_thousand_and_twenty_four", 3, 1024),
    ("sixteen_thousand_three_hundred_and_eighty_four", 4, 16_384)])


def named(place, name, good):
    repo, client = delegating(place, ("targets", name))
    repo.add("a", b"a", name)
    repo.publish_delegations()
    assert client.downloads("a") == good, client.said
    assert good or "1 to 240 letters" in client.said, client.said


tests(named, "a_role_with_a_name_of_{}", [
    ("240_letters_is_known", "x" * 240, True), ("241_letters_is_refused", "x" * 241, False),
    ("80_spaces_is_known", " " * 80, True), ("81_spaces_is_refused", " " * 81, False)])


def long_path(place, bytes_, good):
    repo, client = start(place)
    repo.add("a", b"a")
    repo.signed["targets"]["targets"]["x" * bytes_] = repo.signed["targets"]["targets"]["a"]
    repo.publish()
    assert client.downloads("a") == good, client.said


tests(long_path, "a_target_path_of_{}", [("4096_bytes_is_known", 4096, True), ("4097_bytes_is_refused", 4097, False)])


def many_signatures(place, count, good):
    repo, client = start(place)
    others = [{"keyid": f"{number:064x}", "sig": "00" * 64} for number in range(count - 1)]
    for role in ("snapshot", "targets"):
        repo.edit(role, lambda whole: whole["signatures"].extend(others))
    assert client.refreshes() == good, client.said


tests(many_signatures, "a_file_with_{}_signatures", [("512_is_read", 512, True), ("513_is_refused", 513, False)])


def number(place, value, good):
    """In a field that nobody reads, and that signatures cover all the same."""
    repo, client = start(place)
    for role in ROLES:
        repo.signed[role]["x-made-elsewhere"] = {"deep": [value, -1]}
    repo.publish("root", "targets", "snapshot", "timestamp")
    assert client.refreshes() == good, client.said
    assert good or "beyond 64 bits" in client.said, client.said


tests(number, "a_number_{}_in_a_field_of_others", [
    ("of_63_bits_is_read", 2**63 - 1, True), ("of_64_bits_is_read", 2**64 - 1, True), ("just_above_is_read", 2**63, True),
    ("least_of_all_is_read", -(2**63), True), ("of_65_bits_is_refused", 2**64, False)])


@test
def a_version_of_64_bits_is_refused(place):
    repo, client = start(place)
    repo.signed["timestamp"]["version"] = 2**63
    repo.put("timestamp")
    refused(client, "version must be a whole number from 1 on")


def foreign_issued(place, value):
    repo, client = start(place)
    repo.signed["timestamp"]["issued"] = value
    repo.publish()
    assert client.refreshes(), client.said


tests(foreign_issued, "a_timestamp_with_issued_as_{}_is_read", [
    ("a_number", 1_700_000_000), ("nothing", None), ("an_object", {"at": 1}), ("another_spelling", "2026-11-30T00:00:00+00:00"),
    ("a_word", "yesterday"), ("ours", "2026-01-01T00:00:00Z")])


def status(place, code, good):
    """What a server says of a root that is not there."""
    repo, client = start(place)
    client.served.absent = code
    assert client.refreshes() == good, client.said
    assert good or f"status {code}" in client.said, client.said
    # Of a file that signed metadata names, 403 is an error of the server.
    del repo.files["metadata/1.targets.json"]
    fresh = Watched(place, repo, name="fresh")
    fresh.served.absent = code
    refused(fresh, f"status {code}" if code not in (404, 410) else "does not have it")


tests(status, "a_next_root_that_is_not_there_may_be_answered_with_{}", [
    ("404", 404, True), ("410", 410, True), ("403_as_object_stores_do", 403, True),
    ("nothing_else_like_401", 401, False), ("nothing_else_like_500", 500, False)])
