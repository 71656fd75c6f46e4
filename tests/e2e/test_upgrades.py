"""There is a way back from every release, and older clients are served on."""

import json
import os
import sqlite3

from client import Client
from gateway import ROOT
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
        path = os.path.join(running.state_dir, name)
        assert os.path.exists(path), f"{name} has moved"
        db = sqlite3.connect(path)
        version, = db.execute("PRAGMA user_version").fetchone()
        assert version <= told["format"], f"{name}: the previous release would refuse it"
        for table, columns in told["tables"].items():
            now = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            assert now == columns, f"{name}: the previous release would not know its table {table}"
        db.close()


def test_clients_of_both_protocols_are_served_at_the_same_time(gateway):
    ranges = {3: {"minProtocol": 3, "maxProtocol": 3}, 4: {"minProtocol": 4, "maxProtocol": 4}}
    clients = {number: Client(gateway.port, gateway.token, **span) for number, span in ranges.items()}
    for number, client in clients.items():
        assert client.hello["protocol"] == number
        assert client.hello["auth"].get("method") == (None, "token")[number == 4]
        methods = client.hello["features"]["methods"]
        assert "chat.send" in methods and ("approval.get" in methods) == (number == 4)
        for name in ("health", "node.list", "exec.approval.list", "device.pair.list"):
            assert name in methods
            client.call(name)
    run, _ = clients[3].chat("for both", "agent:main:both")
    told = clients[4].wait_event("chat", lambda payload: payload["runId"] == run and payload["state"] == "final")
    assert "for both" in json.dumps(told)
    both = Client(gateway.port, gateway.token, minProtocol=3, maxProtocol=4)
    assert both.hello["protocol"] == 4
    for client in (*clients.values(), both):
        client.socket.close()
