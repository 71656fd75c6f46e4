"""Reads one JSON object strictly: every key known, of the right type, and present when it must be."""
import json


class Complaints:
    def __init__(self):
        self.lines = []

    def add(self, where, text):
        self.lines.append(f"{where}: {text}")


def _pairs(pairs):
    seen = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"duplicate key '{key}'")
        seen[key] = value
    return seen


def _constant(text):
    raise ValueError(f"{text} is not JSON")


def file_read(path, complaints):
    """The object in a file; {} after a complaint."""
    try:
        with open(path, encoding="utf-8") as stream:
            value = json.load(stream, object_pairs_hook=_pairs, parse_constant=_constant)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        complaints.add(path, str(error))
        return {}
    if not isinstance(value, dict):
        complaints.add(path, "must be an object")
        return {}
    return value


def _is(value, kind):
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


NAMES = {int: "a whole number", str: "a string", bool: "true or false", list: "a list", dict: "an object"}


class Entry:
    """One object whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, value, where, complaints):
        self.where = where
        self.complaints = complaints
        self.rest = dict(value) if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.complain("must be an object")

    def complain(self, text):
        self.complaints.add(self.where, text)

    def take(self, key, kind, default=None, required=False):
        if key not in self.rest:
            if required:
                self.complain(f"'{key}' is missing")
            return default
        value = self.rest.pop(key)
        if not _is(value, kind):
            self.complain(f"'{key}' must be {NAMES[kind]}")
            return default
        return value

    def text(self, key, required=False, pattern=None):
        value = self.take(key, str, "" if required else None, required)
        if value and pattern and not pattern.fullmatch(value):
            self.complain(f"'{key}' is '{value}', which does not match {pattern.pattern}")
        if value == "" and required and key not in self.rest:
            self.complain(f"'{key}' is empty")
        return value

    def one_of(self, key, choices, default=None, required=False):
        value = self.take(key, str, default, required)
        if value is not None and value not in choices:
            self.complain(f"'{key}' is '{value}'; it must be one of {', '.join(choices)}")
            return default
        return value

    def items(self, key, required=False):
        return self.take(key, list, [], required)

    def finish(self):
        for key in self.rest:
            self.complain(f"unknown key '{key}'")
