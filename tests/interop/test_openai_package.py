"""The openai package from npm, pointed at our gateway."""


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
