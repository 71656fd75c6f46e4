"""Fixtures: a gateway per test file and topology. OPENCLAW_TEST_TOPOLOGY (inproc, ipc, split or tcp) keeps to one of them."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "support")]

from client import Client  # noqa: E402
from gateway import Gateway  # noqa: E402
from provider import Provider  # noqa: E402

CHOSEN = os.environ.get("OPENCLAW_TEST_TOPOLOGY")


@pytest.fixture(scope="module", params=[CHOSEN] if CHOSEN else ["inproc", "ipc"])
def topology(request):
    return request.param


@pytest.fixture
def only_once(topology):
    """For what has nothing to do with where the agents run."""
    if topology != "inproc":
        pytest.skip("the same in any topology")


@pytest.fixture(scope="module")
def gateway(topology):
    with Gateway(topology) as running:
        yield running


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def fresh_gateway(topology):
    """Makes gateways with a config of the test's own; each is closed and checked at its end."""
    made = []

    def make(**options):
        options.setdefault("topology", topology)
        made.append(Gateway(**options))
        return made[-1]

    yield make
    for each in reversed(made):
        each.close()


@pytest.fixture
def client(gateway):
    with Client(gateway.port, gateway.token) as connected:
        yield connected


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its gateway said."""
    outcome = yield
    report = outcome.get_result()
    running = getattr(item, "funcargs", {}).get("gateway")
    if report.failed and running:
        report.sections.append(("the gateway said", "\n".join(running.logs()[-60:])))
