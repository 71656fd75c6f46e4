"""A database that cannot be used stops its owner alone, and the log says which, why and what to do."""

import json
import os
import re
import sqlite3
import time

import pytest

from client import CallError, Client
from gateway import until

AGENTS = {"agents": {"list": [{"id": "main"}, {"id": "two"}]}}


def garbage(path):
    for end in ("-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)
    with open(path, "wb") as file:
        file.write(b"\x07garbage" * 700)


def torn(path):
    """Opens as a database; the rows behind its first page are lost."""
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\x07" * (size - 4096))


def newer(path):
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 9999")
    base.close()


def started_with(gateway, owner, spoil):
    """Runs once to have databases, then again with one of them spoiled; returns its path."""
    home = gateway.agents_dir if owner.startswith("agent-") else gateway.state_dir
    path = os.path.join(home, "db", f"{owner}.sqlite")
    gateway.start()
    until(lambda: os.path.exists(path), 10, "the database")
    gateway.stop()
    spoil(path)
    gateway.spawn()
    return path


def told(gateway, event, path, words):
    def line():
        return next((each for each in gateway.told() if event in each and path in each), None)
    found = until(line, 10, event)
    assert words in found and re.search("; (put back|start the newer|make room)", found), found


@pytest.mark.parametrize("spoil, words", [(garbage, "not a database"), (torn, "malformed"),
                                           (newer, "start the newer release")])
def test_an_agent_without_its_database_leaves_the_others_alone(fresh_gateway, spoil, words):
    running = fresh_gateway(config=AGENTS)
    path = started_with(running, "agent-two", spoil)
    told(running, "actor=agent/two ", path, words)
    until(lambda: running.get("/healthz")[0] == 200, 10, "the edge")
    with Client(running.port, running.token) as client:
        assert "fine" in json.dumps(client.chat("fine", "agent:main:x")[1][-1])
        with pytest.raises(CallError) as refused:
            client.chat("lost", "agent:two:x")
        assert refused.value.code == "UNAVAILABLE"


@pytest.mark.parametrize("spoil, words", [(garbage, "damaged"), (newer, "newer release")])
def test_without_the_database_of_auth_nobody_gets_in_and_the_log_says_why(fresh_gateway, spoil, words):
    running = fresh_gateway()
    path = started_with(running, "auth", spoil)
    told(running, "actor=auth ", path, words)
    assert running.process.poll() is None


@pytest.mark.parametrize("owner", ["node", "approval", "scheduler"])
def test_an_actor_without_its_database_says_which_and_what_to_do(fresh_gateway, owner):
    running = fresh_gateway()
    path = started_with(running, owner, garbage)
    told(running, f"actor={owner} ", path, "damaged")
    row = until(lambda: (lambda row: row.get("reason") and row)(actor_of(health_of(running)[1], owner)), 10, "why")
    assert path in row["reason"] and "put back a copy" in row["reason"]


def test_the_log_file_says_once_why_an_actor_cannot_start_and_once_that_it_was_given_up(fresh_gateway):
    """Also of one that fails before the log itself is there to write."""
    running = fresh_gateway()
    path = started_with(running, "auth", garbage)

    def said(event):
        with open(os.path.join(running.state_dir, "logs", "openclaw.log"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [line["message"] for line in lines if line["event"] == event and "actor=auth " in line["message"]]
    until(lambda: said("actor_gave_up"), 60, "the end of all attempts")
    assert len(said("actor_restart")) == len(said("actor_gave_up")) == 1  # ten starts, one reason
    assert all(path in message and "damaged" in message for message in said("actor_restart") + said("actor_gave_up"))
    until(lambda: running.text().count("actor=auth ") >= 2, 10, "the same on the screen")


def health_of(running):
    begun = time.monotonic()
    done = running.cli("health", "--json", "--timeout", "40000", timeout=60)
    assert time.monotonic() - begun < 20, "health is to answer at once, not when its time is over"
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def actor_of(health, address):
    return next(each for each in health["actors"] if each["address"] == address)


def test_health_says_at_once_what_is_wrong_with_auth_until_it_has_given_up(fresh_gateway):
    running = fresh_gateway()
    path = started_with(running, "auth", garbage)
    told(running, "actor=auth ", path, "damaged")
    code, health = until(lambda: (lambda answer: answer[1] and answer)(health_of(running)), 10, "an answer of health")
    assert code == 69 and health["ok"] is False
    assert path in health["degraded"] and "damaged" in health["degraded"]

    def gave_up():
        return actor_of(health_of(running)[1], "auth")["state"] == "gave_up"
    until(gave_up, 60, "the end of all attempts")
    plain = running.cli("health", timeout=5)
    assert plain.returncode == 69 and path in plain.stderr and "openclaw logs" in plain.stderr
    assert "damaged" in running.cli("logs").stdout


def test_health_says_what_is_wrong_with_an_agent(fresh_gateway):
    running = fresh_gateway(config=AGENTS)
    path = started_with(running, "agent-two", garbage)
    told(running, "actor=agent/two ", path, "not a database")
    until(lambda: running.get("/healthz")[0] == 200, 10, "the edge")

    def reason():
        code, health = health_of(running)
        rows = [each for each in health.get("actors", []) if each["address"] == "agent/two"]
        return code == 0 and rows and rows[0].get("reason") and (rows[0], health["degraded"])
    row, degraded = until(reason, 20, "the reason")
    assert path in row["reason"] and path in degraded and "not a database" in degraded
    assert path in running.cli("health").stdout
