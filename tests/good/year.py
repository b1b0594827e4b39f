"""What happens to every good device in a year, in short. Each event hands back the places that it changes itself."""

import contextlib
import hashlib
import socket
import subprocess
import tarfile
import threading
import time

from gate import PAGE, PASSWORD
from internet import Internet
from net import DEVICE_LAN, DEVICE_WAN, SO_RCVBUFFORCE, WAN
from place import command, need, wait_until

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM


def first_start(device):
    """The device starts for the first time, and its owner sets a password."""
    device.vendor()
    device.internet = Internet(device.net)
    device.run()
    device.set_up()
    wait_until(lambda: device.is_online(), "the device works")
    return ("/etc/shadow",)


def lease(device):
    """The network gives the device an address and a name server; the client asks until it does."""
    before, address = device.shell("cat /etc/resolv.conf"), device.personality.leased
    device.net.start("wan", "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--no-ping",
                     "--quiet-dhcp", "--pid-file=", "--log-facility=/dev/null", "--interface=eth0", "--bind-interfaces",
                     f"--dhcp-leasefile={device.folder / 'wan-leases'}", f"--dhcp-range={address},{address},2m",
                     f"--dhcp-option=option:router,{WAN[4]}", "--dhcp-option=option:dns-server,203.0.113.53")
    wait_until(lambda: "203.0.113.53" in device.shell("cat /etc/resolv.conf"), "the lease is there")
    assert device.shell("cat /etc/resolv.conf") != before
    return ("/etc/resolv.conf",)


def traffic(device, packets=2000, bytes_of_file=4 << 20):
    """A host of the LAN sends to the WAN, and gets a file from there: nothing is lost on the way."""
    taker = device.net.socket("wan", 4, UDP, port=5004)
    taker.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    sender = device.net.socket("lan", 4, UDP)
    for number in range(packets):
        sender.sendto(number.to_bytes(4, "big") + bytes(1000), (WAN[4], 5004))
        if number % 20 == 19:
            time.sleep(0.01)
    device.net.settle()
    came = drained(taker)
    taker.close()
    sender.close()
    assert came == packets, f"{packets - came} of {packets} packets were lost"
    transfer(device, bytes_of_file)


def drained(taker):
    """How many packets wait there."""
    taker.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while taker.recv(2000):
            count += 1
    return count


def transfer(device, length, where="lan", of="wan", address=WAN[4], port=5005):
    """A file by TCP, whole."""
    content = hashlib.sha256(str(length).encode()).digest() * (length // 32)
    door = device.net.socket(of, 4, TCP, port=port)
    door.listen()
    door.settimeout(60)

    def serve():
        one, _ = door.accept()
        with one:
            one.settimeout(60)
            one.sendall(content)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    asker = device.net.connection(where, 4, (address, port))
    asker.settimeout(60)
    heard = hashlib.sha256()
    while more := asker.recv(1 << 16):
        heard.update(more)
    server.join()
    asker.close()
    door.close()
    assert heard.digest() == hashlib.sha256(content).digest(), "the file came in part"


def owner_logs_in(device):
    """At the page, as a person does."""
    answer = device.browser.send("/", "/login", {"user": "root", "password": PASSWORD}, port=PAGE)
    assert answer.status in (200, 302, 303), (answer.status, answer.text[:300])


def owner_changes(*files):
    """The owner logs in at the page, and changes settings while there."""
    def event(device):
        owner_logs_in(device)
        for name, text in files:
            device.shell(f"mkdir -p $(dirname {name}) && printf '%s\\n' '{text}' >> {name}")
        return [name for name, _ in files]

    return event


def link_flap(device):
    """The cable is pulled and put in again, on both sides."""
    for link in ("eth1", "br0"):
        device.net.run("device", "ip", "link", "set", link, "down")
        device.net.run("device", "ip", "link", "set", link, "up")
    device.net.run("device", "ip", "-6", "address", "replace", "2001:db8:1::1/64", "dev", "eth1")
    device.net.run("device", "ip", "-6", "address", "replace", "2001:db8:2::1/64", "dev", "br0")
    device.net.run("device", "ip", "-6", "route", "replace", "default", "via", WAN[6])
    device.net.run("device", "ip", "route", "replace", "default", "via", WAN[4])
    wait_until(lambda: device.is_online(), "the device works again")


def backup(device):
    """The settings are packed, and a host of the LAN fetches them."""
    device.shell("tar -C / -czf /tmp/backup.tar.gz etc 2>/dev/null && gzip -t /tmp/backup.tar.gz && rm /tmp/backup.tar.gz")


def cron_ran(device):
    """What the device does at times was done by now."""
    wait_until(lambda: device.machine.run("test", "-s", "/run/cron-ran").returncode == 0, "a minute passes", 90)


def daemons_restart(*programs):
    """Daemons end, and whoever started them starts them again."""
    def event(device):
        for program in programs:
            old = device.machine.runs(program)
            device.shell(f"kill {' '.join(str(one) for one in old)}")
            wait_until(lambda program=program, old=old: set(device.machine.runs(program)) - set(old),
                       f"{program} runs again")

    return event


def restart(device):
    """The power is cut, and comes again."""
    device.restart()
    device.run()
    device.seen = 0
    wait_until(lambda: device.is_online(), "the device works again")


def restart_from_memory(device):
    """The same, where /etc is made anew each time: all of it is as the firmware has it, but the accounts."""
    restart(device)
    return ("/etc/",)


def release_into_memory(*files):
    """The same for a new release."""
    event = release(*files)

    def there(device):
        event(device)
        return ("/etc/",)

    return there


def archive(device, name, programs):
    """An archive in the image, of programs of the machine under other names."""
    file = device.own / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as made:
        for one, path in programs.items():
            made.add(path, one)


def release(*files):
    """Another release of the firmware, by the maker's own way: other files, another number."""
    def event(device):
        device.kill()
        for name, text in files:
            file = device.own / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            if text.startswith("#!"):
                file.chmod(0o755)
        device.settings["device"] |= {"release": 2, "version": "2.0.0"}
        device.running = None
        restart(device)
        return [f"/{name}" for name, _ in files]

    return event


def name_asked(device):
    """The LAN asks the device for a name, and hears it."""
    def said():
        return WAN[4] in device.on_client("busybox", "nslookup", "host.example", DEVICE_LAN[4], seconds=20).stdout

    wait_until(said, "the name is heard", 20)


#: The other end of a tunnel, on the WAN's host, with a folder of its own for what the program keeps. It ends with it.
FAR_END = """mount -t tmpfs none /run && mkdir -p /run/wireguard
setpriv --pdeathsig KILL wireguard-go -f wg0 >/dev/null 2>&1 &
until [ -S /run/wireguard/wg0.sock ]; do sleep 0.05; done
wg set wg0 private-key {own} peer {peer} endpoint {address}:51820 allowed-ips 10.9.0.1/32,192.168.1.0/24 persistent-keepalive 5
ip address add 10.9.0.2/24 dev wg0 && ip link set wg0 up && ip route add 192.168.1.0/24 dev wg0 && echo up && exec sleep infinity
"""


def tunnel(device):
    """A tunnel comes up, carries a file, and goes away again: WireGuard as a program."""
    need("wireguard-go", "wireguard-go")
    secret = {name: command("wg", "genkey").stdout for name in ("device", "wan")}
    public = {name: command("wg", "pubkey", input=key).stdout.strip() for name, key in secret.items()}
    own = device.place.path("wan-key")
    own.write_text(secret["wan"])
    device.shell(f"umask 077; echo '{secret['device'].strip()}' > /run/wg.key; mkdir -p /run/wireguard /var/run/wireguard; "
                 "wireguard-go wg0 </dev/null >/dev/null 2>&1; "
                 f"wg set wg0 listen-port 51820 private-key /run/wg.key peer {public['wan']} allowed-ips 10.9.0.2/32 && "
                 "ip address add 10.9.0.1/24 dev wg0 && ip link set wg0 up")
    far = device.net.start("wan", "unshare", "--mount", "--propagation", "private", "sh", "-c",
                           FAR_END.format(own=own, peer=public["device"], address=DEVICE_WAN[4]), stdout=subprocess.PIPE)
    assert far.stdout.readline() == b"up\n", "the far end of the tunnel"
    wait_until(lambda: device.net.echoes("wan", 4, "10.9.0.1"), "the tunnel", 30)
    device.take_turns()
    transfer(device, 1 << 20, address="10.9.0.2", port=5006)
    device.shell("kill $(pidof wireguard-go); rm -f /run/wg.key")
    far.kill()
    far.wait()

