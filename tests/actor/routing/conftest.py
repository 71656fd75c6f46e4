import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TESTS, "actor/rig"), os.path.join(TESTS, "support")]

from rig import Rig  # noqa: E402

TWO_AGENTS = {"agents": {"list": [{"id": "main"}, {"id": "work", "name": "Worker"}]}}


@pytest.fixture
def make(tmp_path):
    """Makes rigs on one state directory; each is stopped at the end, and must end well."""
    made = []

    def build(config=None):
        made.append(Rig(tmp_path, config))
        return made[-1].start()

    yield build
    for rig in made:
        rig.stop()


@pytest.fixture
def one(make):
    return make()


@pytest.fixture
def two(make):
    rig = make(TWO_AGENTS)
    rig.until(lambda: rig.lives.get("agent/main") == rig.lives.get("agent/work") == "ready", "both agents")
    return rig
