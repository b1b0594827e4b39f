"""The wall on a MIPS machine: what an infection shows outwardly is ended by a real kernel's signals, and the watchdog
is the agent's. Nothing here is an infection: each is a program of busybox that only looks like one.
"""

from place import test
from router import Router

#: Without a restart: the agent would end for it, and whoever started it restart the machine.
ROUTER = {"kind": "router", "enforce": ["all"], "incident_response": ["contain", "evidence"]}
#: How long each may last; what it took is printed.
SECONDS = 300
#: As bots name themselves.
NAME = "x8k3q7vd"
#: Opens the watchdog, and says goodbye to it in its own way.
OPEN_WATCHDOG = "(exec 3>/dev/watchdog && echo -n V >&3)"


@test
def a_telnetd_is_ended_within_seconds(place):
    router = Router(place, wall=ROUTER)
    telnetd = router.telnetd()
    assert router.is_reached("lan", "192.168.1.1", 23), "there is no telnetd to be ended"
    agent = router.start()
    first = router.vanishes(telnetd, "the telnetd that was there before the agent", SECONDS)
    again = router.telnetd()
    second = router.vanishes(again, "the telnetd that was started again", SECONDS)
    elsewhere = router.telnetd(port=2323)
    third = router.vanishes(elsewhere, "the telnetd on port 2323", SECONDS)
    router.must(f"test -d /proc/{agent}")
    return f"after {first:.1f} s from the agent's first page, {second:.1f} s, and on port 2323 {third:.1f} s"


@test
def the_watchdog_is_the_agents(place):
    router = Router(place, wall=ROUTER)
    router.must(OPEN_WATCHDOG)
    agent = router.start()
    # Nobody else asks for it until then, as it would be busy for the agent.
    seconds = router.machine.wait("ls -l /proc/[0-9]*/fd | grep -q /dev/watchdog", "the watchdog is held", SECONDS)
    for other in (OPEN_WATCHDOG, "timeout 60 watchdog -F -t 1 /dev/watchdog"):
        said = router.run(other)
        assert said.code != 0 and "busy" in said.out, f"another program opens the watchdog: {said.code} {said.out}"
    router.must(f"test -d /proc/{agent}")
    return f"{seconds:.1f} s after the first page"


@test
def a_process_whose_program_was_deleted_is_ended(place):
    router = Router(place, wall=ROUTER)
    # What starts in the first ten seconds may have come with the start image, whose files are deleted: it is told.
    router.machine.wait("[ $(cut -d. -f1 /proc/uptime) -ge 12 ]", "the start is over", SECONDS)
    bot = deleted_listener(router)
    router.machine.wait("netstat -ltn | grep -q ':48101 '", "it listens")
    agent = router.start()
    first = router.vanishes(bot, "what listened on 48101 before the agent came", SECONDS)
    router.must(f"cp /bin/busybox /tmp/{NAME} && ! /tmp/{NAME} true")
    # No program starts from there any more: the next one comes from the firmware's own root.
    second = router.vanishes(deleted_listener(router, ""), "what listens on 48101", SECONDS)
    router.must(f"test -d /proc/{agent}")
    return f"after {first:.1f} s from the agent's first page, and {second:.1f} s"


def deleted_listener(router, folder="/tmp"):
    """A listener on Mirai's port under a random name, whose file is gone as soon as it runs; its process number."""
    said = router.must(f"""cp /bin/busybox {folder}/{NAME}
        sh -c 'exec -a nc {folder}/{NAME} -ll -p 48101 -e /bin/true' </dev/null >/dev/null 2>&1 & number=$!
        until exe=$(readlink /proc/$number/exe) && [ "$exe" != /bin/busybox ]; do usleep 1000; done
        rm {folder}/{NAME}
        echo $number $(cat /proc/$number/comm) $(readlink /proc/$number/exe)""").split()
    assert said[1:] == [NAME, f"{folder}/{NAME}", "(deleted)"], said
    return int(said[0])
