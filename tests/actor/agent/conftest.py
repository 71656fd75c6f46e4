import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TESTS, "actor/rig"), os.path.join(TESTS, "support")]

from provider import Provider  # noqa: E402
from rig import Rig  # noqa: E402


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
    """With time enough for a provider that is as busy as the machine is."""
    return make(provider.config(timeoutSeconds=3))
