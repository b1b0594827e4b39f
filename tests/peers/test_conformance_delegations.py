"""The test client as public conformance suites try it: which delegated roles it asks, in which order, under which
names, and what it downloads.
"""

from urllib.parse import quote

from place import test, tests
from simulated import Watched, in_days, new_key, refused, start

TOP = 4


def delegating(place, *delegations):
    """A repository with delegations, each: by whom, to whom, and the rest."""
    repo, client = start(place)
    for by, to, *rest in delegations:
        repo.delegate(to, by, **(rest[0] if rest else {}))
    repo.publish_delegations()
    return repo, client


def visited(client, version=1):
    """Which delegated roles it asked for, in order."""
    asked = client.asked()[TOP:]
    assert all(name.startswith(f"{version}.") and name.endswith(".json") for name in asked), asked
    return [name.removeprefix(f"{version}.").removesuffix(".json") for name in asked]


def in_order(place, delegations, roles):
    _, client = delegating(place, *delegations)
    assert not client.downloads("nothing of this name")
    assert visited(client) == roles.split(), client.asked()


ELSEWHERE, LAST = {"paths": ["*.py"]}, {"terminating": True}
tests(in_order, "delegations_are_searched_depth_first_{}", [
    ("one", [("targets", "A")], "A"),
    ("in_their_order", [("targets", "A"), ("targets", "B")], "A B"),
    ("down_the_second", [("targets", "A"), ("targets", "B"), ("B", "C")], "A B C"),
    ("down_before_the_next", [("targets", "A"), ("targets", "B"), ("A", "C"), ("A", "D")], "A C D B"),
    ("three_levels", [("targets", "A"), ("targets", "B"), ("A", "C"), ("C", "D")], "A C D B"),
    ("until_a_terminating_one", [("targets", "A"), ("targets", "B"), ("A", "C", LAST), ("A", "D")], "A C"),
    ("below_a_terminating_one", [("targets", "A"), ("targets", "B"), ("A", "C", LAST), ("C", "D")], "A C D"),
    ("past_a_terminating_one_for_other_paths", [("targets", "A", LAST | ELSEWHERE), ("targets", "B")], "B"),
    ("not_where_paths_differ", [("targets", "A", ELSEWHERE), ("targets", "B"), ("A", "C")], "B"),
    ("not_where_paths_differ_below", [("targets", "A"), ("targets", "B"), ("A", "C", ELSEWHERE), ("C", "D")], "A B"),
    ("once_where_they_go_round", [("targets", "A"), ("targets", "B"), ("B", "C"), ("C", "D"), ("D", "B")], "A B C D"),
    ("once_where_two_name_the_same", [("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C")], "A C B"),
    ("from_the_one_whose_paths_fit", [("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C", ELSEWHERE)], "A B C"),
    ("by_hash", [("targets", "A", {"path_hash_prefixes": ["0", "ff"]}),
                 ("targets", "B", {"path_hash_prefixes": [f"{digit:x}" for digit in range(16)]})], "B"),
])


def search(place, path, found, roles):
    repo, client = delegating(
        place, ("targets", "A", {"paths": ["*.md", "*.doc"]}), ("targets", "B", {"paths": ["releases/*/*"]}),
        ("B", "C", {"paths": ["releases/x/*"]}), ("B", "D", {"paths": ["releases/y/*.zip"]}))
    files = [("targets", "file"), ("A", "README.md"), ("C", "releases/x/x_v1"), ("D", "releases/y/y_v1.zip"),
             ("D", "releases/z/z_v1.zip"), ("A", "deep/README.md")]
    for role, name in files:
        repo.add(name, f"{role} says {name}".encode(), role)
    repo.publish_delegations()
    assert client.downloads(path) == bool(found), client.said
    assert visited(client) == roles.split() and client.has() == ([f"{found} says {path}".encode()] if found else [])


tests(search, "a_target_is_taken_from_{}", [
    ("the_top", "file", "targets", ""), ("a_role_whose_pattern_fits", "README.md", "A", "A"),
    ("a_role_below", "releases/x/x_v1", "C", "B C"), ("a_role_below_by_its_ending", "releases/y/y_v1.zip", "D", "B D"),
    ("no_role_that_was_not_given_it", "releases/z/z_v1.zip", None, "B"),
    ("no_role_whose_pattern_ends_at_a_folder", "deep/README.md", None, "")])


def quoted(place, role):
    _, client = delegating(place, ("targets", role))
    assert not client.downloads("nothing of this name")
    # `quote` leaves dots as they are, and a server would fold a part of dots; none is, behind the version.
    assert client.asked()[TOP:] == [f"1.{quote(role, safe='')}.json"], client.asked()
    assert len(list(client.metadata.iterdir())) == 5 and len(client.trusts()) == 5


tests(quoted, "a_role_named_{}_is_one_part_of_an_address_and_of_a_file", [
    ("question_mark", "?"), ("hash", "#"), ("slash", "/delegatedrole"), ("parent", "../delegatedrole"), ("dots", ".."),
    ("dot", "."), ("percent", "%2e%2E"), ("space", " a b "), ("letters", "日本e\u0301"), ("nul", "a\0b"),
    ("eighty_bytes", "x" * 80), ("root_with_a_version", "1.root"), ("top_level_in_capitals", "Targets")])


def top_level(place, role):
    """It would take the place of the real one in the folder of metadata."""
    repo, client = start(place)
    repo.signed["targets"]["delegations"] = {"keys": {}, "roles": [
        {"name": role, "keyids": ["00"], "threshold": 1, "terminating": False, "paths": ["*"]}]}
    repo.publish()
    refused(client, "top-level")


tests(top_level, "no_delegated_role_may_be_named_{}", [(role, role) for role in
                                                       ("root", "timestamp", "snapshot", "targets")])


def delegated_fault(place, change):
    repo, client = delegating(place, ("targets", "A"))
    repo.add("a", b"a", "A")
    change(repo)
    assert not client.downloads("a") and client.has() == []
    assert not (client.metadata / "A.json").exists(), "it is kept"
    assert client.trusts()[:4] == [1, repo.signed["timestamp"]["version"], repo.signed["snapshot"]["version"],
                                   repo.signed["targets"]["version"]]


def expired(repo):
    repo.signed["A"]["expires"] = in_days(-1)
    repo.publish_delegations()


def unlisted(repo):
    repo.publish_delegations()
    del repo.signed["snapshot"]["meta"]["A.json"]
    repo.publish("snapshot", "timestamp")


def forged(repo):
    repo.signers["A"] = [new_key()]
    repo.publish_delegations()


def another_version(repo):
    repo.publish_delegations()
    repo.signed["A"]["version"] = 2
    repo.put("A", served_as="metadata/1.A.json", listed=False)


def gone(repo):
    repo.publish_delegations()
    del repo.files["metadata/1.A.json"]


tests(delegated_fault, "a_delegated_role_that_is_{}_is_refused", [
    ("expired", expired), ("not_in_the_snapshot", unlisted), ("signed_by_others", forged),
    ("another_version", another_version), ("not_there", gone)])


@test
def a_delegated_role_that_expires_on_the_device_is_replaced(place):
    repo, client = delegating(place, ("targets", "A", {"expires": 7}))
    repo.add("first", b"first", "A")
    repo.add("second", b"second", "A")
    repo.publish_delegations()
    assert client.downloads("first"), client.said
    assert not client.downloads("second", in_days=18) and client.has() == [b"first"]
    repo.signed["A"]["expires"] = in_days(21)
    repo.publish("A", "snapshot", "timestamp")
    assert client.downloads("second", in_days=18), client.said
    assert client.has() == [b"first", b"second"]


@test
def a_delegated_role_that_is_there_is_not_asked_for_again(place):
    repo, client = delegating(place, ("targets", "A"), ("A", "B"))
    repo.add("b", b"b", "B")
    repo.publish_delegations()
    assert client.downloads("b") and visited(client) == ["A", "B"]
    assert client.downloads("b") and client.asked() == ["2.root.json", "timestamp.json"]


@test
def no_search_visits_more_than_thirty_two_delegated_roles(place):
    chain = ["targets", *(f"r{number:02}" for number in range(40))]
    repo, client = delegating(place, *zip(chain, chain[1:]))
    repo.add("near", b"near", "r31")
    repo.add("far", b"far", "r32")
    repo.publish_delegations()
    assert client.downloads("near"), client.said
    assert len(visited(client)) == 32
    assert not client.downloads("far") and visited(client) == [], "it goes on and on"


def hashed(place, algorithms, good):
    repo, client = start(place)
    repo.add("file.txt", b"content", algorithms=algorithms)
    repo.publish()
    assert client.downloads("file.txt") == good, client.said
    assert client.has() == ([b"content"] if good else [])
    if good:
        [asked] = client.asked("targets")
        digest, name = asked.split(".", 1)
        assert name == "file.txt" and digest in repo.signed["targets"]["targets"]["file.txt"]["hashes"].values()


tests(hashed, "a_target_is_proven_by_{}", [
    ("sha256", ["sha256"], True), ("sha512", ["sha512"], True), ("both", ["sha256", "sha512"], True),
    ("sha256_beside_others", ["sha3_256", "sha256"], True), ("nothing_that_is_unknown", ["sha3_256"], False)])


@test
def targets_come_from_their_folders_and_changed_ones_are_refused(place):
    repo, client = start(place)
    names = ["file.txt", "path/to a/fi le?.txt", "日本/e\u0301.bin", "empty"]
    contents = [b"one", b"two", b"three", b""]
    for name, content in zip(names, contents):
        repo.add(name, content)
    repo.publish()
    assert client.downloads(*names), client.said
    assert client.has() == sorted(contents)
    # The second time they are all there already.
    assert client.downloads(*names) and client.asked("targets") == []
    for file in [file for file in repo.files if file.startswith("targets/")]:
        repo.files[file] = b"evil!"[:len(repo.files[file])] or b"x"
    client.downloads("file.txt")
    assert client.has() == sorted(contents), "it took what was swapped"
    fresh = Watched(place, repo, name="fresh")
    for name in names:
        assert not fresh.downloads(name) and fresh.has() == [], name


@test
def a_target_that_changes_rightly_replaces_the_old_one(place):
    repo, client = start(place)
    for number in range(4):
        repo.add("file", f"content {number}".encode())
        repo.publish()
        assert client.downloads("file"), client.said
        assert client.has() == [f"content {number}".encode()] and len(client.asked("targets")) == 1


def length(place, content, good):
    repo, client = start(place)
    repo.add("file", b"four")
    repo.publish()
    for file in [file for file in repo.files if file.startswith("targets/")]:
        repo.files[file] = content
    assert client.downloads("file") == good and client.has() == ([content] if good else [])


tests(length, "a_target_{}_is_refused", [("longer_than_listed", b"four and more", False),
                                         ("shorter_than_listed", b"fou", False), ("of_no_bytes", b"", False)])


@test
def a_download_that_cannot_be_had_is_an_error(place):
    repo, client = start(place)
    repo.add("file", b"four")
    repo.publish()
    repo.files = {name: data for name, data in repo.files.items() if name.startswith("metadata/")}
    assert not client.downloads("file") and client.has() == []
