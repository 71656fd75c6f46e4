"""The original's node host at our gateway, and the original's commands for nodes, devices, approvals and the system."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest
from client import Client
from gateway import until


@pytest.fixture(scope="module")
def operator(original):
    with Client(original.gateway.port, original.gateway.token) as connected:
        yield connected


@pytest.fixture(scope="module")
def host(original, operator):
    """`openclaw node run`, approved by an operator."""
    home = tempfile.mkdtemp(prefix="openclaw-node-")
    output = os.path.join(home, "output.txt")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [original.node_path, os.path.join(original.modules, "openclaw/openclaw.mjs"), "node", "run", "--host",
             "127.0.0.1", "--port", str(original.gateway.port), "--display-name", "Real Host"],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=home,
            env={**kept, "HOME": home, "OPENCLAW_STATE_DIR": home, "NODE_PATH": original.modules, "NO_COLOR": "1",
                 "OPENCLAW_GATEWAY_TOKEN": original.gateway.token})
    try:
        until(lambda: pending_of(operator), 90, "the node's wish to be paired")
        operator.call("node.pair.approve", {"requestId": pending_of(operator)[0]["requestId"]})
        yield until(lambda: [row for row in operator.call("node.list")["nodes"] if row["connected"]], 30,
                    "the node")[0]
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def pending_of(operator):
    return operator.call("node.pair.list")["pending"]


def test_the_host_offers_what_an_operator_approved(operator, host):
    row = operator.call("node.describe", {"nodeId": host["nodeId"]})
    assert row["displayName"] == "Real Host" and row["paired"] is True
    assert {"system.run", "system.which"} <= set(row["commands"])


def test_a_command_runs_on_the_host(original, host):
    told = original.cli_json("nodes", "invoke", "--node", "Real Host", "--command", "system.which", "--params",
                             '{"bins":["sh","nosuchbin"]}')
    assert told["ok"] is True and list(told["payload"]["bins"]) == ["sh"]


def test_the_host_runs_a_program_when_its_file_says_so(operator, host):
    ask = {"nodeId": host["nodeId"]}
    before = operator.call("exec.approvals.node.get", ask, 30)
    new = {"version": 1, "defaults": {"security": "full", "ask": "off", "askFallback": "full"}}
    operator.call("exec.approvals.node.set", {**ask, "file": new, "baseHash": before["hash"]}, 30)
    told = operator.call("node.invoke", {"nodeId": host["nodeId"], "command": "system.run", "idempotencyKey": "run-1",
                                         "params": {"command": ["echo", "from the node"]}}, 30)
    assert told["payload"]["exitCode"] == 0 and "from the node" in told["payload"]["stdout"]


@pytest.mark.parametrize("words", [("nodes", "status"), ("nodes", "list"), ("nodes", "describe", "--node", "Real Host")])
def test_the_host_is_shown(original, host, words):
    assert host["nodeId"] in json.dumps(original.cli_json(*words))


def test_the_host_gets_another_name(original, host):
    original.cli_json("nodes", "rename", "--node", host["nodeId"], "--name", "Other")
    assert "Other" in json.dumps(original.cli_json("nodes", "status"))
    original.cli_json("nodes", "rename", "--node", host["nodeId"], "--name", "Real Host")


def test_the_approvals_of_the_host_are_read(original, host):
    told = original.cli_json("approvals", "get", "--node", "Real Host")
    assert told["file"]["version"] == 1


def test_approvals_get(original):
    told = original.cli_json("approvals", "get", "--gateway")
    assert told["exists"] is True and told["file"]["version"] == 1


def test_approvals_allowlist(original):
    done = original.cli("approvals", "allowlist", "add", "--gateway", "/usr/bin/uptime")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "/usr/bin/uptime" in json.dumps(original.cli_json("approvals", "get", "--gateway"))


def test_nodes_pending(original):
    assert isinstance(original.cli_json("nodes", "pending"), list)


def test_devices_list(original):
    assert {"pending", "paired"} <= set(original.cli_json("devices", "list"))
