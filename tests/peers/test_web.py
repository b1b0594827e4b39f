"""A web server that misbehaves, by fault or on purpose. Whatever it does: the running slot and the boot environment
stay as they are, the log names the file and the reason, and a good server is believed again at once.
"""

import time

import rough
from device import DONE, FAILED, Device
from maker import Workshop
from place import command, test, tests
from web import Web

KERNEL, ROOTFS, MANIFEST = ".kernel.img", ".rootfs.img", ".stable.json"
# The log names a file as metadata does.
NAMES = {KERNEL: "images/gate-1/stable/2/kernel.img", ROOTFS: "images/gate-1/stable/2/rootfs.img",
         MANIFEST: "boards/gate-1/stable.json"}
# No shorter: what is honest must come in time beside other work, too.
PICKY = {"stall_seconds": 60, "slow_seconds": 3, "slow_bytes_per_second": 10_000}
SHORT_OF_PATIENCE = {"stall_seconds": 3, "slow_seconds": 60}


def point(device, server):
    device.settings["server"].update(metadata_url=f"{server.url}metadata/", targets_url=f"{server.url}targets/")


def fails_then_goes_on(device, server, good, images, step, file, why):
    with device.untouched():
        device.once().must(FAILED, f'step-failed step={step} why="{NAMES.get(file, file)}{why}')
    for setting in {**PICKY, **SHORT_OF_PATIENCE}:
        device.settings["server"].pop(setting, None)
    point(device, good)
    device.update(2, images)


def refused_by_nginx(place, file, lines, settings, why):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository, extra=f"location ~ {file}$ {{ {lines} }}")
    device = Device(place, workshop.root, web.url)
    device.settings["server"].update(settings)
    step = "stage" if file.endswith(".img") else "poll"
    good = Web(place, workshop.repository, name="good")
    fails_then_goes_on(device, web, good, images, step, file, why)


tests(refused_by_nginx, "nginx_answers_{}", [
    ("404_for_an_image", ROOTFS, "return 404;", {}, ": not found"),
    ("404_for_the_manifest", MANIFEST, "return 404;", {}, ": not found"),
    ("404_for_the_timestamp", "timestamp.json", "return 404;", {},
     " refused (TUF 5.4.1): the server does not have it"),
    ("403_for_an_image", KERNEL, "return 403;", {}, ": status 403"),
    ("500_for_the_snapshot", "2.snapshot.json", "return 500;", {}, ": status 500"),
    ("503_for_an_image", ROOTFS, "return 503;", {}, ": status 503"),
    ("an_image_at_a_thousand_bytes_a_second", ROOTFS, "limit_rate 1000;", PICKY, ": too slow: "),
    ("an_image_with_a_redirect_to_a_port_that_is_none", ROOTFS, "return 302 http://127.0.0.1:99999/x;", {},
     ": unreachable: cannot follow a redirect to http://127.0.0.1:99999/x, which has a port that is no number"),
    ("an_image_with_a_redirect_that_never_ends", ROOTFS, "return 302 $request_uri;", {}, ": unreachable: more than"),
])


def refused_by_a_rough_server(place, file, rule, settings, why):
    workshop = Workshop(place)
    images = workshop.publish(2)
    server = rough.Rough(place, workshop.repository, {file: rule})
    device = Device(place, workshop.root, server.url)
    device.settings["server"].update(settings)
    step = "stage" if file.endswith(".img") else "poll"
    good = Web(place, workshop.repository)
    fails_then_goes_on(device, server, good, images, step, file, why)


tests(refused_by_a_rough_server, "a_rough_server_sends_{}", [
    ("half_an_image", ROOTFS, rough.cut_at(700_000), {}, ": ended after "),
    ("half_a_manifest", MANIFEST, rough.cut_at(50), {}, ": ended after 50 of "),
    ("half_a_timestamp", "timestamp.json", rough.cut_at(10), {}, ": ended after 10 of "),
    ("no_byte_of_a_snapshot", "2.snapshot.json", rough.cut_at(0), {}, ": ended after 0 of "),
    ("an_image_that_falls_silent", ROOTFS, rough.held_at(300_000), SHORT_OF_PATIENCE, ": unreachable: timed out"),
    ("a_timestamp_that_falls_silent", "timestamp.json", rough.held_at(5), SHORT_OF_PATIENCE,
     ": unreachable: timed out"),
    ("an_image_in_drops", KERNEL, rough.dripping, PICKY, ": too slow: "),
    ("a_timestamp_in_drops", "timestamp.json", rough.dripping, PICKY, ": too slow: "),
    ("an_endless_image", ROOTFS, rough.endless, {}, ": larger than its limit of 1500000 bytes"),
    ("an_endless_timestamp", "timestamp.json", rough.endless, {},
     " refused (TUF 5.4.1): larger than its limit of 16384 bytes; looks damaged, or like another file"),
    ("an_endless_root", "2.root.json", rough.endless_though_missing, {},
     " refused (TUF 5.3.3): larger than its limit of 65536 bytes; looks damaged, or like another file"),
    ("an_endless_manifest", MANIFEST, rough.endless, {}, ": larger than its limit of "),
    ("an_oversized_timestamp", "timestamp.json", rough.oversized(16385), {},
     " refused (TUF 5.4.1): larger than its limit of 16384 bytes"),
    ("an_oversized_targets", "2.targets.json", rough.oversized(2_000_000), {},
     " refused (TUF 5.6.1): larger than its limit of "),
    ("an_oversized_image", KERNEL, rough.oversized(200_001), {}, ": larger than its limit of 200000 bytes"),
    ("an_image_with_one_wrong_bit", ROOTFS, rough.changed, {}, ": slot b part rootfs does not have the signed sha256"),
    ("a_manifest_with_one_wrong_bit", MANIFEST, rough.changed, {},
     " refused (TUF 5.7): its hash is not the signed one"),
    ("a_targets_with_one_wrong_bit", "targets.json", rough.changed, {},
     " version 2 refused (TUF 5.6.2): its hash is not the signed one; looks damaged, or like another file"),
    ("a_timestamp_packed_as_gzip", "timestamp.json", rough.packed, {}, ": unreachable: sent packed as gzip"),
    ("an_image_with_two_lengths", ROOTFS, rough.with_fields(Content_Length=["1500000", "5"]), {},
     ": unreachable: Content-Length is given twice"),
    ("a_timestamp_with_a_length_and_chunks", "timestamp.json", rough.with_fields(Transfer_Encoding=["chunked"]), {},
     ": unreachable: both Content-Length and Transfer-Encoding are given"),
    ("a_manifest_in_chunks_that_are_none", MANIFEST, rough.odd_chunks, {},
     ": unreachable: chunk length cannot be read as a number"),
    ("a_page_for_the_next_root", "2.root.json", rough.page, {},
     " refused (TUF 5.3.4): not acceptable JSON: expected value at line 1 column 1; looks damaged, or like another file: the "
     "server must answer 404 or 403 for what it does not have"),
])


def asks_for_patience(place, status, file):
    seconds = 7200
    workshop = Workshop(place)
    images = workshop.publish(2)
    lines = f"location ~ {file}$ {{ add_header Retry-After {seconds} always; return {status}; }}"
    web = Web(place, workshop.repository, extra=lines)
    device = Device(place, workshop.root, web.url)
    before = time.monotonic()
    with device.untouched():
        device.once().must(FAILED, f"status {status}, retry after {seconds} s")
    # What an image's server asks for holds up images, not polls.
    wait = device.status()["seconds_until_stage" if file == ROOTFS else "seconds_until_poll"]
    # Whole seconds are counted: one may be lost at either end.
    passed = time.monotonic() - before + 2
    assert seconds - passed <= wait <= seconds, f"tries again in {wait} s"
    web.start()
    device.update(2, images)
    return f"tries again in {wait} s"


tests(asks_for_patience, "a_device_waits_as_long_as_{}_asks", [
    ("429", 429, "timestamp.json"), ("503", 503, "timestamp.json"), ("429_for_an_image", 429, ROOTFS),
])


@test
def a_device_waits_no_longer_than_four_polls_whatever_is_asked(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    lines = "location ~ timestamp.json$ { add_header Retry-After 604800 always; return 503; }"
    web = Web(place, workshop.repository, extra=lines)
    device = Device(place, workshop.root, web.url)
    device.settings["poll"]["interval_seconds"] = 3600
    device.once().must(FAILED, "status 503, retry after 604800 s")
    wait = device.status()["seconds_until_poll"]
    assert 3600 < wait <= 4 * 3600, f"tries again in {wait} s"
    web.start()
    device.update(2, images)
    return f"tries again in {wait} s"


@test
def a_password_in_an_address_is_decoded_and_never_printed(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    passwords = place.path("passwords")
    passwords.write_text(f"router:{command('openssl', 'passwd', '-apr1', 'p@ss/w:rd%').stdout.strip()}\n")
    passwords.chmod(0o644)
    place.folder.chmod(0o755)
    web = Web(place, workshop.repository, extra=f'auth_basic "x"; auth_basic_user_file {passwords};')
    device = Device(place, workshop.root, web.url)

    def login(login):
        point(device, web)
        server = device.settings["server"]
        server.update({key: server[key].replace("//", f"//{login}@") for key in ("metadata_url", "targets_url")})

    for wrong in ("router:wr0ngw0rd", "router"):
        login(wrong)
        with device.untouched("ab"):
            run = device.once().must(FAILED, "status 401: the server asks for a user and a password")
        said = run.log + "".join(device.komainu(word).out for word in ("status", "plan", "check", "check-settings"))
        assert "wr0ngw0rd" not in said, said
    login("router:p%40ss%2Fw:rd%25")
    device.update(2, images)


@test
def a_redirect_leads_only_to_hosts_of_the_settings_where_these_are_named(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    cdn = Web(place, workshop.repository, name="cdn")
    lines = f"location /targets/ {{ return 302 http://127.0.0.1:{cdn.port}$request_uri; }}"
    web = Web(place, workshop.repository, extra=lines, host="localhost")
    device = Device(place, workshop.root, web.url)
    device.settings["server"]["redirect_hosts"] = []
    with device.untouched("ab"):
        device.once().must(FAILED, "redirected to 127.0.0.1, which server.redirect_hosts does not name")
    assert cdn.requests() == []
    cdn.start()
    device.settings["server"]["redirect_hosts"] = ["127.0.0.1"]
    device.update(2, images)


def still_works(place, lines):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository, extra=lines.replace("REPOSITORY", str(workshop.repository)))
    device = Device(place, workshop.root, web.url)
    device.update(2, images)
    device.update(3, workshop.publish(3))
    return web.requests()


def works_without_ranges(place):
    requests = [request for request in still_works(place, "max_ranges 0;") if request["path"].endswith(".img")]
    assert requests and all(request["status"] == 200 for request in requests)
    assert any(request["range"] for request in requests)


tests(works_without_ranges, "an_update_works_where_nginx_{}", [("has_no_ranges",)])
tests(lambda place, lines: f"{len(still_works(place, lines))} requests", "an_update_works_where_nginx_{}", [
    ("hangs_up_after_every_answer", "keepalive_timeout 0;"),
    ("hangs_up_after_two_answers", "keepalive_requests 2;"),
    ("packs_whatever_it_may", "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;"),
    ("tells_no_tags", "etag off;"),
    ("gives_back_the_coding_of_an_upload_as_object_stores_do", "add_header Content-Encoding aws-chunked;"),
    ("sends_on_to_another_place", "location /targets/ { return 302 /mirror$request_uri; } "
                                  "location /metadata/ { return 301 /mirror$request_uri; } "
                                  "location /mirror/ { alias REPOSITORY/; }"),
])


@test
def an_update_works_where_a_server_sends_an_empty_coding(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    server = rough.Rough(place, workshop.repository, {"": rough.with_fields(Content_Encoding=[""])})
    Device(place, workshop.root, server.url).update(2, images)


@test
def an_update_fetches_every_byte_of_its_images_once(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository)
    device = Device(place, workshop.root, web.url)
    device.update(2, images)
    fetched = sum(request["sent_bytes"] for request in web.requests() if request["path"].endswith(".img"))
    least = sum(len(data) for data in images.values())
    # Besides the heads of the answers, the first 4096 bytes of the first image come twice: they tell that the slot holds another.
    assert least <= fetched <= least + 2 * 4096, f"{fetched} bytes for images of {least}"
    return f"{fetched} bytes for images of {least}"


def idle(place, lines, header):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository, extra=lines)
    device = Device(place, workshop.root, web.url)
    device.update(2, images)
    device.once().must(DONE)
    web.start(lines)
    device.once().must(DONE)
    requests = web.requests()
    assert len(requests) == 1, requests
    [only] = requests
    assert (only["status"], only["path"]) == (304, "/metadata/timestamp.json"), only
    assert only[header], "the request was not conditional"
    # With news it is noticed all the same.
    web.start(lines)
    device.update(3, workshop.publish(3))
    return f"304; {only['asked_bytes']} bytes asked, {only['sent_bytes']} bytes answered"


tests(idle, "an_idle_poll_is_one_conditional_request_{}", [
    ("with_a_tag", "", "tag"), ("with_a_date", "etag off;", "since"),
])


@test
def a_bound_on_the_speed_is_kept(place):
    workshop = Workshop(place)
    images = workshop.publish(2)
    web = Web(place, workshop.repository)
    device = Device(place, workshop.root, web.url)
    # Four seconds for all of it. A busy machine only takes longer; the first quarter of a second is free.
    most = sum(map(len, images.values())) // 4
    device.settings["server"]["bytes_per_second_max"] = most
    began = time.monotonic()
    device.stage(2, images)
    took = time.monotonic() - began
    assert took >= 3.5, f"{4 * most} bytes took {took:.1f} s, at {most} bytes a second at most"
