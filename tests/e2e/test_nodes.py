"""Nodes: pairing, commands, what is left for them, and who may ask for what."""

import json
import os
import threading
import time

import pytest
from client import CallError, Client
from device import Device
from gateway import until
from node_client import NodeClient, approve


@pytest.fixture
def node(gateway, client):
    with NodeClient(gateway.port, gateway.token) as connected:
        approve(client, connected)
        yield connected
    client.call("node.pair.remove", {"nodeId": connected.node_id})


def row_of(client, node):
    return next(row for row in client.call("node.list")["nodes"] if row["nodeId"] == node.node_id)


def invoke(client, node, command, params=None, key="k", **more):
    return client.send("node.invoke", {"nodeId": node.node_id, "command": command, "params": params or {},
                                       "idempotencyKey": f"{node.node_id[:8]}-{key}", **more})


def refusal(call):
    with pytest.raises(CallError) as caught:
        call()
    return caught.value.error


def test_a_new_node_waits_for_an_operator_and_may_do_nothing_until_then(gateway, client):
    with NodeClient(gateway.port, gateway.token) as fresh:
        told = client.wait_event("node.pair.requested", lambda p: p["nodeId"] == fresh.node_id)
        assert told["commands"] == ["system.run", "system.which", "system.notify"]
        assert told["caps"] == ["system"] and told["silent"] is False
        pending = next(r for r in client.call("node.pair.list")["pending"] if r["nodeId"] == fresh.node_id)
        assert pending["requiredApproveScopes"] == ["operator.pairing", "operator.admin"]
        assert row_of(client, fresh)["commands"] == [] and row_of(client, fresh)["connected"] is True
        error = refusal(lambda: client.answer(invoke(client, fresh, "system.which")))
        assert error["details"]["reason"] == "command not approved"
        assert pending["requestId"] in error["message"]
        node = client.call("node.pair.approve", {"requestId": pending["requestId"]})["node"]
        assert len(node["token"]) == 43
        assert client.wait_event("node.pair.resolved")["decision"] == "approved"
        assert row_of(client, fresh)["commands"] == ["system.notify", "system.run", "system.which"]
        assert client.call("node.pair.verify", {"nodeId": fresh.node_id, "token": node["token"]})["ok"] is True
        assert client.call("node.pair.verify", {"nodeId": fresh.node_id, "token": "wrong"}) == {"ok": False}
        assert "token" not in json.dumps(client.call("node.pair.list"))


def test_a_command_goes_to_the_node_and_its_result_comes_back(client, node):
    asked = invoke(client, node, "system.which", {"bins": ["sh"]}, "a", timeoutMs=5000)
    request = node.asked()
    assert request["command"] == "system.which" and json.loads(request["paramsJSON"]) == {"bins": ["sh"]}
    assert request["timeoutMs"] == 5000 and request["nodeId"] == node.node_id
    assert "_connIds" not in request
    assert node.succeed(request, {"bins": {"sh": "/bin/sh"}}) == {"ok": True}
    assert client.answer(asked) == {"ok": True, "nodeId": node.node_id, "command": "system.which",
                                    "payload": {"bins": {"sh": "/bin/sh"}},
                                    "payloadJSON": '{"bins": {"sh": "/bin/sh"}}'}


def test_what_the_node_says_went_wrong_reaches_the_asker(client, node):
    asked = invoke(client, node, "system.notify", {"title": "x"}, "b")
    node.fail(node.asked(), "UNAVAILABLE", "notify failed")
    error = refusal(lambda: client.answer(asked))
    assert (error["code"], error["message"]) == ("UNAVAILABLE", "UNAVAILABLE: notify failed")
    assert error["details"] == {"nodeError": {"code": "UNAVAILABLE", "message": "notify failed"}}


def test_a_node_that_says_nothing_is_waited_for_as_long_as_asked(client, node):
    asked = invoke(client, node, "system.which", {}, "c", timeoutMs=200)
    request = node.asked()
    error = refusal(lambda: client.answer(asked))
    assert error["message"] == "TIMEOUT: node invoke timed out"
    assert node.succeed(request, {}) == {"ok": True, "ignored": True}


def test_what_a_command_says_while_it_runs_reaches_who_wants_to_hear_it(gateway, client, node):
    with Client(gateway.port, gateway.token, caps=["node-progress"]) as listener:
        asked = invoke(listener, node, "system.which", key="p", timeoutMs=8000)
        quiet = invoke(client, node, "system.which", key="q", timeoutMs=400)
        first, second = node.asked(), node.asked()
        say = {"invokeId": first["id"], "nodeId": node.node_id}
        assert node.call("node.invoke.progress", {**say, "seq": 0, "chunk": "one"}) == {"ok": True, "ignored": False}
        assert node.call("node.invoke.progress", {**say, "seq": 0, "chunk": "again"}) == {"ok": True, "ignored": True}
        assert node.call("node.invoke.progress", {**say, "seq": 1, "chunk": "two"}) == {"ok": True, "ignored": False}
        assert [listener.wait_event("node.invoke.progress") for _ in range(2)] == [
            {"nodeId": node.node_id, "command": "system.which", "idempotencyKey": f"{node.node_id[:8]}-p", "seq": seq,
             "chunk": chunk} for seq, chunk in enumerate(["one", "two"])]
        node.succeed(first, {"done": True})
        assert listener.answer(asked)["payload"] == {"done": True}
        assert node.call("node.invoke.progress", {**say, "seq": 2, "chunk": "late"})["ignored"] is True
        # Nobody who waits for this one listens; when the time is over, the node that talks is told.
        say["invokeId"] = second["id"]
        assert node.call("node.invoke.progress", {**say, "seq": 0, "chunk": "x"}) == {"ok": True, "ignored": True}
        assert refusal(lambda: client.answer(quiet))["details"]["nodeError"]["code"] == "TIMEOUT"
        assert node.wait_event("node.invoke.cancel") == {"invokeId": second["id"], "nodeId": node.node_id}
        assert "nodeId mismatch" in refusal(
            lambda: node.call("node.invoke.progress", {**say, "nodeId": "other", "seq": 1, "chunk": ""}))["message"]


def test_who_is_connected_stays_true_while_somebody_floods(gateway, client):
    """The words that a node came and went are told once: a flood must not cost them."""
    def flood(asker):
        for i in range(12):
            asker.send("node.invoke", {"nodeId": "nobody", "command": "system.which", "params": {"text": "x" * (8 << 20)},
                                       "idempotencyKey": f"flood-{i}"})

    askers = [Client(gateway.port, gateway.token) for _ in range(4)]
    floods = [threading.Thread(target=flood, args=(asker,)) for asker in askers]
    for each in floods:
        each.start()
    seen = set()
    while any(each.is_alive() for each in floods):
        with NodeClient(gateway.port, gateway.token) as node:
            seen.add(node.node_id)
    for each in floods:
        each.join()
    for asker in askers:
        asker.socket.close()

    def rows():
        return [row for row in client.call("node.list", timeout=30)["nodes"] if row["nodeId"] in seen]

    def are_all_gone():
        try:
            return not [row for row in rows() if row["connected"]]
        except CallError as error:
            assert "overloaded" in str(error), error  # what the flood left behind is still being worked off
            return False

    assert seen
    until(are_all_gone, 30, "the end of every node that left")
    assert not [line for line in gateway.logs() if "dead_letter" in line and ("node_join" in line or "node_leave" in line)]


def test_what_waits_for_nodes_is_bounded(gateway, node):
    askers = [Client(gateway.port, gateway.token) for _ in range(5)]
    for number, asker in enumerate(askers[:4]):
        for i in range(1024):
            invoke(asker, node, "system.which", {}, f"bound-{number}-{i}")
        for _ in range(1024):
            node.asked()
    error = refusal(lambda: askers[4].answer(invoke(askers[4], node, "system.which", {}, "bound")))
    for asker in askers:
        asker.socket.close()
    assert error["code"] == "UNAVAILABLE" and error["details"]["code"] == "TOO_MANY"


def test_a_node_that_goes_away_fails_what_it_was_asked(gateway, client):
    leaver = NodeClient(gateway.port, gateway.token)
    approve(client, leaver)
    asked = invoke(client, leaver, "system.which", {}, "d")
    leaver.asked()
    leaver.socket.close()
    error = refusal(lambda: client.answer(asked, 5))
    assert error["code"] == "UNAVAILABLE" and error["details"]["nodeError"]["code"] == "DISCONNECTED"
    error = refusal(lambda: client.answer(invoke(client, leaver, "system.which", {}, "e")))
    assert (error["message"], error["details"]) == ("node not connected", {"code": "NOT_CONNECTED"})
    assert row_of(client, leaver)["connected"] is False and row_of(client, leaver)["paired"] is True
    client.call("node.pair.remove", {"nodeId": leaver.node_id})


def test_a_repeated_key_runs_the_command_once(client, node):
    first = invoke(client, node, "system.which", {}, "same")
    second = invoke(client, node, "system.which", {}, "same")
    node.succeed(node.asked(), {"n": 1})
    assert client.answer(first)["payload"] == client.answer(second)["payload"] == {"n": 1}
    assert client.answer(invoke(client, node, "system.which", {}, "same"))["payload"] == {"n": 1}
    with pytest.raises(TimeoutError):
        node.asked(timeout=0.3)


@pytest.mark.parametrize("command, reason", [
    ("camera.snap", "command not allowlisted"),
    ("system.run.prepare", "command not declared by node"),
])
def test_commands_outside_the_lists_are_refused(client, node, command, reason):
    error = refusal(lambda: client.answer(invoke(client, node, command)))
    assert error["code"] == "INVALID_REQUEST" and error["details"] == {"reason": reason, "command": command}


def test_only_the_node_that_was_asked_can_answer(gateway, client, node):
    asked = invoke(client, node, "system.which", {}, "f")
    request = node.asked()
    with NodeClient(gateway.port, gateway.token) as other:
        error = refusal(lambda: other.call("node.invoke.result", {"id": request["id"], "nodeId": node.node_id,
                                                                  "ok": True, "payloadJSON": "{}"}))
        assert error["message"] == "nodeId mismatch"
        answer = other.call("node.invoke.result", {"id": request["id"], "nodeId": other.node_id, "ok": True})
        assert answer == {"ok": True, "ignored": True}
    node.succeed(request, {"mine": True})
    assert client.answer(asked)["payload"] == {"mine": True}


def test_roles_keep_to_their_own_methods(client, node):
    assert refusal(lambda: node.call("node.list"))["message"] == "unauthorized role: node"
    assert refusal(lambda: client.call("node.event", {"event": "x"}))["message"] == "unauthorized role: operator"
    assert node.call("health")["ok"] is True


def test_approving_commands_takes_the_scopes_that_using_them_takes(gateway, client):
    with NodeClient(gateway.port, gateway.token) as fresh, \
            Client(gateway.port, gateway.token, scopes=["operator.pairing"]) as helper:
        request = next(r for r in helper.call("node.pair.list")["pending"] if r["nodeId"] == fresh.node_id)
        error = refusal(lambda: helper.call("node.pair.approve", {"requestId": request["requestId"]}))
        assert error["message"] == "missing scope: operator.admin"
        assert helper.call("node.pair.reject", {"requestId": request["requestId"]})["nodeId"] == fresh.node_id
        assert client.wait_event("node.pair.resolved", lambda p: p["nodeId"] == fresh.node_id)["decision"] == "rejected"
        assert refusal(lambda: helper.call("node.pair.approve", {"requestId": "nosuch"}))["message"] == \
            "unknown requestId"


def test_a_request_that_was_looked_at_does_not_grow(gateway, client):
    """An operator approves what was shown: more takes a new request, and the one before is void."""
    def request_of(node):
        [request] = [row for row in client.call("node.pair.list")["pending"] if row["nodeId"] == node.node_id]
        return request

    with NodeClient(gateway.port, gateway.token, commands=[]) as modest:
        first = client.wait_event("node.pair.requested", lambda p: p["nodeId"] == modest.node_id)
    with NodeClient(gateway.port, gateway.token, device=modest.device, commands=[]) as same:
        assert request_of(same)["requestId"] == first["requestId"]
    with NodeClient(gateway.port, gateway.token, device=modest.device, commands=["system.run", "system.which"]) as greedy:
        told = client.wait_event("node.pair.requested", lambda p: p["nodeId"] == modest.node_id)
        assert told["commands"] == ["system.run", "system.which"] and told["requestId"] != first["requestId"]
        assert request_of(greedy)["requestId"] == told["requestId"]
        error = refusal(lambda: client.call("node.pair.approve", {"requestId": first["requestId"]}))
        assert error["message"] == "unknown requestId"
        assert row_of(client, greedy)["commands"] == []
    again = client.call("node.pair.request", {"nodeId": modest.node_id})
    assert again["created"] is False and again["request"]["requestId"] == told["requestId"]
    more = client.call("node.pair.request", {"nodeId": modest.node_id, "caps": ["system", "camera"]})
    assert more["created"] is True and more["request"]["commands"] == ["system.run", "system.which"]
    assert request_of(modest)["requestId"] == more["request"]["requestId"] != told["requestId"]


def test_new_commands_of_a_known_node_wait_for_an_operator(gateway, client, node):
    node.socket.close()
    until(lambda: not row_of(client, node)["connected"], 5, "the node is gone")
    with NodeClient(gateway.port, gateway.token, device=node.device,
                    commands=["system.which", "browser.proxy"]) as again:
        assert row_of(client, again)["commands"] == ["system.which"]
        pending = next(r for r in client.call("node.pair.list")["pending"] if r["nodeId"] == node.node_id)
        assert pending["commands"] == ["system.which", "browser.proxy"]
        approve(client, again)
        assert row_of(client, again)["commands"] == ["browser.proxy", "system.which"]


def test_a_name_that_an_operator_gave_stays(client, node):
    renamed = client.call("node.rename", {"nodeId": node.node_id, "displayName": " Attic "})
    assert renamed == {"nodeId": node.node_id, "displayName": "Attic"}
    assert row_of(client, node)["displayName"] == "Attic"
    described = client.call("node.describe", {"nodeId": node.node_id})
    assert described["displayName"] == "Attic" and described["lastSeenReason"] == "connect"
    assert refusal(lambda: client.call("node.describe", {"nodeId": "nosuch"}))["message"] == "unknown nodeId"


def test_being_alive_is_noted_and_not_too_often(client, node):
    alive = {"event": "node.presence.alive", "payloadJSON": json.dumps({"trigger": "manual", "sentAtMs": 1})}
    assert node.call("node.event", alive) == {"ok": True, "event": "node.presence.alive", "handled": True,
                                              "reason": "persisted"}
    assert node.call("node.event", alive)["reason"] == "throttled"
    assert row_of(client, node)["lastSeenReason"] == "manual"
    assert node.call("node.event", {"event": "no.such.event"})["handled"] is False


def test_work_waits_for_a_node_until_it_acknowledges_it(client, node):
    baseline = node.call("node.pending.drain")
    assert [item["id"] for item in baseline["items"]] == ["baseline-status"] and baseline["hasMore"] is False
    queued = client.call("node.pending.enqueue", {"nodeId": node.node_id, "type": "location.request",
                                                  "priority": "high", "expiresInMs": 60000})
    assert queued["queued"]["priority"] == "high" and queued["wakeTriggered"] is False
    again = client.call("node.pending.enqueue", {"nodeId": node.node_id, "type": "location.request"})
    assert again["queued"]["id"] == queued["queued"]["id"]
    drained = node.call("node.pending.drain", {"maxItems": 1})
    assert [item["type"] for item in drained["items"]] == ["location.request"] and drained["hasMore"] is True
    acked = node.call("node.pending.ack", {"ids": [queued["queued"]["id"], "nosuch"]})
    assert acked["remainingCount"] == 0
    assert [item["id"] for item in node.call("node.pending.drain")["items"]] == ["baseline-status"]


def test_a_phone_whose_app_is_hidden_gets_the_command_when_it_is_back(gateway, client):
    with NodeClient(gateway.port, gateway.token, platform="ios", family="iPhone", commands=["camera.list"]) as phone:
        approve(client, phone)
        asked = invoke(client, phone, "camera.list", {"all": True}, "g")
        phone.fail(phone.asked(), "NODE_BACKGROUND_UNAVAILABLE", "the app is in the background")
        error = refusal(lambda: client.answer(asked))
        assert error["details"]["code"] == "QUEUED_UNTIL_FOREGROUND" and error["retryable"] is True
        actions = phone.call("node.pending.pull")["actions"]
        assert [(a["command"], a["paramsJSON"]) for a in actions] == [("camera.list", '{"all":true}')]
        assert actions[0]["id"] == error["details"]["queuedActionId"]
        assert phone.call("node.pending.ack", {"ids": [actions[0]["id"]]})["remainingCount"] == 0
        assert phone.call("node.pending.pull")["actions"] == []
        client.call("node.pair.remove", {"nodeId": phone.node_id})


def test_pairings_and_work_outlive_a_restart(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as operator, NodeClient(running.port, running.token) as node:
        approve(operator, node)
        operator.call("node.pending.enqueue", {"nodeId": node.node_id, "type": "location.request"})
        operator.call("node.rename", {"nodeId": node.node_id, "displayName": "Cellar"})
    running.stop()
    running.start()
    with Client(running.port, running.token) as operator:
        assert row_of(operator, node)["displayName"] == "Cellar" and row_of(operator, node)["connected"] is False
        with NodeClient(running.port, running.token, device=node.device) as again:
            assert row_of(operator, again)["commands"] == ["system.notify", "system.run", "system.which"]
            assert "location.request" in [item["type"] for item in again.call("node.pending.drain")["items"]]


def test_nodes_of_the_original_are_known_once(fresh_gateway):
    running = fresh_gateway()
    folder = os.path.join(running.state_dir, "nodes")
    os.makedirs(folder)
    device = Device()
    now = int(time.time() * 1000)
    known = {"nodeId": device.id, "token": "TOKEN-OF-THE-ORIGINAL", "displayName": "Old Node", "platform": "linux",
             "deviceFamily": "Linux", "version": "0.0.1", "caps": ["system"], "commands": ["system.which"],
             "createdAtMs": 5, "approvedAtMs": 6, "lastConnectedAtMs": 7, "somethingNew": {"x": 1}}
    asking = {"requestId": "b6f5e2ab-0000-4000-8000-000000000001", "nodeId": "0" * 64, "displayName": "New Node",
              "platform": "linux", "commands": ["system.run"], "silent": False, "ts": now - 1000}
    with open(os.path.join(folder, "paired.json"), "w", encoding="utf-8") as file:
        json.dump({device.id: known, "bad": {"nodeId": "bad"}, "odd": 7}, file)
    with open(os.path.join(folder, "pending.json"), "w", encoding="utf-8") as file:
        json.dump({asking["requestId"]: asking, "late": {**asking, "requestId": "late", "ts": 9}}, file)
    running.start()
    with Client(running.port, running.token) as operator:
        listed = operator.call("node.pair.list")
        assert [(row["nodeId"], row["displayName"], row["approvedAtMs"], row["lastConnectedAtMs"])
                for row in listed["paired"]] == [(device.id, "Old Node", 6, 7)]
        assert [(row["requestId"], row["requiredApproveScopes"]) for row in listed["pending"]] == \
            [(asking["requestId"], ["operator.pairing", "operator.admin"])]
        verified = operator.call("node.pair.verify", {"nodeId": device.id, "token": "TOKEN-OF-THE-ORIGINAL"})
        assert verified["ok"] is True and "somethingNew" not in verified["node"]
        with NodeClient(running.port, running.token, device=device, commands=["system.which"]) as node:
            assert row_of(operator, node)["commands"] == ["system.which"]
        operator.call("node.pair.remove", {"nodeId": device.id})
    assert "TOKEN-OF-THE-ORIGINAL" not in running.text()
    running.stop()
    running.start()
    with Client(running.port, running.token) as operator:
        assert operator.call("node.pair.list")["paired"] == []  # taken over once, not at every start


def test_removing_a_device_takes_its_approval_along(gateway, client):
    leaver = NodeClient(gateway.port, gateway.token)
    approve(client, leaver)
    client.call("device.pair.remove", {"deviceId": leaver.node_id})
    assert client.wait_event("node.pair.resolved", lambda p: p["nodeId"] == leaver.node_id and
                             p["decision"] == "removed")
    until(lambda: leaver.node_id not in json.dumps(client.call("node.list")), 5, "the node is forgotten")
    with NodeClient(gateway.port, gateway.token, device=leaver.device) as again:
        assert row_of(client, again)["commands"] == []


def test_the_configured_lists_decide_what_a_node_may_offer(fresh_gateway):
    config = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "token-of-the-tests"},
                          "nodes": {"allowCommands": ["camera.snap"], "denyCommands": ["system.run"]}}}
    running = fresh_gateway(config=config).start()
    with Client(running.port, running.token) as operator, \
            NodeClient(running.port, running.token, commands=["system.run", "camera.snap", "screen.record"]) as node:
        pending = operator.call("node.pair.list")["pending"][0]
        assert pending["commands"] == ["camera.snap"]
        assert pending["requiredApproveScopes"] == ["operator.pairing", "operator.write"]
        approve(operator, node)
        assert row_of(operator, node)["commands"] == ["camera.snap"]
