"""What clients hear without asking: who is there and how the gateway is, each with its version, and only by scope."""

import time

from client import ALL_SCOPES, Client
from node_client import NodeClient
from test_process import Control


def frame(client, name, where=lambda frame: True, timeout=15):
    """The first event of that name, whole; it is consumed."""
    deadline = time.monotonic() + timeout
    while True:
        for one in client.events:
            if one["event"] == name and where(one):
                client.events.remove(one)
                return one
        client.read(deadline)


def test_presence_comes_with_its_version_and_is_what_is_asked_for(gateway, client):
    before = client.hello["snapshot"]["stateVersion"]
    with NodeClient(gateway.port, gateway.token) as node:
        def has_node(event):
            return any(row.get("deviceId") == node.node_id for row in event["payload"]["presence"])

        come = frame(client, "presence", has_node)
        assert come["stateVersion"]["presence"] > before["presence"] and come["seq"] > 0
        assert any(row.get("deviceId") == node.node_id for row in client.call("system-presence"))
        later = node.hello["snapshot"]
        assert later["stateVersion"]["presence"] >= come["stateVersion"]["presence"]
        assert any(row.get("deviceId") == node.node_id for row in later["presence"])
    gone = frame(client, "presence", lambda event: any(
        row.get("deviceId") == node.node_id and row["reason"] == "disconnect" for row in event["payload"]["presence"]))
    assert gone["stateVersion"]["presence"] > come["stateVersion"]["presence"]


def test_health_comes_with_its_version(gateway, client):
    before = client.hello["snapshot"]["stateVersion"]
    with Control(gateway) as control:
        control.ask(op="restart", address="agent/main")
    told = frame(client, "health", lambda event: event["payload"]["ok"] is True)
    assert told["stateVersion"]["health"] > before["health"] and told["seq"] > 0
    assert told["stateVersion"]["presence"] >= before["presence"]


def test_events_are_for_those_who_may_see_them(gateway):
    """Of presence and health everybody hears; of pairing who may pair; of chats and sessions who may read."""
    sees = {"operator.pairing": {"device.pair.requested", "node.pair.requested"}, "operator.read": {"chat", "agent", "sessions.changed"}}
    with Client(gateway.port, gateway.token, scopes=ALL_SCOPES) as everyone, \
            Client(gateway.port, gateway.token, scopes=["operator.pairing"]) as pairing, \
            Client(gateway.port, gateway.token, scopes=["operator.read"]) as reading:
        everyone.call("sessions.subscribe")
        reading.call("sessions.subscribe")
        with NodeClient(gateway.port, gateway.token):
            pairing.wait_event("node.pair.requested")
            everyone.chat("for readers", "agent:main:events")
            everyone.wait_event("sessions.changed")
            reading.wait_event("sessions.changed")
            reading.call("health")
            pairing.call("health")
            heard = {one["event"] for one in pairing.events}
            assert not heard & sees["operator.read"], heard
            heard = {one["event"] for one in reading.events}
            assert {"chat", "agent"} <= heard and not heard & sees["operator.pairing"], heard
