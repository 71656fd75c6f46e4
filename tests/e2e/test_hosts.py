"""Agents on another machine: joining, being refused, dying, hanging, and coming back. Only the network is left out."""

import contextlib
import datetime
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

import msgpack
import pytest

from client import CallError, Client
from gateway import BINARY, Gateway, free_port, until
from tcp_relay import Relay
from trunk_peer import CALL, DATA, HELLO, REFUSED, WELCOME, Peer

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") != "tcp", reason="about links between machines")
DETECTED_S = 2.0  # what is promised of a host that is not heard of
TOLD_S = 0.9      # the end of a connection is told by the kernel; silence would take a second at least
STALL_S = 0.35    # so long at one piece of work, and it is looked into
SLACK_S = 0.5     # for a busy machine, and a build with a sanitizer


with open(BINARY, "rb") as file:
    SLOWNESS = 5 if any(name in file.read() for name in (b"libasan", b"libtsan")) else 1  # of bus/process_pulse


@pytest.fixture
def running():
    with Gateway("tcp") as made:
        yield made


def say(client, text, key, timeout=20):
    """One turn, to its end; what the agent said."""
    started = client.call("chat.send", {"sessionKey": "main", "message": text, "idempotencyKey": key}, timeout=timeout)
    run = started["runId"]
    final = client.wait_event("chat", lambda p: p.get("runId") == run and p.get("state") == "final", timeout)
    return final["message"]["content"][0]["text"]


def complete(gateway, text="hello", timeout=20):
    return gateway.complete({"model": "openclaw", "messages": [{"role": "user", "content": text}]}, timeout=timeout)


def works(gateway):
    with contextlib.suppress(OSError):
        return complete(gateway)[0] == 200
    return False


def child(gateway):
    """The process with the agents."""
    for pid in gateway.children():
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read()
            with open(f"/proc/{pid}/environ", "rb") as file:
                if b"host-child" in command and b"OPENCLAW_BUS_HOST=agents\0" in file.read():
                    return pid
    return None


def host(gateway, name="agents"):
    done = gateway.cli("bus", "actors", "--json")
    assert done.returncode == 0, done.stderr
    return [each for each in json.loads(done.stdout)["hosts"] if each["name"] == name][0]


def failed_calls(gateway, until_s):
    """How long it took until a call was refused, and how long the refusal itself took."""
    began = time.monotonic()
    with Client(gateway.port, gateway.token) as client:
        while time.monotonic() - began < until_s:
            asked = time.monotonic()
            try:
                client.call("chat.history", {"sessionKey": "main"}, timeout=until_s)
            except CallError as error:
                return time.monotonic() - began, time.monotonic() - asked, error
            time.sleep(0.05)
    raise AssertionError(f"no call failed within {until_s} s")


def test_what_the_agent_keeps_is_where_it_runs(running):
    assert works(running)
    at_home = os.listdir(os.path.join(running.state_dir, "db"))
    away = os.listdir(os.path.join(running.elsewhere.state_dir, "db"))
    assert "agent-main.sqlite" in away
    assert not [name for name in at_home if name.startswith("agent-")]


def test_operators_see_the_actors_of_the_other_machine(running):
    assert works(running)
    told = json.loads(running.cli("bus", "actors", "--json").stdout)
    agent = [row for row in told["actors"] if row["address"] == "agent/main"][0]
    assert agent["host"] == "agents" and agent["state"] == "ready" and agent["pid"] == child(running)
    assert host(running)["link"] == "tcp" and host(running, "main")["link"] == "ipc"
    graph = json.loads(running.cli("bus", "graph", "--json").stdout)
    assert "agent/main" in json.dumps(graph)
    top = running.cli("bus", "top", "--once", "--json")
    assert top.returncode == 0 and "agent/main" in top.stdout


def test_one_request_is_traced_across_machines(running):
    assert works(running)
    trace = subprocess.Popen(running.command("bus", "trace", "--filter", "method == agent_run", "--json"),
                             env=running.environment, stdout=subprocess.PIPE, text=True)
    until(lambda: sum("tap_attached" in line for line in running.logs()) >= 3, 10, "the tap in every process")
    assert works(running)
    told, _ = trace.communicate(timeout=20)
    assert trace.returncode == 0
    assert '"agent/main"' in told and '"edge/0"' in told and "agents" in told, told[:2000]


def attached(gateway):
    return sum("tap_attached" in line for line in gateway.logs())


def test_a_run_is_part_of_the_trace_of_whoever_asked_for_it(running):
    before = attached(running)
    trace = subprocess.Popen(running.command("bus", "trace", "--filter", "method == chat.send", "--json"),
                             env=running.environment, stdout=subprocess.PIPE, text=True)
    until(lambda: attached(running) >= before + 3, 10, "the tap in every process")
    with Client(running.port, running.token) as client:
        client.chat("far away", session="agent:main:trace")
    told = json.loads(trace.communicate(timeout=20)[0])["messages"]
    events = [one for one in told if one["kind"] == "publish" and one["host"] == "agents" and one["to"] == "edge/0"]
    assert {"chat", "agent", "session.message"} <= {one["topic"] for one in events}, told


def test_a_client_sees_what_the_other_machine_says(running):
    with Client(running.port, running.token) as client:
        assert client.call("bus.tap.subscribe", {"filter": "from == agent/main && topic == chat"})["subscribed"]
        client.chat("seen from afar", session="agent:main:seen")
        line = client.wait_event("bus.tap.lines")["lines"][0]
        assert (line["host"], line["from"], line["topic"]) == ("agents", "agent/main", "chat")


def test_a_key_that_nobody_has_allowed_does_not_come_in_until_somebody_does(running):
    assert running.cli("bus", "deny", "agents").returncode == 0
    # A live link ends at once.
    until(lambda: host(running)["state"] == "stopped", DETECTED_S, "the end of the link")
    assert "denied" in host(running)["lastEnd"]
    took, refusal, error = failed_calls(running, 5)
    assert took < SLACK_S and refusal < SLACK_S and error.code == "UNAVAILABLE"
    until(lambda: any("trunk_key_refused" in line for line in running.logs()), 10, "the refusal")
    assert running.elsewhere.process.poll() is None  # it waits
    until(lambda: "trunk_waiting" in running.elsewhere.text(), 10, "the reason, on the other side")
    assert running.cli("bus", "allow", "agents", running.elsewhere.key).returncode == 0
    until(lambda: works(running), 15, "work after it was allowed again")


def test_a_host_that_has_not_come_yet_is_known(fresh_gateway):
    running = fresh_gateway()
    running.elsewhere.start = lambda: None
    running.spawn()
    until(lambda: "host agents is stopped: it has not joined: start it on its machine" in running.cli("bus", "actors").stdout, 15)
    with Client(running.port, running.token) as client:
        until(lambda: "host/agents is stopped: it has not joined: start it" in json.dumps(client.call("health", {"probe": True})),
              10, "the word of health")


def test_a_host_that_knocks_and_is_not_allowed_is_told_of_with_what_lets_it_in(running):
    def health():
        with Client(running.port, running.token) as client:
            return client.call("health", {"probe": True})

    def told(text):
        return text in json.dumps(health(), ensure_ascii=False)

    key = running.elsewhere.key
    assert works(running)
    assert running.cli("bus", "deny", "agents").returncode == 0
    allows = f"openclaw bus allow agents '{key}'".replace("\\", "\\\\")
    until(lambda: told(f"host/agents is stopped: its key was denied, and it knocks; this lets it in again: {allows}"), 15,
          "the word of one that was here")
    # A gateway that has not met it does not know whose key that is.
    running.process.kill()
    running.process.wait(10)
    running.spawn()
    until(lambda: "it has not joined: 127.0.0.1 knocks with a key that is not allowed" in running.cli("bus", "actors").stdout, 20,
          "the word of a stranger")
    until(lambda: told(f"host/agents is stopped: 127.0.0.1 knocks with a key that is not allowed; if it is this host: {allows}"),
          10, "the same in health")
    done = running.cli("bus", "call", "agent/main", "agent_status")
    assert done.returncode != 0 and "(host agents: it has not joined)" in done.stderr, done.stderr
    assert told("agent/main is absent: host agents: it has not joined")
    assert running.cli("bus", "allow", "agents", key).returncode == 0
    until(lambda: works(running), 15, "work after it was allowed")
    until(lambda: not told("knocks"), 10, "health without it")


def test_a_host_that_was_denied_is_known_as_denied_on_both_sides(running):
    def told(environment, *words):
        done = running.cli(*words, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def there(name):
        return json.loads(told(running.elsewhere.environment, "bus", "actors", "--json"))["hosts"][0].get(name, "")

    def health():
        with Client(running.port, running.token) as client:
            return json.dumps(client.call("health", {"probe": True}))

    assert works(running) and "denied" not in health()
    assert running.cli("bus", "deny", "agents").returncode == 0
    until(lambda: "host/agents is stopped: its key was denied" in health(), 10, "the word of health")
    assert "host agents is stopped: it has not joined: its key was denied" in told(None, "bus", "actors")
    until(lambda: "key of this host was denied" in there("lastEnd"), 10, "the reason, on the other side")
    until(lambda: "host agents is starting; before, it ended: " in told(running.elsewhere.environment, "bus", "actors"),
          10, "its next life")
    shown = told(running.elsewhere.environment, "bus", "actors")
    assert "key of this host was denied" in shown and "no such actor" not in shown, shown
    until(lambda: "host_ended" in running.elsewhere.text(), 10, "its log")
    assert any("host_ended" in line and "was denied" in line for line in running.elsewhere.text().splitlines())
    assert "host_died" not in running.elsewhere.text() and "went down" not in running.elsewhere.text()
    assert running.cli("bus", "allow", "agents", running.elsewhere.key).returncode == 0
    until(lambda: works(running), 15, "work after it was allowed again")
    until(lambda: "denied" not in health(), 10, "health without it")


def test_a_host_that_dies_is_started_again_with_all_it_had_acknowledged(running):
    with Client(running.port, running.token) as client:
        assert say(client, "before", "k-1") == "Echo: before"
        os.kill(child(running), signal.SIGKILL)
        until(lambda: works(running), 10, "work")
        until(lambda: "before" in json.dumps(client.call("chat.history", {"sessionKey": "main"})), 5, "the transcript")
        assert client.call("chat.send", {"sessionKey": "main", "message": "before", "idempotencyKey": "k-1"})["status"] == "ok"


def test_the_machine_of_a_host_is_known_as_one(running):
    """It has no config, and needs none."""
    environment = {**running.elsewhere.environment}
    environment.pop("OPENCLAW_CONFIG_PATH", None)

    def asked(*words):
        return subprocess.run([BINARY, *words], env=environment, capture_output=True, text=True, timeout=30, check=False)

    until(lambda: works(running), 15, "work")
    found = json.loads(asked("doctor", "--json").stdout)["findings"]
    assert not [each for each in found if each["severity"] == "error"], found
    told = [each["severity"] for each in found if 'the host "agents" runs here' in each["message"]]
    assert told == ["info"] and "cannot be asked" not in json.dumps(found), found
    shown = asked("gateway", "status").stdout
    assert 'it is the host "agents"' in shown and "openclaw.log" not in shown, shown
    assert json.loads(asked("gateway", "status", "--json").stdout)["logFile"] is None
    shown = running.cli("gateway", "status").stdout
    assert os.path.exists(json.loads(running.cli("gateway", "status", "--json").stdout)["logFile"])
    assert "it is the host" not in shown and "openclaw.log" in shown, shown


def shown_last(side, bad, good):
    """On standard error, where who has read that it was lost reads on."""
    lines = [line for line in side.text().splitlines() if bad in line or good in line]
    assert any(bad in line for line in lines), side.text()
    return good in lines[-1]


def test_a_host_that_is_not_heard_of_fails_calls_at_once_and_goes_on_where_it_was(running):
    assert works(running)
    pids = child(running), running.elsewhere.process.pid
    # Both, as the one would kill the other for standing still: so it is as if the machine slept.
    for pid in reversed(pids):
        os.kill(pid, signal.SIGSTOP)
    try:
        took, refusal, error = failed_calls(running, 6)
        assert took < DETECTED_S + SLACK_S, took
        assert error.code == "UNAVAILABLE" and error.error.get("retryAfterMs"), error.error
        assert failed_calls(running, 1)[0] < SLACK_S  # and from now on at once
        assert host(running)["state"] == "unresponsive"
        assert running.get("/healthz")[0] == 200  # everything else serves on
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until(lambda: works(running), 5, "work")
    until(lambda: shown_last(running, "host_unresponsive host=agents", "host_responds host=agents"), 5, "the good news")
    until(lambda: shown_last(running.elsewhere, "trunk_lost host=agents", "trunk_healed host=agents"), 5, "and there")
    assert (child(running), running.elsewhere.process.pid) == pids
    assert host(running)["incarnation"] == 1


def test_a_process_that_is_stopped_there_is_found_out_in_time(running):
    """Its supervisor, which goes on, kills it; that is seen here by the end of its connection."""
    assert works(running)
    os.kill(child(running), signal.SIGSTOP)
    took, _, error = failed_calls(running, 6)
    assert took < DETECTED_S + SLACK_S, took
    assert error.code == "UNAVAILABLE" and error.error.get("retryAfterMs"), error.error
    until(lambda: works(running), 15, "work")
    until(lambda: "host_hung" in running.elsewhere.text(), 5, "the log of its supervisor")


def test_an_actor_that_hangs_there_is_found_out_before_its_process_is_ended(tmp_path):
    """OpenSSL opens the file of authorities, which is a pipe to which nobody writes."""
    pipe = tmp_path / "authorities.pem"
    os.mkfifo(pipe)
    with socket.create_server(("127.0.0.1", 0)) as provider:
        config = {"models": {"providers": {"mute": {
                      "api": "openai-completions", "baseUrl": f"https://127.0.0.1:{provider.getsockname()[1]}/v1",
                      "apiKey": "k", "models": [{"id": "m", "name": "m"}], "request": {"tls": {"ca": str(pipe)}}}}},
                  "agents": {"defaults": {"model": "mute/m"}}}
        with Gateway("tcp", config=config) as running, Client(running.port, running.token) as client:
            pid = child(running)
            client.send("chat.send", {"sessionKey": "agent:main:x", "message": "hello", "idempotencyKey": "k1"})
            began = time.monotonic()
            with pytest.raises(CallError) as failed:
                while time.monotonic() - began < 10:
                    client.call("chat.history", {"sessionKey": "agent:main:x"})
            took = time.monotonic() - began
            assert took < DETECTED_S + SLACK_S + (SLOWNESS - 1) * STALL_S, took
            assert failed.value.code == "UNAVAILABLE" and failed.value.error["retryAfterMs"] > 0
            rows = json.loads(running.cli("bus", "actors", "--json").stdout)["actors"]
            assert [row["state"] for row in rows if row["address"] == "agent/main"] == ["unresponsive"]
            assert host(running)["state"] == "ready" and child(running) == pid, "it is an actor that hangs, not its process"
            assert "agent/main is unresponsive" in json.dumps(client.call("health", {"probe": True}))
            until(lambda: any("actor_unresponsive actor=agent/main host=agents" in line for line in running.logs()), 5, "the log")
            os.rename(pipe, tmp_path / "gone")  # so that it does not hang again when it tries again
            os.close(os.open(tmp_path / "gone", os.O_WRONLY))
            until(lambda: any("actor_responds actor=agent/main host=agents" in line for line in running.text().splitlines()), 5,
                  "its return, shown as its silence was")
            assert client.call("chat.history", {"sessionKey": "agent:main:x"})["messages"]
            assert child(running) == pid


def test_a_gateway_that_starts_again_gets_its_hosts_back(running):
    assert works(running)
    keeper = running.elsewhere.process.pid
    running.process.send_signal(signal.SIGKILL)
    running.process.wait(10)
    until(lambda: len(running.processes()) <= 2, 10, "the end of what the gateway had started")
    running.start()
    until(lambda: works(running), 20, "work")
    assert running.elsewhere.process.pid == keeper


def stamps(text, words):
    """When that was logged, in seconds."""
    found = re.findall(rf"^(\S+)Z \w+ {words}", text, re.M)
    return [datetime.datetime.fromisoformat(each).timestamp() for each in found]


def test_a_host_knows_at_once_that_the_gateway_was_killed_and_is_back_soon_after_it(running):
    assert works(running)
    lost = len(stamps(running.elsewhere.text(), "trunk_lost"))
    killed = time.time()
    running.process.send_signal(signal.SIGKILL)
    until(lambda: len(stamps(running.elsewhere.text(), "trunk_lost")) > lost, 10, "the loss")
    assert stamps(running.elsewhere.text(), "trunk_lost")[-1] - killed < TOLD_S
    running.process.wait(10)
    until(lambda: len(running.processes()) <= 2, 10, "the end of what the gateway had started")
    running.start()
    until(lambda: works(running), 20, "work")
    asked = stamps(running.elsewhere.text(), "trunk_refused")[-1]
    assert asked - stamps(running.text(), "trunk_listening")[-1] < TOLD_S, "it asks again soon, while that is likely to help"


def test_a_host_that_is_killed_with_its_keeper_fails_calls_at_once(running):
    assert works(running)
    with Client(running.port, running.token) as client:
        client.call("chat.history", {"sessionKey": "main"})
        running.elsewhere.process.kill()  # its child dies with it
        running.elsewhere.process.wait(10)
        took, refusal, error = failed_calls(running, 5)
    assert took < TOLD_S and refusal < TOLD_S and error.code == "UNAVAILABLE", (took, refusal, error.error)
    running.elsewhere.start()
    until(lambda: works(running), 20, "work")


@pytest.fixture
def relayed():
    """A gateway, and somebody on the way to it."""
    made, way = Gateway("tcp"), free_port()
    with open(made.elsewhere.topology_path, encoding="utf-8") as file:
        text = file.read()
    port = int(re.search(r'endpoint: "tcp://127.0.0.1:(\d+)"', text).group(1))
    with open(made.elsewhere.topology_path, "w", encoding="utf-8") as file:
        file.write(text.replace(f'endpoint: "tcp://127.0.0.1:{port}"',
                                f'endpoint: "tcp://127.0.0.1:{way}", listen: "tcp://127.0.0.1:{port}"'))
    with Relay(way, port) as relay, made:
        yield made, relay


def test_a_connection_that_somebody_on_the_way_forgets_is_made_again_before_calls_end(relayed):
    running, relay = relayed
    assert works(running)
    keys, refused = [f"k-{number}" for number in range(12)], []
    with Client(running.port, running.token) as client:
        def sent(key):
            try:
                return client.call("chat.send", {"sessionKey": "main", "message": key, "idempotencyKey": key}, 10)
            except CallError as error:
                assert error.code == "UNAVAILABLE" and error.error["retryable"], error
                refused.append(key)
        for number, key in enumerate(keys):
            if number % 4 == 2:
                assert relay.forget() == 1
            run = until(lambda: sent(key), 10, "a call")["runId"]
            client.wait_event("chat", lambda p: p.get("runId") == run and p.get("state") == "final", 10)
        said = json.dumps(client.call("chat.history", {"sessionKey": "main", "limit": 1000}))
    assert [said.count(f'"{key}"') for key in keys] == [1] * len(keys), "lost or doubled"
    assert sorted(keys, key=said.index) == keys, "reordered"
    assert len(set(refused)) < 3, "not even one of three was back in time"  # one may not be, on a busy machine
    assert host(running)["incarnation"] == 1, "something was started again"


def test_a_host_that_ends_in_order_says_so(running):
    assert works(running)
    running.elsewhere.stop()
    until(lambda: host(running)["state"] == "stopped", 10, "the goodbye")
    assert "ended in order" in host(running)["lastEnd"]
    with Client(running.port, running.token) as client:
        def health():
            return json.dumps(client.call("health", {"probe": True}))
        until(lambda: "host/agents is stopped: it has ended in order" in health(), 10, "why its agents are absent")
        running.elsewhere.start()
        until(lambda: works(running), 15, "work")
        until(lambda: "host/agents is" not in health(), 10, "health without it")


@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_of_the_gateway_tells_who_waits_for_an_agent_that_goes_on(provider, stream):
    """The agent does not end with the gateway, so its end is not what tells them."""
    with Gateway("tcp", config=provider.config()) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        try:
            text = f"{'STALL' if stream else 'NOHEAD'} until the gateway ends"
            connection.request("POST", "/v1/chat/completions", json.dumps(
                {"model": "openclaw", "stream": stream, "messages": [{"role": "user", "content": text}]}),
                {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"})
            until(lambda: provider.stats()["texts"].get(text), 10, "the request at the provider")
            if stream:
                answer = connection.getresponse()
                assert answer.status == 200 and answer.readline().startswith(b"data: ")
            running.process.terminate()
            if not stream:
                answer = connection.getresponse()
                assert answer.status == 503 and answer.getheader("Retry-After") == "1"
            told = answer.read().decode()  # whole: what is broken off raises IncompleteRead
        finally:
            connection.close()
        assert "the gateway is stopping" in told and "[DONE]" not in told
        assert running.process.wait(15) == 0


# --- another release, or somebody who only says so -------------------------------------------------------------------


@pytest.fixture
def alone(running):
    """A gateway whose host is away, so that somebody else may speak for it."""
    running.elsewhere.stop()
    until(lambda: host(running)["state"] == "stopped", 10, "the goodbye")
    return running


@pytest.mark.parametrize("changes, says", [({"host": "main"}, "was allowed for host \"agents\""),
                                           ({"session": 77}, "knows nothing of this life"),
                                           ({"least": "x"}, "does not understand")])
def test_a_greeting_that_does_not_fit_is_refused(alone, changes, says):
    with Peer(alone) as peer:
        peer.hello(**changes)
        kind, (refused,) = peer.hear()
        assert kind == REFUSED and says in refused["reason"]


def test_nobody_speaks_for_actors_of_another_host(alone):
    with Peer(alone) as peer:
        peer.hello()
        assert peer.hear()[0] == WELCOME
        header = msgpack.packb([1, 4, 1, 0, "config", "health", "bus.state", 1000, bytes(16), 0, "", 1, "", 0])
        peer.send(DATA, header, msgpack.packb({}), number=1)
        until(lambda: any("trunk_word_refused" in line for line in alone.logs()), 5, "the refusal")
        assert host(alone)["state"] == "stopped"
    assert alone.get("/healthz")[0] == 200


RULING_WORDS = [
    ("supervisor", "bus.listen", {"host": "0.0.0.0", "port": 1, "take": True}, {"kind": CALL}),
    ("supervisor", "bus.host_down", {"host": "main", "life": 5, "retryAfterMs": 0}, {}),
    ("supervisor", "bus.restart", {"address": "auth"}, {}),
    ("supervisor", "bus.despawn", {"address": "auth"}, {}),
    ("host/main", "bus.stop", {}, {}),
    ("host/main", "bus.tap", {"endpoint": "ipc:///x", "filter": "", "bodies": True, "on": True}, {"kind": CALL}),
    ("supervisor", "bus.sync", {"entries": []}, {"sender": "agent/main"}),
    ("host/main", "bus.stop", {}, {"sender": "supervisor", "via": "host/agents"}),
    ("config", "config.get", {}, {"kind": CALL, "sender": "auth", "via": "agent/main"}),
]


def test_what_is_the_gateways_to_say_a_host_does_not_say(alone):
    def refusals():
        return sum('"event":"trunk_word_refused"' in line for line in alone.logs())

    for n, (to, name, body, how) in enumerate(RULING_WORDS):
        with Peer(alone) as peer:
            peer.join()
            assert refusals() == n
            peer.say(to, name, body, **how)
            until(lambda: refusals() == n + 1, 5, f"the refusal of {name}")
    assert host(alone)["state"] != "ready"
    assert alone.get("/healthz")[0] == 200


def test_a_host_tells_of_its_own_actors_alone(alone):
    def state(address):
        rows = json.loads(alone.cli("bus", "actors", "--json").stdout)["actors"]
        return next(((row["host"], row["state"]) for row in rows if row["address"] == address), None)

    def entry(address):
        return {"address": address, "host": "agents", "endpoint": "ipc:///x", "incarnation": 1 << 16, "life": 2,
                "retryAfterMs": 0, "status": ""}

    with Peer(alone) as peer:
        peer.join()
        peer.say("supervisor", "bus.sync", {"topics": [{"name": "config_changed", "address": "auth", "host": "agents", "on": True}],
                                            "entries": [entry("auth"), entry("agent/told")]})
        until(lambda: any("peer_misbehaves" in line and "from=host/agents" in line for line in alone.logs()), 5, "the log")
        health = json.loads(alone.cli("health", "--json").stdout)
        assert "not its own" in json.dumps(health), health
        assert state("auth") == ("main", "ready")
        assert "agent/told" in alone.cli("bus", "actors", "--json").stdout  # while this is one of its own
        with Client(alone.port, alone.token) as client:  # auth itself lets in
            assert client.call("health")


def test_a_denied_key_does_not_join_again_by_the_connection_that_it_has(alone):
    with Peer(alone) as peer:
        peer.join()
        assert alone.cli("bus", "deny", "agents").returncode == 0
        for _ in range(2):
            refused = next(frames[0] for kind, frames in iter(peer.hear, None) if kind == REFUSED)
            assert refused["reason"] == "the key of this host was denied" and refused["final"]
            peer.hello()
        until(lambda: any("trunk_refused" in line and "was denied" in line for line in alone.logs()), 5, "the log")
        assert host(alone)["state"] == "stopped"


def test_what_is_no_message_harms_nobody(alone):
    with Peer(alone) as peer:
        for frames in ([b""], [b"\x04"], [b"x" * 4000], [b"", b"", b"", b"", b""], [bytes([HELLO, 0]) + bytes(16)],
                       [bytes([DATA, 0]) + bytes(16), b"", b""], [bytes([9, 0]) + bytes(16)]):
            peer.socket.send_multipart(frames)
        peer.hello()
        assert peer.hear()[0] in (WELCOME, REFUSED)
    alone.elsewhere.start()
    until(lambda: works(alone), 15, "work")
