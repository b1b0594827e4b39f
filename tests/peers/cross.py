"""The same program on the processors it is for: builds of cross/build for big- and little-endian MIPS and for ARMv7,
under QEMU, against the same nginx, boot environment and boot loader.
"""

import chains
from device import DONE, RESTART, Agent, Device
from maker import Workshop
from place import DEVICE_BUILDS, ROOT, Skip, need, test, tests
from web import Web, tls_lines

TARGETS = {
    "mips": ("qemu-mips-static", True),
    "mipsel": ("qemu-mipsel-static", False),
    "armv7": ("qemu-arm-static", False),
}
# The health check of this firmware: an image that begins with this word says of itself that it does not work.
BROKEN = b"BROKEN"
HEALTH = """#!/bin/sh
case $(grep -o 'komainu.slot=.' {folder}/cmdline) in *a) file={a};; *) file={b};; esac
[ "$(head -c 6 $file)" != BROKEN ] || {{ echo 'it says that it is broken' >&2; exit 2; }}
"""


def agent_for(target):
    binary = DEVICE_BUILDS / target / "komainu"
    if not binary.is_file():
        raise Skip(f"cross/build {target} has not been run, or KOMAINU_DEVICE is not its folder")
    qemu, big_endian = TARGETS[target]
    return Agent(str(binary), (need(qemu, "qemu-user-static"),), big_endian, seconds=900)


def two_releases(place, target, chain, more=""):
    agent = agent_for(target)
    workshop = Workshop(place, "ecdsa" if chain else "ed25519")
    if chain:
        chain = chains.make(place, target, root=chain[0], authority=chain[1], server=chain[2])
    web = Web(place, workshop.repository, tls=tls_lines(chain) + more if chain else "", host="localhost")
    device = Device(place, workshop.root, web.url, agent=agent)
    if chain:
        device.settings["server"]["ca_files"] = [chain.root]
    device.health.mkdir()
    check = device.health / "10-alive"
    check.write_text(HEALTH.format(folder=device.folder, **device.parts["rootfs"]))
    check.chmod(0o755)

    images = workshop.publish(2)
    device.update(2, images)

    # The next one starts, and says that it will not get better.
    broken = workshop.publish(3, marks={"rootfs": BROKEN})
    device.stage(3, broken)
    assert device.restart() == "a"
    device.once().must(RESTART, "rolling-back release=3", "10-alive: it says that it is broken")
    assert device.restart() == "b"
    # A check that says so ends the release after one trial.
    device.once().must(DONE, "back in slot b", "refused release=3 why=failed-before times=3")
    device.holds(images, "b")
    assert device.restart() == "b" and device.status()["confirmed_release"] == 2


RSA, P256, P384 = ("rsa-2048",) * 3, ("p-256",) * 3, ("p-384",) * 3
# All that the agent has beside what it prefers: AES, and P-256 to agree on keys.
SECOND_CHOICE = "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_ecdh_curve prime256v1;"
tests(two_releases, "an_update_is_confirmed_and_a_failing_one_reverted_on_{}", [
    ("mips", "mips", None), ("mipsel", "mipsel", None), ("armv7", "armv7", None),
    ("mips_over_tls_with_rsa", "mips", RSA), ("mips_over_tls_with_p_256", "mips", P256),
    ("mips_over_tls_with_p_384", "mips", P384), ("mips_over_tls_with_aes", "mips", P256, SECOND_CHOICE),
    ("mipsel_over_tls_with_rsa", "mipsel", RSA), ("armv7_over_tls_with_p_256", "armv7", P256),
])


@test
def a_profile_is_refused_by_the_feature_that_was_left_out(place):
    """A build of `cross/build --without profiles mipsel`."""
    binary = DEVICE_BUILDS.parent / "device-without-profiles/mipsel/komainu"
    if not binary.is_file():
        raise Skip("cross/build --without profiles mipsel has not been run")
    workshop = Workshop(place)
    device = Device(place, workshop.root, "http://127.0.0.1:9/", agent=Agent(
        str(binary), (need("qemu-mipsel-static", "qemu-user-static"),), seconds=900))
    assert device.komainu("version").must(DONE).out.splitlines()[1] == "features: mtd ubi"
    device.komainu("status").must(DONE)
    device.settings["boot"]["profile"] = str(ROOT / "agent/dist/boot/rauc.toml")
    said = device.komainu("status")
    assert "`boot.profile` needs the feature `profiles`" in said.log + said.out, said
