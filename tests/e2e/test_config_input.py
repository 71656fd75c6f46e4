"""What stands in the config and on the command line of a start: used as written, or refused with the place and the fix."""

import json
import os
import signal
import subprocess

import pytest

from client import CallError, Client
from gateway import BINARY, Gateway, free_port, until


@pytest.fixture(name="alone")
def alone_gateway():
    """A gateway that is not started yet."""
    made = Gateway()
    yield made
    made.close()


def say(gateway, changes, *words, environment=None):
    gateway.write_config(changes)
    return gateway.cli(*words, environment=environment)


@pytest.mark.parametrize("changes, says", [
    ({"models": 5}, "models is 5, expected an object"),
    ({"models": {"providers": {"mine": {}}}}, "models.providers.mine.baseUrl is missing"),
    ({"agents": {"list": [{"id": "a"}, {"id": "A"}]}}, "agents.list.1.id"),
    ({"agents": {"list": [{"id": "!!"}]}}, 'the nearest is "main"'),
    ({"logging": {"level": "loud"}}, "logging.level is \"loud\""),
    ({"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": "yes"}}}}}, "chatCompletions.enabled"),
    ({"session": {"scope": ["global"]}}, "session.scope is a list"),
    ({"gateway": {"prot": 1}}, 'openclaw.json:1:152: gateway: Unrecognized key: "prot"; the nearest known key is "port"'),
    ({"agent": {}}, 'the nearest known key is "agents"'),
    ({"agents": {"defaults": {"heartbeat": {"every": 5}}}}, "agents.defaults.heartbeat.every: Invalid input: expected"),
], ids=lambda value: json.dumps(value)[:50])
def test_a_start_is_refused_with_path_and_nearest_value(alone, changes, says):
    done = say(alone, changes, "gateway", "run", "--port", "0")
    assert done.returncode == 78 and says in done.stderr and alone.config_path in done.stderr, done.stderr


def test_a_host_that_starts_again_keeps_the_last_good_config(alone):
    alone.start()
    until(lambda: os.path.exists(alone.config_path + ".last-good"), 10, "the proof that the config is good")
    alone.write_config({"logging": {"level": "loud"}})
    before = alone.children()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: set(alone.children()) - set(before), 10, "a new host")
    until(alone.is_ready_or_gone, 15, "readiness")
    until(lambda: any("logging.level is" in line for line in alone.logs()), 10, "the reason in the log")


def test_a_client_needs_only_what_it_uses(alone):
    alone.start()
    alone.write_config({"models": {"providers": {"x": {"baseUrl": "http://x", "apiKey": "${NOBODY_SET_THIS}"}}},
                        "agents": 7})
    done = alone.cli("health")
    assert done.returncode == 0, done.stderr
    config = {"gateway": {"auth": {"mode": "token", "token": "${NOBODY_SET_THIS}"}}}
    done = say(alone, config, "health")
    assert done.returncode == 0, done.stderr  # its owner needs no secret
    assert alone.cli("health", "--token", alone.token).returncode == 0
    alone.stop()
    done = alone.cli("health")
    assert done.returncode == 78 and "gateway.auth.token refers to ${NOBODY_SET_THIS}" in done.stderr


def test_the_auth_option_chooses_the_mode():
    running = Gateway(arguments=["--auth", "password", "--password", "of-this-test"]).start()
    try:
        with pytest.raises(CallError):
            Client(running.port, running.token)
        assert running.cli("health", "--password", "of-this-test").returncode == 0
    finally:
        running.close()


@pytest.mark.parametrize("auth", [{}, {"mode": "none", "token": "left-over"}])
def test_without_auth_local_programs_are_let_in(auth):
    running = Gateway(arguments=["--auth", "none"])
    running.write_config({"gateway": {"mode": "local", "auth": auth}})
    running.start()
    try:
        assert running.cli("health").returncode == 0
    finally:
        running.close()


@pytest.mark.parametrize("given", ["config", "environment", "option"])
def test_the_dev_profile_is_found_where_it_listens(alone, given):
    """Option before environment before gateway.port: of the gateway and of its clients alike."""
    ports = {"config": free_port(), "environment": free_port(), "option": free_port()}
    known = list(ports)[:list(ports).index(given) + 1]
    alone.write_config({"gateway": {"port": ports["config"]}})
    environment = {**alone.environment, "OPENCLAW_STATE_DIR": alone.state_dir}
    if "environment" in known:
        environment["OPENCLAW_GATEWAY_PORT"] = str(ports["environment"])
    option = ["--port", str(ports["option"])] if "option" in known else []
    with subprocess.Popen([BINARY, "--dev", "gateway", *option], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            if "is ready" in line:
                break
        found = subprocess.run([BINARY, "--dev", "health", *option, "--json"], env=environment, capture_output=True,
                               text=True, timeout=20, check=False)
        process.terminate()
        assert process.wait(15) == 0
    assert found.returncode == 0 and json.loads(found.stdout)["ok"], found.stdout + found.stderr


def test_a_config_may_be_spread_over_files(alone):
    with open(os.path.join(alone.state_dir, "auth.json5"), "w", encoding="utf-8") as file:
        file.write("// the secret\n{ mode: 'token', token: '${OF_THE_STATE}-${OF_THE_PROJECT}', }")
    with open(os.path.join(alone.state_dir, ".env"), "w", encoding="utf-8") as file:
        file.write("OF_THE_STATE=one\nOF_THE_PROJECT=too late\n")
    project = os.path.join(alone.state_dir, "project")
    os.mkdir(project)
    with open(os.path.join(project, ".env"), "w", encoding="utf-8") as file:
        file.write("OF_THE_PROJECT='two' # of this directory\nOPENCLAW_GATEWAY_TOKEN=planted\n")
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write("{ gateway: { mode: 'local', auth: { $include: './auth.json5' } } }")
    command = alone.command
    alone.command = lambda *words: ["/usr/bin/env", "-C", project, *command(*words)]
    alone.start()
    alone.command = command
    with Client(alone.port, "one-two") as client:
        assert client.call("config.get")["parsed"]["gateway"]["auth"]["token"] == "__OPENCLAW_REDACTED__"
    with pytest.raises(CallError):
        Client(alone.port, "planted")
    assert any("dotenv_left_out" in line and "OPENCLAW_GATEWAY_TOKEN" in line for line in alone.logs())


def test_the_redaction_marker_is_no_secret(alone):
    marked = json.dumps({"gateway": {"mode": "local", "auth": {"mode": "token", "token": "__OPENCLAW_REDACTED__"}}})
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write(marked)
    for words in (("gateway", "run", "--port", "0"), ("config", "validate")):
        done = alone.cli(*words, environment={"OPENCLAW_GATEWAY_TOKEN": ""})
        assert done.returncode and "gateway.auth.token: Invalid secret" in done.stdout + done.stderr, done
    alone.write_config({})
    alone.start()
    with Client(alone.port, alone.token) as client:
        with open(alone.config_path, "w", encoding="utf-8") as file:
            file.write(marked)
        until(lambda: not client.call("config.get")["valid"], 10, "the refusal")
    with pytest.raises(CallError):
        Client(alone.port, "__OPENCLAW_REDACTED__")


@pytest.mark.parametrize("place", ["openclaw.json", "db/auth.sqlite.key", "logs/../.env", "run/x.log", "logs/config-audit.jsonl",
                                   "link/new.log"])
def test_the_log_is_not_written_over_what_the_gateway_needs(alone, place):
    os.symlink(alone.state_dir, os.path.join(alone.state_dir, "link"))
    os.mkdir(os.path.join(alone.state_dir, "logs"))
    path = os.path.join(alone.state_dir, place)
    done = alone.cli("config", "set", "logging.file", path)
    assert done.returncode and "the log cannot be written there" in done.stdout + done.stderr, done
    done = say(alone, {"logging": {"file": path}}, "gateway", "run", "--port", "0")
    assert done.returncode == 78 and "logging.file" in done.stderr, done


def test_a_file_that_is_no_log_is_left_alone(alone, tmp_path):
    foreign = tmp_path / "notes.txt"
    foreign.write_text("mine\n")
    foreign.chmod(0o644)
    alone.write_config({"logging": {"file": str(foreign)}})
    alone.start()

    def said(client):
        actors = client.call("health", {"probe": True})["actors"]
        return next(each for each in actors if each["address"] == "log").get("reason", "")
    with Client(alone.port, alone.token) as client:
        assert str(foreign) in until(lambda: said(client), 10, "the bad news in health")
        assert any("log_file_refused" in line for line in client.call("logs.tail")["lines"])
        alone.write_config({"logging": {"file": str(tmp_path / "new.log")}})
        until(lambda: not said(client), 10, "the good news in health")
    assert foreign.read_text() == "mine\n" and foreign.stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "new.log").stat().st_mode & 0o777 == 0o600


def test_a_refusal_names_file_and_line(alone):
    with open(os.path.join(alone.state_dir, "log.json5"), "w", encoding="utf-8") as file:
        file.write("{\n  level: 'loud' }")
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write("{ gateway: { mode: 'local' },\n  logging: { $include: 'log.json5' } }")
    done = alone.cli("gateway", "run", "--port", "0")
    assert done.returncode == 78 and "log.json5:2:3: logging.level is \"loud\"" in done.stderr, done.stderr
    with open(alone.config_path, "w", encoding="utf-8") as file:
        file.write("{ gateway: { mode: 'local' },\n  logging: { $include: '/etc/passwd' } }")
    done = alone.cli("gateway", "run", "--port", "0")
    assert done.returncode == 78 and "openclaw.json:2:3" in done.stderr and "INCLUDE_ROOTS" in done.stderr, done.stderr


# --- the state directory ---------------------------------------------------------------------------------


def start_in(gateway, state):
    return gateway.cli("gateway", "run", "--port", "0", environment={"OPENCLAW_STATE_DIR": str(state)})


def circle(path):
    path.symlink_to("circle2")
    path.with_name("circle2").symlink_to("circle")


@pytest.mark.parametrize("name, make, says", [
    ("file", lambda path: path.write_text(""), "is a file"),
    ("circle", circle, "leads in a circle"),
    ("dangling", lambda path: path.symlink_to("nowhere"), "a symbolic link to nowhere"),
    ("busy", lambda path: (path.mkdir(), (path / "gateway.lock").mkdir()), "cannot lock"),
    ("db", lambda path: (path.mkdir(), (path / "db").write_text("")), "is a file"),
])
def test_a_state_directory_that_will_not_do_is_named_with_a_way_out(alone, tmp_path, name, make, says):
    make(tmp_path / name)
    done = start_in(alone, tmp_path / name)
    assert done.returncode == 78
    assert str(tmp_path / name) in done.stderr and says in done.stderr and "OPENCLAW_STATE_DIR" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_directory_without_permission_is_named(alone, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    done = start_in(alone, tmp_path / "closed")
    assert done.returncode == 78 and "0500" in done.stderr and "chmod" in done.stderr


def test_a_link_to_the_state_directory_is_as_good(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    running = Gateway(state_dir=str(tmp_path / "link")).start()
    try:
        with Client(running.port, running.token) as client:
            assert "linked" in json.dumps(client.chat("linked")[1][-1])
    finally:
        running.close()


def test_sections_that_nobody_serves_are_kept_and_named_once(alone):
    alone.write_config({"channels": {"telegram": {"anything": [1]}}, "cron": {"enabled": True}})
    alone.start()
    with Client(alone.port, alone.token) as client:
        got = client.call("config.get")
        assert got["valid"] and got["parsed"]["channels"] == {"telegram": {"anything": [1]}}
        assert {"channels", "cron"} <= {warning["path"] for warning in got["warnings"]}
    until(lambda: any("config_not_served" in line and "channels,cron" in line for line in alone.logs()), 10, "the log line")


def test_the_schema_tells_what_a_config_may_hold(alone):
    alone.start()
    with Client(alone.port, alone.token) as client:
        whole = client.call("config.schema")
        assert whole["schema"]["properties"]["gateway"]["properties"]["mode"]["enum"] == ["local", "remote"]
        found = client.call("config.schema.lookup", {"path": "gateway.auth"})
        assert found["schema"]["type"] == "object" and found["schema"]["additionalProperties"] is False
        token = next(child for child in found["children"] if child["key"] == "token")
        assert token["path"] == "gateway.auth.token" and token["hint"]["sensitive"] and token["hasChildren"]
        with pytest.raises(CallError) as refused:
            client.call("config.schema.lookup", {"path": "nope.nope"})
        assert refused.value.error["message"] == "config schema path not found"


@pytest.mark.parametrize("arguments,origins", [
    (("--bind", "lan"), ["http://localhost:{}", "http://127.0.0.1:{}"]), ((), None)])
def test_pages_of_this_machine_come_in_wherever_it_listens(arguments, origins):
    gateway = Gateway(config={"gateway": {"mode": "local", "port": 4242, "auth": {"mode": "token", "token": "a-token"}}},
                      arguments=arguments).start()
    try:
        with Client(gateway.port, "a-token") as client:
            shown = client.call("config.get")["config"]["gateway"].get("controlUi", {}).get("allowedOrigins")
        assert shown == (origins and [origin.format(gateway.port) for origin in origins]), "by the port that counts"
        with open(gateway.config_path, encoding="utf-8") as file:
            assert "controlUi" not in file.read()
    finally:
        gateway.close()
