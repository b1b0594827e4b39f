"""The first inputs of the target `ddi`: answers as hawkBit writes them, and records of actions."""

import json

LINKS = {name: {"href": f"https://server/DEFAULT/controller/v1/device/{name}/3?c=-2129030598"}
         for name in ("deploymentBase", "cancelAction", "confirmationBase")}
CHUNKS = [{"part": "os", "version": "2.0.0", "name": "firmware", "artifacts": [{"filename": "x", "hashes": {}, "size": 11}]},
          {"part": "bApp", "version": 7, "name": "app", "artifacts": []}]
DEPLOYMENT = {"id": "8", "deployment": {"download": "forced", "update": "attempt", "maintenanceWindow": "available",
                                        "chunks": CHUNKS}, "actionHistory": {"status": "RUNNING", "messages": ["a"]}}
#: Decision, answer.
DDI = {
    "poll": (0, {"config": {"polling": {"sleep": "00:05:00"}},
                 "_links": {**LINKS, "configData": {"href": "https://server/DEFAULT/controller/v1/device/configData"}}}),
    "poll-of-nothing": (0, {"config": {"polling": {"sleep": "00:05:00~10%"}}, "_links": None}),
    "deployment": (1, DEPLOYMENT),
    "withdrawal": (2, {"id": "11", "cancelAction": {"stopId": "10"}}),
}
ACTIONS = {
    "looking": "action id=17 order=start\nnames 2.0.0\nlooking polls=1\n",
    "taken": "action id=17 order=stage\nnames 2.0.0\nnames app-7\ntaken release=42 failed=1\n",
    "failing": "action id=17 order=start\nfailing release=42 why=a check says <no> & \u202e\n",
    "ended": "action id=17 order=hold\nended failure health check 10-web: exit 2\n",
    "told": "action id=17 order=free\ntold canceled\n",
}


def files():
    """Target, name, bytes."""
    for name, (decision, answer) in DDI.items():
        yield "ddi", name, bytes([decision]) + json.dumps(answer).encode()
    for name, lines in ACTIONS.items():
        yield "ddi", name, bytes([3]) + lines.encode()
