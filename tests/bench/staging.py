"""The cost of putting 64 MiB into a slot: the agent beside one process that reads, hashes and writes the same bytes, and
beside RAUC and SWUpdate of Debian. All of them write into the same file or loop device, in turn, in one run; before each,
the target has the bytes of an older release in every block. Ratios are of the least of several rounds.
"""

import os

from cost import LEAST_WORK, MEASURED, least, machine, measured, perf, read, shares, written_bytes
from device import RESTART, Agent, Device
from maker import Workshop
from place import KOMAINU_MAKER, Place, Skip, command
from updaters import Rauc, Swupdate
from web import Web

MIB = 1024 * 1024
ROUNDS = int(os.environ.get("KOMAINU_ROUNDS", "5"))
IMAGE = 64 * MIB
GOAL = 1.1
#: Of every so many runs of bytes, one is another in the older release, where 90 % is right already.
RUN_BYTES, RUNS = 64 * 1024, 10


def run():
    print(machine())
    with Place() as place:
        bench = Bench(place)
        file = bench.slot("file", lambda path: path)
        bench.compare("file", file, bench.others(file))
        if os.geteuid() != 0:
            print("loop device: not measured, that needs root")
            return
        device = bench.slot("loop", place.loop)
        others = bench.others(device)
        bench.compare("loop device", device, others)
        bench.where(device)
        bench.mostly_right(device, others)


class Bench:
    """An image on a server and in a bundle, and those who install it."""

    def __init__(self, place):
        self.place, self.workshop = place, Workshop(place)
        self.workshop.publish(2, sizes={"rootfs": IMAGE})
        self.image = self.workshop.image_path(2, "rootfs")
        self.web = Web(place, self.workshop.repository)
        self.url = f"{self.web.url}{self.image.relative_to(self.workshop.repository)}"
        self.bundle = place.path("2.tar")
        command(KOMAINU_MAKER, "bundle", self.workshop.repository, "--board", "gate-1", "--output", self.bundle)
        self.factory, self.nearly = place.path("factory"), place.path("nearly")
        whole = self.image.read_bytes()
        other = whole.translate(bytes(range(255, -1, -1)))
        self.factory.write_bytes(other)
        self.nearly.write_bytes(b"".join(
            (whole if at // RUN_BYTES % RUNS else other)[at:at + RUN_BYTES] for at in range(0, IMAGE, RUN_BYTES)))

    def slot(self, name, slots):
        """A device whose slot b is the target."""
        device = Device(self.place, self.workshop.root, self.web.url, agent=Agent(), parts={"rootfs": IMAGE}, slots=slots,
                        name=f"device-{name}")
        # As it is shipped: the default checkpoint.
        device.settings["state"].pop("checkpoint_bytes")
        return device

    def compare(self, name, device, others):
        slot = device.parts["rootfs"]["b"]
        server, back = "one process: server, hash, write", "one process: server, hash, write, hash again"
        ours = "komainu, from the server"
        contestants = {
            "one process: file, hash, write": lambda: measured(self.place, LEAST_WORK, self.image, slot),
            server: lambda: measured(self.place, LEAST_WORK, self.url, slot),
            back: lambda: measured(self.place, LEAST_WORK, self.url, slot, "--read-back"),
            ours: lambda: self.komainu(device, "once"),
            "komainu, from a bundle": lambda: self.komainu(device, "install", self.bundle),
            **others,
        }
        costs = self.rounds(contestants, self.factory, slot)
        print(f"\n{f'64 MiB into a {name}':46} {'processor':>10} {'ratio':>6} {'clock':>8} {'ratio':>6} {'memory':>10}")
        for contestant, cost in costs.items():
            processor, wall = (cost.processor / costs[server].processor, cost.wall / costs[server].wall)
            print(f"{contestant:46} {cost.processor:8.3f} s {processor:6.2f} {cost.wall:6.2f} s {wall:6.2f}"
                  f" {cost.rss_kib:6} KiB")
        ratio = costs[ours].processor / costs[server].processor
        print(f"ratio to '{server}': {ratio:.2f} of the processor, read back included; the goal is {GOAL} at most")

    def where(self, device):
        """Where the agent's time goes."""
        file = self.place.path("perf.data")
        runner = perf(file)
        if not runner:
            print("where the time goes: needs perf (Debian: linux-perf)")
            return
        self.put(self.factory, device.parts["rootfs"]["b"])
        self.komainu(device, "once", runner=runner)
        print("where the processor's time of komainu, from the server, goes: "
              + ", ".join(f"{name} {share:.0f} %" for name, share in shares(file).items()))

    def mostly_right(self, device, others):
        """Bytes that reach the device when nine of ten are right. All three read a package on this machine."""
        slot = device.parts["rootfs"]["b"]
        contestants = {
            "komainu, from a bundle": lambda: self.komainu(device, "install", self.bundle),
            **others,
        }
        costs = self.rounds(contestants, self.nearly, slot, rounds=2)
        print(f"\n{'64 MiB, of which 90 % is there':46} {'written':>10} {'share':>6} {'processor':>12} {'clock':>8}")
        for contestant, cost in costs.items():
            print(f"{contestant:46} {cost.written / MIB:6.1f} MiB {cost.written / IMAGE:6.1%}"
                  f" {cost.processor:10.3f} s {cost.wall:6.2f} s")

    def others(self, device):
        """RAUC and SWUpdate, as far as they are installed."""
        slot, found = device.parts["rootfs"]["b"], {}
        for updater in (Rauc, Swupdate):
            try:
                made = updater(self.place, self.image, slot)
                found[updater.name] = lambda made=made: made.install(self.place)
            except Skip as why:
                print(f"{updater.name}: {why}")
        return found

    def rounds(self, contestants, before, slot, rounds=ROUNDS):
        """Everyone in turn, so many times; each has to write all of `before` over."""
        costs = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, install in contestants.items():
                self.put(before, slot)
                written = -written_bytes(slot)
                cost = install()
                os.sync()
                cost.written = written + written_bytes(slot)
                with open(slot, "rb") as target, open(self.image, "rb") as image:
                    while piece := image.read(MIB):
                        assert target.read(MIB) == piece, f"{name} did not write the image"
                costs[name].append(cost)
        return {name: least(all_of_it) for name, all_of_it in costs.items()}

    def put(self, before, slot):
        """The target as it was, on the medium and not in the page cache."""
        command("dd", f"if={before}", f"of={slot}", "bs=1M", "conv=notrunc,fsync")
        os.sync()
        command("dd", f"of={slot}", "oflag=nocache", "conv=notrunc,fdatasync", "count=0")

    def komainu(self, device, *words, runner=None):
        """A device that has not seen the release yet stages it."""
        for name in ("state", "run"):
            command("rm", "-rf", device.folder / name)
        device.environment.change(boot_slot="a", upgrade_available="0", bootcount="0", komainu_release="1")
        file = self.place.path("komainu.json")
        device.agent.runner = runner or (MEASURED, file)
        device.komainu(*words).must(RESTART, "activating release=2")
        return None if runner else read(file)
