"""The openai package from npm, pointed at our gateway."""

import pytest

from conftest import client_of
from provider import Provider


@pytest.fixture(scope="module")
def provided():
    """A gateway whose agent has a provider with embeddings."""
    provider = Provider()
    config = provider.config(timeoutSeconds=1)
    config["agents"]["defaults"]["memorySearch"] = {"provider": "mock", "model": "embed-1"}
    try:
        for client in client_of("2026.5.7", config):
            client.provider = provider
            yield client
    finally:
        provider.close()


def test_a_completion(real):
    told = real.script("openai.mjs", "whole")
    assert told["object"] == "chat.completion"
    assert "from the openai package" in told["choices"][0]["message"]["content"]


def test_a_streamed_completion(real):
    told = real.script("openai.mjs", "stream")
    assert "from the openai package" in told["text"]
    assert told["chunks"] > 3 and told["finish"] == "stop"


def test_the_stream_helper_of_the_package(real):
    assert "from the openai package" in real.script("openai.mjs", "helper")["text"]


def test_usage_is_streamed_when_asked_for(real):
    assert real.script("openai.mjs", "usage")["usage"]["total_tokens"] > 0


def test_a_wrong_key_is_an_authentication_error(real):
    assert real.script("openai.mjs", "wrong-key") == {"name": "AuthenticationError", "status": 401}


def test_a_wrong_model_is_a_bad_request(real):
    told = real.script("openai.mjs", "wrong-model")
    assert told["name"] == "BadRequestError" and told["status"] == 400 and told["message"]


def test_an_aborted_stream_leaves_the_gateway_well(real):
    assert real.script("openai.mjs", "abort") == {"aborted": True}
    assert "from the openai package" in real.script("openai.mjs", "stream")["text"]


def test_models(real):
    assert "openclaw" in real.script("openai.mjs", "models")["ids"]


def test_one_model_and_one_that_is_not_there(real):
    told = real.script("openai.mjs", "model")
    assert told["id"] == "openclaw/main" and told["none"]["name"] == "NotFoundError"


def test_a_tool_of_the_client_is_called(real):
    told = real.script("openai.mjs", "tool-call")
    assert told["finish"] == "tool_calls" and told["call"]["name"] == "f" and "Oslo" in told["call"]["arguments"]
    assert told["streamed"]["arguments"] == told["call"]["arguments"] and told["answer"] == "Echo: 3 degrees"


def test_the_tool_runner_of_the_package(real):
    assert real.script("openai.mjs", "run-tools")["roles"][:3] == ["user", "assistant", "tool"]


def test_responses(real):
    told = real.script("openai.mjs", "response")
    assert told["text"] == "Echo: words for a response" and told["next"] == "Echo: and more"
    assert told["status"] == "completed" and told["usage"] > 0


def test_streamed_responses(real):
    told = real.script("openai.mjs", "response-stream")
    assert told["text"] == "Echo: words for a stream"
    assert told["names"][0] == "response.created" and told["names"][-1] == "response.completed"


def test_a_function_of_a_response(real):
    told = real.script("openai.mjs", "response-tool")
    assert told["type"] == "function_call" and "Oslo" in told["arguments"] and told["answer"] == "Echo: 3 degrees"


def test_a_file_of_a_response(real):
    assert real.script("openai.mjs", "response-file")["text"] == "Echo: read\n[file a.txt 5 bytes]"


def test_responses_branch(provided):
    assert provided.script("openai.mjs", "response-branches") == {"ids": 5, "previous": True}
    shown = [[m["content"] for m in body["messages"] if m["role"] == "user"] for body in provided.provider.stats()["bodies"]]
    assert sorted(shown[1:3]) == [["root", "left"], ["root", "right"]]
    assert shown[3:5] == [["root", "right", "further"], ["root", "right", "aside"]]


def test_a_previous_response_that_is_not_there(real):
    told = real.script("openai.mjs", "response-refused")
    assert told["name"] == "BadRequestError" and "resp_nosuch" in told["message"]


def test_a_model_without_embeddings_says_so(real):
    told = real.script("openai.mjs", "no-embeddings")
    assert told["name"] == "NotFoundError" and "memorySearch" in told["message"]


def test_embeddings(provided):
    told = provided.script("openai.mjs", "embeddings")
    assert told["coded"] == told["plain"] == [[3, -0.125], [5, -0.125]] and told["usage"] == 3
