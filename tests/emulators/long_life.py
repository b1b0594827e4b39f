"""Lives that are for the hand, as each takes ten minutes or needs what takes long to build: a U-Boot that stays as Debian
built it, the other order of bytes, slots on raw flash; and the guests without the agent, for README's table."""

from place import test, tests
from whole_flash import Nor, Ubi
from whole_life import lives, lives_shortly, lives_through_cuts, without_agent
from whole_malta import Malta
from whole_malta_be import MaltaBe
from whole_virt import Counted, Stock


@test
def arm_with_debians_own_uboot_lives_a_whole_life(place):
    return lives(place, Stock())


@test
def mips_with_a_uboot_that_counts_lives_a_whole_life(place):
    return lives(place, MaltaBe())


@test
def mipsel_with_slots_on_nor_lives_a_short_life(place):
    return lives_shortly(place, Nor())


@test
def mipsel_with_slots_on_ubi_lives_a_short_life(place):
    return lives_shortly(place, Ubi())


@test
def arm_with_a_uboot_that_counts_settles_after_every_power_cut(place):
    return lives_through_cuts(place, Counted())


@test
def arm_with_debians_own_uboot_settles_after_every_power_cut(place):
    return lives_through_cuts(place, Stock())


def bare(place, make):
    return without_agent(place, make())


tests(bare, "{}_starts_without_the_agent_and_is_measured",
      [("arm_with_debians_own_uboot", Stock), ("arm_with_a_uboot_that_counts", Counted), ("mipsel", Malta), ("mips", MaltaBe)])
