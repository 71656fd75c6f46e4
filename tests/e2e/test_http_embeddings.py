"""POST /v1/embeddings: a provider's own, in both encodings, and what is refused."""

import base64
import json
import socket
import struct
import time

import pytest

from gateway import until


@pytest.fixture(scope="module")
def mock(topology, provider):
    from gateway import Gateway  # as in the fixtures of all tests

    config = provider.config(timeoutSeconds=1)
    config["agents"]["defaults"]["memorySearch"] = {"provider": "mock", "model": "embed-1", "outputDimensionality": 2}
    with Gateway(topology, config=config) as running:
        yield running


def ask(gateway, body, headers=None):
    status, more, text = gateway.request("POST", "/v1/embeddings", {"model": "openclaw", **body},
                                         {"Authorization": f"Bearer {gateway.token}", **(headers or {})})
    return status, json.loads(text), more


def test_texts_become_numbers_in_their_order(mock, provider):
    status, answer, _ = ask(mock, {"input": ["one", "three", "x"]})
    assert status == 200 and answer["object"] == "list" and answer["model"] == "openclaw"
    assert [(d["index"], d["embedding"]) for d in answer["data"]] == [(0, [3, -0.125]), (1, [5, -0.125]), (2, [1, -0.125])]
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    sent = provider.stats()["bodies"][-1]
    assert sent == {"model": "embed-1", "input": ["one", "three", "x"], "encoding_format": "float", "dimensions": 2}
    assert ask(mock, {"input": "one", "dimensions": 7})[1]["data"][0]["embedding"] == [3, -0.125]
    assert provider.stats()["bodies"][-1]["dimensions"] == 7


def test_they_come_in_base64_as_well(mock):
    (row,) = ask(mock, {"input": "three", "encoding_format": "base64"})[1]["data"]
    assert struct.unpack("<2f", base64.b64decode(row["embedding"])) == (5.0, -0.125)


@pytest.mark.parametrize("model, sent", [("mock/other", "other"), ("bare", "bare")])
def test_a_header_names_another_model(mock, provider, model, sent):
    assert ask(mock, {"input": "x"}, {"x-openclaw-model": model})[0] == 200
    assert provider.stats()["bodies"][-1]["model"] == sent


@pytest.mark.parametrize("body, words", [
    ({}, "`input` must be"), ({"input": []}, "between 1 and 128"), ({"input": ""}, "none of them empty"),
    ({"input": [1, 2]}, "lists of tokens"), ({"input": ["x"] * 129}, "between 1 and 128"), ({"input": "x" * 8193}, "8192"),
    ({"input": ["x" * 8000] * 9}, "65536"), ({"input": "x", "encoding_format": "int8"}, "`encoding_format`"),
    ({"input": "x", "dimensions": 0}, "`dimensions`"), ({"input": "x", "model": "gpt"}, "Invalid `model`"),
    ({"input": "x", "model": ""}, "Missing `model`")])
def test_what_is_wrong_is_said(mock, body, words):
    status, answer, _ = ask(mock, body)
    assert status == 400 and words in answer["error"]["message"]


def test_what_is_not_there_is_not_found(gateway, mock):
    for running, body, headers in ((mock, {"model": "openclaw/nosuch"}, {}), (mock, {}, {"x-openclaw-model": "nosuch/m"}),
                                   (gateway, {}, {}), (gateway, {}, {"x-openclaw-model": "builtin/echo"})):
        status, answer, _ = ask(running, {"input": "x", **body}, headers)
        assert (status, answer["error"]["code"]) == (404, "model_not_found"), answer


@pytest.mark.parametrize("marker, status, code", [
    ("FAIL500", 502, "provider_failed"), ("FAIL429", 429, "rate_limit_exceeded"), ("FAIL400", 400, "provider_refused"),
    ("NOHEAD", 504, "timeout"), ("FEWER", 502, "provider_failed"), ("FAIL401", 502, "provider_failed")])
def test_a_failure_has_a_status(mock, marker, status, code):
    got, answer, headers = ask(mock, {"input": [marker, "y"]})
    assert (got, answer["error"]["code"]) == (status, code) and "sk-never-shown" not in answer["error"]["message"]
    assert headers.get("Retry-After") == ("7" if marker == "FAIL429" else None)


def test_a_client_that_leaves_ends_the_transfer(mock, provider):
    before = len(provider.stats()["cut_times"])
    body = json.dumps({"model": "openclaw", "input": "NOHEAD leaves"})
    with socket.create_connection(("127.0.0.1", mock.port)) as sock:
        sock.sendall((f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {mock.token}\r\n"
                      f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
        until(lambda: provider.stats()["texts"].get("NOHEAD leaves"), 10, "the request at the provider")
        left = time.time()
    until(lambda: len(provider.stats()["cut_times"]) > before, 10, "the end of the transfer")
    assert provider.stats()["cut_times"][-1] - left < 0.9  # its own patience is a second
