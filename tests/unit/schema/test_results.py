#!/usr/bin/env python3
"""Holds the descriptions of results against what was recorded, and the reader of them against its own rules.

Usage: test_results.py SOURCE_DIR
"""
import fnmatch
import glob
import json
import os
import sys
import unittest

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
sys.path.insert(0, os.path.join(SOURCE, "schema"))

from generator import read, results  # noqa: E402
from generator.check import Complaints  # noqa: E402

SCHEMA, COMPLAINTS = read.schema_read(os.path.join(SOURCE, "schema"))
SERVED = {one.name: one.method for one in SCHEMA.messages if one.method and not one.later}
SHAPES = {name: shape for name, (shape, _) in SCHEMA.shapes.items()}
TRACES = os.path.join(SOURCE, "tests/data/traces")


def many(value):
    return value if isinstance(value, list) else [value]


def rows_of(path):
    with open(path, encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def recorded():
    """(trace, method, payload) of every answer that the original gave to a method which is served."""
    for path in sorted(glob.glob(os.path.join(TRACES, "*.jsonl"))):
        asked = {}
        for row in rows_of(path):
            data = row.get("data")
            if isinstance(data, dict) and row["dir"] == "c2s":
                asked[row["conn"], data.get("id")] = data.get("method")
            elif isinstance(data, dict) and data.get("type") == "res" and data.get("ok"):
                method = asked.get((row["conn"], data["id"]))
                if method in SERVED:
                    yield os.path.basename(path)[:-6], method, data.get("payload")


def shape_of(method, payload):
    row = SERVED[method]
    is_first = row.accepted is not None and isinstance(payload, dict) and payload.get("status") == "accepted"
    return row.accepted if is_first else row.result


def shape(value):
    complaints = Complaints()
    made = results.shape_read(value, "here", complaints)
    return made, complaints.lines


class ResultsTest(unittest.TestCase):
    def test_every_method_that_is_served_says_what_it_answers(self):
        self.assertEqual([], COMPLAINTS)
        self.assertEqual([], sorted(name for name, row in SERVED.items() if row.result is None))

    def test_what_was_recorded_fits(self):
        with open(os.path.join(TRACES, "replay.json"), encoding="utf-8") as stream:
            meant = [{**row, "at": at, "trace": trace} for row in json.load(stream)["differences"]
                     for at in many(row["at"]) for trace in many(row.get("trace", "*"))]
        wrong = set()
        for trace, method, payload in recorded():
            for at, what in results.misfits(shape_of(method, payload), payload, SHAPES):
                place = f"{method}.payload{at}"
                known = [row for row in meant if fnmatch.fnmatchcase(place.replace("[", "("), row["at"].replace("[", "("))
                         and fnmatch.fnmatchcase(trace, row["trace"])]
                if not known:
                    wrong.add(f"{trace}: {place}: {what}")
        self.assertEqual([], sorted(wrong))

    def test_a_shape_is_held_key_by_key(self):
        made, lines = shape({"id": "text", "n?": "int|null", "of": ["@part"], "state": "text(on|off): as it is"})
        self.assertEqual([], lines)
        part, _ = shape({"at": "time", "*": "bool"})
        self.assertEqual(["part"], list(results.names_used(made)))

        def wrong(value, **more):
            return sorted(f"{at} {what}" for at, what in results.misfits(made, value, {"part": part}, **more))

        fine = {"id": "a", "of": [{"at": 1, "x": True}], "state": "on"}
        self.assertEqual([], wrong(fine))
        self.assertEqual([], wrong({**fine, "n": None}))
        self.assertEqual([".n should be int, is 'x'"], wrong({**fine, "n": "x"}))
        self.assertEqual([".of[].* should be bool, is 2"], wrong({**fine, "of": [{"at": 1, "x": 2}]}))
        self.assertEqual([".of[].at is missing"], wrong({**fine, "of": [{}]}))
        self.assertEqual([".state is 'so', none of on, off"], wrong({**fine, "state": "so"}))
        self.assertEqual([".new is not described"], wrong({**fine, "new": 1}))
        self.assertEqual([], wrong({**fine, "new": 1}, is_open=True))
        self.assertEqual([" should be an object, is []"], wrong([]))
        self.assertEqual([".id should be text, is True", ".of should be a list, is 1"], wrong({**fine, "id": True, "of": 1}))

    def test_what_is_no_shape_is_refused(self):
        for value in (7, ["text", "int"], [], "texts", "text(", "int(a)", {"a b": "text"}, {"a": "text||int"}):
            self.assertEqual(1, len(shape(value)[1]), value)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
