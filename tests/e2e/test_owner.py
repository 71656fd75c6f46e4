"""No dead end for whoever owns the gateway: the command line of its user needs no secret that works."""

import json
import os

import pytest

from gateway import Gateway

CONFIG = {"gateway": {"mode": "local", "auth": {"mode": "token", "token": "the-token-that-counts"}}}


@pytest.fixture(scope="module")
def running(topology):
    with Gateway(topology, config=CONFIG) as made:
        yield made


def elsewhere(running, tmp_path, auth):
    """The same state directory, seen with another config."""
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps({"gateway": {"mode": "local", "auth": auth}}))
    return {"OPENCLAW_CONFIG_PATH": str(path)}


def test_a_config_whose_secret_is_outdated_is_no_dead_end(running, tmp_path):
    environment = elsewhere(running, tmp_path, {"mode": "token", "token": "an-older-one"})
    done = running.cli("devices", "list", "--json", environment=environment)
    assert done.returncode == 0 and set(json.loads(done.stdout)) == {"pending", "paired"}
    assert "AUTH_TOKEN_MISMATCH" in done.stderr and "owner" in done.stderr
    assert "an-older-one" not in done.stderr


@pytest.mark.parametrize("auth", [{}, {"mode": "token"}, {"mode": "token", "token": "${NOT_SET_ANYWHERE}"},
                                  {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "X-User"}}])
def test_without_a_secret_the_owner_is_known_all_the_same(running, tmp_path, auth):
    environment = elsewhere(running, tmp_path, auth)
    done = running.cli("gateway", "call", "config.get", environment=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["valid"] is True, done.stderr
    assert done.stderr == ""
    assert not os.path.exists(os.path.join(running.state_dir, "identity", "device.json"))
    assert running.cli("status", environment=environment).returncode == 0


@pytest.mark.parametrize("text", ["{ gateway: { mode: 'local', ", json.dumps(
    {"gateway": {"mode": "local", "auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "X-User"}}}})])
def test_status_and_probe_know_the_owner_too(running, tmp_path, text):
    path = tmp_path / "openclaw.json"
    path.write_text(text)
    environment = {"OPENCLAW_CONFIG_PATH": str(path)}
    done = running.cli("gateway", "status", "--json", "--require-rpc", environment=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["rpc"]["ok"] is True, done.stdout
    done = running.cli("gateway", "probe", "--json", environment=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["ok"] is True, done.stdout
    assert not os.path.exists(os.path.join(running.state_dir, "identity", "device.json"))


@pytest.mark.parametrize("words, environment, source", [
    (("--token", "wrong-one"), {}, "--token"),
    ((), {"OPENCLAW_GATEWAY_TOKEN": "wrong-one"}, "OPENCLAW_GATEWAY_TOKEN"),
])
def test_a_secret_that_was_named_is_the_one_that_counts(running, words, environment, source):
    done = running.cli("health", *words, environment=environment)
    assert done.returncode == 77 and source in done.stderr and "wrong-one" not in done.stderr
    assert "owner" not in done.stderr


def test_an_address_that_was_named_is_not_ours(running, tmp_path):
    environment = elsewhere(running, tmp_path, {"mode": "token", "token": "an-older-one"})
    done = running.cli("health", "--url", f"ws://127.0.0.1:{running.port}", environment=environment)
    assert done.returncode == 77
    done = running.cli("health", "--port", "1", environment=environment)
    assert done.returncode == 69


@pytest.mark.parametrize("words", [("health",), ("gateway", "call", "health"), ("devices", "list"),
                                   ("system", "presence"), ("logs",)])
def test_a_broken_config_does_not_lock_the_owner_out(running, tmp_path, words):
    path = tmp_path / "openclaw.json"
    path.write_text("{ gateway: { mode: 'local', ")
    done = running.cli(*words, environment={"OPENCLAW_CONFIG_PATH": str(path), "OPENCLAW_GATEWAY_PORT": ""})
    assert done.returncode == 0 and done.stdout, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "the config cannot be used" in done.stderr and "owner" in done.stderr


def test_a_broken_config_counts_where_an_address_or_a_secret_was_named(running, tmp_path):
    path = tmp_path / "openclaw.json"
    path.write_text("{ gateway: { mode: 'local', ")
    environment = {"OPENCLAW_CONFIG_PATH": str(path)}
    assert running.cli("health", "--token", "wrong-one", environment=environment).returncode == 78
    assert running.cli("health", "--port", "1", environment=environment).returncode == 78


def test_a_socket_that_was_left_behind_says_nothing_wrong(fresh_gateway, tmp_path):
    running = fresh_gateway(config=CONFIG).start()
    running.process.kill()
    running.process.wait()
    running.check_nothing_left_here()
    environment = elsewhere(running, tmp_path, {})
    done = running.cli("health", environment=environment)
    assert done.returncode == 69 and f"127.0.0.1:{running.port}" in done.stderr


def test_a_second_start_is_told_that_it_runs_already(running):
    done = running.cli("gateway")
    assert done.returncode == 78 and f"already runs on port {running.port}" in done.stderr
    assert "openclaw gateway stop" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_told_whose_it_is(running):
    for words in (("gateway", "stop"), ("gateway", "restart"), ("status",)):
        try:
            done = running.cli(*words, user=65534, group=65534, extra_groups=[])
        except PermissionError:
            pytest.skip("the program stands where only root may run it")
        assert done.returncode == 77 and "belongs to" in done.stderr + done.stdout, (words, done)
        assert "not running" not in done.stdout and "no gateway runs" not in done.stderr
    assert running.process.poll() is None


def test_nothing_is_delivered_where_no_channel_is(running):
    done = running.cli("agent", "-m", "hello", "--deliver", "--channel", "telegram")
    assert done.returncode == 2 and "no channel 'telegram'" in done.stderr
