"""The gate fails closed and works on: with settings that are wrong in parts, on a kernel that can hold no rules, and under
software that removes the rules again and again."""

import os
import socket
import sys
import time
from pathlib import Path

from gate import PAGE, PASSWORD, Gate
from internet import Internet
from net import DEVICE_LAN, DEVICE_WAN
from place import Skip, command, test, tests, wait_until
from scan import Knocker

TCP = socket.SOCK_STREAM
HERE = Path(__file__).resolve().parent
#: Where the agent cannot place a rule: its sockets for that are refused.
UNRULED = (sys.executable, str(HERE / "unruled.py"))
#: A header that ends nowhere, a line without a value, a word that no table has, a number for a name.
DAMAGE = {
    "a_line_of_the_wall_without_a_value": ("[wall]\nkeep = false", "[wall]\nkeep = fal"),
    "a_header_without_an_end": ("[wall]", "[wall"),
    "a_line_of_the_server_that_is_unknown": ("[server]\n", "[server]\ncolour = \"red\"\n"),
    "a_part_without_a_name": ("name = \"kernel\"\n", ""),
    "a_board_of_another_kind": ("board = \"gate-1\"", "board = 7"),
    "a_colour_of_the_gate_that_is_none": ("[gate]\n", "[gate]\ncolour = \"loud\"\n"),
    "an_account_of_the_gate_that_is_none": ("[gate]\n", "[gate]\naccount = \"a:b\"\n"),
    "bytes_that_are_no_text": ("[poll]\n", "[poll]\n# \udcff\n"),
}


class Damaged(Gate):
    """A device with what the vendor runs, whose settings can be changed as text before each start."""

    change = ("", "")

    def __init__(self, place, kind, **more):
        super().__init__(place, kind, **more)
        self.vendor()
        self.internet = Internet(self.net)

    def settings_text(self):
        text = super().settings_text()
        before, after = self.change
        assert before in text, f"{before!r} is not in the settings"
        return text.replace(before, after, 1)

    def _settings_file(self):
        file = self.folder / "komainu.toml"
        file.write_bytes(self.settings_text().encode("utf-8", "surrogateescape"))
        return str(file)


def from_wan(gate, port):
    return gate.net.says("wan", 4, TCP, (DEVICE_WAN[4], port))


def has_rules(gate):
    return "table inet komainu" in gate.run_on_device("nft", "list", "tables").stdout


def the_rules_go_in_with_damaged_settings(place, change):
    gate = Damaged(place, "nft")
    assert from_wan(gate, 23) is not None, "this test sees who answers"
    gate.change = change
    code, said = gate.ask("firewall")
    assert code == 2 and "komainu.toml" in said, f"{code} {said}"
    assert has_rules(gate), said
    assert [port for port in (23, 80, 7547) if from_wan(gate, port) is not None] == []
    # The links of the LAN are still known: the agent comes up with gate and page.
    gate.run()
    assert from_wan(gate, PAGE) is None
    assert gate.standing() == "closed"
    gate.set_up()
    wait_until(lambda: gate.standing() == "open", "the device works")
    assert "the settings are wrong" in gate.ask("status")[1]
    assert "FAIL settings" in gate.ask("check")[1]


tests(the_rules_go_in_with_damaged_settings, "the_rules_go_in_and_the_owner_comes_with_{}",
      [(name, change) for name, change in DAMAGE.items()])


@test
def without_settings_all_is_closed(place):
    gate = Damaged(place, "nft")
    gate._settings_file = lambda: str(gate.folder / "absent.toml")
    code, said = gate.ask("firewall")
    assert code == 2 and "absent.toml" in said and has_rules(gate), f"{code} {said}"
    for port in (23, 80, 7547):
        assert from_wan(gate, port) is None
        assert gate.net.says("lan", 4, TCP, (DEVICE_LAN[4], port)) is None, "an unknown link counts as the WAN"


@test
def with_nothing_to_trust_there_are_no_updates_and_the_gate_is_kept(place):
    gate = Damaged(place, "nft")
    gate.root.unlink()
    code, said = gate.ask("firewall")
    assert code == 0 and has_rules(gate), f"{code} {said}"
    gate.run()
    assert from_wan(gate, 23) is None
    wait_until(lambda: "updates-off" in gate.said(), "the reason is logged")
    gate.set_up()
    wait_until(lambda: gate.standing() == "open", "the device works")
    assert "no updates: no root to trust" in gate.ask("status")[1]
    code, said = gate.ask("once")
    assert code == 1 and "no root to trust" in said


@test
def an_id_that_comes_late_is_taken_when_it_comes(place):
    gate = Damaged(place, "nft")
    late = gate.folder / "address"
    del gate.settings["device"]["id"]
    gate.settings["device"]["id_file"] = str(late)
    code, said = gate.ask("firewall")
    assert code == 0 and has_rules(gate), f"{code} {said}"
    code, said = gate.ask("check")
    assert "FAIL device id" in said and str(late) in said
    gate.run()
    assert gate.standing() == "closed"
    late.write_text("02:00:00:00:00:01\n")
    # Each turn looks for it: setting the password takes one.
    gate.set_up()
    wait_until(lambda: (gate.state / "id").exists(), "the id is taken")
    assert (gate.state / "id").read_text() == "02:00:00:00:00:01\n"
    late.write_text("")
    code, said = gate.ask("firewall")
    assert code == 2 and "line 5" in said and "empty" in said, f"{code} {said}"


@test
def a_page_without_a_firewall_answers_the_lan_alone(place):
    gate = Damaged(place, "nft", gate={"firewall": "none"})
    gate.run()
    for version in (4, 6):
        # By the address of either side: the kernel takes both from any link.
        for there in (DEVICE_WAN, DEVICE_LAN):
            assert gate.net.hears("wan", version, TCP, (there[version], PAGE)) == "refused"
            assert gate.listens("lan", there[version], PAGE)


@test
def a_page_comes_with_the_links_of_the_lan(place):
    gate = Damaged(place, "nft", gate={"lan": ["br0", "late0"]})
    gate.run()
    first = gate.page_process()
    gate.run_on_device("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1")
    wait_until(lambda: gate.page_process() not in (None, first), "a page for the new link too")
    gate.run_on_device("ip", "link", "del", "late0")
    wait_until(lambda: gate.listens("lan", DEVICE_LAN[4], PAGE), "the page listens")


def unruled(place):
    gate = Damaged(place, "nft", gate={"firewall": "auto"})
    gate.on_device = gate.agent.runner
    gate.agent.runner = (*gate.agent.runner, *UNRULED)
    return gate


def is_up(gate, link):
    return "state UP" in gate.net.run("device", "ip", "link", "show", link).stdout


def forwards(gate):
    return gate.net.run("device", "sysctl", "-n", "net.ipv4.ip_forward").stdout.strip()


@test
def a_kernel_without_rules_closes_the_links_of_the_wan_until_the_owner_comes(place):
    gate = unruled(place)
    assert from_wan(gate, 23) is not None, "this test sees who answers"
    code, said = gate.ask("check")
    assert "FAIL gate" in said and "CONFIG_NF_TABLES" in said, said
    assert is_up(gate, "eth1"), "check changes nothing"
    assert gate.ask("firewall")[0] == 1
    assert not is_up(gate, "eth1") and is_up(gate, "br0") and forwards(gate) == "0"
    gate.run()
    assert "the kernel does not" in gate.ask("status")[1] or "no packets are kept out" in gate.ask("status")[1]
    # A vendor's script brings the link up again, and another comes.
    gate.net.run("device", "ip", "link", "set", "eth1", "up")
    gate.net.run("device", "ip", "link", "add", "ppp0", "type", "veth", "peer", "name", "ppp1")
    gate.net.run("device", "ip", "link", "set", "ppp0", "up")
    wait_until(lambda: not is_up(gate, "eth1"), "the link of the WAN goes down again")
    wait_until(lambda: ",UP" not in gate.net.run("device", "ip", "link", "show", "ppp0").stdout, "so does a new one")
    gate.kill()
    gate.run()
    answer = gate.browser.send("/", "/setup", {"user": "root", "password": PASSWORD}, port=PAGE)
    assert answer.status == 200, answer.text
    wait_until(lambda: is_up(gate, "eth1") and forwards(gate) == "1", "what was closed is open again")
    assert gate.net.hears("lan", 4, TCP, (DEVICE_LAN[4], 23)) is not None
    assert not (gate.folder / "run/closed-links").exists()


@test
def rules_that_can_be_placed_after_all_open_the_links(place):
    gate = unruled(place)
    gate.run()
    assert not is_up(gate, "eth1")
    gate.kill()
    gate.agent.runner = gate.on_device
    gate.run()
    wait_until(lambda: is_up(gate, "eth1") and forwards(gate) == "1", "what was closed is open again")
    assert has_rules(gate) and from_wan(gate, 23) is None


#: How the rules of everybody are removed, by the programs of either way.
REMOVALS = {"nft": "nft flush ruleset", "iptables": "; ".join(
    f"{name} -t {table} {what}" for name in ("iptables", "ip6tables") for table in ("filter", "nat") for what in ("-F", "-X"))}
#: Removals in the test below, and the seconds in which all must be mended. Each alone took more than five seconds once.
ROUNDS, SECONDS = 8, 25


def put(gate):
    """How often rules were put: by the rules keeper, or by a look at all that comes with a change of links."""
    return sum(gate.said().count(event) for event in ("rules-mended", "firewall-applied"))


def removed_rules_come_back_at_once_whatever_links_do(place, kind):
    gate = Damaged(place, kind)
    gate.run()
    net, path = gate.net, {"PATH": gate.more["PATH"]}
    wait_until(lambda: from_wan(gate, 23) is None, "the rules are there")
    net.run("device", "ip", "link", "add", "flap0", "type", "veth", "peer", "name", "flap1")
    began = time.monotonic()
    for at in range(ROUNDS):
        before = put(gate)
        # An ordinary reconnect: the link goes, and the vendor's script begins with removing all rules.
        net.run("device", "ip", "link", "set", "flap0", "down" if at % 2 else "up")
        net.run("device", "sh", "-c", REMOVALS[kind], env=path)
        wait_until(lambda: put(gate) > before, f"the rules are back after removal {at}")
    wait_until(lambda: from_wan(gate, 23) is None, "the last rules are back")
    seconds = time.monotonic() - began
    assert seconds < SECONDS, f"{ROUNDS} removals were mended in {seconds:.1f} s"
    return f"{seconds / ROUNDS * 1000:.0f} ms for each removal, with the programs' own time"


OWNED = "table inet komainu-closed"
#: Since this version the kernel knows tables that belong to a socket.
OWNED_SINCE = (5, 12)
#: What other software does with the rules of a device that has an owned table: each must succeed.
FOREIGN = {
    "list": "nft list ruleset",
    "flush": "nft flush ruleset",
    "reload": "nft -f {fw4} && nft -f {fw4}",
    "replace": "nft -f {whole}",
}
#: As the vendor of a router loads its rules: its own table only.
FW4 = """table inet fw4
flush table inet fw4
table inet fw4 {
    chain input {
        type filter hook input priority 0; policy accept;
    }
}
"""


def tables(gate):
    return gate.run_on_device("nft", "list", "tables").stdout


def needs_owned_tables():
    version = tuple(int(number) for number in os.uname().release.split(".")[:2])
    if version < OWNED_SINCE:
        raise Skip(f"the kernel {version} knows no owned tables")


@test
def no_storm_of_removals_lets_a_stranger_in(place):
    needs_owned_tables()
    gate = Damaged(place, "nft")
    gate.run()
    knocker = Knocker(gate.net, 4, 161, 7547)
    wait_until(lambda: knocker.knocks > 10, "it knocks")
    held = 0
    for _ in range(150):
        gate.net.run("device", "nft", "flush", "ruleset")
        held += has_rules(gate)
    knocks = knocker.knocks
    wait_until(lambda: knocker.knocks > knocks + 20, "it knocks on")
    wait_until(lambda: has_rules(gate), "the rules are back")
    assert knocker.answers == 0, f"{knocker.answers} answers"
    # By the time that the next program looks, most rules are back.
    assert held > 75, f"of 150 looks, {held} found the rules"
    return f"of 150 looks right after a removal {held} found the rules; {knocker.knocks} knocks, no answer"


@test
def the_owned_table_ends_with_the_agent_and_the_rules_stay(place):
    needs_owned_tables()
    gate = Damaged(place, "nft")
    gate.run()
    wait_until(lambda: OWNED in tables(gate), "the owned table is there")
    refused = gate.run_on_device("nft", "delete", "table", "inet", "komainu-closed")
    assert "not permitted" in refused.stderr, refused
    gate.kill()
    wait_until(lambda: OWNED not in tables(gate), "it ends with the agent")
    assert has_rules(gate)
    assert [port for port in (23, 80, 7547) if from_wan(gate, port) is not None] == []
    # An agent that finds its own rules has an owned table too.
    gate.run()
    wait_until(lambda: OWNED in tables(gate), "the owned table is there again")
    assert "foreign" not in gate.ask("status")[1]


@test
def an_open_gate_has_no_owned_table(place):
    needs_owned_tables()
    gate = Damaged(place, "nft")
    gate.run()
    wait_until(lambda: OWNED in tables(gate), "the owned table is there")
    gate.set_up()
    wait_until(lambda: gate.standing() == "open", "the gate is open")
    wait_until(lambda: OWNED not in tables(gate), "the owned table is gone")
    assert has_rules(gate)
    assert gate.net.says("lan", 4, TCP, (DEVICE_LAN[4], 7547)) is not None, "the LAN reaches the vendor's services"
    gate.restart_agent()
    assert OWNED not in tables(gate)


def other_software_works_beside_the_owned_table(place, what):
    needs_owned_tables()
    gate = Damaged(place, "nft")
    own, whole = gate.folder / "fw4.nft", gate.folder / "whole.nft"
    own.write_text(FW4)
    # As in the file that Debian installs, in one transaction.
    whole.write_text("flush ruleset\n" + FW4)
    gate.run()
    wait_until(lambda: OWNED in tables(gate), "the owned table is there")
    done = gate.run_on_device("sh", "-ec", what.format(fw4=own, whole=whole))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert ("inet fw4" in tables(gate)) == ("{" in what), tables(gate)
    wait_until(lambda: has_rules(gate), "the rules are there")
    assert OWNED in tables(gate) and from_wan(gate, 7547) is None


tests(other_software_works_beside_the_owned_table, "other_software_works_beside_the_owned_table_{}", list(FOREIGN.items()))


tests(removed_rules_come_back_at_once_whatever_links_do, "removed_rules_come_back_at_once_whatever_links_do_by_{}",
      [(kind, kind) for kind in REMOVALS])


#: How a small file system is filled, in the words of a shell; the folder is the first word.
FILLS = {"bytes": 'head -c 2097152 /dev/zero > "$0/filler"; n=0; while echo > "$0/filler-$n" && [ $n -lt 1000 ]; do n=$((n + 1)); done',
         "inodes": 'n=0; while : > "$0/filler-$n" && [ $n -lt 1000 ]; do n=$((n + 1)); done'}


def small_state(gate, kind):
    """A small file system for the state, which only the device sees: of few bytes, or of few inodes."""
    folder = gate.folder / "small"
    folder.mkdir()
    image = gate.place.path("small.ext4")
    image.write_bytes(b"")
    os.truncate(image, (8 if kind == "inodes" else 2) << 20)
    few = ("-N", "32") if kind == "inodes" else ()
    command("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", *few, image)
    # Blocks that are kept back for later writes come free again: then it would not be full.
    assert gate.run_on_device("mount", "-o", "nodelalloc", gate.place.loop(image), folder).returncode == 0
    gate.place.undo.callback(gate.run_on_device, "umount", "--lazy", folder)
    gate.settings["state"]["directory"] = str(folder)
    return folder


def a_full_state_is_told_while_gate_and_rules_hold(place, kind):
    gate = Damaged(place, "nft")
    folder = small_state(gate, kind)
    gate.run()
    assert "ok   state folder" in gate.ask("check")[1]
    assert "No space left" in gate.run_on_device("sh", "-c", FILLS[kind], folder).stderr
    code, said = gate.ask("check")
    assert code == 1 and "FAIL state folder" in said and "No space left" in said, said
    assert "nothing can be stored" in gate.ask("status")[1]
    # What the agent gave up since has left a block or two.
    gate.run_on_device("sh", "-c", FILLS[kind], folder)
    answer = gate.claim(PASSWORD)
    assert "No space left" in answer.text, answer.text[-800:]
    assert gate.standing() == "closed" and from_wan(gate, 23) is None
    assert gate.run_on_device("sh", "-c", 'rm "$0"/filler*', folder).returncode == 0
    gate.set_up()
    wait_until(lambda: gate.standing() == "open", "the device works")
    assert "nothing can be stored" not in gate.ask("status")[1]


tests(a_full_state_is_told_while_gate_and_rules_hold, "a_state_that_is_full_of_{}_is_told_while_gate_and_rules_hold",
      [("bytes", "bytes"), ("inodes", "inodes")])


@test
def a_poll_that_failed_is_named(place):
    gate = Damaged(place, "nft", polls=True)
    gate.run()
    wait_until(lambda: "the last poll failed" in gate.ask("status")[1], "the failure is named")
    assert "Connection refused" in gate.ask("status")[1]
