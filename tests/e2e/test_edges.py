"""Several edges, each a process of its own, share the gateway's door: docs/scaling.md counts on it."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest

from client import Client
from gateway import Gateway, until
from ws import Closed

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") not in (None, "ipc"), reason="is a topology of its own")
CORE = ["config", "log", "auth", "health", "router", "node", "approval", "scheduler", "hooks", "tools", "otel", "channel/webchat"]
EDGES = 3
CLIENTS = 60


@pytest.fixture
def running(tmp_path):
    hosts = {"main": {"actors": CORE}, "agents": {"actors": ["agent/*"]},
             **{f"edge-{i}": {"actors": [f"edge/{i}"]} for i in range(EDGES)}}
    path = tmp_path / "edges.json5"
    path.write_text(json.dumps({"hosts": hosts}))
    with Gateway("inproc", arguments=["--topology", str(path)],
                 environment={"OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP": str(CLIENTS)}) as gateway:
        yield gateway


def pids_of_edges(gateway):
    hosts = json.loads(gateway.cli("bus", "actors", "--json").stdout)["hosts"]
    return [host["pid"] for host in hosts if host["name"].startswith("edge-")]


def connections(pids, gateway):
    """How many clients' sockets each process has."""
    done = subprocess.run(["ss", "-Htnp", "state", "established", "sport", "=", f":{gateway.port}"], capture_output=True,
                          text=True, check=True)
    return {pid: len(re.findall(f"pid={pid},", done.stdout)) for pid in pids}


def open_many(gateway, n):
    """Side by side, as people come."""
    made = []
    threads = [threading.Thread(target=lambda: made.append(Client(gateway.port, gateway.token))) for _ in range(n)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(made) == n
    return made


def test_clients_are_spread_over_the_edges_and_all_hear_the_same(running):
    clients = open_many(running, CLIENTS)
    spread = connections(pids_of_edges(running), running)
    assert sum(spread.values()) == CLIENTS and sorted(spread.values())[1] > 0, f"one edge has them all: {spread}"
    run, _ = clients[0].chat("hello")
    for each in clients[1:]:
        each.wait_event("chat", lambda p: p["runId"] == run and p["state"] == "final", 10)
    for each in clients:
        each.socket.close()


def test_one_edge_that_dies_takes_only_its_own_clients_along(running):
    clients = open_many(running, CLIENTS)
    pid, lost = max(connections(pids_of_edges(running), running).items(), key=lambda item: item[1])
    os.kill(pid, signal.SIGKILL)
    alive = 0
    for each in clients:
        try:
            each.call("health", timeout=10)
            alive += 1
        except (OSError, EOFError, Closed):
            pass  # its edge is gone
    assert 0 < lost < CLIENTS and alive == CLIENTS - lost
    with Client(running.port, running.token) as again:
        until(lambda: again.call("health")["ok"], 15, "all being well again")
