"""What clients are told before the gateway goes, and whether it means to come back."""

import os
import signal
import time

import pytest

from client import Client
from ws import Closed


def goodbye(client):
    payload = client.wait_event("shutdown")
    with pytest.raises(Closed) as closed:
        while True:
            client.read(time.monotonic() + 10)
    assert (closed.value.code, closed.value.reason) == (1012, "service restart")
    return payload


def test_a_stop_promises_no_return(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as client:
        running.process.send_signal(signal.SIGTERM)
        assert goodbye(client) == {"reason": "gateway stopping", "restartExpectedMs": None}
    assert running.process.wait(15) == 0


def test_a_restart_says_when_to_come_back_and_nobody_is_refused(fresh_gateway):
    running = fresh_gateway().start()
    with Client(running.port, running.token) as client:
        os.kill(running.process.pid, signal.SIGUSR1)
        assert goodbye(client) == {"reason": "gateway restarting", "restartExpectedMs": 1500}
    with Client(running.port, running.token) as client:
        assert "agents" in client.call("health")  # not all of it needs to be well again already
