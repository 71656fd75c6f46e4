"""A scripted node: connects with a device of its own and answers as it is told."""

import json

from client import Client
from device import Device

COMMANDS = ["system.run", "system.which", "system.notify"]


class NodeClient(Client):
    def __init__(self, port, token, device=None, commands=None, platform="linux", **changes):
        self.device = device or Device()
        self.node_id = self.device.id
        self.role_token = token
        who = {"id": "node-host", "version": "0.0.1", "platform": platform, "mode": "node",
               "displayName": changes.pop("name", "Scripted Node"), "deviceFamily": changes.pop("family", "Linux")}
        super().__init__(port, token, scopes=[], role="node", client=who, caps=["system"],
                         commands=COMMANDS if commands is None else commands, **changes)

    def call(self, method, params=None, timeout=15):
        if method == "connect":
            params["device"] = self.device.params(self.challenge, params["client"], "node", params["scopes"],
                                                  self.role_token)
        return super().call(method, params, timeout)

    def asked(self, timeout=10):
        """The next command that it is asked for."""
        return self.wait_event("node.invoke.request", timeout=timeout)

    def succeed(self, request, payload):
        return self.call("node.invoke.result", {"id": request["id"], "nodeId": self.node_id, "ok": True,
                                                "payloadJSON": json.dumps(payload)})

    def fail(self, request, code, message):
        return self.call("node.invoke.result", {"id": request["id"], "nodeId": self.node_id, "ok": False,
                                                "error": {"code": code, "message": message}})


def approve(operator, node):
    """Approves what the node asks for; returns what the gateway said."""
    pending = operator.call("node.pair.list")["pending"]
    request = next(row for row in pending if row["nodeId"] == node.node_id)
    return operator.call("node.pair.approve", {"requestId": request["requestId"]})
