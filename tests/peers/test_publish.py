"""Publishing to where makers host: a folder, rsync over ssh (Debian's sshd), and an S3-compatible store (s3s-fs). A device
then updates from the result, through nginx in front of the place's own folder. Faults of a store are played by a stand-in
between it and the maker (stores.Between).
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import chains
from device import DONE, Device, image
from maker import Workshop
from place import KOMAINU_MAKER, PATIENCE, test, tests, wait_until
from stores import BUCKET, Between, Line, SshServer, Store, answers, environment, loses, truncates
from web import Web, tls_lines

KEPT, ASKED = "public, max-age=31536000, immutable", "public, max-age=60, must-revalidate"
TIMESTAMP = "metadata/timestamp.json"


class Place:
    """A destination, the folder that its web server shows, and what a maker needs to reach it."""

    def __init__(self, place, kind):
        self.environment = dict(os.environ)
        if kind == "folder":
            self.folder = place.path("web-space")
            self.destination = str(self.folder)
        elif kind == "ssh":
            server, self.folder = SshServer(place), place.path("web-space")
            self.destination, self.environment = server.destination(self.folder), server.environment()
        else:
            self.store = Store(place)
            self.folder = self.store.file("devices")
            self.destination, self.environment = f"s3://{BUCKET}/devices", environment(self.store.port)


def publish(workshop, to, *words, code=0, env=None):
    """Runs `publish --to`, which must end so; what it says."""
    words = [KOMAINU_MAKER, "publish", "--workshop", workshop.folder, "--to", to.destination, *words]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=PATIENCE, check=False,
                          env=env or to.environment)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {said}"
    assert "secret of the peers" not in said, said
    return said


def version(folder):
    """The version of the timestamp that a place shows; None if there is none."""
    file = folder / TIMESTAMP
    return json.loads(file.read_bytes())["signed"]["version"] if file.is_file() else None


def times(folder):
    """When each file was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def goes_on(place, kind):
    """Three releases and a new key, with a device that follows from the first to the last."""
    workshop, to = Workshop(place), Place(place, kind)
    first, shipped = workshop.publish(2), workshop.root
    said = publish(workshop, to)
    # A manifest and two images; targets, snapshot, timestamp and a root.
    assert "Copied 7 files" in said, said
    before = times(to.folder)
    assert "Nothing to copy" in publish(workshop, to)
    assert times(to.folder) == before, "what is there was sent again"
    web = Web(place, to.folder)
    said = publish(workshop, to, "--check-url", f"{web.url}metadata/")
    assert "as published" in said, said
    device = Device(place, shipped, web.url)
    device.update(2, first)
    second = workshop.publish(3)
    workshop.rotate("timestamp", "ecdsa")
    workshop.rotate("root", "ed25519")
    said = publish(workshop, to, "--check-url", web.url + "metadata")
    after = times(to.folder)
    assert {name: after[name] for name in before if name != TIMESTAMP} == {
        name: before[name] for name in before if name != TIMESTAMP}, "a file that never changes was written again"
    device.update(3, second)
    device.once().must(DONE)
    return said.splitlines()[-2] if len(said.splitlines()) > 1 else said


tests(goes_on, "a_device_follows_what_is_published_to_{}", [
    ("a_folder", "folder"), ("another_machine_over_ssh", "ssh"), ("an_object_store", "s3")])


@test
def an_object_store_tells_caches_how_long_to_keep_each_file(place):
    workshop, to = Workshop(place), Place(place, "s3")
    workshop.publish(2)
    publish(workshop, to)
    said = {}
    for path in to.folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(to.folder))
            status, headers, content = to.store.get(f"devices/{name}")
            assert (status, content) == (200, path.read_bytes()), name
            said[name] = (headers["cache-control"], headers["content-type"])
    for name, (cached, kind) in said.items():
        assert cached == (ASKED if name == TIMESTAMP else KEPT), (name, cached)
        assert kind == ("application/json" if name.endswith(".json") else "application/octet-stream"), (name, kind)
    assert len(said) == 7, said
    return f"{ASKED!r} for timestamp.json, {KEPT!r} for {len(said) - 1} others"


def killed(place, to, workshop, environment_of, held_at):
    """Kills the maker while the line to the place is full; the place shows what it showed before."""
    line = Line(place, held_at[0], held_at[1])
    words = [KOMAINU_MAKER, "publish", "--workshop", workshop.folder, "--to", environment_of(line.port)[0]]
    with open(place.path("said"), "w", encoding="utf-8") as said:
        process = subprocess.Popen([str(word) for word in words], stdout=said, stderr=said, start_new_session=True,
                                   env=environment_of(line.port)[1])
    wait_until(lambda: line.full.is_set() or process.poll() is not None, "the line is full")
    assert process.poll() is None, f"it ended by itself: {place.path('said').read_text()}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    line.cut.set()


@test
def a_killed_upload_to_an_object_store_goes_on(place):
    workshop, to = Workshop(place), Place(place, "s3")
    images, shipped = workshop.publish(2), workshop.root
    publish(workshop, to)
    web = Web(place, to.folder)
    device = Device(place, shipped, web.url)
    device.update(2, images)
    images, before = workshop.publish(3), version(to.folder)
    killed(place, to, workshop, lambda port: (to.destination, environment(port)), (to.store.port, 800_000))
    assert version(to.folder) == before
    device.once().must(DONE)
    between = Between(place, to.store)
    publish(workshop, to, env=environment(between.port))
    sent = [key.split("/", 1)[1] for key, _ in between.writes]
    assert sent[-1] == TIMESTAMP and any("rootfs" in name for name in sent), sent
    assert not any("kernel" in name for name in sent), f"sent again: {sent}"
    conditions = [headers.get("if-none-match") or headers.get("if-match") for _, headers in between.writes]
    assert conditions[:-1] == ["*"] * (len(sent) - 1) and conditions[-1] not in (None, "*"), conditions
    device.update(3, images)
    return f"killed at 800000 bytes; {len(sent)} files were left to send"


@test
def a_killed_upload_over_ssh_goes_on_within_a_file(place):
    workshop, to = Workshop(place), Place(place, "folder")
    server = SshServer(place)
    to.environment = server.environment()
    shipped = workshop.root
    images = workshop.publish(2, sizes={"kernel": 200_000, "rootfs": 4_000_000})
    killed(place, to, workshop, lambda port: (server.destination(to.folder, port), to.environment),
           (server.port, 2_500_000))
    wait_until(lambda: list(to.folder.rglob(".komainu-partial/*")), "the other side keeps what came")
    assert version(to.folder) is None
    [partial] = to.folder.rglob(".komainu-partial/*.rootfs.img")
    there = partial.stat().st_size
    line = Line(place, server.port, 1 << 40)
    to.destination = server.destination(to.folder, line.port)
    publish(workshop, to)
    carried = (1 << 40) - line.left
    assert carried < 4_200_000 - there // 2, f"{carried} bytes were carried, and {there} were there"
    web = Web(place, to.folder)
    parts = {"kernel": 512 << 10, "rootfs": 4096 << 10}
    Device(place, shipped, web.url, parts=parts).update(2, images)
    return f"{there} of 4000000 bytes were there, {carried} were carried after that"


@test
def of_two_copies_of_a_workshop_the_second_is_refused(place):
    for kind in ("folder", "s3", "ssh"):
        workshop, to = Workshop(place, name=f"{kind}/one"), Place(place_in(place, kind), kind)
        workshop.publish(2)
        publish(workshop, to)
        copy = Workshop.__new__(Workshop)
        copy.__dict__ = {**workshop.__dict__, "folder": place.path(f"{kind}/two")}
        shutil.copytree(workshop.folder, copy.folder)
        for one in (workshop, copy):
            one.run("publish", "--renew")
            # Signatures of the same second would be the same.
            time.sleep(1.1)
        publish(workshop, to)
        before = times(to.folder)
        said = publish(copy, to, code=1)
        assert "another timestamp.json of version" in said and "Publish from one" in said, said
        workshop.run("publish", "--renew")
        publish(workshop, to)
        before = times(to.folder)
        said = publish(copy, to, code=1)
        assert "another copy of it has published since" in said, said
        assert times(to.folder) == before, f"{kind}: something was overwritten"


def place_in(place, kind):
    """The same place, with names of its own for each kind."""
    class Inner:
        undo = place.undo

        @staticmethod
        def path(name):
            return place.path(f"{kind}/{name}")
    return Inner()


@test
def of_two_publishers_at_once_the_later_one_does_not_overwrite_the_newer_timestamp(place):
    workshop, to = Workshop(place), Place(place, "s3")
    workshop.publish(2)
    publish(workshop, to)
    workshop.publish(3)
    newer = Workshop.__new__(Workshop)
    newer.__dict__ = {**workshop.__dict__, "folder": place.path("newer")}
    shutil.copytree(workshop.folder, newer.folder)
    newer.run("publish", "--renew")
    between, reached, go = Between(place, to.store), threading.Event(), threading.Event()

    def held(handler, body):
        reached.set()
        go.wait(PATIENCE)
        handler.pass_on(body)

    between.rules = {TIMESTAMP: held}
    said = []
    older = threading.Thread(target=lambda: said.append(publish(workshop, to, code=1, env=environment(between.port))))
    older.start()
    wait_until(lambda: reached.is_set() or not older.is_alive(), "the older one is about to write timestamp.json")
    publish(newer, to)
    wanted = (newer.repository / TIMESTAMP).read_bytes()
    go.set()
    older.join(PATIENCE)
    assert said and "another publisher replaced timestamp.json" in said[0], said
    assert (to.folder / TIMESTAMP).read_bytes() == wanted, "the newer timestamp was overwritten"


def a_store_with_a_fault_is_noticed_and_healed(place, word, rule, says):
    """A store with a fault in one place: the maker says so, devices see the old state, and the next upload heals it."""
    workshop, to = Workshop(place), Place(place, "s3")
    images, shipped = workshop.publish(2), workshop.root
    publish(workshop, to)
    device = Device(place, shipped, Web(place, to.folder).url)
    device.update(2, images)
    images, before = workshop.publish(3), version(to.folder)
    between = Between(place, to.store)
    between.rules = {word: rule}
    said = publish(workshop, to, code=1, env=environment(between.port))
    for sentence in says:
        assert sentence in said, said
    if word != TIMESTAMP:
        assert version(to.folder) == before, "timestamp.json names what is not there"
        device.once().must(DONE)
    publish(workshop, to)
    device.update(3, images)
    return said.splitlines()[-1][:160]


tests(a_store_with_a_fault_is_noticed_and_healed, "a_store_that_{}_is_noticed_and_healed", [
    ("loses_an_image", ".rootfs.img", loses, ["does not have it", ".rootfs.img", "run this again"]),
    ("keeps_half_an_image", ".rootfs.img", truncates, ["keeps only a part of it", "quota"]),
    ("loses_a_snapshot", ".snapshot.json", loses, ["does not have it", ".snapshot.json"]),
    ("keeps_half_of_the_targets_metadata", ".targets.json", truncates, ["keeps only a part of it"]),
    ("loses_the_timestamp", TIMESTAMP, loses, ["shows another one now"]),
    ("keeps_half_a_timestamp", TIMESTAMP, truncates, ["shows another one now"]),
    ("is_always_busy", ".kernel.img", answers(503, "SlowDown"), ["SlowDown", "given up after 5 attempts"]),
    ("is_full", ".rootfs.img", answers(403, "QuotaExceeded"), ["QuotaExceeded", "The bucket is full"]),
])


@test
def a_store_without_conditions_is_written_to_with_a_warning(place):
    workshop, to = Workshop(place), Place(place, "s3")
    images = workshop.publish(2)
    between = Between(place, to.store)

    def none(handler, body):
        if handler.headers.get("if-none-match") or handler.headers.get("if-match"):
            answers(501, "NotImplemented")(handler, body)
        else:
            handler.pass_on(body)

    between.rules = {"": none}
    said = publish(workshop, to, env=environment(between.port))
    assert "does not write on condition" in said, said
    Device(place, workshop.root, Web(place, to.folder).url).update(2, images)


@test
def every_fault_says_what_is_wrong_where_and_what_to_do(place):
    workshop, to = Workshop(place), Place(place, "s3")
    server = SshServer(place)
    workshop.publish(2)
    store, closed = to.environment, place.path("closed")
    closed.write_text("a file")
    nothing = environment(1)
    no_keys = {name: value for name, value in store.items() if "ACCESS_KEY" not in name}
    cases = [
        (to.destination, environment(to.store.port, "wrong"), ["SignatureDoesNotMatch", "The secret key is wrong"]),
        ("s3://nowhere/x", store, ["NoSuchBucket", "s3://nowhere/x", "Make the bucket first"]),
        (to.destination, nothing, ["no answer of http://127.0.0.1:1", "is the store running"]),
        (to.destination, no_keys, ["there are no keys", "AWS_ACCESS_KEY_ID"]),
        (to.destination, {**store, "AWS_ENDPOINT_URL": "127.0.0.1"}, ["must begin with https://"]),
        (server.destination(closed / "x"), server.environment(), ["cannot", str(closed)]),
        (server.destination(place.path("none/such") / "x"), server.environment(), ["Make the folder on the other machine"]),
        (server.destination("/x", 1), server.environment(), ["ssh could not connect", "by hand first"]),
        (str(closed / "x"), store, ["cannot create the folder", str(closed)]),
        (str(workshop.repository), store, ["the workshop's own repository"]),
    ]
    shutil.rmtree(place.path("none"), ignore_errors=True)
    for destination, env, says in cases:
        to.destination = destination
        said = publish(workshop, to, code=1, env=env)
        for sentence in says:
            assert sentence in said, f"{destination}: {sentence!r} is not in {said!r}"
    for destination, says in (("rsync://host/www", "write host:/www"), ("ftp://host/www", "no destination")):
        to.destination = destination
        assert says in publish(workshop, to, code=2)
    return f"{len(cases) + 2} faults"


@test
def another_repository_at_the_destination_stays_untouched(place):
    for kind in ("folder", "s3"):
        one, to = Workshop(place, name=f"{kind}/one"), Place(place_in(place, kind), kind)
        one.publish(2)
        publish(one, to)
        before = times(to.folder)
        other = Workshop(place, name=f"{kind}/other")
        other.publish(2)
        other.publish(3)
        said = publish(other, to, code=1)
        assert "another repository is published there" in said and "Choose another place" in said, said
        assert times(to.folder) == before


@test
def a_web_server_that_shows_something_else_is_noticed(place):
    workshop, to = Workshop(place), Place(place, "folder")
    workshop.publish(2)
    publish(workshop, to)
    old = place.path("old")
    shutil.copytree(to.folder, old)
    (old / "page").mkdir()
    (old / "page/timestamp.json").write_bytes(image("no metadata", 100))
    workshop.publish(3)
    web = Web(place, old)
    for address, says in ((f"{web.url}metadata/", "shows version"), (f"{web.url}", "404"),
                          (f"{web.url}page/", "is no timestamp.json"), ("http://127.0.0.1:1/", "cannot fetch"),
                          ("updates.example", "is no address")):
        said = publish(workshop, to, "--check-url", address, code=1)
        assert says in said, f"{address}: {said}"


@test
def an_object_store_is_reached_by_https_with_the_makers_own_authority(place):
    workshop, to = Workshop(place), Place(place, "s3")
    workshop.publish(2)
    chain = chains.make(place, "store", host="127.0.0.1")
    front = Web(place, place.folder, tls=tls_lines(chain), name="front",
                extra=f"location / {{ proxy_pass http://127.0.0.1:{to.store.port}; proxy_set_header Host $http_host; "
                      "client_max_body_size 0; }")
    env = {**to.environment, "AWS_ENDPOINT_URL": front.url.rstrip("/")}
    said = publish(workshop, to, env=env, code=1)
    assert "SSL_CERT_FILE" in said, said
    assert "Copied 7 files" in publish(workshop, to, env={**env, "SSL_CERT_FILE": str(chain.root)})
