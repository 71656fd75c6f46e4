"""A gateway that runs out of open files says so, keeps what it has, and goes on."""

import contextlib
import json
import resource
import socket
import subprocess

import pytest

from client import Client
from gateway import Gateway, until


class Limited(Gateway):
    """With so many open files, once it is said how many."""

    limit = 0

    def command(self, *words):
        if not self.limit:
            return super().command(*words)
        return ["prlimit", f"--nofile={self.limit}:{self.limit}", *super().command(*words)]


@pytest.fixture(name="limited")
def limited_gateway(topology):
    made = Limited(topology)
    yield made
    made.close()


@pytest.mark.parametrize("limit", [16, 64, 255])
def test_a_limit_that_is_too_low_is_refused_at_the_start(limited, limit):
    limited.limit = limit
    done = limited.cli("gateway", "run", "--port", "0")
    assert done.returncode == 78 and "needs 256 open files" in done.stderr and "ulimit -n" in done.stderr


def test_a_soft_limit_is_raised(limited):
    done = subprocess.Popen(["prlimit", "--nofile=64:4096", *Gateway.command(limited, "gateway", "run", "--port",
                                                                            str(limited.port))],
                            env=limited.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limited.process = done
    until(limited.is_ready_or_gone, 15, "readiness")
    assert done.poll() is None
    assert resource.prlimit(limited.children()[0], resource.RLIMIT_NOFILE)[0] == 4096


def test_running_out_turns_new_connections_away_and_harms_nobody(limited):
    limited.limit = 320
    limited.start()
    before = set(limited.children())
    with Client(limited.port, limited.token) as client, contextlib.ExitStack() as held:
        for _ in range(400):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection(("127.0.0.1", limited.port), 5))
        until(lambda: any("edge_descriptors_low" in line for line in limited.logs()), 10, "the warning")
        assert "still here" in json.dumps(client.chat("still here", "agent:main:low")[1][-1])
        assert sum("edge_descriptors_low" in line for line in limited.logs()) <= 2
    until(lambda: limited.is_ready_or_gone() and limited.cli("health").returncode == 0, 20, "health")
    assert set(limited.children()) == before, "a process has died"
