"""A database that cannot be used stops its owner alone, and the log says which, why and what to do."""

import json
import os
import sqlite3

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


def newer(path):
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 9999")
    base.close()


def started_with(gateway, owner, spoil):
    """Runs once to have databases, then again with one of them spoiled; returns its path."""
    path = os.path.join(gateway.state_dir, "db", f"{owner}.sqlite")
    gateway.start()
    until(lambda: os.path.exists(path), 10, "the database")
    gateway.stop()
    spoil(path)
    gateway.spawn()
    return path


def told(gateway, event, path, words):
    def line():
        return next((each for each in gateway.logs() if event in each and path in each), None)
    found = until(line, 10, event)
    assert words in found and "fix=" in found.replace("\\", ""), found


@pytest.mark.parametrize("spoil, words", [(garbage, "not a database"), (newer, "start the newer release")])
def test_an_agent_without_its_database_leaves_the_others_alone(fresh_gateway, spoil, words):
    running = fresh_gateway(config=AGENTS)
    path = started_with(running, "agent-two", spoil)
    told(running, "agent_store_unusable", path, words)
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
    told(running, "auth_store_unusable", path, words)
    assert running.process.poll() is None
