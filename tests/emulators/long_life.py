"""The life of a machine whose U-Boot stays as Debian built it, and counts in its script: by hand, as it takes ten minutes."""

from place import test
from whole_life import lives
from whole_virt import Stock


@test
def arm_with_debians_own_uboot_lives_a_whole_life(place):
    return lives(place, Stock())
