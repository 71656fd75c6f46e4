"""Nodes and approvals while the process that knows them dies: connections stay, and what was promised holds."""

import json
import os
import signal

import pytest
from client import CallError, Client
from gateway import Gateway, until
from node_client import NodeClient, approve

TOPOLOGY = """{ hosts: {
    main: { actors: ["config", "log", "auth", "health", "router", "channel/webchat", "edge/0", "agent/*"] },
    aside: { actors: ["node", "approval"] } } }"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    path = tmp_path_factory.mktemp("topology") / "aside.json5"
    path.write_text(TOPOLOGY)
    with Gateway("inproc", arguments=["--topology", str(path)]) as running:
        yield running


def crash(gateway):
    """Kills the process aside, and waits until another one is there."""
    def pid():
        rows = json.loads(gateway.cli("bus", "actors", "--json").stdout)["actors"]
        return next((row["pid"] for row in rows if row["address"] == "node" and row["state"] == "ready"), None)

    before = until(pid, 5, "the process aside")
    os.kill(before, signal.SIGKILL)
    until(lambda: pid() not in (None, before), 10, "another process aside")


def answered(call, timeout=10):
    """What the call gives once its owner is back."""
    def attempt():
        try:
            return [call()]
        except CallError as error:
            if error.code != "UNAVAILABLE":
                raise
            return None

    return until(attempt, timeout, "an answer")[0]


def test_a_node_stays_connected_and_keeps_its_commands(gateway, client):
    with NodeClient(gateway.port, gateway.token) as node:
        approve(client, node)
        asked = client.send("node.invoke", {"nodeId": node.node_id, "command": "system.which", "params": {},
                                            "idempotencyKey": "lost"})
        lost = node.asked()
        crash(gateway)
        with pytest.raises(CallError) as caught:
            client.answer(asked)
        assert caught.value.code == "UNAVAILABLE"
        row = until(lambda: next((r for r in answered(lambda: client.call("node.list"))["nodes"]
                                  if r["connected"]), None), 10, "the node")
        assert row["nodeId"] == node.node_id and "system.which" in row["commands"]
        assert answered(lambda: node.succeed(lost, {})) == {"ok": True, "ignored": True}
        asked = client.send("node.invoke", {"nodeId": node.node_id, "command": "system.which", "params": {},
                                            "idempotencyKey": "found"})
        node.succeed(node.asked(), {"n": 1})
        assert client.answer(asked)["payload"] == {"n": 1}


def test_a_question_stands_until_it_is_answered(gateway, client):
    with Client(gateway.port, gateway.token) as person:
        accepted = client.answer(client.send("exec.approval.request", {"command": "true", "timeoutMs": 60000,
                                                                       "twoPhase": True}))
        crash(gateway)
        rows = answered(lambda: person.call("exec.approval.list"))
        assert [row["id"] for row in rows] == [accepted["id"]]
        waiting = client.send("exec.approval.waitDecision", {"id": accepted["id"]})
        person.call("exec.approval.resolve", {"id": accepted["id"], "decision": "deny"})
        assert client.answer(waiting)["decision"] == "deny"
