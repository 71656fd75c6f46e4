"""openclaw devices, nodes, approvals and system, as people and scripts use them."""

import json
import os
import threading

import pytest
from client import Client
from node_client import NodeClient, approve


def told(gateway, *words, code=0):
    done = gateway.cli(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def told_json(gateway, *words):
    return json.loads(told(gateway, *words, "--json"))


@pytest.fixture
def node(gateway, client):
    with NodeClient(gateway.port, gateway.token, name="Cli Node") as connected:
        yield connected
    if any(row["nodeId"] == connected.node_id for row in client.call("node.pair.list")["paired"]):
        client.call("node.pair.remove", {"nodeId": connected.node_id})


def test_a_node_is_paired_shown_renamed_and_removed(gateway, client, node):
    pending = told_json(gateway, "nodes", "pending")
    request = next(row for row in pending if row["nodeId"] == node.node_id)["requestId"]
    assert request in told(gateway, "nodes", "pending")
    assert told(gateway, "nodes", "approve", request) == f"Approved {request}\n"
    assert node.node_id in told(gateway, "nodes", "list")
    assert node.node_id in [row["nodeId"] for row in told_json(gateway, "nodes", "list")["paired"]]
    shown = told(gateway, "nodes", "describe", "--node", "cli node")
    assert "paired, connected" in shown and "system.which" in shown
    told(gateway, "nodes", "rename", "--node", node.node_id[:8], "--name", "Shed")
    assert told_json(gateway, "nodes", "describe", "--node", "shed")["displayName"] == "Shed"
    assert "Known: " in told(gateway, "nodes", "status", "--connected")
    rows = told_json(gateway, "nodes", "status", "--last-connected", "1h")["nodes"]
    assert node.node_id in [row["nodeId"] for row in rows]
    assert told(gateway, "nodes", "remove", "--node", "Shed") == f"Removed {node.node_id}\n"
    assert told_json(gateway, "nodes", "list")["paired"] == []


def test_a_node_does_what_it_is_asked(gateway, client, node):
    approve(client, node)
    answers = []
    asker = threading.Thread(target=lambda: answers.append(told_json(
        gateway, "nodes", "invoke", "--node", "Cli Node", "--command", "system.which", "--params", '{"bins":["sh"]}')))
    asker.start()
    node.succeed(node.asked(20), {"bins": {"sh": "/bin/sh"}})
    asker.join()
    assert answers[0]["payload"] == {"bins": {"sh": "/bin/sh"}}


@pytest.mark.parametrize("words, code, why", [
    (("nodes", "invoke", "--node", "x", "--command", "system.run"), 1, "ask an agent"),
    (("nodes", "invoke", "--node", "x", "--command", "a", "--params", "[]"), 2, "must be a JSON object"),
    (("nodes", "describe", "--node", "nobody"), 1, "no node 'nobody'"),
    (("nodes", "status", "--last-connected", "soon"), 2, "a time such as"),
    (("nodes", "reject", "nosuch"), 1, "unknown requestId"),
    (("devices", "clear"), 1, "--yes"),
    (("devices", "rotate", "--device", "x"), 2, "--role"),
    (("approvals", "set"), 2, "--file <path>, or --stdin"),
    (("approvals", "get", "--gateway", "--node", "x"), 2, "two different places"),
    (("system", "event"), 2, "--text"),
])
def test_what_is_wrong_is_said(gateway, words, code, why):
    done = gateway.cli(*words)
    assert done.returncode == code, done.stdout + done.stderr
    assert why in done.stderr


def test_devices_are_listed_and_cleared(fresh_gateway):
    running = fresh_gateway().start()
    with NodeClient(running.port, running.token) as one, NodeClient(running.port, running.token) as two:
        paired = [row["deviceId"] for row in told_json(running, "devices", "list")["paired"]]
        assert {one.node_id, two.node_id} <= set(paired)
        assert one.node_id in told(running, "devices", "list")
        rotated = told_json(running, "devices", "rotate", "--device", one.node_id, "--role", "node")
        assert rotated["deviceId"] == one.node_id
        assert told(running, "devices", "remove", one.node_id) == f"Removed {one.node_id}\n"
        cleared = told_json(running, "devices", "clear", "--yes", "--pending")
        assert two.node_id in cleared["removedDevices"] and cleared["rejectedPending"] == []
        assert told_json(running, "devices", "list")["paired"] == []
        done = running.cli("devices", "approve")
        assert done.returncode == 1 and "no device asks" in done.stderr


def test_approvals_of_this_machine_need_no_gateway(fresh_gateway):
    stopped = fresh_gateway()
    assert "not there yet" in told(stopped, "approvals", "get")
    new = os.path.join(stopped.state_dir, "new.json5")
    with open(new, "w", encoding="utf-8") as file:
        file.write("{ version: 1, defaults: { security: 'full', ask: 'off' } }")
    assert told_json(stopped, "approvals", "set", "--file", new)["file"]["defaults"] == {"security": "full",
                                                                                        "ask": "off"}
    assert "/usr/bin/uptime" in told(stopped, "approvals", "allowlist", "add", "/usr/bin/uptime")
    assert told(stopped, "approvals", "allowlist", "add", "/usr/bin/uptime") == "Already on the list\n"
    entries = told_json(stopped, "approvals", "get")["file"]["agents"]["*"]["allowlist"]
    assert [entry["pattern"] for entry in entries] == ["/usr/bin/uptime"]
    told(stopped, "approvals", "allowlist", "remove", "/usr/bin/uptime")
    assert told(stopped, "approvals", "allowlist", "remove", "/usr/bin/uptime") == "Not on the list\n"
    with open(os.path.join(stopped.state_dir, "exec-approvals.json"), encoding="utf-8") as file:
        assert json.load(file)["socket"]["token"]


def test_approvals_of_the_gateway(gateway):
    assert told_json(gateway, "approvals", "get", "--gateway")["exists"] is True
    shown = told_json(gateway, "exec-approvals", "allowlist", "add", "--gateway", "--agent", "main", "/usr/bin/rg")
    assert shown["file"]["agents"]["main"]["allowlist"][0]["pattern"] == "/usr/bin/rg"


def test_who_is_here_and_the_newest_heartbeat(gateway, client):
    assert "gateway" in told(gateway, "system", "presence")
    rows = told_json(gateway, "system", "presence")
    assert any(row["mode"] == "gateway" for row in rows)
    assert not any(row["mode"] in ("backend", "cli") for row in rows), "who only asks is not listed"
    assert told_json(gateway, "system", "heartbeat", "last") is None
    assert "none so far" in told(gateway, "system", "heartbeat", "last")
