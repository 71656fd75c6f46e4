"""From the original to ours on the same state directory: whoever was paired there is paired here, with what he has."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3

import pytest
from client import CallError, Client
from conftest import GENERATIONS, Real
from from_afar import FromAfar
from gateway import TOKEN, Gateway, free_port, until
from programs import SLOW, said, start, stop
from ws import Closed

class Operator(Client):
    """An operator at either gateway: what the original answers need not be as our reference page says."""

    def __init__(self, port):
        super().__init__(port, TOKEN, maxProtocol=4)

    def answer(self, number, timeout=15):
        self.methods[number] = None
        return super().answer(number, timeout)


class Original:
    """A gateway of the original, on a state directory of its own."""

    def __init__(self, generation):
        self.port, self.token = free_port(), TOKEN
        self.shell = Real(self, generation)
        self.state_dir = self.shell.home
        configure(self.shell, {"mode": "local", "port": self.port, "trustedProxies": ["127.0.0.1"],
                               "auth": {"mode": "token", "token": TOKEN}})
        self.process = None

    def start(self):
        self.process = start(self.shell, "gateway.txt", "gateway", "run", OPENCLAW_SKIP_CHANNELS="1")
        until(self.is_ready, SLOW, "the original")

    def is_ready(self):
        assert self.process.poll() is None, said(self.shell, "gateway.txt")
        try:
            with Operator(self.port):
                return True
        except (OSError, Closed):
            return False
        except CallError as error:  # it says so while it starts
            assert error.code == "UNAVAILABLE", error
            return False

    def stop(self):
        if self.process:
            stop(self.process)


def configure(client, gateway):
    with open(os.path.join(client.home, "openclaw.json"), "w", encoding="utf-8") as file:
        json.dump({"gateway": gateway}, file)


def node_start(client, port, **environment):
    return start(client, "node.txt", "node", "run", "--host", "127.0.0.1", "--port", str(port), "--display-name",
                 "Moved Host", **environment)


def node_row(operator):
    return next((row for row in operator.call("node.list")["nodes"] if row["connected"]), None)


def has_token(client, role):
    """Has it put away the token that it was given for its device?"""
    earlier = os.path.join(client.home, "identity/device-auth.json")
    later = os.path.join(client.home, "state/openclaw.sqlite")
    try:
        if os.path.exists(earlier):
            with open(earlier, encoding="utf-8") as file:
                return role in json.load(file)["tokens"]
        with contextlib.closing(sqlite3.connect(f"file:{later}?mode=ro", uri=True)) as store:
            return bool(store.execute("SELECT 1 FROM device_auth_tokens WHERE role = ?", (role,)).fetchone())
    except (ValueError, sqlite3.OperationalError):  # half written, or not there yet
        return False


def node_pair(client, port):
    """A node host that an operator has approved, and that is gone again."""
    process = node_start(client, port, OPENCLAW_GATEWAY_TOKEN=TOKEN)
    try:
        with Operator(port) as operator:
            request = until(lambda: operator.call("node.pair.list")["pending"], SLOW, "the node's wish to be paired")[0]
            operator.call("node.pair.approve", {"requestId": request["requestId"]})
            until(lambda: (node_row(operator) or {}).get("commands"), SLOW, "the node")
        until(lambda: has_token(client, "node"), SLOW, "the node's token")
    finally:
        stop(process)


def call(client, *words):
    return client.run([os.path.join(client.modules, "openclaw/openclaw.mjs"), *(words or ("gateway", "call", "status")),
                       "--json"], 90, OPENCLAW_ALLOW_INSECURE_PRIVATE_WS="1")


def shell_pair(client, port):
    """The command line, from afar, and approved by an operator."""
    refused = call(client)
    text = refused.stderr + refused.stdout
    assert refused.returncode != 0 and ("pairing required" in text or "pending approval" in text), text
    with Operator(port) as operator:
        request, = operator.call("device.pair.list")["pending"]
        operator.call("device.pair.approve", {"requestId": request["requestId"]})
    allowed = call(client, "cron", "list")  # of the later generation, not every command keeps the token that it is given
    assert allowed.returncode == 0, allowed.stderr


def remote(proxy, **secret):
    """By a name, because to an address of this machine the later generation shows no device."""
    return {"mode": "remote", "remote": {"url": f"ws://{socket.gethostname()}:{proxy.port}", **secret}}


@pytest.fixture(scope="module", params=GENERATIONS)
def moved(request):
    """Our gateway in the place of the original, and a client that was paired with that."""
    original = Original(request.param)
    proxy = FromAfar(original.port, socket.gethostbyname(socket.gethostname()))
    client = Real(original, request.param)
    ours = Gateway("inproc", state_dir=original.state_dir)
    ours.port = original.port
    try:
        original.start()
        node_pair(client, original.port)
        configure(client, remote(proxy, token=TOKEN))
        shell_pair(client, original.port)
        original.stop()
        configure(client, remote(proxy))  # from now on it has its device token, and nothing else
        yield client, ours.start()
    finally:
        original.stop()
        ours.close()
        proxy.server.close()
        for folder in (client.home, original.state_dir):
            shutil.rmtree(folder, ignore_errors=True)


def test_who_was_paired_with_the_original_stays_so(moved):
    client, ours = moved
    done = call(client)
    assert done.returncode == 0, done.stderr + done.stdout
    process = node_start(client, ours.port)
    try:
        with Operator(ours.port) as operator:
            row = until(lambda: node_row(operator), SLOW, "the node")
            assert row["displayName"] == "Moved Host" and row["paired"] and "system.run" in row["commands"]
            assert operator.call("device.pair.list")["pending"] == operator.call("node.pair.list")["pending"] == []
            told = operator.call("node.invoke", {"nodeId": row["nodeId"], "command": "system.which",
                                                 "params": {"bins": ["sh"]}, "idempotencyKey": "moved"}, 30)
            assert list(told["payload"]["bins"]) == ["sh"]
    except TimeoutError:
        raise AssertionError(said(client, "node.txt")) from None
    finally:
        stop(process)
