"""The table of what was attacked and what held, measure by measure, for nf_tables and for iptables. Tests fill it in;
the runner prints it when all have ended.
"""

#: The measures of the wall, in the order of their table.
MEASURES = ("telnet", "respawn", "ssh", "services", "firewall", "links", "wan-admin", "mappings", "reflectors",
            "egress", "accounts", "passwords", "exposure", "keys", "programs", "raw-sockets", "flash", "watchdog", "mounts", "configuration",
            "vulnerabilities", "support", "confinement")
KINDS = ("nft", "iptables")
ROWS = {}


def attacked(measure, attack, kind, held, note=""):
    """One attack on one measure, and whether it held; a test that goes on must hold. `kind` is nft, iptables or both,
    where the firewall makes no difference."""
    assert measure in MEASURES, f"there is no measure {measure}"
    row = ROWS.setdefault((measure, attack), {})
    for one in KINDS if kind == "both" else (kind,):
        row[one] = "held" if held else "FELL"
    assert held, f"{measure}: {attack}, by {kind}: it fell{f': {note}' if note else ''}"


def shown():
    """The table, as lines of text."""
    if not ROWS:
        return []
    attacks = sorted(ROWS, key=lambda row: MEASURES.index(row[0]))
    wide = max(len(attack) for _, attack in attacks)
    lines = [f"{'measure':16} {'attack':{wide}} {KINDS[0]:8} {KINDS[1]}"]
    lines += [f"{measure:16} {attack:{wide}} {ROWS[measure, attack].get('nft', '-'):8} "
              f"{ROWS[measure, attack].get('iptables', '-')}" for measure, attack in attacks]
    missing = [measure for measure in MEASURES if measure not in {measure for measure, _ in attacks}]
    return [*lines, f"not attacked in this run: {', '.join(missing) or 'none'}"]
