"""Hosts that are programs of their own: the channel of docs/examples/lines, and one that breaks the rules of the bus."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess

import pytest

from client import Client
from gateway import ROOT, Gateway, until
from test_process import hosts, is_whole, tap, told

CHANNEL = os.path.join(ROOT, "docs/examples/lines/lines_channel.py")
ROGUE = os.path.join(ROOT, "tests/support/rogue_host.py")
pytestmark = pytest.mark.usefixtures("only_once")


def actors_of(name):
    with open(os.path.join(ROOT, "deploy/topologies", name), encoding="utf-8") as file:
        return re.findall(r'"([^"]+)"', file.read())


def with_host(running, name, **host):
    """Gives this gateway a topology with one host more."""
    path = os.path.join(running.state_dir, "topology.json5")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"hosts": {"main": {"actors": actors_of("single.json5")}, name: host}}, file)
    running.arguments += ["--topology", path]
    return running


def lines_gateway(running, program=CHANNEL, **more):
    return with_host(running, "lines", actors=["channel/lines"],
                     exec=[program, "--state", os.path.join(running.state_dir, "lines.db")], **more)


def rogue_gateway(running, manner, **more):
    return with_host(running, "rogue", actors=["rogue"], exec=[ROGUE, manner], **more).start()


def pid_of(running, name):
    return next(host["pid"] for host in hosts(running) if host["name"] == name)


def actor_rows(running):
    done = running.cli("bus", "actors", "--json")
    assert done.returncode == 0, done.stderr
    return {row["address"]: row for row in json.loads(done.stdout)["actors"]}


class Person:
    def __init__(self, running, name):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        path = os.path.join(running.state_dir, "run/lines.sock")

        def connected():
            with contextlib.suppress(OSError):
                self.sock.connect(path)
                return True

        until(connected, 15, "the channel")
        self.file = self.sock.makefile("rw", encoding="utf-8")
        self.say(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def say(self, text):
        self.file.write(text + "\n")
        self.file.flush()

    def hears(self):
        return self.file.readline().rstrip("\n")


@pytest.fixture(scope="module")
def lines(topology):
    """One gateway with the channel, for those who break nothing."""
    if topology != "inproc":
        yield None
        return
    with lines_gateway(Gateway(topology)) as running:
        until(lambda: is_whole(running), 20, "the channel's host")
        yield running


# --- a channel ----------------------------------------------------------------------------------------------------


def test_a_program_of_its_own_answers_like_a_channel(lines):
    with Person(lines, "ada") as ada, Person(lines, "bob") as bob:
        ada.say("hello")
        bob.say("good morning")
        assert "hello" in ada.hears()
        assert "good morning" in bob.hears()
    with Client(lines.port, lines.token) as client:
        keys = [row["key"] for row in client.call("sessions.list")["sessions"]]
        assert {"agent:main:lines:ada", "agent:main:lines:bob"} <= set(keys)
        account = client.call("channels.status", {"probe": True})["channelAccounts"]["lines"][0]
    assert account["running"] is True and account["lastInboundAt"] and account["lastOutboundAt"]


def test_an_answer_waits_for_who_has_left(lines):
    with Person(lines, "eve") as eve:
        eve.say("later")
    with Client(lines.port, lines.token) as client:
        until(lambda: any(row["key"] == "agent:main:lines:eve" for row in client.call("sessions.list")["sessions"]), 20)
    with Person(lines, "eve") as eve:
        assert "later" in eve.hears()


def test_what_others_deliver_arrives_once(lines):
    with Person(lines, "dan") as dan:
        body = json.dumps({"idempotency_key": "k1", "session_key": "agent:main:lines:dan", "to": "dan", "text": "a\nb"})
        said = [lines.cli("bus", "call", "channel/lines", "channel_deliver", body, "--json") for _ in range(2)]
        replies = [json.loads(done.stdout)["reply"] for done in said]
        assert [reply["is_repeat"] for reply in replies] == [False, True]
        assert [dan.hears(), dan.hears()] == ["a", " b"]
        dan.say("next")
        assert "next" in dan.hears()


def test_operators_see_it_as_any_other_actor(lines):
    row = actor_rows(lines)["channel/lines"]
    assert row["state"] == "ready" and row["host"] == "lines" and row["pid"] == pid_of(lines, "lines")
    watcher = tap(lines, "--filter", "from == channel/lines && method == agent", "--count", "1")
    with Person(lines, "fay") as fay:
        fay.say("watched")
        assert "watched" in fay.hears()
    seen = json.loads(watcher.communicate(timeout=20)[0].splitlines()[0])
    assert seen["kind"] == "call" and seen["to"] == "router" and seen["host"] == "lines"
    graph = lines.cli("bus", "graph", "--json")
    links = next(row["links"] for row in json.loads(graph.stdout)["actors"] if row["address"] == "channel/lines")
    assert any(link["to"] == "router" and link["msgs"] for link in links)
    top = json.loads(lines.cli("bus", "top", "--once", "--interval", "1", "--json").stdout)
    assert any(row["address"] == "channel/lines" for row in top["actors"])


def test_a_trace_leads_through_it(lines):
    before = told(lines, "tap_attached client=")
    tracer = subprocess.Popen(lines.command("bus", "trace", "--filter", "method == agent", "--json"),
                              env=lines.environment, stdout=subprocess.PIPE, text=True)
    until(lambda: told(lines, "tap_attached client=") > before, 10, "the trace's tap")
    with Person(lines, "gil") as gil:
        gil.say("traced")
        assert "traced" in gil.hears()
    seen = json.loads(tracer.communicate(timeout=30)[0])["messages"]
    ways = {(each["from"], each["to"], each["kind"]) for each in seen}
    assert ("channel/lines", "router", "call") in ways and ("agent/main", "channel/lines", "reply") in ways
    assert all("handlerMs" in each for each in seen if each["kind"] == "reply")


def test_it_sees_nothing_that_is_not_its_business(fresh_gateway):
    running = fresh_gateway(environment={"SECRET_OF_OTHERS": "s3cret", "FOR_LINES": "yes"})
    lines_gateway(running, env=["FOR_LINES", "NOT_THERE"]).start()
    with Person(running, "ada") as ada:
        ada.say("x")
        assert "x" in ada.hears()
    pid = pid_of(running, "lines")
    with open(f"/proc/{pid}/environ", "rb") as file:
        names = {entry.split(b"=")[0].decode() for entry in file.read().split(b"\0") if entry}
    assert "FOR_LINES" in names and "SECRET_OF_OTHERS" not in names and "OPENCLAW_STATE_DIR" not in names
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        assert "NoNewPrivs:\t1" in file.read()
    assert running.port not in {int(line.split()[1].split(":")[1], 16) for line in own_sockets(pid)}
    mode = os.stat(os.path.join(running.state_dir, "run/lines.sock")).st_mode
    assert stat.S_IMODE(mode) == 0o600


def own_sockets(pid):
    """The lines of /proc/net/tcp of sockets that this process has open."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))
    with open("/proc/net/tcp", encoding="ascii") as file:
        return [line for line in list(file)[1:] if line.split()[9] in inodes]


def test_a_program_that_others_may_write_to_does_not_run(fresh_gateway):
    running = fresh_gateway()
    program = os.path.join(running.state_dir, "lines_channel.py")
    shutil.copy(CHANNEL, program)
    os.chmod(program, 0o777)
    lines_gateway(running, program).start()
    until(lambda: told(running, "exec_refused"), 10, "the refusal")
    assert running.get("/readyz")[0] == 200
    assert any("other users may write to it" in line for line in running.logs())


# --- what ends in between -------------------------------------------------------------------------------------------


def test_a_conversation_outlives_the_gateways_processes(fresh_gateway):
    running = lines_gateway(fresh_gateway()).start()
    with Person(running, "ada") as ada:
        ada.say("one")
        assert "one" in ada.hears()
        os.kill(pid_of(running, "main"), signal.SIGKILL)
        ada.say("two")
        assert "two" in ada.hears()
        first = pid_of(running, "lines")
        os.kill(running.process.pid, signal.SIGUSR1)  # fresh processes, this one's too
        next_life(running, first)
    with Person(running, "ada") as ada:
        ada.say("three")
        assert "three" in ada.hears()
    with Client(running.port, running.token) as client:
        history = client.call("chat.history", {"sessionKey": "agent:main:lines:ada"})["messages"]
    assert [message["role"] for message in history] == ["user", "assistant"] * 3


def test_what_it_took_in_is_answered_once_in_its_next_life(fresh_gateway, provider):
    running = lines_gateway(fresh_gateway(config=provider.config())).start()
    database = os.path.join(running.state_dir, "lines.db")
    said = [f"TOKENS:6000 {number}" for number in range(4)]  # each takes a while
    with Person(running, "ada") as ada:
        for text in said:
            ada.say(text)
        until(lambda: waiting(database) >= 2, 10, "messages without an answer")
        first = pid_of(running, "lines")
        os.kill(first, signal.SIGKILL)
    next_life(running, first)
    until(lambda: waiting(database) == 0, 30, "an empty inbox")
    with Client(running.port, running.token) as client:
        history = client.call("chat.history", {"sessionKey": "agent:main:lines:ada"})["messages"]
    assert sorted(message["role"] for message in history) == ["assistant"] * len(said) + ["user"] * len(said)
    asked = provider.stats()["texts"]
    assert {text: asked.get(text) for text in said} == {text: 1 for text in said}
    with Person(running, "ada") as ada:
        assert ada.hears().endswith("t5999")  # there was nobody to hear it before


def next_life(running, pid):
    until(lambda: pid_of(running, "lines") not in (None, pid), 10, "the channel's next life")


def waiting(database):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return opened.execute("SELECT count(*) FROM inbox").fetchone()[0]


# --- who breaks the rules -------------------------------------------------------------------------------------------


def test_what_is_no_envelope_is_counted_told_once_and_hurts_nobody(fresh_gateway):
    running = rogue_gateway(fresh_gateway(), "malformed")
    until(lambda: actor_rows(running).get("rogue", {}).get("status") == "done", 20, "the rogue's words")
    until(lambda: actor_rows(running)["router"]["refused"] >= 250, 20, "the count")
    lines = [line for line in running.logs() if "peer_misbehaves" in line and "actor=router" in line]
    assert lines and len(set(lines)) <= 3 and f"pid={pid_of(running, 'rogue')}" in lines[0]
    until(lambda: "host/rogue" in running.cli("health").stdout, 10, "the name in health")
    assert "sends what is no envelope" in running.cli("health").stdout
    assert all(host["restarts"] == 0 for host in hosts(running))
    until(lambda: "no envelope" not in running.cli("health").stdout, 30, "its being forgotten")


def test_who_ignores_its_credit_is_refused_and_named(fresh_gateway):
    running = rogue_gateway(fresh_gateway(), "flood")
    until(lambda: actor_rows(running)["router"]["refused"] > 0, 60, "a refusal")
    assert running.cli("gateway", "call", "sessions.list", "--token", running.token).returncode == 0
    until(lambda: "sends more than its credit allows" in running.cli("health").stdout, 15, "the name in health")
    assert any("peer_misbehaves" in line and "from=rogue" in line for line in running.logs())
    assert all(host["restarts"] == 0 for host in hosts(running))


def test_who_babbles_by_the_rules_goes_no_faster_than_it_is_heard(fresh_gateway):
    running = rogue_gateway(fresh_gateway(), "babble")
    until(lambda: actor_rows(running)["router"]["msgsIn"] > 60_000, 60, "more than three windows")
    row = actor_rows(running)["router"]
    assert row["refused"] == 0 and row["mailboxMsgs"] <= 16384
    assert running.cli("gateway", "call", "sessions.list", "--token", running.token).returncode == 0
    assert "rogue" in running.cli("health").stdout


def test_who_hangs_is_named_and_started_again(fresh_gateway):
    running = rogue_gateway(fresh_gateway(), "hang", hangMs=1000)
    until(lambda: told(running, "actor_unresponsive"), 30, "the name")
    until(lambda: next(h for h in hosts(running) if h["name"] == "rogue")["incarnation"] > 1, 30, "its next life")
    assert any("host_hung" in line and "actor=rogue" in line for line in running.logs())
