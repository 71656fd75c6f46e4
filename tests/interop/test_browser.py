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
