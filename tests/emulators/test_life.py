"""Whole machines live a whole life (whole_life.py)."""

from place import test
from whole_life import lives
from whole_malta import Malta
from whole_virt import Counted


@test
def arm_with_a_uboot_that_counts_lives_a_whole_life(place):
    return lives(place, Counted())


@test
def mipsel_with_a_uboot_that_counts_lives_a_whole_life(place):
    return lives(place, Malta())
