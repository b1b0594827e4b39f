"""Good devices live a year in short, and the wall has nothing to say; the same devices, taken, are held."""

from buildroot import BUILDROOT
from camera import CAMERA
from gateway import GATEWAY
from good_device import GoodDevice
from infected import infect
from life import Life
from nas import NAS
from openwrt import OPENWRT
from place import tests
from vendor import VENDOR

PERSONALITIES = (OPENWRT, BUILDROOT, VENDOR, CAMERA, NAS, GATEWAY)


def lives(place, personality, settings):
    faults = Life(GoodDevice(place, personality, settings == "enforced"), settings).live(personality.events)
    assert not faults, f"{len(faults)}: " + "\n".join(faults)


tests(lives, "{}", [(f"{one.name}_{settings}_lives_a_year_and_hears_nothing", one, settings)
                    for one in PERSONALITIES for settings in ("enforced", "shipped")])
tests(lambda place, personality: infect(GoodDevice(place, personality)), "{}",
      [(f"{one.name}_infected_is_held", one) for one in PERSONALITIES])
