"""How soon the firewall and the page are there: printed for people, not judged."""

from place import alone, test
from router import KOMAINU, LOG, PAGE_ANSWERS, Router


@alone
@test
def the_firewall_is_in_place_so_soon_after_the_start(place):
    router = Router(place)
    times = []
    for _ in range(3):
        said = router.must(f"read -r a _ </proc/uptime; {KOMAINU} firewall; read -r b _ </proc/uptime; echo $a $b")
        began, ended = map(float, said.split()[-2:])
        times.append(f"{ended - began:.2f}")
    # The page comes after the rules.
    began = router.machine.uptime()
    router.machine.start(f"{KOMAINU} run", LOG)
    router.machine.wait(PAGE_ANSWERS, "the page answers")
    page = router.machine.uptime() - began
    first, *others = times
    return f"guard {first} s, once the rules are there {' and '.join(others)} s; run: page after {page:.2f} s at most"
