import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from rig import Provider, Rig  # noqa: E402


@pytest.fixture(scope="module")
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def make(tmp_path):
    """Makes rigs on one state directory; each is stopped at the end, and must end well."""
    made = []

    def build(config=None, environment=None, start=True):
        made.append(Rig(tmp_path, config, environment))
        return made[-1].start() if start else made[-1]

    yield build
    for rig in made:
        rig.stop()


@pytest.fixture
def echo(make):
    return make()


@pytest.fixture
def mock(make, provider):
    return make({"models": {"providers": {"mock": provider.setup(timeoutSeconds=1)}},
                 "agents": {"defaults": {"model": "mock/mock-1"}}})
