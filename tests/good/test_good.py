"""Good devices live a year in short, and the wall has nothing to say."""

from buildroot import BUILDROOT
from good_device import GoodDevice
from life import Life
from openwrt import OPENWRT
from place import tests

PERSONALITIES = (OPENWRT, BUILDROOT)


def lives(place, personality, settings):
    faults = Life(GoodDevice(place, personality, settings == "enforced"), settings).live(personality.events)
    assert not faults, f"{len(faults)}: " + "\n".join(faults)


tests(lives, "{}", [(f"{one.name}_{settings}_lives_a_year_and_hears_nothing", one, settings)
                    for one in PERSONALITIES for settings in ("enforced", "shipped")])
