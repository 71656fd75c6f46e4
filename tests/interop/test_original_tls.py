"""The original's command line over wss://, which pins our certificate."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest
from client import Client
from conftest import GENERATIONS, Real
from gateway import Gateway, until
from pki import careless


class SealedClient(Client):
    tls = careless()


@pytest.fixture(scope="module", params=GENERATIONS)
def sealed(request):
    gateway = Gateway("inproc", config={"gateway": {"mode": "local", "tls": {"enabled": True},
                                                    "auth": {"mode": "token", "token": "token-of-the-tests"}}})
    gateway.tls = careless()
    try:
        gateway.start()
        client = Real(gateway, request.param)
        yield client
        shutil.rmtree(client.home, ignore_errors=True)
    finally:
        gateway.close()


def fingerprint(sealed):
    return json.loads(sealed.gateway.cli("gateway", "status", "--json").stdout)["gateway"]["tlsFingerprint"]


def configure(sealed, gateway):
    with open(os.path.join(sealed.home, "openclaw.json"), "w", encoding="utf-8") as file:
        json.dump({"gateway": gateway}, file)


def remote(sealed, pin):
    configure(sealed, {"mode": "remote", "remote": {"url": f"wss://127.0.0.1:{sealed.gateway.port}",
                                                    "token": sealed.gateway.token, "tlsFingerprint": pin}})


def test_a_pinned_remote_gateway_is_spoken_to(sealed):
    remote(sealed, fingerprint(sealed))
    assert sealed.cli_json("health")["ok"] is True
    told = sealed.cli_json("agent", "--agent", "main", "--message", "through tls")
    assert "through tls" in told["result"]["payloads"][0]["text"]


def test_another_certificate_is_not(sealed):
    remote(sealed, "ab" * 32)
    done = sealed.cli("health", "--json")
    assert done.returncode != 0 and '"ok": true' not in done.stdout


def test_the_pair_of_this_machine_is_found_where_the_original_looks(sealed):
    """Both keep it at the same place in the state directory."""
    ours = os.path.join(sealed.gateway.state_dir, "gateway", "tls")
    shutil.copytree(ours, os.path.join(sealed.home, "gateway", "tls"), dirs_exist_ok=True)
    configure(sealed, {"mode": "local", "port": sealed.gateway.port, "tls": {"enabled": True},
                       "auth": {"mode": "token", "token": sealed.gateway.token}})
    told = sealed.cli_json("gateway", "status", "--require-rpc")
    assert told["rpc"]["ok"] is True and told["gateway"]["probeUrl"].startswith("wss://")


def test_a_node_host_pins_with_its_option(sealed):
    home = tempfile.mkdtemp(prefix="openclaw-node-")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
    with open(os.path.join(home, "output.txt"), "wb") as file:
        process = subprocess.Popen(
            [sealed.node_path, os.path.join(sealed.modules, "openclaw/openclaw.mjs"), "node", "run", "--host",
             "127.0.0.1", "--port", str(sealed.gateway.port), "--tls-fingerprint", fingerprint(sealed)],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=home,
            env={**kept, "HOME": home, "OPENCLAW_STATE_DIR": home, "NODE_PATH": sealed.modules, "NO_COLOR": "1",
                 "OPENCLAW_GATEWAY_TOKEN": sealed.gateway.token})
    try:
        with SealedClient(sealed.gateway.port, sealed.gateway.token) as operator:
            until(lambda: operator.call("node.pair.list")["pending"], 90, "the node's wish to be paired")
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)
