"""What `komainu selfcheck` says of a bad device and of a good one: every fault that was planted by name, and none where
there is none."""

from firmware import Firmware
from internet import Internet
from login import crypt
from matrix import attacked
from net import DEVICE_LAN
from place import test, wait_until
from walled import Walled, need_wall

GOOD_WEB_PASSWORD = "Take-no-ko 5 Yama"
#: Faults in files: the measure, what the finding must name, the file, and what is added to it or put there.
IN_FILES = (
    ("accounts", "toor", "passwd", "toor:x:0:0::/root:/bin/sh\n"),
    ("accounts", "guest", "passwd", "guest:x:500:500::/tmp:/bin/sh\n"),
    ("accounts", "support", "passwd", "support:x:501:501::/tmp:/bin/sh\n"),
    ("passwords", "admin", "passwd", "admin:x:502:502::/tmp:/bin/sh\n"),
    ("keys", "authorized_keys", "dropbear/authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== stranger\n"),
    ("respawn", "inittab", "inittab", "::respawn:/usr/sbin/telnetd -F -p 10023\n"),
    ("respawn", "inetd.conf", "inetd.conf", "telnet stream tcp nowait root /usr/sbin/telnetd telnetd -i\n"),
    ("passwords", "web.users", "web.users", "admin:admin\n"),
    ("configuration", "resolv.conf", "resolv.conf", "nameserver 198.51.100.66\n"),
)
SHADOW = (f"toor:{crypt('Not-known 7 Tsuru', '$5$planted$')}:19000:0:99999:7:::\n"
          f"guest:{crypt('guest', '$5$planted$')}:19000:0:99999:7:::\n"
          "support::19000:0:99999:7:::\n"
          f"admin:{crypt('admin', '$1$planted$')}:19000:0:99999:7:::\n")
#: Faults that run: the measure, what the finding must name, and the words that start it.
RUNNING = (
    ("telnet", "50023", "exec telnetd -F -p 50023 -l /bin/sh"),
    ("services", "30303", "exec standin listen 30303"),
    ("programs", "/tmp/update", "cp /usr/sbin/standin /tmp/update && exec /tmp/update stay"),
    ("programs", "deleted", "exec standin infect /tmp /dev/watchdog"),
    ("raw-sockets", "standin", "exec standin raw"),
    ("flash", "standin", "exec standin hold /dev/ubi0"),
)
#: Faults of the kernel's state.
STATE = (
    ("mounts", "/tmp", "mount -o remount,exec /tmp"),
    ("firewall", "", "nft flush ruleset"),
    ("reflectors", "53", ""),
)


def good(place):
    """A device as it is to be: set up by its owner, nothing on it that the policy does not name."""
    one = Walled(place, "nft", firmware=Firmware(web_password=GOOD_WEB_PASSWORD))
    one.vendor()
    Internet(one.net)
    one.run()
    one.set_up()
    wait_until(lambda: one.standing() == "open", "the device works")
    return one


@test
def a_good_device_has_no_findings(place):
    need_wall()
    one = good(place)
    code, told = one.told("selfcheck")
    assert one.findings() == [], one.findings()
    assert code == 0, told


@test
def a_bad_device_has_every_fault_named(place):
    need_wall()
    one = good(place)
    # Else it would be mended before it is asked about.
    one.kill()
    for _, _, name, text in IN_FILES:
        file = one.etc / name
        one.write(name, (file.read_text() if file.exists() and name != "resolv.conf" else "") + text)
    shadow = one.etc / "shadow"
    shadow.write_text(shadow.read_text() + SHADOW)
    for _, _, words in STATE:
        done = one.machine.run("sh", "-c", words)
        assert done.returncode == 0, done.stderr
    one.write("dnsmasq.conf", "\n".join(line for line in (one.etc / "dnsmasq.conf").read_text().splitlines()
                                        if not line.startswith("interface=")) + "\n")
    one.machine.run("killall", "dnsmasq")
    for _, _, words in RUNNING:
        one.start_program("sh", "-c", words)
    wait_until(lambda: {30303, 50023, 48101, 53} <= set(one.machine.listening()), "the faults run")
    wait_until(lambda: one.listens("wan", "203.0.113.1", 53), "this test's resolver is open")
    code, _ = one.told("selfcheck")
    found = one.findings()
    missing = [(measure, name) for measure, name, *_ in (*IN_FILES, *RUNNING, *STATE)
               if not any(measure == its and name in what for its, what in found)]
    for measure, name, *_ in (*IN_FILES, *RUNNING, *STATE):
        if (measure, name) not in missing:
            attacked(measure, f"planted, and named by selfcheck: {name or measure}", "both", True)
    assert not missing, f"selfcheck does not name {missing}; it names {found}"
    assert code == 1, code


@test
def what_was_planted_is_mended_by_the_agent(place):
    need_wall()
    one = good(place)
    shadow = one.etc / "shadow"
    for _, _, name, text in IN_FILES:
        file = one.etc / name
        one.write(name, (file.read_text() if file.exists() and name != "resolv.conf" else "") + text)
    shadow.write_text(shadow.read_text() + SHADOW)

    def locked(account):
        field = next(line.split(":")[1] for line in shadow.read_text().splitlines() if line.startswith(f"{account}:"))
        return field[:1] in ("!", "*")

    for account, what in (("toor", "a second account with number 0"), ("guest", "a guest account"),
                          ("support", "an account without a password"), ("admin", "a password that everybody knows")):
        wait_until(lambda account=account: locked(account), f"{account} is locked")
        attacked("passwords" if account == "admin" else "accounts", what, "both", True)
    assert not locked("root"), "the owner is locked out"
    wait_until(lambda: not (one.etc / "dropbear/authorized_keys").exists(), "the stranger's key is set aside")
    attacked("keys", "a stranger's authorized_keys", "both", True)
    wait_until(lambda: DEVICE_LAN[4] in (one.etc / "resolv.conf").read_text() or "resolv.conf" in one.said(),
               "another name server is undone or told")
    attacked("configuration", "another name server in resolv.conf", "both", True)
