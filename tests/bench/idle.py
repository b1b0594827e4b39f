"""What a poll costs that finds nothing new, and one that finds a release: requests and bytes, as nginx counted them."""

from device import DONE, Device
from maker import Workshop
from place import Place
from web import Web


def run():
    with Place() as place:
        workshop = Workshop(place)
        images = workshop.publish(2)
        web = Web(place, workshop.repository)
        device = Device(place, workshop.root, web.url)
        device.update(2, images)
        device.once().must(DONE)
        web.start()
        device.once().must(DONE)
        show("nothing new", web)
        device.restart()
        web.start()
        device.once().must(DONE)
        show("after a start (full refresh)", web)


def show(name, web):
    requests = web.requests()
    asked = sum(request["asked_bytes"] for request in requests)
    sent = sum(request["sent_bytes"] for request in requests)
    statuses = " ".join(str(request["status"]) for request in requests)
    print(f"{name:30} {len(requests)} requests ({statuses}), {asked} bytes up, {sent} bytes down")
