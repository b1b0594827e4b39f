"""Path patterns of delegations: the test client asks the very roles that python-tuf would ask, whatever the pattern."""

import random

from place import test
from simulated import Repository, Watched
from test_conformance_delegations import visited
from tuf.api.metadata import DelegatedRole

SEED, REPOSITORIES, PATTERNS = 20261130, 130, 30
ALPHABET = "abz019-_!^].[\\&~|{}+$é"


def some_path(dice):
    parts = ["".join(dice.choices(ALPHABET, k=dice.randint(1, 4))) for _ in range(dice.randint(1, 3))]
    return "/".join(part.strip(".") or "a" for part in parts)


def some_set(dice, letter):
    inside = [dice.choice(["", letter, *ALPHABET, "a-m", "0-9", "z-a", "--a", "+--", "\\-]"]) for _ in range(dice.randint(0, 3))]
    return "[" + dice.choice(["", "!", "^", "]", "!]"]) + "".join(inside) + dice.choice(["]", "]", "]", ""])


def some_pattern(dice, path):
    """The path itself, with wildcards and sets put in the place of some of it."""
    changed = []
    for letter in path:
        kind = dice.random()
        changed.append("*" if kind < .12 else "?" if kind < .2 else some_set(dice, letter) if kind < .4
                       else letter + "*" if kind < .45 else dice.choice(ALPHABET + "/") if kind < .5 else letter)
    return "".join(changed)


def is_odd(pattern):
    """CPython turns the rest of a set into its opposite where a range without members stands before `!` in it."""
    return any(left > right and pattern[at + 3:at + 4] == "!" for at, (left, dash, right)
               in enumerate(zip(pattern, pattern[1:], pattern[2:])) if dash == "-")


@test
def the_roles_that_are_asked_are_those_of_the_reference(place):
    dice = random.Random(SEED)
    asked = 0
    for number in range(REPOSITORIES):
        repo = Repository()
        path = some_path(dice)
        patterns = [some_pattern(dice, path) for _ in range(PATTERNS)]
        patterns = [pattern for pattern in patterns if not is_odd(pattern)]
        for index, pattern in enumerate(patterns):
            repo.delegate(f"r{index}", paths=[pattern])
        repo.publish_delegations()
        right = [f"r{index}" for index, pattern in enumerate(patterns) if DelegatedRole(
            "r", [], 1, terminating=False, paths=[pattern]).is_delegated_path(path)]
        client = Watched(place, repo, name=f"client-{number}")
        assert not client.downloads(path)
        differ = [patterns[int(role[1:])] for role in {*visited(client)} ^ {*right}]
        assert visited(client) == right, f"seed {SEED}: {path!r} and {differ}"
        asked += len(right)
    assert asked > REPOSITORIES, "hardly any pattern fits"
    return f"{REPOSITORIES} paths, some {REPOSITORIES * PATTERNS} patterns, {asked} of them fit"
