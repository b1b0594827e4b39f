"""The test client as public conformance suites try it: who may sign, how many must, what a new root may change, and
what may never go back.
"""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from place import test, tests
from securesystemslib.signer import CryptoSigner, SSlibKey
from simulated import ROLES, Repository, Watched, new_key, refused, refreshed, start

KEYS = [new_key() for _ in range(10)]


def some(numbers):
    return [KEYS[number] for number in numbers]


def respelled(private, **other):
    """A key with another identifier, or another word for its type."""
    public = CryptoSigner(private).public_key
    said = {"keyid": public.keyid, "keytype": public.keytype} | other
    return CryptoSigner(private, SSlibKey(scheme=public.scheme, keyval=public.keyval, **said))


def root_rotation(place, *roots):
    """Each root: its keys, how many must sign, who does. The last one says whether it is to be taken."""
    repo = Repository()
    *roots, good = roots
    repo.signed["root"]["version"] = 0
    for keys, threshold, signers in roots:
        repo.signed["root"]["keys"].clear()
        for role in ROLES[1:]:
            repo.keys(role, repo.signers[role])
        repo.keys("root", some(keys), threshold, signed_by=some(signers))
        repo.publish("root")
    repo.root = repo.files["metadata/1.root.json"]
    client = Watched(place, repo)
    assert client.refreshes() == good, client.said
    newest = len(roots) if good else len(roots) - 1
    assert client.kept("root.json") == repo.files[f"metadata/{newest}.root.json"]
    assert client.asked()[-1] == ("1.targets.json" if good else f"{len(roots)}.root.json")


A, B, FIVE = [0], [1], [0, 1, 2, 3, 4]
ONE_OTHER, ALL_OTHER = [0, 1, 3, 4, 5], [5, 6, 7, 8, 9]
tests(root_rotation, "root_keys_{}", [
    ("may_be_replaced", (A, 1, A), (B, 1, [1, 0]), (B, 1, B), True),
    ("may_be_replaced_beside_signatures_of_strangers", (A, 1, [8, 0, 9]), (B, 1, [8, 1, 0, 9]), (B, 1, [8, 1, 9]),
     True),
    ("may_sign_in_any_combination", (FIVE, 3, [0, 2, 4]), (FIVE, 3, [0, 4, 1]), (FIVE, 3, [0, 1, 3]), True),
    ("may_change_one_by_one", (FIVE, 3, [0, 2, 4]), (ONE_OTHER, 3, [0, 4, 1]), True),
    ("may_change_one_by_one_with_more_signatures", (FIVE, 3, [0, 2, 4]), (ONE_OTHER, 3, [0, 2, 4, 5]),
     (ONE_OTHER, 3, [0, 4, 5]), True),
    ("may_change_all_at_once", (FIVE, 3, [0, 2, 4]), (ALL_OTHER, 3, [0, 2, 4, 5, 6, 7]),
     (ALL_OTHER, 3, [5, 6, 7]), True),
    ("may_be_asked_for_more_signatures", ([0, 1, 2], 1, A), ([0, 1, 2], 2, [0, 1]), True),
    ("may_be_asked_for_fewer_signatures", ([0, 1, 2], 2, [0, 1]), ([0, 1, 2], 1, [0, 1]), ([0, 1, 2], 1, A), True),
    ("may_become_more", (A, 1, A), ([0, 1], 2, [0, 1]), True),
    ("that_are_replaced_must_sign", (A, 1, A), (B, 1, [1, 8, 9]), False),
    ("that_are_new_must_sign", (A, 1, A), (B, 1, [0, 8, 9]), False),
    ("that_are_new_must_sign_as_many_as_they_say", (FIVE, 3, [0, 2, 4]), (ONE_OTHER, 3, [0, 2, 4]), False),
    ("that_are_old_must_sign_as_many_as_they_said", (FIVE, 3, [0, 2, 4]), (ONE_OTHER, 3, [0, 4, 5]), False),
    ("must_meet_a_threshold_that_rises", ([0, 1, 2], 1, A), ([0, 1, 2], 2, [2]), False),
    ("must_meet_the_old_threshold_where_it_falls", ([0, 1, 2], 2, [0, 1]), ([0, 1, 2], 1, A), False),
])


def other_rotation(place, keys, threshold, signers, good):
    """The same for every other role, one after the other."""
    repo, client = start(place)
    for role in ("timestamp", "snapshot", "targets"):
        repo.keys(role, some(keys), threshold, signed_by=some(signers))
        repo.publish("root")
        repo.publish()
        assert client.refreshes() == good, client.said
        if not good:
            assert not (client.metadata / "targets.json").exists()
            return
        assert client.kept(f"{role}.json") == repo.files[repo.name(role)]


tests(other_rotation, "keys_of_other_roles_{}", [
    ("may_be_replaced", B, 1, B, True),
    ("may_sign_beside_strangers", B, 1, [8, 1, 9], True),
    ("may_be_three_of_five", FIVE, 3, [0, 2, 4], True),
    ("may_be_any_three_of_five", FIVE, 3, [4, 1, 2], True),
    ("that_are_gone_count_nothing", B, 1, [0, 8, 9], False),
    ("that_are_not_listed_count_nothing", ONE_OTHER, 3, [0, 2, 4], False),
    ("must_be_as_many_as_the_threshold", FIVE, 3, [0, 4], False),
])


@test
def a_threshold_beyond_the_number_of_keys_can_never_be_met(place):
    repo, client = refreshed(place)
    repo.keys("snapshot", some(FIVE), 6)
    repo.publish("root")
    repo.publish()
    refused(client, "5 valid signatures of 6")
    assert client.trusts()[:2] == [2, 2]


@test
def a_key_identifier_listed_twice_does_not_count_twice(place):
    repo, client = start(place)
    repo.keys("snapshot", some([0] * 9), 6)
    repo.publish("root")
    repo.publish()
    assert not client.refreshes() and client.trusts()[2] == 0


@test
def one_key_under_many_identifiers_does_not_count_more_than_once(place):
    repo, client = start(place)
    private = ed25519.Ed25519PrivateKey.generate()
    repo.keys("snapshot", [respelled(private, keyid=f"{number:064x}") for number in range(6)], 2)
    repo.publish("root")
    repo.publish()
    refused(client, "1 valid signatures of 2")


@test
def an_identifier_may_sign_once(place):
    repo, client = start(place)
    repo.edit("snapshot", lambda whole: whole["signatures"].append(whole["signatures"][0]))
    assert not client.refreshes() and client.trusts() == [1, 1, 0, 0]


def bad_signature_beside(place, signature):
    """One good signature is enough, whatever else stands beside it."""
    repo, client = start(place)
    repo.keys("timestamp", some([0, 1]), 1, signed_by=some(A))
    repo.publish("root", "timestamp")
    other = {"keyid": KEYS[1].public_key.keyid, "sig": signature}
    repo.edit("timestamp", lambda whole: whole["signatures"].insert(0, other))
    assert client.refreshes(), client.said
    repo.publish("timestamp")
    repo.edit("timestamp", lambda whole: whole.update(signatures=[other]))
    refused(client, "0 valid signatures of 1")


tests(bad_signature_beside, "a_good_signature_counts_beside_{}", [
    ("a_wrong_one", "ab" * 64), ("an_empty_one", ""), ("one_that_is_no_number", "not hexadecimal"),
    ("one_that_is_too_long", "ab" * 500)])


def kinds(place, make):
    """A key of this kind must sign the root, does, and then does so wrongly."""
    repo, client = start(place)
    signer = make()
    repo.keys("root", [*repo.signers["root"], signer], 2)
    repo.publish("root")
    assert client.refreshes(), client.said
    assert client.trusts()[0] == 2
    repo.publish("root")
    repo.edit("root", lambda whole: whole["signatures"][1].update(sig=signer.sign(b"something else").signature))
    refused(client, "1 valid signatures of 2")
    assert client.trusts()[0] == 2


tests(kinds, "{}_keys_are_known", [
    ("ed25519", CryptoSigner.generate_ed25519),
    ("ecdsa", CryptoSigner.generate_ecdsa),
    ("ecdsa_in_the_older_spelling", lambda: respelled(ec.generate_private_key(ec.SECP256R1()),
                                                      keytype="ecdsa-sha2-nistp256")),
    ("ecdsa_p384", lambda: CryptoSigner(ec.generate_private_key(ec.SECP384R1()))),
    ("ecdsa_p384_in_the_older_spelling", lambda: respelled(ec.generate_private_key(ec.SECP384R1()),
                                                           keytype="ecdsa-sha2-nistp384")),
    ("rsa_2048", lambda: CryptoSigner.generate_rsa(size=2048)),
    ("rsa_4096", lambda: CryptoSigner.generate_rsa(size=4096)),
])


@test
def keys_of_an_unknown_kind_are_passed_over(place):
    repo, client = start(place)
    unknown = {"keytype": "of-a-later-time", "scheme": "unheard-of", "keyval": {"public": "?"}}
    repo.signed["root"]["keys"]["ff" * 32] = unknown
    for role in ROLES:
        repo.signed["root"]["roles"][role]["keyids"].append("ff" * 32)
    repo.publish("root")
    repo.publish()
    assert client.refreshes(), client.said
    assert client.trusts() == [2, 2, 2, 2]


def rolled_back(place, role, hashes, trusts):
    repo, client = start(place, hashes=hashes)
    for _ in range(2):
        repo.publish()
    assert client.refreshes() and client.trusts() == [1, 3, 3, 3]
    repo.signed[role]["version"] = 2
    repo.put(role)
    for above in {"targets": ("snapshot", "timestamp"), "snapshot": ("timestamp",)}.get(role, ()):
        repo.publish(above)
    refused(client, "version")
    assert client.trusts() == trusts


tests(rolled_back, "an_older_{}_is_refused", [
    ("timestamp", "timestamp", False, [1, 3, 3, 3]),
    ("snapshot", "snapshot", False, [1, 3, 3, 3]), ("snapshot_with_its_hash", "snapshot", True, [1, 3, 3, 3]),
    ("targets_file", "targets", False, [1, 4, 3, 3]), ("targets_file_with_its_hash", "targets", True, [1, 4, 3, 3]),
])


@test
def an_older_snapshot_that_no_timestamp_names_is_not_asked_for(place):
    repo, client = start(place)
    repo.publish()
    assert client.refreshes()
    repo.signed["snapshot"]["version"] = 1
    repo.put("snapshot", listed=False)
    assert client.refreshes() and client.asked()[-1] == "timestamp.json" and client.trusts() == [1, 2, 2, 2]


@test
def what_a_snapshot_listed_may_not_disappear(place):
    repo, client = start(place)
    repo.signed["snapshot"]["meta"]["later.json"] = {"version": 1}
    repo.publish("snapshot", "timestamp")
    assert client.refreshes(), client.said
    del repo.signed["snapshot"]["meta"]["later.json"]
    repo.publish("snapshot", "timestamp")
    refused(client, "later.json")
    assert client.trusts() == [1, 3, 2, 1]


def recovers(place, roles, role):
    """Whoever stole the keys counted a version up, so that nothing of the rightful holder's would do any more."""
    repo, client = refreshed(place)
    repo.signed[role]["version"] = 99_998
    for above in {"targets": ["targets", "snapshot", "timestamp"], "snapshot": ["snapshot", "timestamp"]}.get(
            role, ["timestamp"]):
        repo.publish(above)
    assert client.refreshes(), client.said
    repo.signed[role]["version"] = 1
    repo.publish()
    refused(client)
    for other in roles:
        repo.keys(other, [new_key()])
    repo.publish("root")
    repo.publish()
    assert client.refreshes(), client.said
    assert client.trusts()[ROLES.index(role)] == 3


tests(recovers, "new_keys_undo_a_fast_forward_of_{}", [
    ("timestamp", ["timestamp"], "timestamp"), ("snapshot", ["snapshot", "timestamp"], "snapshot"),
    ("targets", ["snapshot"], "targets")])
