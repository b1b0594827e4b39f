"""The table of good devices: what each event was found to be, under each set of settings; and of the same devices taken,
which signs were held."""

#: Personality, settings, event or sign, what was found.
ROWS = []
QUIET, HELD = "quiet", "held"


def add(personality, settings, event, found):
    ROWS.append([personality, settings, event, found])


def shown(rows):
    """As lines of text: an event a line, a column for each set of settings."""
    lines, seen = [], {}
    for personality, settings, event, found in rows:
        seen.setdefault((settings == "infected", personality, event), {})[settings] = found
    wide = max((len(event) for _, _, event in seen), default=0)
    for is_infected in (False, True):
        columns = ("infected",) if is_infected else ("enforced", "shipped")
        part = {key: found for key, found in seen.items() if key[0] == is_infected}
        if part:
            lines.append(f"{'device':10} {'sign' if is_infected else 'event':{wide}} {'  '.join(columns)}")
        for (_, personality, event), found in part.items():
            cells = [found.get(column, "-") for column in columns]
            lines.append(f"{personality:10} {event:{wide}} {'     '.join(cell[:600] for cell in cells)}")
    return lines
