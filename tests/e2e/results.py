"""Holds what the gateway answers against what the schema says that it answers."""

import os
import sys

from gateway import ROOT

sys.path.insert(0, os.path.join(ROOT, "schema"))

from generator import read, results  # noqa: E402

SCHEMA, COMPLAINTS = read.schema_read(os.path.join(ROOT, "schema"))
assert not COMPLAINTS, COMPLAINTS
SERVED = {one.name: one for one in SCHEMA.messages if one.method and not one.later}
SHAPES = {name: shape for name, (shape, _) in SCHEMA.shapes.items()}
SEEN = set()  # methods whose last answer was held so far


def shape_of(method, payload):
    row = SERVED[method].method
    is_first = row.accepted is not None and isinstance(payload, dict) and payload.get("status") == "accepted"
    return row.accepted if is_first else row.result


def misfits(method, payload, is_open=False):
    return [f"{method}{at}: {what}" for at, what in
            results.misfits(shape_of(method, payload), payload, SHAPES, is_open=is_open)]


def hold(method, payload):
    """Every answer that a test gets passes here: what the reference page does not say is an error."""
    if method not in SERVED:
        return
    wrong = misfits(method, payload)
    assert not wrong, "\n".join(wrong)
    if shape_of(method, payload) is SERVED[method].method.result:
        SEEN.add(method)
