"""The tap for whoever may have it but is not on this machine: over the protocol, for operator.admin."""

import json
import signal
import subprocess
import time

import pytest

from client import CallError, Client
from gateway import until
from test_process import Control, tap, told
from test_tap import call, lines


def watching(gateway, **params):
    """A client with a tap."""
    client = Client(gateway.port, gateway.token)
    assert client.call("bus.tap.subscribe", params) == {"subscribed": True, "dropped": 0}
    return client


def lines_of(client, is_enough, timeout=20):
    """The lines that come until there are enough of them."""
    deadline, seen = time.monotonic() + timeout, []
    while not is_enough(seen):
        seen += client.wait_event("bus.tap.lines", timeout=max(deadline - time.monotonic(), 0.001))["lines"]
    return seen


def refusal(client, method, **params):
    with pytest.raises(CallError) as caught:
        client.call(method, params)
    return caught.value.error


def count(gateway, *words):
    return len([line for line in gateway.logs() if all(word in line for word in words)])


def remote(gateway, *words):
    """A watcher over the protocol that is attached."""
    before = told(gateway, "tap_attached edge=")
    watcher = subprocess.Popen(gateway.command(*words, "--url", f"ws://127.0.0.1:{gateway.port}", "--token", gateway.token),
                               env=gateway.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: told(gateway, "tap_attached edge=") > before, 20, "the tap")
    return watcher


def ended(watcher):
    watcher.send_signal(signal.SIGINT)
    said = watcher.communicate(timeout=20)
    assert watcher.returncode == 130, said[1]
    return said


# --- the protocol --------------------------------------------------------------------------------------------


def test_lines_come_in_order_and_are_those_that_the_filter_wants(gateway):
    with watching(gateway, filter="method == health && (kind == call || kind == reply) && from != auth") as client:
        assert client.call("health")["ok"]
        first, second = lines_of(client, lambda seen: len(seen) >= 2)[:2]
        assert (first["kind"], first["from"], first["to"]) == ("call", "edge/0", "health") and first["bytes"] > 0
        assert (second["kind"], second["from"], second["to"]) == ("reply", "health", "edge/0")
        assert second["trace"] == first["trace"] and second["ts"] >= first["ts"] > 1.7e12 and second["latencyMs"] >= 0
        assert first["host"] == "main" and "body" not in first and "handled" not in first
        assert client.call("bus.tap.unsubscribe") == {"subscribed": False, "dropped": 0}
        assert client.call("bus.tap.unsubscribe") == {"subscribed": False, "dropped": 0}, "it may be said twice"
        client.events.clear()
        assert client.call("health")["ok"] and client.call("health")["ok"]
        assert not [event for event in client.events if event["event"] == "bus.tap.lines"]


def test_it_reaches_every_process_and_tells_how_long_handlers_take(gateway, topology):
    with watching(gateway, filter="address == agent/main && session == agent:main:far", times=True) as client:
        client.chat("hi", session="agent:main:far")
        seen = lines_of(client, lambda seen: any("handled" in line for line in seen) and any(
            line["from"] == "agent/main" for line in seen))
        taken = next(line for line in seen if "handled" in line)
        assert taken["handled"]["by"] == "agent/main" and taken["handled"]["handlerMs"] > 0
        assert all(line["session"] == "agent:main:far" for line in seen)
        assert next(line for line in seen if line["from"] == "agent/main")["host"] == (
            "agents" if topology != "inproc" else "main")


def test_only_an_administrator_may(gateway):
    with Client(gateway.port, gateway.token) as client:
        listed = client.hello["features"]
        assert {"bus.tap.subscribe", "bus.tap.unsubscribe", "bus.actors.list"} <= set(listed["methods"])
        assert "bus.tap.lines" in listed["events"]
    before = told(gateway, "tap_attached")
    for scopes in (["operator.read"], ["operator.write", "operator.approvals", "operator.pairing"]):
        with Client(gateway.port, gateway.token, scopes=scopes) as client:
            for method in ("bus.tap.subscribe", "bus.tap.unsubscribe", "bus.actors.list"):
                assert "missing scope: operator.admin" in refusal(client, method)["message"]
    assert told(gateway, "tap_attached") == before


def test_bodies_come_on_request_and_without_secrets(gateway):
    with watching(gateway, bodies=True, filter="method ~ auth_* || method == chat.send") as client:
        with Client(gateway.port, gateway.token) as other:
            other.chat("what is in it", session="agent:main:body")
        seen = lines_of(client, lambda seen: any(line["method"] == "auth_connect" and line["kind"] == "call" for line in seen)
                        and any(line["method"] == "chat.send" and line["kind"] == "call" for line in seen))
    said = json.dumps(seen)
    assert gateway.token not in said and "[redacted]" in said
    assert any(line.get("body", {}).get("message") == "what is in it" for line in seen)


def test_what_is_wrong_with_a_filter_is_told(gateway):
    with Client(gateway.port, gateway.token) as client:
        error = refusal(client, "bus.tap.subscribe", filter="to == x && bytez > 3")
        assert error["code"] == "INVALID_REQUEST" and "column 12" in error["message"]
        assert "column 4" in refusal(client, "bus.tap.subscribe", filter="to = x")["message"]
        assert "filter" in refusal(client, "bus.tap.subscribe", filter="x" * 1025)["message"]
        assert "unexpected property" in refusal(client, "bus.tap.subscribe", endpoint="ipc:///tmp/x")["message"]
        assert client.call("bus.tap.subscribe", {"filter": "bytes < 0"})["subscribed"], "nothing is left of those"


def test_one_for_a_connection_and_four_for_all_and_the_owner_has_room(gateway):
    watchers = [watching(gateway, filter="bytes < 0") for _ in range(4)]
    try:
        assert "has a tap" in refusal(watchers[0], "bus.tap.subscribe")["message"]
        with Client(gateway.port, gateway.token) as client:
            error = refusal(client, "bus.tap.subscribe")
            assert error["code"] == "UNAVAILABLE" and error["retryable"] and "4 clients" in error["message"]
            owner = tap(gateway, "--filter", "method == health", "--count", "1")
            until(lambda: call(gateway) and owner.poll() is not None, 20, "the owner's own tap")
            owner.communicate(timeout=10)
            assert watchers.pop().call("bus.tap.unsubscribe")["subscribed"] is False
            assert client.call("bus.tap.subscribe", {"filter": "bytes < 0"})["subscribed"]
    finally:
        for watcher in watchers:
            watcher.socket.close()


def test_who_comes_and_goes_is_logged(gateway):
    client = watching(gateway, filter="method == nothing")
    name = client.hello["server"]["connId"]
    until(lambda: count(gateway, "tap_attached", f"conn={name}", "principal=", "ip=127.0.0.1", "method == nothing") == 1,
          15, "the line of the log")
    client.socket.sock.close()  # without a word
    until(lambda: count(gateway, "tap_detached", f"conn={name}") == 1, 15, "its end")


def test_the_tap_does_not_see_itself(gateway):
    with watching(gateway) as client:
        until(lambda: client.call("health") and True, 5, "a call")
        deadline, seen = time.monotonic() + 1, []
        while time.monotonic() < deadline:  # what is there without anybody asking, for a second
            try:
                seen += client.wait_event("bus.tap.lines", timeout=deadline - time.monotonic())["lines"]
            except (TimeoutError, OSError):
                break
        assert not [line for line in seen if line.get("topic") == "bus.tap.lines"]
        assert len([line for line in seen if line.get("method") == "bus.operate"]) <= 1, "that it is attached"
        assert len(seen) < 100, "each event would make another one otherwise"


def test_a_slow_reader_loses_lines_first_and_is_told_and_holds_nobody_up(fresh_gateway):
    running = fresh_gateway().start()
    with watching(running, bodies=True, filter="method == chat.history && kind == reply") as slow, \
            Client(running.port, running.token) as other:
        for _ in range(30):
            other.chat("x" * 7000, session="agent:main:long", timeout=60)
        longest = 0
        for _ in range(60):  # about 400 kB each
            began = time.monotonic()
            other.call("chat.history", {"sessionKey": "agent:main:long", "limit": 100, "maxChars": 500000})
            longest = max(longest, time.monotonic() - began)
        assert longest < 5
        number = slow.send("health")
        assert slow.answer(number, timeout=60)["ok"], "it is not cut off, and its answers come"
        until(lambda: slow.wait_event("bus.tap.lines", timeout=20)["dropped"] > 0, 30, "the number of lost lines")
        assert slow.call("bus.tap.unsubscribe", timeout=60)["dropped"] > 0


def test_the_end_of_a_credential_is_the_end_of_the_tap(fresh_gateway):
    running = fresh_gateway().start()
    client = watching(running)
    name = client.hello["server"]["connId"]
    with open(running.config_path, encoding="utf-8") as file:
        text = file.read()
    with open(running.config_path, "w", encoding="utf-8") as file:
        file.write(text.replace(running.token, "another-token-than-before"))
    assert client.wait_closed(20)[0] == 4001
    until(lambda: count(running, "tap_detached", f"conn={name}") == 1, 10, "the end of the tap")
    running.token = "another-token-than-before"


def test_a_tap_ends_with_its_edge_and_leaves_nothing_behind(fresh_gateway):
    running = fresh_gateway().start()
    names = []
    for _ in range(3):
        watchers = [watching(running, filter="bytes < 0") for _ in range(4)]
        names += [watcher.hello["server"]["connId"] for watcher in watchers]
        with Control(running) as control:
            assert control.line(json.dumps({"op": "restart", "address": "edge/0"}) + "\n")["ok"]
        for watcher in watchers:
            assert watcher.wait_closed(20)[0] == 1012
        until(lambda: all(count(running, "tap_detached", f"conn={name}") == 1 for name in names), 15, "the end of the taps")
        until(lambda: running.get("/readyz")[0] == 200, 20, "the edge")


def test_the_actors_are_listed(gateway):
    with Client(gateway.port, gateway.token) as client:
        listed = client.call("bus.actors.list")
    local = json.loads(gateway.cli("bus", "actors", "--json").stdout)
    assert {actor["address"] for actor in listed["actors"]} == {actor["address"] for actor in local["actors"]}
    assert {host["name"] for host in listed["hosts"]} == {host["name"] for host in local["hosts"]}
    assert all(host["rssBytes"] > 1 << 20 for host in listed["hosts"])


# --- the commands --------------------------------------------------------------------------------------------


def test_tap_shows_the_same_from_afar(gateway, tmp_path):
    """One recording over the protocol and one over the control socket, of the same messages."""
    paths = [str(tmp_path / name) for name in ("near.tap", "far.tap")]
    words = ["--bodies", "--times", "--filter", "session == agent:main:twice && method == chat.send", "--record"]
    near, far = tap(gateway, *words, paths[0]), remote(gateway, "bus", "tap", *words, paths[1])
    for number in range(3):
        assert call(gateway, "chat.send", sessionKey="agent:main:twice", message="hi", idempotencyKey=f"twice{number}")
    ended(near), ended(far)
    read = [lines(gateway.cli("bus", "tap", "--read", path, "--json", "--bodies")) for path in paths]
    assert len(read[0]) >= 9 and read[0] == read[1]
    captures = []
    for path in paths:
        with open(path + ".pcap", "wb") as file:
            subprocess.run(gateway.command("bus", "tap", "--read", path, "--pcap"), stdout=file, check=True,
                           env=gateway.environment, timeout=30)
        with open(path + ".pcap", "rb") as file:
            captures.append(file.read())
    assert captures[0] == captures[1], "to the last number of the header"


def test_tap_ends_by_number_and_explains_what_goes_wrong(gateway):
    watcher = remote(gateway, "bus", "tap", "--json", "--count", "2", "--filter", "method == health && kind == call")
    until(lambda: call(gateway) and watcher.poll() is not None, 20, "two envelopes")
    said = watcher.communicate(timeout=10)[0]
    assert watcher.returncode == 0 and len(said.splitlines()) == 2
    url = f"ws://127.0.0.1:{gateway.port}"
    done = gateway.cli("bus", "tap", "--url", url, "--token", "wrong-one", "--count", "1")
    assert done.returncode not in (0, 2) and "token" in done.stderr
    done = gateway.cli("bus", "tap", "--url", url, "--token", gateway.token, "--filter", "to = x")
    assert done.returncode == 2 and "column 4" in done.stderr
    done = gateway.cli("bus", "tap", "--url", "ws://127.0.0.1:1", "--token", "x", "--count", "1")
    assert done.returncode == 69 or "refused" in done.stderr


def test_trace_from_afar(gateway):
    tracer = remote(gateway, "bus", "trace", "--json", "--filter", "method == chat.send")
    assert call(gateway, "chat.send", sessionKey="agent:main:fartrace", message="hi", idempotencyKey="fartrace")
    traced = json.loads(tracer.communicate(timeout=30)[0])
    way = [(one["kind"], one["from"], one["to"]) for one in traced["messages"]]
    assert way[0] == ("call", "edge/0", "router") and ("call", "edge/0", "agent/main") in way
    assert traced["messages"][0]["handlerMs"] > 0 and traced["messages"][0]["answerMs"] > 0


def test_top_from_afar(gateway):
    top = remote(gateway, "bus", "top", "--json", "--once", "--interval", "2")
    with Client(gateway.port, gateway.token) as client:
        until(lambda: client.call("health") and top.poll() is not None, 20, "one look")
    look = json.loads(top.communicate(timeout=10)[0])
    health = {actor["address"]: actor for actor in look["actors"]}["health"]
    assert health["inPerSecond"] > 1 and health["waitMs"]["n"] > 1 and health["answerMs"]["n"] > 1
    assert all(host["rssBytes"] > 1 << 20 for host in look["hosts"]) and look["dropped"] == 0


def test_a_gateway_that_ends_is_told_and_waited_for(fresh_gateway):
    running = fresh_gateway().start()
    watcher = remote(running, "bus", "tap", "--json", "--filter", "bytes < 0")
    running.process.terminate()
    assert "the gateway has gone away" in watcher.stderr.readline()
    assert ended(watcher) == ("", "")
