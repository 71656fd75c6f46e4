"""Headers that say something about a request: how long they may be, and what a body may be called."""

import http.client
import json

import pytest

from gateway import Gateway
from test_http_responses import configured

LIMITS = [("x-openclaw-agent-id", 64), ("x-openclaw-model", 256), ("x-openclaw-session-key", 512),
          ("x-openclaw-message-channel", 64), ("x-openclaw-scopes", 1024), ("idempotency-key", 256), ("origin", 512)]
PATHS = ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/tools/invoke"]
BODY = json.dumps({"model": "openclaw", "messages": [{"role": "user", "content": "hello"}]})
PAGE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def served(topology):
    with Gateway(topology, config=configured({})) as running:
        yield running


@pytest.fixture(scope="module")
def open_to_all(topology):
    with Gateway(topology, arguments=["--auth", "none"]) as running:
        yield running


def error_of(gateway, method, path, body, headers):
    status, _, text = gateway.request(method, path, body, {"Authorization": f"Bearer {gateway.token}", **headers})
    return status, json.loads(text)["error"]


@pytest.mark.parametrize("name, limit", LIMITS)
def test_a_header_that_is_too_long_is_refused_by_name(served, name, limit):
    for method, path in [*(("POST", path) for path in PATHS), ("GET", "/v1/models"), ("GET", "/metrics")]:
        status, error = error_of(served, method, path, BODY if method == "POST" else None, {name: "a" * (limit + 1)})
        assert status == 400 and error["type"] == "invalid_request_error"
        assert name in error["message"].lower() and f"at most {limit} " in error["message"]


def test_a_header_of_the_greatest_length_counts(served):
    headers = {"Authorization": f"Bearer {served.token}", "Content-Type": "application/json"}
    for name, value, status in (("x-openclaw-agent-id", "a" * 64, 404), ("x-openclaw-model", "a" * 256, 404),
                                ("x-openclaw-session-key", "agent:main:" + "a" * 300, 200),
                                ("x-openclaw-message-channel", "a" * 64, 200), ("idempotency-key", "a" * 256, 200)):
        assert served.request("POST", "/v1/chat/completions", BODY, {**headers, name: value})[0] == status, name


def test_a_header_that_is_no_text_is_refused(served):
    status, error = error_of(served, "POST", PATHS[0], BODY, {"x-openclaw-session-key": b"a\xff"})
    assert status == 400 and "UTF-8" in error["message"]


def test_a_bearer_without_end_is_refused(served):
    status, error = error_of(served, "POST", PATHS[0], BODY, {"Authorization": "Bearer " + "a" * 5000})
    assert status == 400 and "Authorization" in error["message"] and "aaaa" not in error["message"]


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "text/plain",
                                  "application/x-www-form-urlencoded", "application/vnd.api+json"])
def test_json_is_taken_under_any_name_from_who_has_the_secret(served, kind):
    """Also from a page: no browser adds the header Authorization by itself."""
    for more in ({}, PAGE):
        headers = {"Authorization": f"Bearer {served.token}", **({"Content-Type": kind} if kind else {}), **more}
        status, _, text = served.request("POST", PATHS[0], BODY, headers)
        assert status == 200 and json.loads(text)["object"] == "chat.completion"


def test_what_is_no_json_is_refused_under_any_name(served):
    status, error = error_of(served, "POST", PATHS[0], "a=b&c=d", {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 400 and "not JSON" in error["message"]


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_page_without_the_secret_has_to_ask_first(open_to_all, kind):
    """What a page of another site can send without a preflight is refused; a program on this machine is not."""
    named = {"Content-Type": kind} if kind else {}
    for headers, status in (({**named, **PAGE}, 415), ({**named, "Origin": "null"}, 415), (named, 200),
                            ({"Content-Type": "application/json", **PAGE}, 403)):
        connection = http.client.HTTPConnection("127.0.0.1", open_to_all.port, timeout=20)
        connection.request("POST", PATHS[0], BODY, headers)
        assert connection.getresponse().status == status, headers
        connection.close()


@pytest.mark.parametrize("key", ["subagent:x", "agent:main:subagent:x", "cron:daily", "agent:main:CRON:1", "acp:x", "agent:ops:acp:y"])
def test_a_session_of_the_gateways_own_is_not_to_be_had(served, key):
    for path in PATHS[:2]:
        body = BODY if path == PATHS[0] else json.dumps({"model": "openclaw", "input": "x"})
        status, error = error_of(served, "POST", path, body, {"x-openclaw-session-key": key})
        assert status == 400 and error["type"] == "invalid_request_error" and "x-openclaw-session-key" in error["message"]


def test_another_model_is_for_who_may_do_everything(served, open_to_all):
    assert error_of(served, "POST", PATHS[0], BODY, {"x-openclaw-model": "builtin/nosuch"})[0] == 404
    for scopes, status in (("operator.write", 403), ("operator.write,operator.admin", 200), (None, 200)):
        for path in (PATHS[0], PATHS[2]):
            headers = {"x-openclaw-model": "builtin/echo", **({"x-openclaw-scopes": scopes} if scopes else {})}
            body = {"model": "openclaw", "messages": [{"role": "user", "content": "x"}], "input": "x"}
            found, _, text = open_to_all.request("POST", path, body, headers)
            assert found == status or (path == PATHS[2] and status == 200 and found == 404), text
            if status == 403:
                assert json.loads(text)["error"] == {"message": "missing scope: operator.admin", "type": "forbidden"}
    assert open_to_all.request("POST", PATHS[0], json.loads(BODY), {"x-openclaw-scopes": "operator.write"})[0] == 200
