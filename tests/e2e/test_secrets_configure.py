"""`openclaw secrets configure` as a person types it, on a terminal."""

import json
import os
import stat
import subprocess

import pytest

from terminal import Terminal
from test_secrets_cli import HEADER, KEY, SECRETS, State, alone_is_enough, ref

pytestmark = alone_is_enough


@pytest.fixture(name="state")
def state_of_the_test():
    made = State()
    made.terminals = []
    yield made
    for each in made.terminals:
        each.close()
    made.gateway.close()


def configure(state, *words, **options):
    made = Terminal(state.gateway.command("secrets", "configure", *words),
                    {**state.gateway.environment, "TERM": "dumb"}, **options)
    state.terminals.append(made)
    return made


def test_from_a_provider_to_the_last_file(state):
    plan = state.path("plan.json")
    at = configure(state, "--plan-out", plan)
    at.answer("Secret providers", "add")
    at.answer("Name of the provider [default]: ", "vault")
    at.answer("There is a provider of that name.", "store")
    at.answer("Where are its secrets?", "file")
    at.answer("Path of the file: ", "vault.json")
    at.answer("must begin with /", state.vault)
    at.answer("What is in it?", "")
    at.answer("Most time in ms (empty: 5000): ", "0")
    at.answer("from 1 to 120000", "2000")
    at.answer("Most bytes", "")
    at.answer("Use it even when others", "")
    at.answer("Secret providers", "")
    at.answer("Which credential?", "models.providers.openai.apiKey")
    at.answer("Where is it?", "2")
    at.answer("Provider [vault]: ", "store")
    at.answer("Id of the secret: ", "/nowhere")
    at.expect("It cannot be resolved")
    at.answer("Another credential?", "y")
    at.answer("Which credential?", "models.providers.openai.apiKey")
    at.answer("Where is it?", "file")
    at.answer("Provider [vault]: ", "store")
    at.answer("Id of the secret: ", "openai")
    at.answer("JSON pointer", "/openai")
    at.answer("Another credential?", "")
    at.answer("Which credential?", "new-profile")
    at.answer("Name of the profile: ", "my profile")
    at.answer("letters, digits", "mine:new")
    at.answer("What does it hold?", "token")
    at.answer("Provider of models: ", "mine")
    at.answer("Where is it?", "file")
    at.answer("Provider [vault]: ", "")
    at.answer("Id of the secret: ", "/profile")
    at.answer("Another credential?", "")
    at.answer("Which credential?", "done")
    at.answer("Carry the plan out now? [Y/n] ", "y")
    assert at.wait() == 0, at.seen
    assert not any(one in at.seen for one in SECRETS)
    made = json.loads(state.read("plan.json"))
    assert made["version"] == made["protocolVersion"] == 1 and made["generatedBy"] == "openclaw secrets configure"
    assert made["targets"] == [
        {"type": "models.providers.apiKey", "path": "models.providers.openai.apiKey", "providerId": "openai",
         "pathSegments": ["models", "providers", "openai", "apiKey"], "ref": {**ref("openai"), "provider": "store"}},
        {"type": "auth-profiles.token.token", "path": "profiles.mine:new.token", "agentId": "main",
         "pathSegments": ["profiles", "mine:new", "token"], "ref": ref("profile"), "authProfileProvider": "mine"}]
    assert made["providerUpserts"] == {"store": {"source": "file", "path": state.vault, "mode": "json", "timeoutMs": 2000}}
    assert made["options"] == {"scrubEnv": True, "scrubAuthProfilesForProviderTargets": True, "scrubLegacyAuthJson": True}
    assert os.stat(plan).st_mode & 0o777 == 0o600
    assert state.holders((KEY,)) == []
    profiles = json.loads(state.read("agents/main/agent/auth-profiles.json"))["profiles"]
    assert profiles["mine:new"] == {"type": "token", "provider": "mine", "tokenRef": ref("profile")}


def test_providers_are_edited_and_removed(state):
    before = state.read("openclaw.json")
    at = configure(state, "--providers-only", "--json", stdout=subprocess.PIPE)
    at.answer("Secret providers", "add")
    at.answer("Name of the provider", "prog")
    at.answer("Where are its secrets?", "exec")
    at.answer("Path of the program: ", "/bin/echo;x")
    at.answer("No shell runs it", "/bin/echo")
    at.answer("Arguments", "read")
    at.answer("Write a list of texts", '["-n", "a b"]')
    at.answer("Most time in ms", "")
    at.answer("Most ms without output", "")
    at.answer("Most bytes of output", "")
    at.answer("Must its answer be JSON?", "n")
    at.answer("Variables it gets", "PATH, home")
    at.answer("Names of variables", "PATH, HOME")
    at.answer("Directories it may be in", "/bin,/usr/bin")
    at.answer("Run it even when", "n")
    at.answer("symbolic link?", "y")
    at.answer("Secret providers", "edit")
    at.answer("Which?", "prog")
    at.answer("Where are its secrets?", "")
    at.answer("Path of the program [/bin/echo]: ", "")
    at.answer('Arguments, as a JSON list (empty: none) [["-n","a b"]]: ', "-")
    for question in ("Most time in ms", "Most ms without output", "Most bytes of output", "Must its answer be JSON? [y/N]",
                     "Variables it gets, with commas (empty: none) [PATH,HOME]: ",
                     "Directories it may be in, with commas (empty: any) [/bin,/usr/bin]: ", "Run it even when",
                     "symbolic link? [Y/n]"):
        at.answer(question, "")
    at.answer("Secret providers", "remove")
    at.answer("Which?", "vault")
    at.answer('Remove the provider "vault"? [y/N] ', "y")
    at.answer("Secret providers", "continue")
    told = json.loads(at.process.stdout.read())
    assert at.wait() == 0
    assert set(told) == {"plan", "preflight"} and told["preflight"]["mode"] == "dry-run"
    assert told["plan"]["providerUpserts"] == {"prog": {
        "source": "exec", "command": "/bin/echo", "jsonOnly": False, "passEnv": ["PATH", "HOME"],
        "trustedDirs": ["/bin", "/usr/bin"], "allowSymlinkCommand": True}}
    assert told["plan"]["providerDeletes"] == ["vault"] and told["plan"]["targets"] == []
    assert state.read("openclaw.json") == before


def test_what_is_not_there_yet_is_offered_on_request(state):
    at = configure(state, "--skip-provider-setup", "--apply")
    at.answer("Which credential?", "gateway.auth.password")
    at.answer("Type a number from", "show-all")
    at.answer("Which credential?", "gateway.auth.password")
    at.answer("Where is it?", "env")
    at.answer("Provider [default]: ", "")
    at.answer("Id of the secret: ", "GW_TOKEN")
    at.answer("Another credential?", "n")
    at.answer("no copy is kept. Go on? [Y/n] ", "n")
    assert at.wait() == 0 and "Nothing was written" in at.seen
    assert "password" not in state.read("openclaw.json")


def test_the_usual_variable_is_offered(state):
    at = configure(state, "--skip-provider-setup", "--agent", "main", "--apply", "--yes")
    at.answer("Which credential?", "models.providers.openai.apiKey")
    at.answer("Where is it?", "env")
    at.answer("Provider [default]: ", "")
    at.answer("Id of the secret [OPENAI_API_KEY]: ", "")
    at.answer("Another credential?", "n")
    assert at.wait() == 0, at.seen
    assert '"OPENAI_API_KEY"' in state.read("openclaw.json") and HEADER in state.read("openclaw.json")


def test_it_ends_without_a_trace(state):
    before = state.files()
    at = configure(state, "--providers-only")
    at.end_of_input("Secret providers")
    assert at.wait() == 1 and "nothing was written" in at.seen
    at = configure(state, "--providers-only")
    at.answer("Secret providers", "continue")
    assert at.wait() == 1 and "nothing was chosen" in at.seen
    at = configure(state, "--skip-provider-setup", "--agent", "nobody")
    assert at.wait() == 1 and "agents: main" in at.seen
    assert "terminal" in state.run("configure", code=1, stdin=subprocess.DEVNULL)
    state.run("configure", "--providers-only", "--skip-provider-setup", code=1, stdin=subprocess.DEVNULL)
    assert state.files() == before and not stat.S_ISLNK(os.lstat(state.path("openclaw.json")).st_mode)
