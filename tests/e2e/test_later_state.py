"""Whoever was paired with the later generation of the original is paired here."""

import os
import time

import pytest

from client import CallError, Client
from device import Device as NodeDevice
from device import _b64
from device_client import Device, plain
from gateway import until
from later_state import LaterState
from node_client import NodeClient

FAR = ["X-Forwarded-For: 203.0.113.7"]
BEHIND_A_PROXY = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                              "trustedProxies": ["127.0.0.1"]}}
SURFACE = {"displayName": "Kitchen", "version": "2026.9.6", "caps": ["system"], "commands": ["system.which"],
           "createdAtMs": 5, "approvedAtMs": 6, "sessionHost": False}


@pytest.fixture
def stopped(fresh_gateway):
    """A gateway that has never run, and what the original left in its state directory."""
    made = fresh_gateway(config=BEHIND_A_PROXY)
    later = LaterState(made.state_dir)
    yield made, later
    later.db.close()


def test_a_device_keeps_its_token(stopped):
    gateway, later = stopped
    device = Device()
    later.paired(device, plain(device.public), "operator", "LATER-TOKEN", ["operator.read"], operator_label="Laptop",
                 client_id="cli", client_mode="cli")
    asking = Device(name="Asks")
    later.put("device_pairing_pending", request_id="r1", device_id=asking.id, public_key=plain(asking.public),
              display_name="Asks", role="operator", roles_json=["operator"], scopes_json=["operator.read"],
              is_repair=0, ts=int(time.time() * 1000) - 1000)
    before = sorted(later.db.iterdump())
    gateway.start()
    with device.connect(gateway, ["operator.read"], {"deviceToken": "LATER-TOKEN"}, FAR) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]
    with Client(gateway.port, gateway.token) as operator:
        listed = operator.call("device.pair.list")
        assert [(row["deviceId"], row["operatorLabel"]) for row in listed["paired"]] == [(device.id, "Laptop")]
        assert [row["displayName"] for row in listed["pending"]] == ["Asks"]
        operator.call("device.pair.remove", {"deviceId": device.id})
    assert sorted(later.db.iterdump()) == before
    gateway.stop()
    gateway.start()
    with Client(gateway.port, gateway.token) as operator:
        assert operator.call("device.pair.list")["paired"] == []  # taken over once, not at every start
    assert "LATER-TOKEN" not in "\n".join(gateway.logs())


def test_a_node_keeps_what_an_operator_approved(stopped):
    gateway, later = stopped
    device = NodeDevice()
    asking = NodeDevice()
    later.paired(device, _b64(device.public), "node", "NODE-TOKEN", display_name="Host", node_surface_json=SURFACE,
                 last_seen_at_ms=7, last_seen_reason="connect")
    later.paired(asking, _b64(asking.public), "node", "OTHER-TOKEN", pending_node_surface_json={
        "requestId": "b6f5e2ab-0000-4000-8000-000000000001", "commands": ["system.run"], "silent": False,
        "ts": int(time.time() * 1000) - 1000})
    gateway.start()
    with Client(gateway.port, gateway.token) as operator:
        listed = operator.call("node.pair.list")
        assert [(row["nodeId"], row["displayName"], row["approvedAtMs"], row["lastSeenAtMs"])
                for row in listed["paired"]] == [(device.id, "Kitchen", 6, 7)]
        assert [row["nodeId"] for row in listed["pending"]] == [asking.id]
        with NodeClient(gateway.port, "NODE-TOKEN", device=device, commands=["system.which"]):
            row, = [row for row in operator.call("node.list")["nodes"] if row["nodeId"] == device.id]
            assert row["connected"] and row["commands"] == ["system.which"]
        assert [row["nodeId"] for row in operator.call("node.pair.list")["pending"]] == [asking.id]


def test_a_damaged_database_is_told_of_and_tried_again(stopped):
    gateway, later = stopped
    device = Device()
    later.paired(device, plain(device.public), "operator", "LATER-TOKEN", ["operator.read"])
    later.db.close()
    with open(later.path, "r+b") as file:
        whole = file.read()
        file.seek(0)
        file.write(b"\xff" * len(whole))
    gateway.start()
    for what in ("devices_not_imported", "nodes_not_imported"):
        line = until(lambda name=what: next((line for line in gateway.logs() if name in line), None), 10, what)
        assert later.path in line and "not a database" in line and "put back a copy" in line
    with pytest.raises(CallError):
        device.connect(gateway, ["operator.read"], {"deviceToken": "LATER-TOKEN"}, FAR)
    gateway.stop()
    for name in (later.path, *(later.path + end for end in ("-wal", "-shm"))):
        if os.path.exists(name):
            os.remove(name)
    with open(later.path, "wb") as file:
        file.write(whole)
    gateway.start()
    device.connect(gateway, ["operator.read"], {"deviceToken": "LATER-TOKEN"}, FAR).socket.close()


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_a_pipe_beside_the_database_is_told_of_and_not_waited_for(stopped, end):
    gateway, later = stopped
    device = Device()
    later.paired(device, plain(device.public), "operator", "LATER-TOKEN", ["operator.read"])
    later.db.close()
    if os.path.exists(later.path + end):
        os.remove(later.path + end)
    os.mkfifo(later.path + end)
    gateway.start()
    for what in ("devices_not_imported", "nodes_not_imported"):
        line = until(lambda name=what: next((line for line in gateway.logs() if name in line), None), 10, what)
        assert later.path in line and f"its {end} file is no regular file" in line
