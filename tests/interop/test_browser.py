"""Chromium on the pages that the gateway serves: its own start page, and the control UI of the original."""

import os

import pytest

from conftest import GENERATIONS, client_of


@pytest.fixture(scope="module")
def plain():
    yield from client_of("2026.5.7")


@pytest.fixture(scope="module")
def hosting():
    """A gateway that serves the original's page, which that package brings ready-made."""
    root = os.path.join(GENERATIONS["2026.5.7"], "openclaw/dist/control-ui")
    yield from client_of("2026.5.7", {"gateway": {"controlUi": {"root": root}}})


def test_the_start_page(plain):
    seen = plain.script("browser.mjs", "start", "hello there, page")
    assert seen["errors"] == [] and seen["violations"] == []
    assert "token" in seen["refusal"].lower()
    assert "Version" in seen["facts"] and "admin" in seen["facts"]
    assert seen["messages"] == ["hello there, page", "Echo: hello there, page"]


def test_the_control_page_of_the_original(hosting):
    seen = hosting.script("browser.mjs", "control", "hello from the control page")
    assert seen["errors"] == [] and seen["violations"] == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("canvas")
    for real in client_of("2026.5.7", {"canvasHost": {"root": str(root)}}):
        yield real, str(root)


def test_a_page_on_the_canvas(drawn):
    real, root = drawn
    seen = real.script("browser.mjs", "canvas", root)
    assert seen["errors"] == []
    assert seen["page"] == {"ran": "yes", "got": "from a file", "storage": "SecurityError", "origin": "null", "sent": True,
                            "taken": ["go"]}
    assert seen["title"] == "second"


def test_the_page_for_a2ui(plain):
    seen = plain.script("browser.mjs", "a2ui", "Shown by A2UI")
    assert seen["errors"] == [] and seen["violations"] == []
    assert seen["applied"] == {"ok": True, "surfaces": ["main"]}
    assert seen["title"] == "Shown by A2UI" and seen["rows"] == ["one", "<b>two</b>"] and seen["shown"] == "Grace"
    assert "NoSuchThing" in seen["odd"] and seen["source"] is None and seen["tab"] == 2
    assert seen["action"] == {"id": "string", "timestamp": "string", "name": "save", "surfaceId": "main",
                              "sourceComponentId": "go", "context": {"who": "Grace", "n": 3}}
    assert seen["notice"] == "Working: save" and seen["answered"] == "Alan"
    assert "none of v0.8" in seen["refusal"] and seen["empty"] is True
