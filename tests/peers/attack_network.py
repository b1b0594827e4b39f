"""A malicious network or mirror, in the place of every kind of file in turn: garbage, refusals, detours, endless data,
slow retrieval, dropped requests. All of it can delay an update and none of it can do more.
"""

from device import FAILED
from place import need, test, tests
from rough import cut_at, dripping, held_at
from simulator.network import (PORTAL, Network, another_range, endless, endless_after, hangs_up, head_in_drops,
                               leads_to, says, sends, silent)
from simulator.repository import MANIFEST
from simulator.scene import Scene, failed, refused

ROOT, TIMESTAMP, SNAPSHOT, TARGETS = "2.root.json", "timestamp.json", "snapshot.json", "targets.json"
IMAGE = "firmware/2/rootfs of gate-1.img"
# The part of an address that a rule goes by, and how the device calls the file.
PLACES = {ROOT: ROOT, TIMESTAMP: TIMESTAMP, SNAPSHOT: SNAPSHOT, TARGETS: TARGETS, ".stable.json": MANIFEST,
          ".rootfs of gate-1.img": IMAGE}
READ = {ROOT: "5.3.4", TIMESTAMP: "5.4.2", SNAPSHOT: "5.5.3", TARGETS: "5.6.3", MANIFEST: "5.7"}
MISSING = {TIMESTAMP: "5.4.1", SNAPSHOT: "5.5.1", TARGETS: "5.6.1"}
# A device with so much memory for its data, and no more.
DATA_BYTES = 8 << 20
# What reading one file may take of it: a quarter of the memory of a small router.
READING_BYTES = 16 << 20


def in_every_place(place, rule, judge, *, settings=None, skip=(), runner=(), spoils=False):
    """Plays a rule in one place after the other; `judge` finds the words in the log. What is not played with is
    honest, so that the device comes one file further each time. What `spoils` an image costs fetching it again."""
    # No hashes in lists: what is sent is judged for itself.
    scene = Scene(place, hashes=False, client=False, runner=runner)
    patient = dict(scene.device.settings["server"])
    scene.device.settings["server"].update(settings or {})
    scene.repository.replace_keys("root", only=0)
    images = scene.repository.publish(2)
    notes = []
    for word, file in PLACES.items():
        if file in skip:
            continue
        scene.network.rules = {word: rule}
        with scene.device.untouched():
            run = scene.device.once().must(FAILED)
        notes.append(judge(run.log, file))
        scene.keeps_only_honest_files()
        scene.is_safe()
    # An honest network may be slow beside other work.
    scene.device.settings["server"] = patient
    if spoils:
        scene.honest_again()
        scene.does_not_install("does not have the signed sha256")
    scene.recovers(images=images)
    return f"{len(notes)} places: {notes[1]}; …; {notes[-1]}" if len(notes) > 2 else "; ".join(notes)


def is_read_and_refused(looks, but=()):
    def judge(log, file):
        if file == IMAGE:
            return failed(log, f'step=stage why="{file}: ended after ', "bytes")
        return refused(log, file, READ[file], dict(but).get(file, looks))
    return judge


def is_missing(log, file):
    return refused(log, file, MISSING[file], "stale") if file in MISSING else failed(log, f"{file}: not found")


def says_why(words):
    def judge(log, file):
        return failed(log, f"{file}: ", words)
    return judge


def sends_on(place, judge):
    portal = Network(place, {})
    portal.rules = {"": sends(PORTAL)}
    return in_every_place(place, leads_to(portal.url), judge)


tests(in_every_place, "a_malicious_mirror_with_{}_can_only_delay", [
    ("garbage", sends(b"\x00\xff\xfe not JSON \x80"), is_read_and_refused("damaged")),
    ("empty_files", sends(b""), is_read_and_refused("damaged")),
    ("a_portal_page", sends(PORTAL, Content_Type="text/html"), is_read_and_refused("damaged")),
    ("json_of_something_else", sends(b'{"signed": {"_type": "news"}, "version": 7}'), is_read_and_refused("damaged")),
    ("metadata_of_something_else", sends(b'{"signed": {"_type": "news"}, "signatures": []}'),
     is_read_and_refused("attack", {MANIFEST: "damaged"})),
    ("json_too_deep", sends(b'{"signed":' + b"[" * 7000), is_read_and_refused("damaged")),
])
tests(lambda place, *row: in_every_place(place, *row, skip=(ROOT,)), "a_malicious_mirror_with_{}_can_only_delay", [
    # A root that is not there is one that was not published: the device goes on with the one it has.
    ("404_for_what_is_there", says(404), is_missing),
])
tests(lambda place, status: in_every_place(place, says(status), says_why(f"status {status}")),
      "a_malicious_mirror_with_status_{}_can_only_delay",
      [(str(status), status) for status in (500, 304)])
tests(sends_on, "a_malicious_mirror_with_{}_can_only_delay", [
    ("detours_to_a_portal_page", is_read_and_refused("damaged")),
])


@test
def a_malicious_mirror_with_detours_to_nowhere_can_only_delay(place):
    nowhere = Network(place, {})
    nowhere.stop()
    return in_every_place(place, leads_to(nowhere.url), says_why("unreachable: "))


def a_range_that_nobody_asked_for(log, file):
    words = "asked for bytes 4096-, was sent bytes 8192-" if file == IMAGE else "status 206"
    return failed(log, f"{file}: ", words)


@test
def a_malicious_mirror_with_pieces_from_elsewhere_can_only_delay(place):
    return in_every_place(place, another_range, a_range_that_nobody_asked_for)


LIMITS = {ROOT: 65536, TIMESTAMP: 16384, SNAPSHOT: 524288, TARGETS: 1048576, IMAGE: 200001}


FETCHED = {ROOT: "5.3.3", TIMESTAMP: "5.4.1", SNAPSHOT: "5.5.1", TARGETS: "5.6.1"}


def stops_at_its_limit(log, file):
    words = f"larger than its limit of {LIMITS[file]} bytes" if file in LIMITS else "larger than its limit of "
    if file in FETCHED:
        return failed(log, f"{file} refused (TUF {FETCHED[file]}): ", f"{words}; looks damaged")
    return failed(log, f"{file}: ", words)


def endless_data_stops_at_a_limit(place, head, judge, spoils=False):
    """By name, and in little memory: with more than this the agent would be ended by the kernel."""
    runner = (need("prlimit", "util-linux"), f"--data={DATA_BYTES}")
    return in_every_place(place, endless(head), judge, runner=runner, spoils=spoils)


tests(endless_data_stops_at_a_limit, "endless_data_{}_stops_at_a_limit", [
    ("of_no_length", {"Connection": "close"}, stops_at_its_limit),
    ("of_a_huge_length", {"Content-Length": str(2**62)}, stops_at_its_limit),
    ("in_chunks", {"Transfer-Encoding": "chunked"}, stops_at_its_limit, True),
    ("behind_a_small_length", {"Content-Length": "5"}, is_read_and_refused("damaged")),
])


def endless_words_around_a_body_stop_at_a_limit(place, first, more):
    """HTTP has room for more than the file: before it, between its pieces, after it."""
    runner = (need("prlimit", "util-linux"), f"--data={DATA_BYTES}")
    return in_every_place(place, endless_after(first, more), says_why(": "), runner=runner)


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
tests(endless_words_around_a_body_stop_at_a_limit, "endless_{}_stop_at_a_limit", [
    ("headers", OK, b"X-More: and more\r\n"),
    ("lines_before_headers", b"", b"\r\n"),
    ("interim_answers", b"", b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"),
    ("digits_of_a_chunks_length", OK + CHUNKED, b"0"),
    ("extensions_of_a_chunk", OK + CHUNKED + b"5", b";more=and-more"),
    ("trailers_after_an_empty_body", OK + CHUNKED + b"0\r\n", b"X-More: and more\r\n"),
    ("trailers_after_an_error", b"HTTP/1.1 500 No\r\n" + CHUNKED + b"0\r\n", b"X-More: and more\r\n"),
    ("trailers_after_a_detour", b"HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:9/\r\n" + CHUNKED + b"0\r\n",
     b"X-More: and more\r\n"),
])


def json_that_grows_in_memory_is_survived(place, role, looks):
    """Signed by nobody, and as long as it may be: small objects are those that grow most when they are read."""
    scene = Scene(place, hashes=False, client=False)
    scene.repository.replace_keys("root", only=0)
    images = scene.repository.publish(2)
    data = b'{"signed":[' + b'{"":0},' * ((LIMITS[role] - 40) // 7) + b'0],"signatures":[]}'
    scene.network.rules = {role: sends(data)}
    scene.device.agent.runner = need("prlimit", "util-linux"), f"--data={READING_BYTES}"
    note = scene.refuses(role, READ[role], looks, accepts=[TIMESTAMP, SNAPSHOT, ROOT.removeprefix("2.")])
    scene.recovers(images=images)
    return note


tests(json_that_grows_in_memory_is_survived, "a_{}_that_grows_in_memory_is_survived", [
    ("root", ROOT, "attack"), ("timestamp", TIMESTAMP, "attack"), ("snapshot", SNAPSHOT, "damaged"),
    ("targets", TARGETS, "damaged"),
])


# Like the settings of a device, only shorter: 10,000 bytes a second within three, and three seconds of silence. What is
# honest must come within these beside other work, too.
PACE = {"stall_seconds": 60, "slow_seconds": 3, "slow_bytes_per_second": 10_000}
SILENCE = {"stall_seconds": 3, "slow_seconds": 60}
# Before the first byte of a body all files are alike: two will do.
BUT_TWO = [ROOT, SNAPSHOT, TARGETS, MANIFEST]


def slow_retrieval_is_given_up(place, rule, words, settings, skip):
    return in_every_place(place, rule, says_why(words), settings=settings, skip=skip)


tests(slow_retrieval_is_given_up, "slow_retrieval_{}_is_given_up", [
    ("in_drops", dripping, "too slow: ", PACE, ()),
    ("with_headers_in_drops", head_in_drops, "too slow: ", PACE, BUT_TWO),
    ("with_silence_in_the_middle", held_at(5), "unreachable: timed out", SILENCE, ()),
    ("with_silence_from_the_start", silent, "unreachable: timed out", SILENCE, BUT_TWO),
])


@test
def an_image_of_which_60_000_bytes_come_at_a_time_arrives_in_the_end(place):
    scene = Scene(place, client=False)
    images = scene.repository.publish(2)
    scene.network.rules = {".rootfs of": cut_at(60_000)}
    come = []
    for _ in range(3):
        scene.does_not_install("step-failed step=stage", f"{IMAGE}: ended after ")
        come.append(scene.device.on_record())
    assert come[0] < come[1] < come[2], f"part and offset on record after each try: {come}"
    scene.recovers(images=images)


@test
def dropped_requests_can_only_delay(place):
    return in_every_place(place, hangs_up, says_why("unreachable: "))
