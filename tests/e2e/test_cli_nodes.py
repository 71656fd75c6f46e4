"""openclaw devices, nodes, approvals and system, as people and scripts use them."""

import base64
import concurrent.futures
import json
import os
import stat
import threading

import pytest
from client import CallError, Client
from device_client import Device
from gateway import TOKEN, Gateway, until
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
    row, = told_json(gateway, "nodes", "list")["paired"]  # the device may still connect
    assert row["connected"] is True and row["commands"] == []


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
    assert "no such file yet" in told(stopped, "approvals", "get")
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


PICTURE = base64.b64encode(b"\xff\xd8picture").decode()


@pytest.fixture(scope="module")
def seeing(topology):
    """A gateway with a node that has a camera, a screen, a canvas and a place."""
    commands = ["camera.list", "camera.snap", "camera.clip", "screen.record", "canvas.snapshot", "canvas.present",
                "canvas.hide", "canvas.navigate", "canvas.eval", "canvas.a2ui.pushJSONL", "canvas.a2ui.reset",
                "location.get", "system.notify"]
    running = Gateway(topology, config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN},
                                                    "nodes": {"allowCommands": commands}}})
    try:
        running.start()
        with Client(running.port, running.token) as client, \
                NodeClient(running.port, running.token, name="Eye", commands=commands) as node:
            approve(client, node)
            yield running, node
    finally:
        running.close()


def asked_by(seeing, payloads, *words, code=0):
    """What the command line says while the node answers with these payloads, and what the node was asked."""
    running, node = seeing
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        done = pool.submit(running.cli, "nodes", *words, "--node", "Eye")
        asked = []
        for payload in payloads:
            request = node.asked(20)
            asked.append((request["command"], json.loads(request["paramsJSON"])))
            node.succeed(request, payload)
        done = done.result()
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, asked


def test_cameras_and_screens_leave_files(seeing):
    told, asked = asked_by(seeing, [{"devices": [{"id": "0", "name": "Front", "position": "front"}]}], "camera", "list")
    assert "Front" in told and asked == [("camera.list", {})]
    picture = {"format": "jpg", "base64": PICTURE, "width": 4, "height": 3}
    told, asked = asked_by(seeing, [picture, picture], "camera", "snap", "--quality", "0.5", "--max-width", "640", "--json")
    assert [(name, params["facing"], params["quality"]) for name, params in asked] == \
        [("camera.snap", "front", 0.5), ("camera.snap", "back", 0.5)]
    for row in json.loads(told)["files"]:
        with open(row["path"], "rb") as file:
            assert file.read() == b"\xff\xd8picture" and stat.S_IMODE(os.stat(row["path"]).st_mode) == 0o600
        assert (row["width"], row["height"]) == (4, 3) and row["path"].endswith(".jpg")
        os.remove(row["path"])
    film = {"format": "mp4", "base64": PICTURE, "durationMs": 10000, "hasAudio": False}
    told, asked = asked_by(seeing, [film], "camera", "clip", "--duration", "10s", "--no-audio")
    assert asked[0][1] == {"facing": "front", "durationMs": 10000, "includeAudio": False, "format": "mp4"}
    assert told.startswith("MEDIA:")
    os.remove(told.strip().removeprefix("MEDIA:"))
    out = os.path.join(seeing[0].state_dir, "film.mp4")
    told, asked = asked_by(seeing, [{**film, "fps": 5, "screenIndex": 1}], "screen", "record", "--out", out, "--screen",
                           "1", "--fps", "5", "--json")
    assert asked[0][1]["screenIndex"] == 1 and asked[0][1]["fps"] == 5.0
    assert json.loads(told) == {"file": {"path": out, "durationMs": 10000, "fps": 5, "screenIndex": 1,
                                         "hasAudio": False}}
    running = seeing[0]
    told, _ = asked_by(seeing, [{"format": "jpg"}], "camera", "snap", "--facing", "front", code=1)
    assert told == "" and running.cli("nodes", "camera", "snap", "--node", "Eye", "--quality", "x").returncode == 2


def test_the_canvas_is_shown_and_told_what_to_do(seeing):
    told, asked = asked_by(seeing, [{}], "canvas", "present", "--target", "https://a.example", "--x", "1.5")
    assert asked == [("canvas.present", {"url": "https://a.example", "placement": {"x": 1.5}})] and told
    assert asked_by(seeing, [{}], "canvas", "hide")[1] == [("canvas.hide", {})]
    assert asked_by(seeing, [{}], "canvas", "navigate", "/page")[1] == [("canvas.navigate", {"url": "/page"})]
    told, asked = asked_by(seeing, [{"result": "42"}], "canvas", "eval", "6 * 7")
    assert (told, asked) == ("42\n", [("canvas.eval", {"javaScript": "6 * 7"})])
    told, asked = asked_by(seeing, [{}], "canvas", "a2ui", "push", "--text", 'say "hello"')
    lines = [json.loads(line) for line in asked[0][1]["jsonl"].splitlines()]
    assert [list(line) for line in lines] == [["surfaceUpdate"], ["beginRendering"]] and "hello" in asked[0][1]["jsonl"]
    assert asked_by(seeing, [{}], "canvas", "a2ui", "reset")[1] == [("canvas.a2ui.reset", {})]
    told, asked = asked_by(seeing, [{"format": "png", "base64": PICTURE}], "canvas", "snapshot", "--format", "png")
    assert asked[0][1]["format"] == "png" and told.strip().endswith(".png")
    os.remove(told.strip().removeprefix("MEDIA:"))
    bad = os.path.join(seeing[0].state_dir, "bad.jsonl")
    with open(bad, "w", encoding="utf-8") as file:
        file.write('{"createSurface": {}}\n')
    done = seeing[0].cli("nodes", "canvas", "a2ui", "push", "--node", "Eye", "--jsonl", bad)
    assert done.returncode == 1 and "v0.9" in done.stderr


def test_where_a_node_is_and_what_it_shows(seeing):
    told, asked = asked_by(seeing, [{"lat": 48.1, "lon": 11.5, "accuracyMeters": 12}], "location", "get", "--accuracy",
                           "coarse")
    assert told == "48.1,11.5 \u00b112.0m\n"
    assert asked == [("location.get", {"desiredAccuracy": "coarse", "timeoutMs": 10000})]
    told, asked = asked_by(seeing, [{}], "notify", "--title", "Tea", "--priority", "active")
    assert asked[0][1] == {"title": "Tea", "body": "", "priority": "active", "delivery": "system"}
    done = seeing[0].cli("nodes", "push", "--node", "Eye", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["code"] == "UNAVAILABLE"


def test_what_waits_for_leave_is_decided_from_here(gateway, client):
    with Device(name="Robot").connect(gateway, ["operator.approvals"], {"token": gateway.token}) as robot:
        asked = robot.send("exec.approval.request", {"command": "make love", "agentId": "main", "twoPhase": True})
        ident = robot.answer(asked)["id"]
        row, = [row for row in told_json(gateway, "approvals", "pending")["approvals"] if row["id"] == ident]
        assert (row["kind"], row["agentId"], row["summary"]) == ("exec", "main", "make love")
        assert "make love" in told(gateway, "approvals", "pending")
        done = told_json(gateway, "approvals", "resolve", ident, "allow-always", "--expires-in-days", "3")
        assert done["applied"] is True and done["alreadyResolved"] is False
        assert robot.answer(asked)["decision"] == "allow-always"
        assert "already" in told(gateway, "approvals", "resolve", ident, "allow-always")
        assert "decided before" in gateway.cli("approvals", "resolve", ident, "deny").stderr
    grant = told_json(gateway, "approvals", "grants", "list")["grants"][0]
    assert grant["command"] == "make love" and "make love" in told(gateway, "approvals", "grants", "list")
    assert told(gateway, "approvals", "grants", "revoke", grant["grantId"]) == f"Revoked {grant['grantId']}\n"
    told(gateway, "approvals", "grants", "revoke", "nosuch", code=1)
    told(gateway, "approvals", "resolve", "nosuch", "deny", code=1)


def test_a_device_gets_a_name_and_shows_who_asks(fresh_gateway):
    running = fresh_gateway(config={"gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN},
                                                "trustedProxies": ["127.0.0.1"]}}).start()
    device = Device(name="Second Laptop")
    with pytest.raises(CallError):
        device.connect(running, ["operator.read"], {"token": TOKEN}, ["X-Forwarded-For: 203.0.113.7"])
    shown = told(running, "devices", "list")
    for word in ("Second Laptop", device.id[:12], "203.0.113.7", "new device", "operator (read)"):
        assert word in shown
    request = told_json(running, "devices", "list")["pending"][0]["requestId"]
    told(running, "devices", "approve", request)
    told(running, "devices", "rename", "--device", device.id, "--name", "Kitchen")
    assert "Kitchen" in told(running, "devices", "list")
    assert told_json(running, "devices", "rename", "--device", device.id, "--name", "Attic")["label"] == "Attic"
    told(running, "devices", "rotate", "--device", device.id, "--role", "operator", "--no-scopes", "--scope", "x", code=2)
    assert "operator (read)" in told(running, "devices", "list")
    told(running, "devices", "revoke", "--device", device.id, "--role", "operator")
    shown = told(running, "devices", "list")  # what it was approved for is not in force any more
    assert "operator (revoked)" in shown and "nothing" in shown and "(read)" not in shown
    with pytest.raises(CallError):
        device.connect(running, ["operator.read"], {"token": TOKEN}, ["X-Forwarded-For: 203.0.113.7"])
    assert "after revocation" in told(running, "devices", "list")
    for word in ("revoke", "rotate"):
        done = running.cli("devices", word, "--device", "nosuch", "--role", "operator")
        assert done.returncode == 1 and "unknown deviceId" in done.stderr and "denied" not in done.stderr


def test_a_link_for_a_node_is_made(fresh_gateway):
    running = fresh_gateway().start()
    done = running.cli("devices", "join-code")
    assert done.returncode == 1 and "only bound to loopback" in done.stderr
    assert "--public-url wss://<host>" in done.stderr  # which it takes
    link = told_json(running, "devices", "join-code", "--public-url", "wss://named.example")
    assert link["joinUrl"].startswith("https://named.example/j/")
    config = {"plugins": {"entries": {"device-pair": {"config": {"publicUrl": "wss://house.example"}}}}}
    running.write_config(config)
    until(lambda: running.cli("devices", "join-code").returncode == 0, 10, "the new config")
    assert "npx openclaw connect https://house.example/j/" in told(running, "devices", "join-code")
    link = told_json(running, "devices", "join-code")
    assert link["joinUrl"].startswith("https://house.example/j/")
    assert link["command"] == f"npx openclaw connect {link['joinUrl']}"


def test_a_failure_is_json_for_who_wants_json(gateway):
    for words, error in ((("devices", "reject", "nosuch"), {"type": "gateway_request_error", "code": "INVALID_REQUEST",
                                                           "message": "unknown requestId", "retryable": False}),
                         (("nodes", "describe", "--node", "nobody"), None)):
        done = gateway.cli(*words, "--json")
        assert done.returncode == 1
        said = json.loads(done.stdout)
        assert said["ok"] is False and said["error"] == {**said["error"], **(error or {})}
        assert said["error"]["message"] and said["error"]["type"] and said["error"]["exitCode"] == 1


def test_who_is_here_and_the_newest_heartbeat(gateway, client):
    assert "gateway" in told(gateway, "system", "presence")
    rows = told_json(gateway, "system", "presence")
    assert any(row["mode"] == "gateway" for row in rows)
    assert not any(row["mode"] in ("backend", "cli") for row in rows), "who only asks is not listed"
    assert told_json(gateway, "system", "heartbeat", "last") is None
    assert "none so far" in told(gateway, "system", "heartbeat", "last")
