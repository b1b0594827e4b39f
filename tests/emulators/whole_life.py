"""The whole life of a machine with a real boot loader, from the first power on to the factory reset.

    KOMAINU_KILLS   how many power cuts at random moments  (2; 1 in a short life, 10 in one of nothing else)
    KOMAINU_SEED    the seed of these moments              (1)
"""

import os

from firmware import BARE, GOOD, SICK
from life import Life
from life_cuts import Cuts


def lives(place, board):
    """The life, step by step."""
    life = Life(place, board)
    life.make()
    life.power_on()
    life.up(life.born, "up for the first time")
    life.closed()
    life.claim()
    life.wall_up()
    life.update(2)
    life.rest()
    life.refused(3, r"rolling-back release=3\b", "release 3 fails its health check, and is rolled back")
    life.refused(4, r"the other slot, [ab]", "release 4 panics until its tries are used up, and the boot loader goes back")
    cuts = Cuts(life)
    for _ in range(int(os.environ.get("KOMAINU_KILLS") or 2)):
        cuts.one()
    life.attack()
    life.packages()
    life.reset()
    life.end()
    return f"{len(life.timeline.moments)} moments in {life.timeline.folder}, {life.machine.starts} starts, seed {cuts.seed}"


def lives_shortly(place, board):
    """The life without attacks, packages and a reset: claimed, a good release kept, a sick one rolled back, a power cut."""
    life = Life(place, board, {1: GOOD, 2: GOOD, 3: SICK})
    life.make()
    life.power_on()
    life.up(life.born, "up for the first time")
    life.closed()
    life.claim()
    life.update(2)
    life.refused(3, r"rolling-back release=3\b", "release 3 fails its health check, and is rolled back")
    cuts = Cuts(life)
    for _ in range(int(os.environ.get("KOMAINU_KILLS") or 1)):
        cuts.one()
    life.end()
    return f"{len(life.timeline.moments)} moments in {life.timeline.folder}, {life.machine.starts} starts, seed {cuts.seed}"


def lives_through_cuts(place, board):
    """A claimed device, and nothing but power cuts. Several may run side by side with a seed each."""
    life = Life(place, board, {1: GOOD, 2: GOOD}, f"-cuts-{os.environ.get('KOMAINU_SEED') or 1}")
    life.make()
    life.power_on()
    life.up(life.born, "up for the first time")
    life.closed()
    life.claim()
    cuts, wanted = Cuts(life), int(os.environ.get("KOMAINU_KILLS") or 10)
    while cuts.number < wanted:
        cuts.one()
    life.end()
    ways = [cut.settled for cut in cuts.done]
    said = ", ".join(f"{ways.count(way)} {way}" for way in sorted(set(ways)))
    return f"{cuts.number} power cuts in {len(ways)} releases, 0 not settled: {said}; seed {cuts.seed}"


def without_agent(place, board):
    """The same guest without the agent, to be measured beside it."""
    life = Life(place, board, {1: BARE}, "-bare")
    life.make()
    life.power_on()
    life.up(life.born, "up for the first time")
    life.vendors_page()
    life.rest()
    life.machine.off()
    return f"{life.timeline.folder}"
