"""The table of what was attacked and what held, measure by measure, for nf_tables and for iptables. Tests fill it in;
the runner prints it when all have ended.
"""

#: The measures of the wall, in the order of their table.
MEASURES = ("telnet", "respawn", "ssh", "services", "firewall", "links", "wan-admin", "mappings", "reflectors",
            "egress", "accounts", "passwords", "exposure", "keys", "programs", "raw-sockets", "flash", "watchdog", "mounts", "configuration",
            "vulnerabilities", "support", "confinement")
KINDS = ("nft", "iptables")
#: Every attack: the measure, the attack, the kind, and whether it held.
ATTACKS = []


def attacked(measure, attack, kind, held, note=""):
    """One attack on one measure, and whether it held; a test that goes on must hold. `kind` is nft, iptables or both,
    where the firewall makes no difference."""
    assert measure in MEASURES, f"there is no measure {measure}"
    ATTACKS.extend((measure, attack, one, bool(held)) for one in (KINDS if kind == "both" else (kind,)))
    assert held, f"{measure}: {attack}, by {kind}: it fell{f': {note}' if note else ''}"


def shown():
    """The table, as lines of text."""
    if not ATTACKS:
        return []
    rows = {}
    for measure, attack, kind, held in ATTACKS:
        rows.setdefault((measure, attack), {})[kind] = "held" if held else "FELL"
    attacks = sorted(rows, key=lambda row: MEASURES.index(row[0]))
    wide = max(len(attack) for _, attack in attacks)
    lines = [f"{'measure':16} {'attack':{wide}} {KINDS[0]:8} {KINDS[1]}"]
    lines += [f"{measure:16} {attack:{wide}} {rows[measure, attack].get('nft', '-'):8} "
              f"{rows[measure, attack].get('iptables', '-')}" for measure, attack in attacks]
    missing = [measure for measure in MEASURES if measure not in {measure for measure, _ in attacks}]
    return [*lines, f"not attacked in this run: {', '.join(missing) or 'none'}"]
