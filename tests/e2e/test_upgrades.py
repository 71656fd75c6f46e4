"""There is a way back from every release, and older clients are served on."""

import contextlib
import hashlib
import json
import os
import sqlite3

import pytest

from client import CallError, Client
from device_client import Device, plain
from gateway import ROOT, TOKEN
from node_client import NodeClient, approve

with open(os.path.join(ROOT, "tests/data/formats.json"), encoding="utf-8") as stream:
    FORMATS = json.load(stream)


def test_the_previous_release_finds_every_table_as_it_left_it(fresh_gateway):
    """A release opens a database whose format is not newer than it knows, writes rows by position, and looks at no other
    table. So no format may grow, and no table that it knows may change; new ones may come."""
    running = fresh_gateway().start()
    with Client(running.port, running.token) as client, NodeClient(running.port, running.token) as node:
        client.chat("something to keep", "agent:main:upgrade")
        approve(client, node)
        asked = client.send("plugin.approval.request", {"title": "Pay", "description": "x", "timeoutMs": 20000,
                                                        "twoPhase": True})
        client.send("exec.approval.request", {"command": "echo", "timeoutMs": 20000})
        client.answer(asked)
    running.stop()
    for name, told in FORMATS.items():
        path = os.path.join(running.agents_dir if name.startswith("db/agent-") else running.state_dir, name)
        assert os.path.exists(path), f"{name} has moved"
        db = sqlite3.connect(path)
        version, = db.execute("PRAGMA user_version").fetchone()
        assert version <= told["format"], f"{name}: the previous release would refuse it"
        for table, columns in told["tables"].items():
            now = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            assert now == columns, f"{name}: the previous release would not know its table {table}"
        db.close()


FAR = ["X-Forwarded-For: 203.0.113.7"]
BEHIND_A_PROXY = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}, "trustedProxies": ["127.0.0.1"]}}


def auth_database(gateway):
    """Closed, and committed, at the end of a `with`."""
    folder = os.path.join(gateway.state_dir, "db")
    os.makedirs(folder, exist_ok=True)
    return contextlib.closing(sqlite3.connect(os.path.join(folder, "auth.sqlite"), isolation_level=None))


def put_by_format_1(db, device, token):
    db.execute("INSERT INTO device VALUES (?, ?, 'linux', '', 'cli', 'cli', 'Laptop', 1, 2)", (device.id, plain(device.public)))
    db.execute("INSERT INTO device_role VALUES (?, 'operator', 'operator.read', ?, 7)", (device.id, token))


def put_by_format_2(db, device, token):
    """As the previous release writes: by position."""
    db.execute("INSERT INTO paired VALUES (?, ?, 'Laptop', 'linux', '', 'cli', 'cli', '203.0.113.7', 'operator',"
               " 'operator.read', 1, 2)", (device.id, plain(device.public)))
    db.execute("INSERT INTO token VALUES (?, 'operator', 'operator.read', 5, ?, NULL, 1, NULL, NULL)",
               (device.id, hashlib.sha256(token.encode()).digest()))


@pytest.mark.parametrize("number, put", [(1, put_by_format_1), (2, put_by_format_2)])
def test_a_database_of_an_earlier_release_is_taken_on(fresh_gateway, number, put):
    gateway, device = fresh_gateway(config=BEHIND_A_PROXY), Device()
    with open(os.path.join(ROOT, f"tests/data/formats/auth-{number}.sql"), encoding="utf-8") as file, \
            auth_database(gateway) as db:
        db.executescript(file.read())
        put(db, device, "TOKEN-OF-AN-EARLIER-RELEASE")
    gateway.start()
    with device.connect(gateway, ["operator.read"], {"deviceToken": "TOKEN-OF-AN-EARLIER-RELEASE"}, FAR) as client:
        assert client.hello["auth"]["scopes"] == ["operator.read"]
    with Client(gateway.port, TOKEN) as operator:
        operator.call("device.pair.rename", {"deviceId": device.id, "label": "Kitchen"})
        row, = operator.call("device.pair.list")["paired"]
        assert (row["displayName"], row["operatorLabel"]) == ("Laptop", "Kitchen")


def test_what_the_previous_release_did_meanwhile_counts(fresh_gateway):
    """Back to it, and forth again: whom it let in is in, whom it threw out is out, and what it does not know stays."""
    gateway = fresh_gateway(config=BEHIND_A_PROXY).start()
    stays, leaves, comes = Device(), Device(), Device()
    with Client(gateway.port, TOKEN) as operator:
        for device in (stays, leaves):
            with pytest.raises(CallError) as caught:
                device.connect(gateway, ["operator.read"], {"token": TOKEN}, FAR)
            operator.call("device.pair.approve", {"requestId": caught.value.error["details"]["requestId"]})
            operator.call("device.pair.rename", {"deviceId": device.id, "label": "Named"})
            device.connect(gateway, ["operator.read"], {"token": TOKEN}, FAR).socket.close()
    gateway.stop()
    with auth_database(gateway) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM paired WHERE id = ?", (leaves.id,))
        put_by_format_2(db, comes, "TOKEN-OF-MEANWHILE")
    gateway.start()
    stays.connect(gateway, ["operator.read"], {"deviceToken": stays.token}, FAR).socket.close()
    comes.connect(gateway, ["operator.read"], {"deviceToken": "TOKEN-OF-MEANWHILE"}, FAR).socket.close()
    with pytest.raises(CallError):
        leaves.connect(gateway, ["operator.read"], {"deviceToken": leaves.token}, FAR)
    with Client(gateway.port, TOKEN) as operator:
        assert {row["deviceId"]: row.get("operatorLabel") for row in operator.call("device.pair.list")["paired"]} == \
            {stays.id: "Named", comes.id: None}


def test_clients_of_both_protocols_are_served_at_the_same_time(gateway):
    ranges = {3: {"minProtocol": 3, "maxProtocol": 3}, 4: {"minProtocol": 4, "maxProtocol": 4}}
    clients = {number: Client(gateway.port, gateway.token, **span) for number, span in ranges.items()}
    for number, client in clients.items():
        assert client.hello["protocol"] == number
        assert client.hello["auth"].get("method") == (None, "token")[number == 4]
        methods = client.hello["features"]["methods"]
        assert "chat.send" in methods
        for name in ("approval.history", "health", "node.list", "exec.approval.list", "device.pair.list"):
            assert name in methods
            client.call(name)
    run, _ = clients[3].chat("for both", "agent:main:both")
    told = clients[4].wait_event("chat", lambda payload: payload["runId"] == run and payload["state"] == "final")
    assert "for both" in json.dumps(told)
    both = Client(gateway.port, gateway.token, minProtocol=3, maxProtocol=4)
    assert both.hello["protocol"] == 4
    for client in (*clients.values(), both):
        client.socket.close()
