"""The original's `openclaw secrets` of both generations on a state directory of ours."""

import json
import os
import shutil

import pytest

from conftest import GENERATIONS, Real
from gateway import TOKEN
from test_secrets_cli import CHANGED, PLAN, State

LATER = "2026.9.6"  # keeps profiles in a database, and leaves auth.json to another command


@pytest.fixture(name="generation", params=GENERATIONS)
def generation_of_the_test(request):
    return request.param


@pytest.fixture(name="state")
def state_of_the_test():
    made = State()
    made.write("agents/main/agent/models.json", json.dumps({"providers": {
        "openai": {"apiKey": "sk-generated", "headers": {"Authorization": "Bearer x", "X-Team": "a"}},
        "marked": {"apiKey": "OPENAI_API_KEY", "headers": {"X-Api-Key": "secretref-managed"}}}}))
    yield made
    made.gateway.close()


@pytest.fixture(name="there")
def original_on_the_state(state, generation):
    made = Real(state.gateway, generation)
    yield made
    shutil.rmtree(made.home, ignore_errors=True)


def secrets(there, state, *words):
    return there.run([os.path.join(there.modules, "openclaw/openclaw.mjs"), "secrets", *words, "--json"], 90,
                     OPENCLAW_STATE_DIR=state.dir, OPENCLAW_CONFIG_PATH=state.path("openclaw.json"), GW_TOKEN=TOKEN)


def places(report, *files):
    return {(one["code"], one["severity"], one["file"], one["jsonPath"], one.get("provider"), one.get("profileId"))
            for one in report["findings"] if not files or os.path.basename(one["file"]) in files}


def test_both_find_the_same(state, there, generation):
    ours = state.audit("--check", code=1)
    done = secrets(there, state, "audit", "--check")
    assert done.returncode == 1, done.stderr + done.stdout
    theirs = json.loads(done.stdout)
    assert theirs["status"] == ours["status"] and theirs["resolution"] == ours["resolution"]
    if generation == LATER:
        common = ("openclaw.json", "models.json")
        assert places(theirs, *common) == places(ours, *common)
        assert places(theirs, ".env") <= places(ours, ".env")  # it asks its plugins which variables are for secrets
    else:
        assert places(theirs) == places(ours) and theirs["summary"] == ours["summary"]
        assert theirs["filesScanned"] == ours["filesScanned"]


def test_both_would_change_the_same_files(state, there, generation):
    plan = json.loads(json.dumps(PLAN))
    if generation == LATER:
        plan["targets"] = [one for one in plan["targets"] if "agentId" not in one]
    ours = json.loads(state.apply(plan, "--dry-run", "--json"))
    done = secrets(there, state, "apply", "--from", state.path("plan.json"), "--dry-run")
    assert done.returncode == 0, done.stderr + done.stdout
    theirs = json.loads(done.stdout)
    assert set(theirs) == set(ours) and theirs["mode"] == ours["mode"] and theirs["checks"] == ours["checks"]
    assert theirs["refsChecked"] == ours["refsChecked"] == len(plan["targets"])
    if generation != LATER:
        assert theirs["changedFiles"] == ours["changedFiles"] == [state.path(name) for name in CHANGED]


def test_what_the_original_wrote_is_what_we_would_write(state, there, generation):
    if generation == LATER:
        pytest.skip("keeps profiles in a database")
    state.write("plan.json", json.dumps(PLAN))
    done = secrets(there, state, "apply", "--from", state.path("plan.json"))
    assert done.returncode == 0, done.stderr + done.stdout
    again = json.loads(state.apply(PLAN, "--json"))
    assert again["changedFiles"] == [state.path(".env")]  # where the original takes a comment for a part of the value
    assert state.holders() == []  # and the copy of the config that it keeps is cleaned
