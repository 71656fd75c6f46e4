"""`openclaw secrets audit|apply`: what is found, what a plan may say, and that it is carried out whole or not at all."""

import json
import os
import random
import signal
import stat
import subprocess
import time

import pytest

from client import Client
from gateway import Gateway

KILLS = int(os.environ.get("OPENCLAW_TEST_KILLS", "5"))
alone_is_enough = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc",
                                     reason="the command line is the same whatever process an actor runs in")
pytestmark = alone_is_enough
KEY, OTHER, HEADER, PROFILE = "sk-plain-openai-0001", "sk-plain-other-0002", "plain-header-0003", "tok-plain-0004"
SECRETS = (KEY, OTHER, HEADER, PROFILE)
TEXT = """// mine
{
  gateway: { mode: 'local', auth: { mode: 'token', token: { source: 'env', provider: 'default', id: 'GW_TOKEN' } } },
  agents: { defaults: { model: { primary: 'builtin/echo' } } },
  models: { providers: {
    openai: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: '%s', headers: { 'X-Api-Key': '%s', 'X-Team': 'a' }, models: [] }, // key
    other: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: '%s', models: [] },
  } },
  secrets: { providers: { vault: { source: 'file', path: '%s' } } },
}
"""


class State:
    """A state directory with secrets in all the places where they may stand."""

    def __init__(self, **options):
        self.gateway = Gateway(**options)
        self.dir = self.gateway.state_dir
        self.gateway.extra = {"GW_TOKEN": self.gateway.token}
        self.vault = os.path.join(self.dir, "vault.json")
        self.write("openclaw.json", TEXT % (KEY, HEADER, OTHER, self.vault))
        self.write("vault.json", json.dumps({"openai": KEY, "other": OTHER, "header": HEADER, "profile": PROFILE}))
        self.write(".env", f"# mine\nOPENAI_API_KEY='{KEY}'\nexport GROQ_API_KEY={OTHER} # same\nPLAIN=1\n")
        self.write("agents/main/agent/auth-profiles.json", json.dumps({"version": 1, "profiles": {
            "openai:default": {"type": "api_key", "provider": "OpenAI", "key": KEY, "note": "kept"},
            "mine:token": {"type": "token", "provider": "mine", "token": PROFILE}}}))
        self.write("agents/gone/agent/auth.json", json.dumps({
            "openai": {"type": "api_key", "key": KEY}, "web": {"type": "oauth", "access": "a"}}))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), mode=0o700, exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), 0o600)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def files(self):
        """Every file that may hold a secret by its purpose, and what is in it."""
        found = {}
        for folder, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(folder, name)
                if path != self.vault and stat.S_ISREG(os.lstat(path).st_mode):
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, self.dir)] = file.read()
        return found

    def holders(self, secrets=SECRETS):
        return sorted(name for name, text in self.files().items() if any(one.encode() in text for one in secrets))

    def run(self, *words, code=0, **options):
        done = self.gateway.cli("secrets", *words, **options)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        for one in SECRETS:
            assert one not in done.stdout + done.stderr
        return done.stdout if not code else done.stderr

    def apply(self, plan, *words, **options):
        self.write("plan.json", plan if isinstance(plan, str) else json.dumps(plan))
        return self.run("apply", "--from", self.path("plan.json"), *words, **options)

    def audit(self, *words, code=0):
        done = self.gateway.cli("secrets", "audit", "--json", *words)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture(name="state")
def state_of_the_test():
    made = State()
    yield made
    made.gateway.close()


def ref(secret):
    return {"source": "file", "provider": "vault", "id": f"/{secret}"}


def target(path, secret, kind=None, **more):
    return {"type": kind or path, "path": path, "ref": ref(secret), **more}


def plan_of(*targets, **more):
    return {"version": 1, "protocolVersion": 1, "targets": list(targets), **more}


PLAN = plan_of(
    target("models.providers.openai.apiKey", "openai", "models.providers.apiKey", providerId="openai",
           pathSegments=["models", "providers", "openai", "apiKey"]),
    target("models.providers.openai.headers.X-Api-Key", "header", "models.providers.headers"),
    target("models.providers.other.apiKey", "other", "models.providers.*.apiKey"),
    target("profiles.mine:token.token", "profile", "auth-profiles.token.token", agentId="main"),
    target("profiles.new:one.key", "other", "auth-profiles.api_key.key", agentId="ops", authProfileProvider="fresh"))
CHANGED = [".env", "agents/gone/agent/auth.json", "agents/main/agent/auth-profiles.json",
           "agents/ops/agent/auth-profiles.json", "openclaw.json"]


def test_the_audit_finds_what_lies_around(state):
    state.write("agents/main/agent/models.json", json.dumps({"providers": {
        "openai": {"apiKey": KEY, "headers": {"Authorization": "Bearer x", "X-Team": "a"}},
        "marked": {"apiKey": "OPENAI_API_KEY", "headers": {"X-Api-Key": "secretref-managed"}},
        "stuck": {"apiKey": ref("openai")}}}))
    told = state.audit(code=2)
    assert {key: told[key] for key in ("version", "status", "resolution", "summary")} == {
        "version": 1, "status": "unresolved",
        "resolution": {"refsChecked": 1, "skippedExecRefs": 0, "resolvabilityComplete": True},
        "summary": {"plaintextCount": 9, "unresolvedRefCount": 1, "shadowedRefCount": 0, "legacyResidueCount": 1}}
    assert told["filesScanned"] == sorted(told["filesScanned"])
    assert {(one["code"], os.path.relpath(one["file"], state.dir), one["jsonPath"]) for one in told["findings"]} == {
        ("PLAINTEXT_FOUND", "openclaw.json", "models.providers.openai.apiKey"),
        ("PLAINTEXT_FOUND", "openclaw.json", "models.providers.openai.headers.X-Api-Key"),
        ("PLAINTEXT_FOUND", "openclaw.json", "models.providers.other.apiKey"),
        ("PLAINTEXT_FOUND", "agents/main/agent/auth-profiles.json", "profiles.openai:default.key"),
        ("PLAINTEXT_FOUND", "agents/main/agent/auth-profiles.json", "profiles.mine:token.token"),
        ("PLAINTEXT_FOUND", "agents/main/agent/models.json", "providers.openai.apiKey"),
        ("PLAINTEXT_FOUND", "agents/main/agent/models.json", "providers.openai.headers.Authorization"),
        ("REF_UNRESOLVED", "agents/main/agent/models.json", "providers.stuck.apiKey"),
        ("PLAINTEXT_FOUND", ".env", "$env.OPENAI_API_KEY"), ("PLAINTEXT_FOUND", ".env", "$env.GROQ_API_KEY"),
        ("LEGACY_RESIDUE", "agents/gone/agent/auth.json", "openai")}
    assert not any(one in json.dumps(told) for one in SECRETS)
    assert "and" not in state.run("audit", "--check", code=2)


def test_the_audit_ends_with_the_code_of_the_worst(state):
    state.run("audit")
    state.run("audit", "--check", code=1)
    state.write(".env", "")
    os.unlink(state.path("agents/gone/agent/auth.json"))
    os.unlink(state.path("agents/main/agent/auth-profiles.json"))
    clean = {"gateway": {"mode": "local"}, "models": {"providers": {"a": {
        "baseUrl": "http://x", "models": [], "apiKey": {"source": "exec", "provider": "prog", "id": "x"}}}},
        "secrets": {"providers": {"prog": {"source": "exec", "command": state.path("prog")}}}}
    state.write("openclaw.json", json.dumps(clean))
    state.write("prog", "#!/bin/sh\n: >" + state.path("ran") + "\necho '{\"protocolVersion\":1,\"values\":{\"x\":\"v\"}}'\n")
    os.chmod(state.path("prog"), 0o700)
    told = state.audit("--check")
    assert told["status"] == "clean" and told["resolution"] == {
        "refsChecked": 0, "skippedExecRefs": 1, "resolvabilityComplete": False}
    assert not os.path.exists(state.path("ran"))
    told = state.audit("--check", "--allow-exec")
    assert told["resolution"]["refsChecked"] == 1 and os.path.exists(state.path("ran"))
    clean["models"]["providers"]["a"]["apiKey"]["provider"] = "nobody"
    state.write("openclaw.json", json.dumps(clean))
    state.run("audit", "--check", code=2)
    state.write("openclaw.json", "{ gateway: ")
    told = state.audit(code=2)
    assert told["findings"][0]["jsonPath"] == "<root>"


def test_the_check_of_the_config_looks_at_files_and_programs_and_runs_none(state):
    def judged():
        done = state.gateway.cli("config", "validate", "--json")
        told = state.gateway.cli("doctor")
        found = {one["path"]: one["message"] for one in json.loads(done.stdout).get("issues", [])}
        for path, message in found.items():
            assert f"{path}: {message}" in told.stdout + told.stderr
        return done.returncode, found

    assert judged() == (0, {})
    command = state.path("program")
    with open(state.path("openclaw.json"), encoding="utf-8") as file:
        text = file.read()
    state.write("openclaw.json", text.replace("providers: { vault:", "providers: { run: { source: 'exec', command: '%s' }, vault:"
                                              % command))
    assert judged() == (1, {"secrets.providers.run.command": "the file is not there"})
    state.write("real", "#!/bin/sh\ntouch ran\n")
    os.symlink(state.path("real"), command)
    os.rename(state.vault, state.path("moved.json"))
    os.symlink(state.path("moved.json"), state.vault)
    assert judged() == (1, {"secrets.providers.run.command": "its path is a symbolic link",
                            "secrets.providers.vault.path": "its path is a symbolic link"})
    os.unlink(state.vault)  # it may come later
    os.unlink(command)
    os.rename(state.path("real"), command)
    os.chmod(command, 0o702)
    assert judged() == (1, {"secrets.providers.run.command": "others may write to the file: `chmod go-w` it"})
    assert not os.path.exists(state.path("ran"))


def test_profiles_before_a_reference_are_told(state):
    config = state.read("openclaw.json").replace(f"'{KEY}'", json.dumps(ref("openai")))
    state.write("openclaw.json", config)
    shadowed = [one for one in state.audit()["findings"] if one["code"] == "REF_SHADOWED"]
    assert [(one["jsonPath"], one["provider"]) for one in shadowed] == [("models.providers.openai.apiKey", "openai")]


def test_a_dry_run_tells_and_writes_nothing(state):
    before = state.files()
    told = json.loads(state.apply(PLAN, "--dry-run", "--json"))
    after = state.files()
    assert {name: text for name, text in after.items() if name in before} == before
    assert [os.path.relpath(path, state.dir) for path in told["changedFiles"]] == CHANGED
    assert told["mode"] == "dry-run" and told["changed"] is True and told["refsChecked"] == 5
    assert told["checks"] == {"resolvability": True, "resolvabilityComplete": True}


def test_a_plan_is_carried_out_and_no_secret_stays(state):
    told = json.loads(state.apply(PLAN, "--json"))
    assert told["mode"] == "write" and len(told["changedFiles"]) == len(CHANGED) and told["warningCount"] == 0
    assert state.holders() == []
    text = state.read("openclaw.json")
    assert text.startswith("// mine\n") and "// key" in text and "'X-Team': 'a'" in text
    assert state.read(".env") == "# mine\nPLAIN=1\n"
    assert json.loads(state.read("agents/gone/agent/auth.json")) == {"web": {"type": "oauth", "access": "a"}}
    assert json.loads(state.read("agents/main/agent/auth-profiles.json"))["profiles"] == {
        "openai:default": {"type": "api_key", "provider": "OpenAI", "note": "kept"},
        "mine:token": {"type": "token", "provider": "mine", "tokenRef": ref("profile")}}
    assert json.loads(state.read("agents/ops/agent/auth-profiles.json")) == {
        "version": 1, "profiles": {"new:one": {"type": "api_key", "provider": "fresh", "keyRef": ref("other")}}}
    for name in CHANGED + ["openclaw.json.bak"]:
        assert os.stat(state.path(name)).st_mode & 0o777 == 0o600, name
    again = json.loads(state.apply(PLAN, "--json"))
    assert again["changed"] is False and again["changedFiles"] == []


def test_a_running_gateway_writes_its_config_and_has_it_in_force(state):
    state.gateway.start()
    told = json.loads(state.apply(PLAN, "--json"))
    assert told["changedFiles"] == [state.path(name) for name in CHANGED]
    assert state.holders() == [] and state.read("openclaw.json").startswith("// mine\n")
    with Client(state.gateway.port, state.gateway.token) as client:
        assert client.call("config.get")["parsed"]["models"]["providers"]["openai"]["apiKey"] == ref("openai")
        assert client.call("secrets.reload")["ok"] is True
    assert "config.set" in state.read("logs/config-audit.jsonl")
    assert json.loads(state.run("reload", "--json"))["warningCount"] == 0
    os.unlink(state.vault)
    assert "openclaw health" in state.run("reload", code=1)
    assert "models.providers" in state.gateway.cli("health").stdout
    assert state.audit(code=2)["summary"]["unresolvedRefCount"] == 3 + 2  # of the config and of profiles


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_a_long_secret_may_go_without_being_taken_for_a_loss(state, is_running):
    long = "-----BEGIN KEY-----\n" + "0123456789abcdef\n" * 200
    state.gateway.extra["LONG"] = long
    state.write("openclaw.json", state.read("openclaw.json").replace(f"'{OTHER}'", json.dumps(long)))
    if is_running:
        state.gateway.start()
    state.apply(plan_of({**PLAN["targets"][2], "ref": {"source": "env", "provider": "default", "id": "LONG"}}))
    assert len(state.read("openclaw.json")) < 1500 and state.holders(("0123456789abcdef",)) == []


def test_what_a_reference_needs_stays_in_the_env_file(state):
    plan = plan_of({"type": "models.providers.apiKey", "path": "models.providers.openai.apiKey",
                    "ref": {"source": "env", "provider": "default", "id": "OPENAI_API_KEY"}})
    told = json.loads(state.apply(plan, "--json"))
    assert told["warningCount"] == 1 and "OPENAI_API_KEY stays" in told["warnings"][0]
    assert f"OPENAI_API_KEY='{KEY}'" in state.read(".env")
    assert "apiKey" in state.read("openclaw.json") and KEY not in state.read("openclaw.json")


def test_scrubbing_can_be_turned_off(state):
    before = {name: state.read(name) for name in (".env", "agents/gone/agent/auth.json")}
    off = {"scrubEnv": False, "scrubAuthProfilesForProviderTargets": False, "scrubLegacyAuthJson": False}
    told = json.loads(state.apply(plan_of(PLAN["targets"][0], options=off), "--json"))
    assert told["changedFiles"] == [state.path("openclaw.json")]
    assert {name: state.read(name) for name in before} == before


REFUSED = {
    "other-path": (plan_of(target("models.providers.openai.baseUrl", "openai", "models.providers.apiKey")), "baseUrl"),
    "prototype": (plan_of(target("models.providers.__proto__.apiKey", "openai", "models.providers.apiKey")), "__proto__"),
    "unresolved": (plan_of(target("models.providers.openai.apiKey", "nowhere", "models.providers.apiKey")), "resolved"),
    "still-used": (plan_of(PLAN["targets"][0], providerDeletes=["vault"]), "vault"),
    "new-profile": (plan_of(target("profiles.x.key", "openai", "auth-profiles.api_key.key", agentId="main")),
                    "authProfileProvider"),
    "profile-type": (plan_of(target("profiles.mine:token.key", "openai", "auth-profiles.api_key.key", agentId="main",
                                    authProfileProvider="x")), "another type"),
    "no-such-list": (plan_of(target("agents.list.7.memorySearch.remote.apiKey", "openai",
                                    "agents.list[].memorySearch.remote.apiKey")), "agents.list.7"),
    "exec": (plan_of(providerUpserts={"p": {"source": "exec", "command": "/bin/true"}}), "--allow-exec"),
}


def test_a_plan_that_breaks_a_rule_changes_nothing(state):
    state.run("audit")
    before = state.files()
    for name, (plan, word) in REFUSED.items():
        told = state.apply(plan, code=1)
        assert word in told, (name, told)
        after = state.files()
        assert {name: after.get(name) for name in before} == before, name
    assert "no such file" in state.run("apply", "--from", state.path("none"), code=1)
    os.mkfifo(state.path("fifo"))
    assert "no regular file" in state.run("apply", "--from", state.path("fifo"), code=1)
    state.run("apply", code=1)


def test_programs_run_only_when_that_is_allowed(state):
    state.write("prog", "#!/bin/sh\n: >" + state.path("ran") + "\necho '{\"protocolVersion\":1,\"values\":{\"x\":\"v\"}}'\n")
    os.chmod(state.path("prog"), 0o700)
    plan = plan_of({"type": "models.providers.apiKey", "path": "models.providers.openai.apiKey",
                    "ref": {"source": "exec", "provider": "prog", "id": "x"}},
                   providerUpserts={"prog": {"source": "exec", "command": state.path("prog")}})
    told = json.loads(state.apply(plan, "--dry-run", "--json"))
    assert told["skippedExecRefs"] == 1 and told["checks"]["resolvabilityComplete"] is False
    assert "--allow-exec" in state.apply(plan, code=1)
    assert not os.path.exists(state.path("ran"))
    assert json.loads(state.apply(plan, "--dry-run", "--allow-exec", "--json"))["refsChecked"] == 1
    assert os.path.exists(state.path("ran"))
    state.apply(plan, "--allow-exec")
    assert KEY not in state.read("openclaw.json") and '"prog"' in state.read("openclaw.json")


def test_when_the_config_cannot_be_written_everything_is_as_it_was(state):
    os.rename(state.path("openclaw.json"), state.path("real.json"))
    os.symlink(state.path("real.json"), state.path("openclaw.json"))
    state.run("audit")
    before = state.files()
    assert "symbolic link" in state.apply(PLAN, code=1)
    after = state.files()
    assert {name: after.get(name) for name in before} == before
    assert not [name for name in after if name.endswith((".secrets", ".tmp"))]
    assert not os.path.exists(state.path("agents/ops/agent/auth-profiles.json"))


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_a_reference_that_led_nowhere_before_stops_neither_trial_nor_deed(state, is_running):
    state.write("openclaw.json", state.read("openclaw.json").replace(f"'{OTHER}'", "'${NOBODY_SET_THIS}'"))
    if is_running:
        state.gateway.start()
    plan = plan_of(target("models.providers.openai.apiKey", "openai", "models.providers.apiKey"))
    tried = json.loads(state.apply(plan, "--dry-run", "--json"))
    assert tried["checks"]["resolvability"] is True and "as before" in json.dumps(tried["warnings"])
    done = json.loads(state.apply(plan, "--json"))
    assert done["changedFiles"] == tried["changedFiles"] and KEY not in state.read("openclaw.json")
    before = state.files()
    plan = plan_of(providerUpserts={"default": {"source": "env", "allowlist": ["GW_TOKEN"]}})
    tried = state.apply(plan, "--dry-run", code=1)
    assert "models.providers.other.apiKey" in tried and "models.providers.other.apiKey" in state.apply(plan, code=1)
    assert state.read("openclaw.json").encode() == before["openclaw.json"]


def test_when_the_gateway_says_no_everything_is_as_it_was(state):
    state.gateway.start()
    state.run("audit")
    before = state.files()
    plan = plan_of({"type": "models.providers.apiKey", "path": "models.providers.openai.apiKey",
                    "ref": {"source": "env", "provider": "default", "id": "ONLY_HERE"}})
    told = state.apply(plan, code=1, environment={"ONLY_HERE": KEY})
    assert "models.providers.openai.apiKey" in told
    after = state.files()
    for name in CHANGED[:3] + CHANGED[-1:]:
        assert after[name] == before[name], name


def test_a_link_in_the_place_of_a_file_is_not_written_to(state):
    os.rename(state.path(".env"), state.path("elsewhere"))
    os.symlink(state.path("elsewhere"), state.path(".env"))
    before = state.read("elsewhere")
    assert "symbolic link" in state.apply(PLAN, code=1)
    assert state.read("elsewhere") == before and KEY in state.read("openclaw.json")
    assert KEY in state.read("agents/main/agent/auth-profiles.json")


def test_values_elsewhere_are_told_and_copies_are_cleaned(state):
    text = state.read("openclaw.json")
    state.write("openclaw.json", text.replace("// key", f"// key {KEY}"))
    state.write("openclaw.json.last-good", text)
    state.write("openclaw.json.bak.2", "no json at all " + OTHER)
    told = json.loads(state.apply(PLAN, "--json"))
    assert any("comment" in one for one in told["warnings"])
    assert state.holders() == ["openclaw.json"]  # the comment, which nobody may change
    assert ref("openai") == json.loads(state.gateway.cli(
        "config", "get", "models.providers.openai.apiKey", "--json").stdout)
    assert '"provider": "vault"' in state.read("openclaw.json.last-good")
    assert not os.path.exists(state.path("openclaw.json.bak.2"))


def test_the_included_file_is_the_one_that_changes(state):
    state.write("providers.json5", "{ mine: { baseUrl: 'http://x', apiKey: '%s', models: [] } } // there" % KEY)
    state.write("openclaw.json", "{ gateway: { mode: 'local' }, models: { providers: { $include: 'providers.json5' } },"
                                 " secrets: { providers: { vault: { source: 'file', path: '%s' } } } }" % state.vault)
    plan = plan_of(target("models.providers.mine.apiKey", "openai", "models.providers.apiKey"))
    before = state.read("openclaw.json")
    state.apply(plan)
    assert state.read("openclaw.json") == before and "// there" in state.read("providers.json5")
    assert state.holders((KEY,)) == ["agents/main/agent/auth-profiles.json"]  # of another provider


def test_a_run_that_is_killed_tears_nothing_and_can_be_repeated(state):
    state.run("audit")
    fresh = state.files()
    environment = state.gateway.environment
    environment["ASAN_OPTIONS"] += ":detect_leaks=0"
    started = time.monotonic()
    state.apply(PLAN)
    took, done = time.monotonic() - started, state.files()
    killed = 0
    for _ in range(KILLS):
        for name in state.files():
            if name not in fresh:
                os.unlink(state.path(name))
        for name, text in fresh.items():
            with open(state.path(name), "wb") as file:
                file.write(text)
        state.write("plan.json", json.dumps(PLAN))
        with subprocess.Popen(state.gateway.command("secrets", "apply", "--from", state.path("plan.json")),
                              env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(random.uniform(took / 3, took))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        now = state.files()
        for name in CHANGED[:-1]:
            assert now.get(name) in (fresh.get(name), done[name]), name
        config = now["openclaw.json"].decode()
        assert config.startswith("// mine") and config.rstrip().endswith("}"), config
        state.apply(PLAN)
        assert state.holders() == [] and not [name for name in state.files() if name.endswith((".secrets", ".tmp"))]
    assert killed
