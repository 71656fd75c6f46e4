"""A client as a third party would write it: the WebSocket that Node.js brings, and the protocol's documentation."""


def test_a_third_party_client_talks_to_an_agent(real):
    told = real.script("third_party.mjs")
    assert told["hello"] == "hello-ok"
    assert told["deltas"] > 1
    assert "asked by a third party" in told["final"]
    assert told["history"] >= 2
    assert told["refusal"] == "INVALID_REQUEST"
