"""`openclaw setup` makes what a start needs, `openclaw doctor` finds what is wrong: looking changes nothing, and a repair
never makes things worse."""

import json
import os
import re
import socket
import stat

import pytest

from client import Client
from gateway import Gateway, until

pytestmark = pytest.mark.skipif(os.environ.get("OPENCLAW_TEST_TOPOLOGY") == "ipc", reason="the same in any topology")
LEGACY = """// my notes
{
  agent: { model: "openai/gpt-5", workspace: "/w" },
  identity: { name: "Molty" }, // her
  gateway: { mode: "local", auth: { token: "abc-def-ghi-jkl", tokn: 1 } },
  models: { providers: { p: { baseUrl: "http://127.0.0.1:9", api: "openai", models: [] } } },
}
"""


@pytest.fixture(name="ours")
def gateway_not_started():
    made = Gateway()
    yield made
    made.close()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def files(gateway):
    """Names and texts of the state directory, without what looking may leave (lock, sanitizer, home)."""
    return {name: read(os.path.join(gateway.state_dir, name)) for name in sorted(os.listdir(gateway.state_dir))
            if name.startswith(("openclaw.json", ".env"))}


def doctor(gateway, *options, code=0):
    named = {"OPENCLAW_GATEWAY_PORT": str(gateway.port) if gateway.process is None else ""}
    done = gateway.cli("doctor", *options, environment=named)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout


# --- setup ------------------------------------------------------------------------------------------------------------


def test_setup_makes_a_gateway_that_starts(ours):
    os.unlink(ours.config_path)
    assert ours.cli("setup").returncode == 0
    config = json.loads(read(ours.config_path))
    assert config["gateway"]["mode"] == "local" and mode_of(ours.config_path) == 0o600
    assert os.path.isdir(config["agents"]["defaults"]["workspace"])
    before = read(ours.config_path)
    assert ours.cli("setup").returncode == 0 and read(ours.config_path) == before, "the second time changes nothing"
    assert "0 problems" in doctor(ours)
    ours.start()
    with Client(ours.port, config["gateway"]["auth"]["token"]) as client:
        assert client.call("health")["ok"]
        workspace = os.path.join(ours.state_dir, "elsewhere")
        done = ours.cli("setup", "--workspace", workspace, "--non-interactive", "--mode", "local")
        assert done.returncode == 0, done.stderr
        assert client.call("config.get")["config"]["agents"]["defaults"]["workspace"] == workspace
    assert json.loads(read(ours.config_path))["gateway"]["auth"] == config["gateway"]["auth"], "what was there stays"


def test_setup_for_a_gateway_elsewhere_and_what_it_does_not_do(ours):
    os.unlink(ours.config_path)
    done = ours.cli("setup", "--non-interactive", "--mode", "remote", "--remote-url", "wss://far.example:18789",
                       "--remote-token", "a-remote-token")
    assert done.returncode == 0, done.stderr
    assert json.loads(read(ours.config_path))["gateway"] == {
        "mode": "remote", "remote": {"url": "wss://far.example:18789", "token": "a-remote-token"}}
    assert len(read(ours.config_path).splitlines()) > 5, "people read it, too"
    for words in (("--wizard",), ("--import-from", "hermes"), ("--mode", "remote"), ("--remote-token", "x"),
                  ("--remote-url", "http://far.example")):
        before = read(ours.config_path)
        assert ours.cli("setup", *words).returncode == 2 and read(ours.config_path) == before


def test_setup_of_the_dev_profile(ours):
    environment = {"OPENCLAW_STATE_DIR": "", "OPENCLAW_CONFIG_PATH": "", "HOME": ours.state_dir}
    assert ours.cli("--dev", "setup", environment=environment).returncode == 0
    config = json.loads(read(os.path.join(ours.state_dir, ".openclaw-dev", "openclaw.json")))
    assert config["gateway"]["port"] == 19001 and config["gateway"]["mode"] == "local"


def test_two_profiles_do_not_want_one_port(ours):
    environment = {"OPENCLAW_STATE_DIR": "", "OPENCLAW_CONFIG_PATH": "", "HOME": ours.state_dir,
                   "OPENCLAW_GATEWAY_PORT": ""}

    def run(*words):
        done = ours.cli(*words, environment=environment)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def port_of(name):
        return json.loads(read(os.path.join(ours.state_dir, name, "openclaw.json")))["gateway"]["port"]

    run("--profile", "far", "setup", "--mode", "remote", "--remote-url", "ws://far.example:1")
    run("setup")
    assert 'Port: 18809, since the profile "default" has 18789' in run("--profile", "work", "setup")
    run("--profile", "third", "setup")
    run("--dev", "setup")
    assert [port_of(name) for name in (".openclaw", ".openclaw-work", ".openclaw-third", ".openclaw-dev")] == [
        18789, 18809, 18829, 19001]
    assert "as well" not in run("--profile", "work", "doctor")
    run("--profile", "work", "config", "set", "gateway.port", "18829")
    assert 'the profile "third" wants port 18829 as well' in run("--profile", "work", "doctor")


@pytest.mark.parametrize("words", [(), ("--dev",), ("--profile", "foo")])
def test_setup_names_the_line_that_starts_what_it_made(ours, words):
    environment = {"OPENCLAW_STATE_DIR": "", "OPENCLAW_CONFIG_PATH": "", "HOME": ours.state_dir}
    done = ours.cli(*words, "setup", environment=environment)
    assert f"Ready: {' '.join(['openclaw', *words, 'gateway'])} starts it" in done.stdout


@pytest.mark.parametrize("words, code", [(("gateway",), 78), (("config", "validate"), 1)])
def test_a_config_that_does_not_do_names_what_makes_one_that_does(ours, words, code):
    write(ours.config_path, LEGACY)
    done = ours.cli(*words)
    assert done.returncode == code and "`openclaw doctor --fix`" in done.stderr and "setup" not in done.stderr
    write(ours.config_path, '{ "gateway": { "mode": "local", "auth": { "mode": "nonsense" } } }')
    done = ours.cli(*words)
    assert done.returncode == code and "doctor" not in done.stderr and "setup" not in done.stderr
    write(ours.config_path, '{ "gateway": { "mode": "local", ')
    done = ours.cli(*words)
    assert done.returncode == code and "`openclaw doctor` says" in done.stderr and "setup" not in done.stderr
    write(ours.config_path, '{ "gateway": { "mode": "local" } }')
    done = ours.cli(*words)
    assert done.returncode == code and ("`openclaw setup`" in done.stderr) == (words == ("gateway",))
    os.unlink(ours.config_path)
    done = ours.cli(*words)
    assert done.returncode == code and "`openclaw setup`" in done.stderr and "doctor" not in done.stderr


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_it_only_looks_until_it_is_told(ours):
    write(ours.config_path, LEGACY, 0o644)
    before = files(ours)
    for options in ((), ("--non-interactive",), ("--deep",)):
        said = doctor(ours, *options)
        assert "agents.defaults.model.primary" in said and "tokn" in said and "0644" in said
        assert files(ours) == before and mode_of(ours.config_path) == 0o644
    assert ours.cli("doctor", "--fix", environment={"OPENCLAW_NIX_MODE": "1"}).returncode == 1
    assert files(ours) == before


def test_oc_134730_old_keys_become_what_they_are_today_and_the_rest_stays(ours):
    """They were the reason to put back an older config as a whole, with whatever had been set since."""
    write(ours.config_path + ".last-good", '{ "gateway": { "mode": "local", "auth": { "token": "of-long-ago" } } }')
    write(ours.config_path, LEGACY, 0o644)
    assert ours.cli("config", "validate").returncode == 1
    doctor(ours, "--fix")
    text = read(ours.config_path)
    assert "// my notes" in text and 'tokn' not in text
    assert ours.cli("config", "validate").returncode == 0 and mode_of(ours.config_path) == 0o600
    assert ours.cli("config", "get", "agents.list[0].identity.name").stdout.strip() == "Molty"
    assert ours.cli("config", "get", "agents.defaults.model.primary").stdout.strip() == "openai/gpt-5"
    assert ours.cli("config", "get", "models.providers.p.api").stdout.strip() == "openai-completions"
    assert read(ours.config_path + ".bak") == LEGACY, "nothing is removed without a copy"
    again = files(ours)
    assert "0 problems" in doctor(ours, "--repair") and files(ours) == again, "the second time changes nothing"


GOOD = "{ gateway: { mode: 'local', auth: { token: 'abc-def-ghi-jkl' } } }"


def included(gateway, name, text):
    path = os.path.join(os.path.realpath(gateway.state_dir), name)
    write(path, text, 0o640)
    return path


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_what_stands_in_files_that_are_included_is_repaired_there(ours, is_running):
    if is_running:
        write(ours.config_path, GOOD.replace('abc-def-ghi-jkl', ours.token))
        ours.start()
    old = included(ours, "old.json5", "// shared\n{ // old\n agent: { model: 'builtin/echo' }, /* stays */ }\n")
    session = included(ours, "session.json5", "{ mainKey: 'main', // mine\n  parentForkMaxTokens: 5, bogus: 1 } // end")
    one = included(ours, "one.json5", "{ id: 'work', nam: 'W' /* why */ }")
    root = f"{{ $include: './old.json5', gateway: {{ mode: 'local', bind: '*', auth: {{ token: '{ours.token}' }} }},\n" \
           "  session: { $include: './session.json5' }, agents: { list: [ { id: 'main' }, { $include: 'one.json5' } ] },\n" \
           "  loging: {} } // top"
    write(ours.config_path, root)
    before = [read(path) for path in (old, session, one)]
    said = doctor(ours, "--non-interactive")
    for told in (f"{old}:3:11: agent.model becomes agents.defaults.model.primary", f"rewrite it in {old}: ",
                 f"{session}:2:3: session.parentForkMaxTokens is removed", f"remove session.bogus from {session}",
                 f"remove agents.list[1].nam from {one}", "remove loging; "):
        assert told in said, (told, said)
    assert [read(path) for path in (old, session, one)] == before and read(ours.config_path) == root
    doctor(ours, "--fix")
    assert read(old).startswith("// shared\n{ // old\n") and "/* stays */" in read(old) and '"primary": "builtin/echo"' in read(old)
    assert "agent:" not in read(old)
    assert "// mine" in read(session) and read(session).endswith("} // end") and "bogus" not in read(session)
    assert "parentFork" not in read(session) and "/* why */" in read(one) and "nam" not in read(one)
    text = read(ours.config_path)
    assert text.count("$include") == 3 and text.endswith("} // top") and "loging" not in text and "'*'" not in text
    for path, kept in zip((old, session, one), before):
        assert read(path + ".bak") == kept and (mode_of(path), mode_of(path + ".bak")) == (0o640, 0o600)
    assert ours.cli("config", "validate").returncode == 0
    assert json.loads(ours.cli("config", "get", "agents.defaults.model", "--json").stdout) == {"primary": "builtin/echo"}
    lines = read(os.path.join(ours.state_dir, "logs", "config-audit.jsonl")).splitlines()
    assert {json.loads(line)["configPath"] for line in lines} >= {ours.config_path} and len(lines) == 4
    if is_running:
        with Client(ours.port, ours.token) as client:
            assert client.call("config.get")["valid"]


def test_a_file_that_stands_in_two_places_and_what_leaves_its_file_are_left_to_a_person(ours):
    twice = included(ours, "twice.json5", "{ nam: 1 }")
    routing = included(ours, "routing.json5", "{ queue: { mode: 'collect' } }")
    text = "{ gateway: { mode: 'local', auth: { token: 'abc-def-ghi-jkl' } }, routing: { $include: 'routing.json5' },\n" \
           "  agents: { list: [ { id: 'a', $include: 'twice.json5' }, { id: 'b', $include: 'twice.json5' } ] } }"
    write(ours.config_path, text)
    said = doctor(ours, "--fix", code=1)
    assert f"{routing}:1:3: routing.queue becomes messages.queue" in said and "write it so by hand" in said
    assert f"{twice}:1:3: agents.list.0: Unrecognized key" in said
    assert read(twice) == "{ nam: 1 }" and read(routing) == "{ queue: { mode: 'collect' } }"
    assert read(ours.config_path) == text


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
@pytest.mark.parametrize("fault, says", [
    ("{ level: 'loud' }", "log.json5:1:3: logging.level is \"loud\""), ("{ level: ", "log.json5:1:10: the file ends before it is finished"),
    ("{ level: '${NOT_SET_ANYWHERE}' }", "NOT_SET_ANYWHERE"), (None, "names a file that does not exist")])
def test_what_is_wrong_in_a_file_that_is_included_holds_back_no_other_repair(ours, is_running, fault, says):
    if is_running:
        write(ours.config_path, GOOD.replace('abc-def-ghi-jkl', ours.token))
        ours.start()
    log = os.path.join(ours.state_dir, "log.json5")
    if fault:
        write(log, fault)
    write(ours.config_path, f"{{ // mine\n gateway: {{ mode: 'local', bind: '*', auth: {{ token: '{ours.token}', tokn: 1 }} }},\n"
                            " logging: { $include: './log.json5' } }")
    said = doctor(ours, "--fix", code=1)
    assert says in said and "held back" not in said and "done: remove gateway.auth.tokn" in said, said
    text = read(ours.config_path)
    assert "tokn" not in text and '"lan"' in text and "// mine" in text and "$include" in text
    assert not fault or read(log) == fault
    again = doctor(ours, "--fix", code=1)
    assert says in again and "0 can be repaired here" in again
    write(log, "{ level: 'info' }")
    doctor(ours, "--fix")
    if is_running:
        with Client(ours.port, ours.token) as client:
            until(lambda: client.call("config.get")["valid"], 10, "the mended config")


def test_a_model_of_old_that_is_an_object_moves_whole(ours):
    write(ours.config_path, """{ gateway: { mode: 'local', auth: { token: 'abc-def-ghi-jkl' } },
        agent: { model: { primary: 'builtin/echo' }, modelFallbacks: ['builtin/other'] } }""")
    assert "agent.model becomes agents.defaults.model" in doctor(ours, "--fix")
    assert ours.cli("config", "validate").returncode == 0
    assert json.loads(ours.cli("config", "get", "agents.defaults.model", "--json").stdout) == {
        "primary": "builtin/echo", "fallbacks": ["builtin/other"]}


def test_agents_as_later_releases_keep_them_are_understood(ours):
    """They stand by their ids there; a person who comes back from one is told how, and loses nothing."""
    write(ours.config_path, """{ gateway: { mode: 'local', auth: { token: 'abc-def-ghi-jkl' } },
        agents: { entries: { home: { name: 'Home' }, /* of work */ work: { model: 'p/m' } } } }""")
    done = ours.cli("config", "validate")
    assert done.returncode == 1 and "entries" in done.stderr
    assert "agents.entries becomes agents.list" in doctor(ours, "--fix")
    assert ours.cli("config", "validate").returncode == 0
    assert json.loads(ours.cli("config", "get", "agents.list", "--json").stdout) == [
        {"id": "home", "name": "Home"}, {"id": "work", "model": "p/m"}]
    with open(ours.config_path + ".bak", encoding="utf-8") as kept:
        assert "entries" in kept.read()


def test_oc_12858_a_config_that_is_fine_is_not_touched(ours):
    """Repairs of other things, and of nothing, leave it byte for byte as it is."""
    text = "// mine\n{ gateway: { mode: 'local', auth: { token: 'abc-def-ghi-jkl' } }, plugins: { entries: { x: {} } }, }\n"
    write(ours.config_path, text, 0o644)
    doctor(ours, "--fix")
    doctor(ours, "--repair", "--force", "--yes", "--deep")
    assert read(ours.config_path) == text and files(ours) == {"openclaw.json": text}


def test_what_only_a_person_can_correct_is_left_alone(ours):
    write(ours.config_path, '{ gateway: { mode: "local", port: "many", auth: { token: "abc-def-ghi-jkl" } }, bogus: 1 }')
    said = doctor(ours, "--fix", code=1)
    assert "gateway.port" in said and "done: remove bogus" in said and "1 finding is left" in said
    assert 'port: "many"' in read(ours.config_path) and "bogus" not in read(ours.config_path)
    assert "bogus" in read(ours.config_path + ".bak")


def test_a_missing_token_is_made_and_a_reference_is_not_replaced(ours):
    write(ours.config_path, '{ gateway: { mode: "local" } }')
    assert "no token" in doctor(ours)
    doctor(ours, "--yes")
    first = re.search(r'"token":\s*"([0-9a-f]{48})"', read(ours.config_path)).group(1)
    doctor(ours, "--generate-gateway-token")
    assert ours.cli("config", "get", "gateway.auth.token").returncode == 0 and first not in read(ours.config_path)
    write(ours.config_path,
          '{ gateway: { mode: "local", auth: { token: { source: "env", provider: "default", id: "NOT_SET_HERE" } } } }')
    before = files(ours)
    said = doctor(ours, "--generate-gateway-token", code=1)
    assert "gateway.auth.token refers to a secret" in said
    assert files(ours) == before


@pytest.mark.parametrize("is_running", [False, True])
def test_a_broken_config_is_put_back_and_kept(ours, is_running):
    ours.start()
    until(lambda: os.path.exists(ours.config_path + ".last-good"), 10, "the copy of the last good config")
    good = read(ours.config_path)
    if not is_running:
        ours.stop()
    for broken, says in (("{ gateway: ", "put back"), ("", "put back"), ("warning: x\n" + good, "bytes before it")):
        write(ours.config_path, broken)
        assert says in doctor(ours)
        assert read(ours.config_path) == broken
        said = doctor(ours, "--fix", "--non-interactive")
        assert json.loads(read(ours.config_path)) == json.loads(good)
        if not is_running and broken:
            assert read(re.search(r"^kept: (.*)$", said, re.M).group(1)) == broken
        kept = [read(os.path.join(ours.state_dir, name)) for name in os.listdir(ours.state_dir)
                if ".clobbered." in name]
        assert broken in kept or not broken
    os.unlink(ours.config_path)
    doctor(ours, "--fix")
    assert json.loads(read(ours.config_path)) == json.loads(good)
    if is_running:
        with Client(ours.port, ours.token) as client:
            until(lambda: client.call("config.get")["valid"], 10, "a config that is in force")


def test_oc_91148_a_clobbered_config_is_recognised(ours):  # 43 bytes were left
    ours.start()
    until(lambda: os.path.exists(ours.config_path + ".last-good"), 10, "the copy of the last good config")
    ours.stop()
    good = read(ours.config_path)
    write(ours.config_path, '{"meta":{"lastTouchedVersion":"2026.5.7"}}\n')
    assert "has lost most of what it held" in doctor(ours)
    doctor(ours, "--fix")
    assert json.loads(read(ours.config_path)) == json.loads(good)


def test_the_running_gateway_writes_its_config_itself(ours):
    ours.start()
    write(ours.config_path, json.dumps({**json.loads(read(ours.config_path)), "identity": {"name": "Molty"}}))
    with Client(ours.port, ours.token) as client:
        until(lambda: not client.call("config.get")["valid"], 10, "the refusal")
        doctor(ours, "--fix")
        shown = client.call("config.get")
        assert shown["valid"] and shown["config"]["agents"]["list"][0]["identity"]["name"] == "Molty"
    assert any("config.repair" in line for line in read(os.path.join(ours.state_dir, "logs",
                                                                     "config-audit.jsonl")).splitlines())


def test_who_may_read_what(ours):
    secret = os.path.join(ours.state_dir, "identity", "device.json")
    os.makedirs(os.path.dirname(secret), mode=0o755)
    write(secret, "{}", 0o664)
    write(os.path.join(ours.state_dir, ".env"), "A=b\n", 0o640)
    os.chmod(ours.state_dir, 0o755)
    doctor(ours, "--fix")
    assert mode_of(secret) == 0o600 and mode_of(os.path.dirname(secret)) == 0o700
    assert mode_of(ours.state_dir) == 0o700 and mode_of(os.path.join(ours.state_dir, ".env")) == 0o600


def test_what_a_link_leads_to_keeps_its_mode(ours, tmp_path):
    (tmp_path / "inner").mkdir(mode=0o755)
    outside = [tmp_path / "shared.txt", tmp_path / "inner" / "shared.txt"]
    for path in outside:
        write(path, "x", 0o644)
    tmp_path.chmod(0o755)
    os.symlink(tmp_path, os.path.join(ours.state_dir, "credentials"))
    os.mkdir(os.path.join(ours.state_dir, "identity"), 0o755)
    kept = os.path.join(ours.state_dir, "agents", "main", "agent", "auth-profiles.json")
    os.makedirs(os.path.dirname(kept))
    write(kept, "{}", 0o644)
    os.symlink(tmp_path / "inner", os.path.join(ours.state_dir, "identity", "inner"))
    os.link(outside[0], os.path.join(ours.state_dir, "identity", "hard"))
    os.mkfifo(os.path.join(ours.state_dir, "exec-approvals.json"), 0o600)
    told = doctor(ours, "--fix", code=1)
    assert [mode_of(path) for path in outside] == [0o644, 0o644]
    assert "it has 2 names" in told and "exec-approvals.json is no regular file" in told
    assert mode_of(tmp_path) == mode_of(tmp_path / "inner") == 0o755
    assert mode_of(os.path.join(ours.state_dir, "identity")) == 0o700 and mode_of(kept) == 0o600


def test_a_port_that_is_taken_and_a_damaged_database(ours):
    os.makedirs(os.path.join(ours.state_dir, "db"), mode=0o700)
    write(os.path.join(ours.state_dir, "db", "auth.sqlite"), "this is no database, whatever it is called " * 100)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ours.port))
        taken.listen()
        said = doctor(ours)
        assert f"port {ours.port} is held by pid {os.getpid()}" in said and "auth.sqlite is damaged" in said


def test_what_the_running_gateway_says_is_told(ours):
    ours.start()
    os.chmod(ours.config_path, 0o600)
    assert "0 problems, 0 warnings" in doctor(ours)
    write(ours.config_path, "{")
    with Client(ours.port, ours.token) as client:
        until(lambda: not client.call("health")["config"]["ok"], 10, "the refusal")
    assert "the running gateway says" in doctor(ours)


def test_who_comes_from_the_original_is_told_which_hooks_are_not_served(ours):
    hooks = {"enabled": True, "token": "token-of-hooks-0123456789", "gmail": {"account": "me@example.com"},
             "mappings": [{"match": {"path": "a"}, "messageTemplate": "x"},
                          {"match": {"path": "b"}, "messageTemplate": "x", "transform": {"module": "x.mjs"}}]}
    write(ours.config_path, json.dumps({"gateway": {"mode": "local", "auth": {"mode": "token", "token": ours.token}}, "hooks": hooks}))
    ours.extra["OPENCLAW_NODE"] = "/nowhere/node"
    said = doctor(ours)
    assert "hooks.mappings[1].transform is a module for Node.js" in said and "hooks.mappings[0]" not in said
    assert "OPENCLAW_NODE" in said
    assert "does not start the program that watches a mailbox" in said
    ours.start()
    until(lambda: "hooks_gmail_not_watched" in str(ours.logs()), 10, "the word in the log")
    assert "hooks_transform_not_served" in str(ours.logs())


def test_who_comes_from_the_original_is_told_that_chat_completions_are_served(ours):
    """There they are off unless the config says otherwise."""
    write(ours.config_path, json.dumps({"gateway": {"mode": "local", "auth": {"mode": "token", "token": ours.token}}}))
    assert "/v1/chat/completions is served" in doctor(ours)
    for value in ("true", "false"):
        assert ours.cli("config", "set", "gateway.http.endpoints.chatCompletions.enabled", value).returncode == 0
        assert "chat/completions" not in doctor(ours)


def test_programs_are_told_in_json(ours):
    write(ours.config_path, LEGACY)
    before = files(ours)
    found = json.loads(doctor(ours, "--json"))
    assert found["schemaVersion"] == 1 and not found["ok"] and files(ours) == before
    unknown = next(one for one in found["findings"] if "tokn" in one["message"])
    assert unknown["checkId"] == "core/doctor/config" and unknown["severity"] == "error" and unknown["repairable"]
    assert "remove gateway.auth.tokn" in unknown["fixHint"]
    done = json.loads(doctor(ours, "--fix", "--json"))
    assert done["ok"] and all(one["done"] for one in done["repairs"])
    assert [(one["severity"], "chat/completions" in one["message"]) for one in done["findings"]] == [("info", True)]
    assert json.loads(ours.cli("config", "file", "--json").stdout) == {"path": ours.config_path}


@pytest.mark.parametrize("words, code", [
    (("config", "get", "no.such", "--json"), 1), (("config", "set", "gateway.mode", "5", "--json"), 1),
    (("config", "unset", "no.such", "--json", "--dry-run"), 1), (("health", "--json"), 69),
    (("config", "get", "--json"), 2), (("devices", "list", "--json"), 69),
])
def test_what_fails_is_an_object_for_who_asks_for_json(ours, words, code):
    done = ours.cli(*words)
    said = json.loads(done.stdout)
    assert done.returncode == code == said["error"]["exitCode"] and not said["ok"]
    assert said["error"]["type"] == ("gateway_transport_error" if code == 69 else "cli_error")
    assert code == 69 or said["error"]["message"] in done.stderr  # programs know that one by the original's words


@pytest.mark.parametrize("text", ["garbage", LEGACY], ids=["broken", "legacy"])
def test_what_a_link_stands_for_is_left_alone(ours, tmp_path, text):
    target = tmp_path / "elsewhere.json"
    os.rename(ours.config_path, ours.config_path + ".bak")
    target.write_text(text)
    os.symlink(target, ours.config_path)
    before = files(ours)
    said = doctor(ours, "--fix", code=1)
    assert "is a symbolic link, which is never written to" in said and "once the link is gone" in said
    assert files(ours) == before and target.read_text() == text


def test_a_lock_that_is_a_link_is_named_with_the_way_out(ours, tmp_path):
    (tmp_path / "mine").write_text("mine")
    lock = os.path.join(ours.state_dir, "gateway.lock")
    os.symlink(tmp_path / "mine", lock)
    for words, code in ((("config", "set", "logging.level", "debug"), 78), (("gateway", "run", "--port", "0"), 78)):
        done = ours.cli(*words)
        assert done.returncode == code and "it is a symbolic link" in done.stderr and f"rm {lock}" in done.stderr
    assert "1 problem, " in doctor(ours) and (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("is_running", [False, True], ids=["alone", "running"])
def test_each_write_is_in_the_audit_log_and_nothing_else_is_written_to(ours, tmp_path, is_running):
    log = os.path.join(ours.state_dir, "logs", "config-audit.jsonl")
    (tmp_path / "mine").write_text("mine")
    if is_running:
        ours.start()
    os.makedirs(os.path.dirname(log), exist_ok=True)

    def change(value):
        done = ours.cli("config", "set", "logging.level", value)
        assert done.returncode == 0, done.stderr
        return done.stderr

    change("debug")
    line = json.loads(read(log).splitlines()[-1])
    assert line["result"] == "rename" and line["existsBefore"] and line["nextBytes"] == os.path.getsize(ours.config_path)
    assert line["method"] == ("config.set" if is_running else "cli")
    for make in (lambda: os.symlink(tmp_path / "mine", log), lambda: os.mkfifo(log), lambda: os.link(tmp_path / "mine", log)):
        os.unlink(log)
        make()
        said = change("info" if "debug" in read(ours.config_path) else "debug")
        assert is_running or "config-audit.jsonl has no line of it" in said
    assert (tmp_path / "mine").read_text() == "mine"


def test_what_the_original_kept_and_nobody_takes_over_is_told(ours):
    ours.cli("setup")
    for agent, n in (("main", 2), ("other", 1)):
        folder = os.path.join(ours.state_dir, "agents", agent, "sessions")
        os.makedirs(folder)
        for i in range(n):
            with open(os.path.join(folder, f"{i}.jsonl"), "w", encoding="utf-8") as file:
                file.write("{}\n")
    for name in ("AGENTS.md", "SOUL.md", "HEARTBEAT.md"):
        with open(os.path.join(ours.state_dir, "workspace", name), "w", encoding="utf-8") as file:
            file.write("# mine\n")
    said = ours.cli("doctor").stdout
    assert "3 session histories of the original are here" in said and "not imported" in said, said
    assert "workspace has AGENTS.md, SOUL.md, which agents of this version do not read" in said
    assert "systemPromptOverride" in said
    assert "AGENTS.md" not in ours.cli("doctor", "--no-workspace-suggestions").stdout


def test_an_id_that_means_another_is_told(ours):
    ours.cli("setup")
    assert ours.cli("config", "set", "agents.list", "[{id: 'A B'}, {id: 'fine'}]").returncode == 0
    said = ours.cli("doctor").stdout
    assert 'agents.list[0].id "A B" means "a-b"' in said and "agents.list[1]" not in said, said
    refused = ours.cli("config", "set", "agents.list", "[{id: 'A B'}, {id: 'a-b'}]", "--replace")
    assert refused.returncode == 1 and 'is "a-b"' in refused.stderr and "so does agents.list.0.id" in refused.stderr
