"""The test client as public conformance suites try it: what it asks for, what it believes, what it keeps, and what
it refuses. Here the four top-level roles; keys and delegated roles have their own files.
"""

import subprocess

from place import PATIENCE, test, tests
from simulated import Repository, Watched, in_days, refreshed, refused, start
from test_client import CLIENT

ALL = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]
WRONG = "46" * 32


@test
def the_first_refresh_asks_for_each_file_once_and_in_order(place):
    _, client = start(place)
    assert client.asked() == [], "init makes no request"
    assert client.refreshes() and client.asked() == ALL
    assert client.trusts() == [1, 1, 1, 1]
    assert client.refreshes() and client.asked() == ALL[:2]


@test
def a_download_refreshes_first(place):
    _, client = start(place)
    assert not client.downloads("nothing of this name")
    assert client.asked() == ALL and client.trusts() == [1, 1, 1, 1]


@test
def without_consistent_snapshots_names_have_no_versions(place):
    repo, client = start(place, consistent=False)
    repo.add("a/b.img", b"image")
    repo.publish()
    assert client.downloads("a/b.img")
    assert client.asked() == ["2.root.json", "timestamp.json", "snapshot.json", "targets.json"]
    assert client.asked("targets") == ["a/b.img"] and client.has() == [b"image"]


@test
def files_are_kept_as_they_were_received(place):
    repo, client = start(place)
    for name in list(repo.files):
        repo.files[name] += b" \n"
    assert client.refreshes()
    for role, name in (("timestamp", ALL[1]), ("snapshot", ALL[2]), ("targets", ALL[3])):
        assert client.kept(f"{role}.json") == repo.files[f"metadata/{name}"]


def bad_first_root(place, change):
    repo, client = start(place)
    repo.edit("root", change)
    root, client.metadata = place.path("bad/root.json"), place.path("bad/metadata")
    root.write_bytes(repo.files["metadata/1.root.json"])
    done = subprocess.run([CLIENT, "--metadata-dir", client.metadata, "init", root], capture_output=True, timeout=PATIENCE,
                          check=False)
    assert done.returncode == 1, "init takes it"
    client.metadata.mkdir(exist_ok=True)
    refused(client)
    assert client.asked() == []


tests(bad_first_root, "a_first_root_{}_is_refused", [
    ("without_a_version", lambda root: root["signed"].pop("version")),
    ("that_its_own_keys_did_not_sign", lambda root: root["signatures"][0].update(sig="ab" * 64)),
    ("without_signatures", lambda root: root["signatures"].clear()),
    ("of_another_type", lambda root: root["signed"].update(_type="targets")),
])


def unsigned(place, role, trusts):
    repo, client = start(place)
    if role == "root":
        repo.publish("root")
    repo.edit(role, lambda whole: whole["signatures"].clear())
    refused(client, "signatures")
    assert client.trusts() == trusts


tests(unsigned, "what_was_accepted_before_an_unsigned_{}_is_kept", [
    ("root", "root", [1, 0, 0, 0]), ("timestamp", "timestamp", [1, 0, 0, 0]),
    ("snapshot", "snapshot", [1, 1, 0, 0]), ("targets_file", "targets", [1, 1, 1, 0])])


def not_there(place, role, asked, trusts):
    repo, client = refreshed(place)
    if role == "timestamp":
        del repo.files["metadata/timestamp.json"]
    else:
        repo.publish()
        del repo.files[repo.name(role)]
    refused(client, "timestamp.json" if role == "timestamp" else role)
    assert client.asked()[-1] == asked and client.trusts() == trusts


tests(not_there, "a_missing_{}_is_an_error_and_nothing_is_lost", [
    ("timestamp", "timestamp", "timestamp.json", [1, 1, 1, 1]),
    ("snapshot", "snapshot", "2.snapshot.json", [1, 2, 1, 1]),
    ("targets_file", "targets", "2.targets.json", [1, 2, 2, 1]),
])


@test
def other_content_under_the_same_timestamp_version_is_no_news(place):
    repo, client = refreshed(place)
    before = client.kept("timestamp.json")
    repo.signed["timestamp"]["meta"]["snapshot.json"]["version"] = 100
    repo.put("timestamp")
    assert client.refreshes(), client.said
    assert client.asked() == ALL[:2] and client.kept("timestamp.json") == before


@test
def targets_that_no_snapshot_lists_are_not_asked_for(place):
    repo, client = refreshed(place)
    repo.publish("targets")
    assert client.refreshes() and client.asked() == ALL[:2] and client.trusts() == [1, 1, 1, 1]


def contradicts(place, role, key, value, trusts):
    repo, client = refreshed(place, hashes=True)
    repo.publish("targets")
    if role == "snapshot":
        repo.publish("snapshot")
        repo.signed["timestamp"]["meta"]["snapshot.json"][key] = value
        repo.publish("timestamp")
    else:
        repo.signed["snapshot"]["meta"]["targets.json"][key] = value
        repo.publish("snapshot", "timestamp")
    refused(client, role)
    assert client.trusts() == trusts


tests(contradicts, "a_{}_is_refused", [
    ("snapshot_of_another_hash", "snapshot", "hashes", {"sha256": WRONG}, [1, 2, 1, 1]),
    ("snapshot_longer_than_listed", "snapshot", "length", 20, [1, 2, 1, 1]),
    ("targets_file_of_another_hash", "targets", "hashes", {"sha256": WRONG}, [1, 2, 2, 1]),
    ("targets_file_longer_than_listed", "targets", "length", 20, [1, 2, 2, 1]),
])


@test
def lengths_without_hashes_and_hashes_without_lengths_are_enough(place):
    repo, client = start(place, hashes=True)
    for missing in ("length", "hashes"):
        repo.publish("targets")
        del repo.signed["snapshot"]["meta"]["targets.json"][missing]
        repo.publish("snapshot")
        del repo.signed["timestamp"]["meta"]["snapshot.json"][missing]
        repo.publish("timestamp")
        assert client.refreshes(), client.said
    assert client.trusts() == [1, 3, 3, 3]


def other_version_inside(place, role, trusts):
    repo, client = refreshed(place)
    repo.publish()
    # Rightly signed, and under the name that is announced, but it is not that version.
    name = repo.name(role)
    repo.signed[role]["version"] += 1
    repo.put(role, served_as=name, listed=False)
    refused(client, "version")
    assert client.trusts() == trusts


tests(other_version_inside, "a_{}_of_another_version_than_announced_is_refused", [
    ("snapshot", "snapshot", [1, 2, 1, 1]), ("targets_file", "targets", [1, 2, 2, 1])])


@test
def unknown_fields_are_signed_and_passed_over(place):
    repo, client = start(place)
    root = repo.signed["root"]
    [key_id] = root["roles"]["root"]["keyids"]
    root["keys"][key_id] |= {"x-of-a-later-time": {"a": [1, None, True]}, "keyid_hash_algorithms": ["md5"]}
    root["roles"]["snapshot"]["name"] = "日本語 \" \\ \u0007"
    for role in ("root", "timestamp", "snapshot", "targets"):
        repo.signed[role]["x-field"] = {"ü": "é", "e\u0301": [], "": 0}
    repo.add("a", b"a")
    repo.signed["targets"]["targets"]["a"]["custom"] = {"any": "thing"}
    repo.publish("root")
    repo.publish()
    assert client.downloads("a"), client.said
    assert client.trusts() == [2, 2, 2, 2]
    repo.edit("timestamp", lambda whole: whole["signed"].update({"x-field": 0, "version": 3}))
    refused(client, "signatures")


def of_other_type(place, role, trusts):
    """All is right but the type: who may sign two roles must not have one taken for the other."""
    repo, client = start(place)
    repo.signed[role]["_type"] = "timestamp" if role != "timestamp" else "snapshot"
    repo.publish("root") if role == "root" else repo.publish()
    refused(client, "_type")
    assert client.trusts() == trusts


tests(of_other_type, "a_{}_of_another_type_is_refused", [
    ("root", "root", [1, 0, 0, 0]), ("timestamp", "timestamp", [1, 0, 0, 0]), ("snapshot", "snapshot", [1, 2, 0, 0]),
    ("targets_file", "targets", [1, 2, 2, 0])])


def spec_version(place, version, good):
    repo, client = start(place)
    repo.signed["timestamp"]["spec_version"] = version
    repo.publish("timestamp")
    assert client.refreshes() == good, client.said


tests(spec_version, "metadata_of_specification_{}", [
    ("1_0_0_is_read", "1.0.0", True), ("1_99_0_is_read", "1.99.0", True), ("2_0_0_is_refused", "2.0.0", False),
    ("nothing_is_refused", "", False)])


def expired(place, role, trusts):
    repo, client = refreshed(place)
    repo.signed[role]["expires"] = in_days(-1)
    repo.publish("root") if role == "root" else None
    repo.publish()
    refused(client, "expired")
    # 5.3.10: the root itself is trusted all the same, or nobody could ever renew it.
    assert client.trusts() == trusts
    repo.signed[role]["expires"] = in_days(30)
    repo.publish("root") if role == "root" else None
    repo.publish()
    assert client.refreshes(), client.said
    assert client.trusts() == [repo.signed[role]["version"] for role in ("root", "timestamp", "snapshot", "targets")]


tests(expired, "an_expired_{}_is_refused_and_a_renewed_one_taken", [
    ("root", "root", [2, 1, 1, 1]), ("timestamp", "timestamp", [1, 1, 1, 1]), ("snapshot", "snapshot", [1, 2, 1, 1]),
    ("targets_file", "targets", [1, 2, 2, 1])])


@test
def what_expires_on_the_device_is_refused_and_replaced(place):
    repo, client = start(place)
    for role in ("timestamp", "snapshot", "targets"):
        repo.signed[role]["expires"] = in_days(7)
    repo.publish()
    assert client.refreshes(in_days=6), client.said
    assert not client.refreshes(in_days=8), "it goes on with expired metadata"
    for role in ("timestamp", "snapshot", "targets"):
        repo.signed[role]["expires"] = in_days(21)
    repo.publish()
    assert client.refreshes(in_days=18), client.said
    assert client.trusts() == [1, 3, 3, 3]


@test
def the_expiry_of_a_first_root_and_of_roots_in_between_does_not_matter(place):
    repo = Repository()
    repo.signed["root"]["expires"] = in_days(-5)
    repo.root = repo.put("root")
    repo.publish("root", "root")
    repo.signed["root"]["expires"] = in_days(30)
    repo.publish("root")
    client = Watched(place, repo)
    assert client.refreshes(), client.said
    assert client.asked()[:4] == ["2.root.json", "3.root.json", "4.root.json", "5.root.json"]
    assert client.trusts() == [4, 1, 1, 1]
