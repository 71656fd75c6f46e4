"""Every method that is served answers what the reference page says. Every test holds the answers it gets against the
page (results.py); this one asks for those of all methods, and tells when one is added that nobody asks for here."""

import json

import results
from client import CallError, Client
from device_client import Device, setup_code
from node_client import NodeClient, approve

ELSEWHERE = {"config.repair"}  # wants a config that cannot be used


def ask_plainly(client):
    for method in ("health", "status", "system-presence", "last-heartbeat", "channels.status", "logs.tail", "agents.list",
                   "agent.identity.get", "models.list", "node.list", "node.pair.list", "device.pair.list", "config.get",
                   "config.schema", "exec.approvals.get", "exec.approval.list", "plugin.approval.list", "sessions.list",
                   "sessions.subscribe", "sessions.unsubscribe", "system.info", "approval.history",
                   "openclaw.approval.list", "bus.actors.list", "bus.tap.subscribe", "bus.tap.unsubscribe"):
        client.call(method)
    client.call("config.schema.lookup", {"path": "gateway.auth"})
    client.call("tools.catalog")
    client.call("tools.invoke", {"name": "agents_list"})
    client.call("secrets.reload")
    client.call("secrets.resolve", {"commandName": "x", "targetIds": ["models.providers.*.apiKey"]})
    client.call("set-heartbeats", {"enabled": True})
    client.call("system-event", {"text": "it rains"})
    client.call("wake", {"mode": "next-heartbeat", "text": "look"})


def talk(client):
    key = "agent:main:results"
    client.chat("hello", key)
    for method in ("chat.history", "sessions.messages.subscribe", "sessions.messages.unsubscribe"):
        client.call(method, {("sessionKey" if method.startswith("chat") else "key"): key})
    client.call("sessions.describe", {"key": key})
    client.call("tools.effective", {"sessionKey": key})
    client.call("sessions.preview", {"keys": [key]})
    client.call("sessions.list", {"limit": 1})
    client.call("chat.abort", {"sessionKey": key})
    asked = client.send("agent", {"message": "hello", "idempotencyKey": "results-1", "sessionKey": key})
    run = client.answer(asked)["runId"]
    client.answer(asked)
    client.call("agent.wait", {"runId": run, "timeoutMs": 5000})


def edit(client):
    seen = client.call("config.get")
    text = json.dumps(seen["config"] | {"logging": {"level": "debug"}})
    hash_of = lambda: client.call("config.get")["hash"]  # noqa: E731
    client.call("config.patch", {"raw": json.dumps({"logging": {"level": "debug"}}), "baseHash": seen["hash"]})
    client.call("config.set", {"raw": text, "baseHash": hash_of()})
    client.call("config.apply", {"raw": json.dumps(seen["config"]), "baseHash": hash_of()})


def decide(gateway, client, person):
    for kind in ("exec", "plugin"):
        ask = {"exec": {"command": "echo hi"}, "plugin": {"title": "Pay", "description": "x"}}[kind]
        asked = client.send(f"{kind}.approval.request", {**ask, "timeoutMs": 8000, "twoPhase": True})
        ident = client.answer(asked)["id"]
        person.call(f"{kind}.approval.list")
        person.call("approval.get", {"id": ident})
        if kind == "exec":
            person.call("exec.approval.get", {"id": ident})
        waiting = client.send(f"{kind}.approval.waitDecision", {"id": ident})
        person.call(f"{kind}.approval.resolve", {"id": ident, "decision": "deny"})
        client.answer(asked)
        client.answer(waiting)
        person.call("approval.resolve", {"id": ident, "kind": kind, "decision": "deny"})
    with Device(name="Robot").connect(gateway, ["operator.approvals"], {"token": gateway.token}) as robot:
        asked = robot.send("exec.approval.request", {"command": "echo hi", "twoPhase": True})
        person.call("exec.approval.resolve", {"id": robot.answer(asked)["id"], "decision": "allow-always"})
        robot.answer(asked)
    grant, = person.call("exec.approval.grants.list")["grants"]
    person.call("exec.approval.grants.revoke", {"grantId": grant["grantId"]})
    seen = person.call("exec.approvals.get")
    person.call("exec.approvals.set", {"file": {"version": 1}, "baseHash": seen["hash"]})


def lend(gateway, client):
    commands = ["system.which", "system.execApprovals.get", "system.execApprovals.set"]
    with NodeClient(gateway.port, gateway.token, commands=commands) as node:
        approve(client, node)
        who = {"nodeId": node.node_id}
        client.call("node.describe", who)
        client.call("node.rename", {**who, "displayName": "Cellar"})
        asked = client.send("node.invoke", {**who, "command": "system.which", "params": {}, "idempotencyKey": "r"})
        node.succeed(node.asked(), {"bins": {}})
        client.answer(asked)
        node.call("node.invoke.progress", {"invokeId": "over", "nodeId": node.node_id, "seq": 0, "chunk": ""})
        node.call("node.event", {"event": "node.presence.alive", "payload": {}})
        client.call("node.pending.enqueue", {**who, "type": "status.request"})
        item = node.call("node.pending.drain")["items"][0]
        node.call("node.pending.pull")
        node.call("node.pending.ack", {"ids": [item["id"]]})
        file = {"path": "/x", "exists": True, "hash": "h", "file": {"version": 1}}
        for method, params in (("get", {}), ("set", {"file": {"version": 1}, "baseHash": "h"})):
            asked = client.send(f"exec.approvals.node.{method}", {**who, **params})
            node.succeed(node.asked(), file)
            client.answer(asked)
        node.call("node.canvas.capability.refresh")
        node.call("node.pluginSurface.refresh", {"surface": "canvas"})
        client.call("plugin.surface.refresh", {"surface": "canvas"})
        client.call("node.pair.remove", who)
    request = client.call("node.pair.request", {"nodeId": "a-node", "platform": "linux"})["request"]
    token = client.call("node.pair.approve", {"requestId": request["requestId"]})["node"]["token"]
    client.call("node.pair.verify", {"nodeId": "a-node", "token": token})
    request = client.call("node.pair.request", {"nodeId": "another"})["request"]
    client.call("node.pair.reject", {"requestId": request["requestId"]})


def pair(gateway, client):
    device, far, auth = Device(), ["X-Forwarded-For: 203.0.113.7"], {"token": gateway.token}

    def request(device):
        try:
            device.connect(gateway, ["operator.read"], auth, far)
        except CallError as refused:
            return refused.error["details"]["requestId"]
        raise AssertionError("it should have had to ask")

    client.call("device.pair.reject", {"requestId": request(Device())})
    client.call("device.pair.approve", {"requestId": request(device)})
    with device.connect(gateway, ["operator.read"], auth, far) as mine:
        asked = mine.call("device.scopes.requestUpgrade", {"scopes": ["operator.read", "operator.write"]})
        waiting = mine.send("device.scopes.waitUpgrade", asked)
        client.call("device.pair.approve", asked)
        mine.answer(waiting)
    made = client.call("device.pair.setupCode", {"publicUrl": "wss://house.example"})
    phone = Device(client="openclaw-ios", mode="node", role="node", platform="ios")
    phone.connect(gateway, [], {"bootstrapToken": setup_code(made["setupCode"])["bootstrapToken"]}, far).socket.close()
    client.call("device.pair.setupStatus", {"setupId": made["setupId"]})
    client.call("device.pair.rename", {"deviceId": device.id, "label": "Laptop"})
    client.call("device.token.rotate", {"deviceId": device.id, "role": "operator"})
    client.call("device.token.revoke", {"deviceId": device.id, "role": "operator"})
    client.call("device.pair.remove", {"deviceId": device.id})


def test_every_method_answers_as_described(fresh_gateway):
    config = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                          "trustedProxies": ["127.0.0.1"],
                          "nodes": {"allowCommands": ["system.execApprovals.get", "system.execApprovals.set"]}}}
    gateway = fresh_gateway(config=config).start()
    results.SEEN.clear()
    with Client(gateway.port, gateway.token) as client, Client(gateway.port, gateway.token) as person:
        ask_plainly(client)
        talk(client)
        decide(gateway, client, person)
        lend(gateway, client)
        pair(gateway, client)
        edit(client)
    missed = set(results.SERVED) - results.SEEN - ELSEWHERE
    assert missed == set(), "nobody asks for these here"
