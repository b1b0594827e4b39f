"""Whether the firewall still holds is found out, whatever was done to it; and what poorer kernels and firmware get."""

from net import DEVICE_LAN, DEVICE_WAN, ELSEWHERE, MARK, WAN, Capture, Services, programs
from place import command, need, test, tests
from wall import FIREWALL, TCP, UDP, Wall, scan

#: What somebody does to our table, in the words of nft; {} is the handle of a rule.
HARM_NFT = [
    ("a_rule_is_deleted", "delete rule inet komainu input handle {}"),
    ("a_chain_is_flushed", "flush chain inet komainu forward"),
    ("all_is_flushed", "flush table inet komainu"),
    ("a_policy_is_changed", "chain inet komainu input {{ policy accept; }}"),
    ("a_rule_is_inserted", "insert rule inet komainu input tcp dport 23 accept"),
    ("a_rule_is_added", "add rule inet komainu output accept"),
    ("a_rule_is_replaced", "replace rule inet komainu input handle {} accept"),
    ("a_chain_is_added", "add chain inet komainu more"),
    ("the_table_is_deleted", "delete table inet komainu"),
    ("the_table_sleeps", "table inet komainu {{ flags dormant; }}"),
    ("a_chain_is_moved", "delete chain inet komainu forward; "
                         "add chain inet komainu forward {{ type filter hook forward priority 5; policy drop; }}"),
]
#: The same in the words of iptables.
HARM_IPTABLES = [
    ("a_rule_is_deleted", "-D KOMAINU-IN 2"),
    ("a_chain_is_flushed", "-F KOMAINU-FWD"),
    ("the_way_in_is_deleted", "-D INPUT -j KOMAINU-IN"),
    ("a_rule_is_put_before_ours", "-I INPUT -p tcp --dport 23 -j ACCEPT"),
    ("a_rule_is_inserted", "-I KOMAINU-IN -p tcp --dport 23 -j RETURN"),
    ("a_rule_is_added", "-A KOMAINU-OUT -j RETURN"),
    ("a_rule_is_replaced", "-R KOMAINU-IN 2 -j RETURN"),
    ("all_is_flushed", "-F"),
    ("the_redirection_is_flushed", "-t nat -F KOMAINU-PRE"),
]


def harm_is_seen_and_mended(place, kind, does):
    wall = Wall(place, kind)
    net = wall.net
    wall.put("closed")
    assert wall.holds("closed") and not wall.holds("open")
    if kind == "nft":
        rules = net.run("device", "nft", "-a", "list", "chain", "inet", "komainu", "input").stdout
        handle = next(line.split()[-1] for line in rules.splitlines() if "established" in line)
        net.run("device", "nft", does.format(handle))
    else:
        net.run("device", wall.legacy / "iptables", *does.split())
    assert not wall.holds("closed")
    wall.put("closed")
    assert wall.holds("closed")


tests(harm_is_seen_and_mended, "{}_in_nft_and_is_seen", [(name, "nft", does) for name, does in HARM_NFT])
tests(harm_is_seen_and_mended, "{}_in_iptables_and_is_seen", [(name, "iptables", does) for name, does in HARM_IPTABLES])


@test
def harm_to_ip6tables_is_seen(place):
    wall = Wall(place, "iptables")
    wall.put("closed")
    wall.net.run("device", wall.legacy / "ip6tables", "-F", "KOMAINU-IN")
    assert not wall.holds("closed")


def a_poorer_kernel_is_not_less_strict(place, lacking, said, leads):
    wall = Wall(place, "nft", *(word for one in lacking for word in ("--without", one)))
    wall.services()
    net = wall.net
    answer = wall.tell("closed")
    assert answer == f"Nft [{said}] holds=true", answer
    for version in (4, 6):
        heard = Capture(net, "wan", "eth0")
        assert scan(net, version, DEVICE_WAN[version], "1-10000") == []
        assert heard.answers() == []
        led = net.says("lan", version, TCP, (ELSEWHERE[version], 80))
        assert (led == "page") == (version in leads), (version, led)
        assert net.says("lan", version, TCP, (DEVICE_LAN[version], 22)) in (None, "refused")
        assert net.hears("lan", version, TCP, (DEVICE_LAN[version], 8080)) == "page"


tests(a_poorer_kernel_is_not_less_strict, "a_kernel_without_{}_is_not_less_strict", [
    ("mixed_nat", ["mixed-nat"], "", (4, 6)),
    ("mixed_tables", ["mixed"], "", (4, 6)),
    ("ip6_nat", ["mixed-nat", "ip6-nat"], '"IPv6 is not led to the page"', (4,)),
    ("nat", ["nat"], '"nobody is led to the page"', ()),
    ("reject", ["reject"], '"what would be refused is dropped"', (4, 6)),
    ("reject_in_mixed_tables", ["mixed", "reject"], '"what would be refused is dropped"', (4, 6)),
    ("tracking", ["nat", "tracking"], '"nobody is led to the page", '
     '"no answers come in: connections cannot be told apart"', ()),
])


@test
def nothing_is_left_over_from_a_poorer_kernel(place):
    wall = Wall(place, "nft")
    net = wall.net
    Services(net, "wan", "wan", tcp=[443])
    assert wall.tell("closed", "--without", "mixed") == "Nft [] holds=true"
    wall.put("open")
    names = net.run("device", "nft", "list", "tables").stdout.split("\n")
    assert sorted(name for name in names if name) == ["table inet fw4", "table inet komainu"], names
    assert net.hears("lan", 4, TCP, (WAN[4], 443)) == "wan"


def firmware(wall, *names):
    """Calls the firewall where the firmware has only these programs."""
    folder = programs(wall.net.place, "only", *(name for name in names))
    script = 'mount --bind "$0" /usr/sbin && exec "$@"'
    words = ("--lan", "br0", "--backend", "iptables")
    multi = need("xtables-legacy-multi", "iptables")
    for name in names:
        (folder / name).unlink()
        (folder / name).write_bytes(open(multi, "rb").read())
        (folder / name).chmod(0o755)
    call = ("unshare", "--mount", "sh", "-c", script, folder, FIREWALL)
    return lambda what: wall.net.run("device", *call, what, *words, env={"PATH": "/usr/sbin:/usr/bin:/bin"}).stdout.strip()


@test
def without_iptables_restore_rules_are_told_one_by_one(place):
    wall = Wall(place, "iptables")
    tell = firmware(wall, "iptables", "ip6tables")
    before = wall.all_rules()
    for state in ("closed", "open", "closed"):
        assert tell(state) == 'Iptables ["all is shut for a moment while rules are replaced"] holds=true'
        # Told at once or one by one, it is the same wall.
        assert wall.holds(state)
    assert tell("remove") == "removed"
    assert wall.all_rules() == before


@test
def without_ip6tables_it_is_told_that_ipv6_is_open(place):
    wall = Wall(place, "iptables")
    tell = firmware(wall, "iptables", "iptables-restore")
    assert tell("closed") == 'Iptables ["nothing is enforced for IPv6"] holds=true'


@test
def without_any_program_it_fails(place):
    wall = Wall(place, "iptables")
    tell = firmware(wall)
    try:
        said = tell("closed")
    except AssertionError as why:
        said = str(why)
    assert "this device has no iptables" in said, said


@test
def a_change_that_breaks_off_leaves_all_shut(place):
    """Without iptables-restore, and with an iptables that fails in the middle."""
    wall = Wall(place, "iptables")
    wall.services()
    net = wall.net
    tell = firmware(wall, "iptables", "ip6tables")
    folder = place.path("only")
    (folder / "iptables").rename(folder / "xtables-legacy-multi")
    script = place.path("only/iptables")
    script.write_text('#!/bin/sh\ncase "$*" in *"-I FORWARD -j KOMAINU-FWD"*) exit 1;; esac\n'
                      'exec /usr/sbin/xtables-legacy-multi iptables "$@"\n')
    script.chmod(0o755)
    assert net.hears("wan", 4, TCP, (DEVICE_WAN[4], 23)) == "vendor"
    try:
        tell("closed")
        raise RuntimeError("it must fail")
    except AssertionError as why:
        assert "KOMAINU-FWD" in str(why), why
    for name, address in (("wan", DEVICE_WAN), ("lan", DEVICE_LAN)):
        assert net.says(name, 4, TCP, (address[4], 23)) is None
    wall.put("closed")
    assert net.hears("lan", 4, TCP, (DEVICE_LAN[4], 8080)) == "page"


def a_firmware_that_lacks_a_match_does_the_rest(place, lacking, said):
    """An iptables that refuses one thing, as where the kernel's module is not there."""
    wall = Wall(place, "iptables")
    tell = firmware(wall, "iptables", "ip6tables")
    folder = place.path("only")
    (folder / "iptables").rename(folder / "xtables-legacy-multi")
    for name in ("iptables", "ip6tables"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_text(f'#!/bin/sh\ncase "$*" in *"-m {lacking} "*) echo "no such match" >&2; exit 1;; esac\n'
                                   f'exec /usr/sbin/xtables-legacy-multi {name} "$@"\n')
        (folder / name).chmod(0o755)
    answer = tell("open")
    assert answer == f'Iptables ["all is shut for a moment while rules are replaced", "{said}"] holds=true', answer
    listed = wall.all_rules()
    for other in {"hashlimit", "addrtype", "rpfilter"} - {lacking}:
        assert f"-m {other} " in listed, other
    assert "-j KOMAINU-STRANGERS" in listed


tests(a_firmware_that_lacks_a_match_does_the_rest, "a_firmware_without_{}_does_the_rest", [
    ("hashlimit", "hashlimit", "how much the device sends is not limited"),
    ("addrtype", "addrtype", "what the device sends may have any source address"),
    ("rpfilter", "rpfilter", "what the LAN sends may have any source address"),
])


@test
def nf_tables_is_taken_where_it_is(place):
    wall = Wall(place, "nft")
    said = command("nsenter", "-t", wall.net.holders["device"], "-n", FIREWALL, "closed", "--backend", "auto").stdout
    assert said.startswith("Nft "), said


@test
def without_a_lan_nobody_is_let_in(place):
    """Unknown means strict: a link that has no name in the policy is WAN."""
    wall = Wall(place, "nft")
    wall.services()
    net = wall.net
    Services(net, "wan", "wan", udp=[443])
    command("nsenter", "-t", net.holders["device"], "-n", FIREWALL, "closed", "--backend", "nft", "--lan", "br0+")
    for version in (4, 6):
        for kind, port in ((TCP, 80), (TCP, 8080), (TCP, 443), (UDP, 53)):
            assert net.says("lan", version, kind, (DEVICE_LAN[version], port)) is None
        assert net.hears("device", version, UDP, (WAN[version], 443), mark=MARK) == "wan"
