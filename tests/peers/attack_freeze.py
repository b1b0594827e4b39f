"""Indefinite freeze: what is old stays valid until it expires, and not a day longer; then the device says so, and
goes on with what it runs. The years pass by libfaketime, for the agent alone.
"""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from device import DONE, FAILED
from place import Skip, test, tests
from simulator.network import says, sends
from simulator.repository import DAYS
from simulator.scene import Scene, failed


def days_later(scene, days):
    """From now on the agent's clock is so far ahead, and the maker signs by the same clock."""
    library = next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)
    if not library:
        raise Skip("needs libfaketime (Debian: libfaketime)")
    scene.repository.now = scene.began + timedelta(days=days)
    ahead = round((scene.repository.now - datetime.now(timezone.utc)).total_seconds())
    # Only the time of day: waiting takes as long as ever.
    scene.device.agent.runner = ("env", f"LD_PRELOAD={library}", f"FAKETIME=+{ahead}",
                                 "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1")


def a_freeze_ends(place, stolen, frozen_role, file, step):
    scene = Scene(place, client=False)
    scene.began = scene.repository.now
    last = DAYS[frozen_role]
    # What the maker publishes from now on, the device is not shown.
    thief = scene.repository.fork(*stolen)
    scene.repository.publish(2)
    scene.network.files = thief.files
    for days in (last - 1, last + 1):
        days_later(scene, days)
        # He signs anew what he can.
        thief.now = scene.repository.now
        if stolen:
            thief.renew(*stolen)
        if days < last:
            scene.device.once().must(DONE)
    note = scene.refuses(file, step, "stale", accepts=[f"{role}.json" for role in stolen], stolen=True)
    assert "expired" in str(scene.device.status()["offer"]), "the status does not say so"
    scene.is_safe()
    # Whoever lost keys replaces them; a root that is about to expire is replaced anyway.
    scene.repository.replace_keys(*(stolen or ["root"]), only=0)
    scene.repository.renew()
    scene.recovers(3)
    return note


tests(a_freeze_ends, "a_freeze_with_{}_ends", [
    ("old_answers", [], "timestamp", "timestamp.json", "5.4.4"),
    ("the_timestamp_key", ["timestamp"], "snapshot", "snapshot.json", "5.5.6"),
    ("the_timestamp_and_snapshot_keys", ["snapshot", "timestamp"], "targets", "targets.json", "5.6.5"),
    ("all_keys_but_roots_and_without_the_next_root", ["targets", "snapshot", "timestamp"], "root", "1.root.json",
     "5.3.10"),
])


@test
def a_mirror_that_always_says_unchanged_can_freeze_no_longer_than_expiry(place):
    scene = Scene(place, client=False)
    scene.began = scene.repository.now
    # Its answer has a tag, so that the next poll asks only whether anything changed.
    scene.network.rules = {"timestamp.json": sends(scene.repository.files["metadata/timestamp.json"], ETag='"same"')}
    scene.polls()
    scene.repository.publish(2)
    scene.network.rules = {"timestamp.json": says(304)}
    days_later(scene, 6)
    scene.network.requests.clear()
    scene.device.once().must(DONE, "refused release=1 why=up-to-date")
    assert scene.network.requests == ["metadata/timestamp.json"], scene.network.requests
    days_later(scene, 8)
    with scene.device.untouched("ab"):
        run = scene.device.once().must(FAILED)
    failed(run.log, "timestamp.json: status 304")
    note = failed(run.log, "offer-unusable", "timestamp.json", "(TUF 5.4.4): expired")
    scene.repository.renew()
    scene.recovers(3)
    return note
