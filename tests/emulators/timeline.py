"""The timeline of a machine's life: what happened when, what it cost, and pictures; as lines, as JSON and as a page."""

import html
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1c1b19;background:#fbfaf7}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd8cc;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}img{max-width:15rem;border:1px solid #ddd8cc;margin:.3rem}
@media(prefers-color-scheme:dark){body{background:#1c1b19;color:#eee9dd}td,th{border-color:#444}}"""


@dataclass
class Moment:
    """A line of the life. `power` are seconds since this start's power on, `uptime` the kernel's own; None: not asked."""

    what: str
    start: int
    power: float
    uptime: float = None
    facts: dict = field(default_factory=dict)


class Timeline:
    """`folder` gets timeline.json, index.html and the pictures."""

    def __init__(self, board, folder, machine):
        self.board, self.folder, self.machine = board, Path(folder), machine
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.moments, self.figures, self.pictures = [], {}, []

    def mark(self, what, uptime=None, **facts):
        """Something has happened now."""
        moment = Moment(what, self.machine.starts, round(self.machine.seconds(), 1), uptime, facts)
        self.moments.append(moment)
        said = "".join(f", {name} {value}" for name, value in facts.items())
        at = f"{moment.power:7.1f} s" + (f" (kernel {uptime:.1f} s)" if uptime is not None else "")
        print(f"      {self.board} start {moment.start} {at} {what}{said}", flush=True)
        self.write()
        return moment

    def figure(self, name, value):
        """A measured figure, for the table."""
        self.figures[name] = value
        print(f"      {self.board} {name}: {value}", flush=True)

    def picture(self, file, what):
        """A picture that lies in the folder."""
        self.pictures.append((Path(file).name, what))

    def write(self):
        """The artefacts as they are now: a life that ends early leaves what it saw."""
        facts = {"board": self.board, "moments": [asdict(moment) for moment in self.moments], "figures": self.figures,
                 "pictures": self.pictures}
        (self.folder / "timeline.json").write_text(json.dumps(facts, indent=1))
        (self.folder / "index.html").write_text(self._page())

    def _page(self):
        def cells(*values):
            return "".join(f"<td{' class=n' if isinstance(value, float) else ''}>{html.escape(_text(value))}</td>"
                           for value in values)

        rows = "".join(
            f"<tr>{cells(str(one.start), one.power, one.uptime, one.what, ', '.join(f'{n} {v}' for n, v in one.facts.items()))}</tr>"
            for one in self.moments)
        figures = "".join(f"<tr>{cells(name, str(value))}</tr>" for name, value in self.figures.items())
        pictures = "".join(f'<figure style="display:inline-block"><img src="{html.escape(file)}" alt="{html.escape(what)}">'
                           f"<figcaption>{html.escape(what)}</figcaption></figure>" for file, what in self.pictures)
        return (f"<!doctype html><html lang=en><meta charset=utf-8><title>The life of {self.board}</title><style>{STYLE}</style>"
                f"<h1>The life of {self.board}</h1><table><tr><th>start<th class=n>since power<th class=n>kernel<th>what<th></tr>"
                f"{rows}</table><h2>Figures</h2><table>{figures}</table><h2>Pictures</h2>{pictures}</html>")


def _text(value):
    return "" if value is None else f"{value:.1f} s" if isinstance(value, float) else value
