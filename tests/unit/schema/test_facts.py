#!/usr/bin/env python3
"""Holds schema/ against the facts of protocol 3 in tests/data/protocol.

Usage: test_facts.py SOURCE_DIR
"""
import json
import os
import re
import sys
import unittest

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
sys.path.insert(0, os.path.join(SOURCE, "schema"))

from generator import read  # noqa: E402

FACTS = os.path.join(SOURCE, "tests", "data", "protocol")

# What must not come later: clients find these answered. Grows with the gateway.
METHODS = """connect health status agents.list sessions.list sessions.subscribe sessions.unsubscribe
sessions.messages.subscribe sessions.messages.unsubscribe sessions.preview sessions.describe chat.send chat.history
chat.abort agent agent.wait agent.identity.get logs.tail config.get models.list channels.status system-presence
last-heartbeat""".split()
EVENTS = """agent chat session.message session.tool sessions.changed presence health tick shutdown heartbeat
connect.challenge""".split()

DELIVERY = {"broadcast": "broadcast", "targeted-subscribers": "subscribers", "per-connection-first-frame": "connection",
            "targeted": "targeted", "direct-to-node": "targeted"}
DROP = {False: "never", True: "always", "delta only": "delta"}
KINDS = {"boolean": ("bool",), "integer": ("u32", "u64", "i64"), "number": ("f64",), "string": ("str",),
         "array": ("list",), "object": ("struct", "map")}


def load(name, key):
    with open(os.path.join(FACTS, name), encoding="utf-8") as stream:
        return json.load(stream)[key]


def by_name(rows):
    return {row["name"]: row for row in rows}


def whole(shape):
    """One object for several: what all of them may hold, and what all of them must."""
    if "anyOf" not in shape:
        return shape
    properties = {}
    for one in shape["anyOf"]:
        for name, inner in one["properties"].items():
            properties.setdefault(name, inner)
    required = [name for name in properties if all(name in one.get("required", []) for one in shape["anyOf"])]
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def without_null(shape):
    """(the shape, whether it may be null)"""
    rest = [one for one in shape.get("anyOf", []) if one != {"type": "null"}]
    if len(rest) == len(shape.get("anyOf", [])):
        return shape, False
    return (rest[0] if len(rest) == 1 else {"anyOf": rest}), True


class FactsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.schema, complaints = read.schema_read(os.path.join(SOURCE, "schema"))
        assert not complaints, complaints
        cls.types = {one.name: one for one in cls.schema.types}
        cls.methods = {one.name: one for one in cls.schema.messages if one.method}
        cls.events = {one.name: one for one in cls.schema.messages if one.event}
        cls.shapes = {row["name"]: row["shape"] for row in load("shapes.json", "shapes")}

    def test_every_method_and_event_of_the_protocol_is_accounted_for(self):
        self.assertEqual([], sorted(set(by_name(load("methods.json", "methods"))) - set(self.methods)))
        self.assertEqual([], sorted(set(by_name(load("events.json", "events"))) - set(self.events)))

    def test_every_method_that_clients_need_is_served(self):
        self.assertEqual([], [name for name in METHODS if self.methods[name].later])
        self.assertEqual([], [name for name in EVENTS if self.events[name].later])

    def test_an_event_that_does_not_come_later_is_sent_by_somebody(self):
        source = ""
        for folder, _, names in [row for part in ("actors", "edge") for row in os.walk(os.path.join(SOURCE, part))]:
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(folder, name), encoding="utf-8") as stream:
                        source += stream.read()
        said = set(re.findall(r"EVENT_[A-Z_]+|connect\.challenge", source))
        served = {one.name for one in self.events.values() if not one.later}
        names = {"connect.challenge": "connect.challenge"}
        self.assertEqual([], sorted(name for name in served
                                    if names.get(name, "EVENT_" + re.sub("[^A-Z]", "_", name.upper())) not in said))

    def test_what_comes_later_is_routed_nowhere(self):
        later = [message for message in self.schema.messages if message.later]
        served = {name for message in self.schema.served() for name in message.to}
        self.assertEqual(set(self.schema.accepted_by()) - served, set())
        self.assertTrue(all(message.method or message.event for message in later))

    def test_a_method_of_our_own_says_so(self):
        facts = by_name(load("methods.json", "methods"))
        for name, message in self.methods.items():
            if name not in facts and message.span.has(3):
                self.assertTrue(message.is_own, f"{name} is no method of the protocol")

    def test_methods_have_the_facts_of_the_protocol(self):
        facts = by_name(load("methods.json", "methods"))
        for name, message in self.methods.items():
            fact, row = facts.get(name), message.method
            if fact is None:
                continue
            with self.subTest(method=name):
                self.assertEqual(fact["scope"], row.scope or "none")
                self.assertEqual(fact["idempotency"], row.idempotency)
                self.assertEqual(fact["advertised"], row.advertised)
                self.assertEqual(fact["rate_limited"], row.rate_limited)
                self.assertEqual(fact["late"], row.late)

    def test_params_have_the_shape_of_the_protocol(self):
        facts = by_name(load("methods.json", "methods"))
        for name, message in self.methods.items():
            fact = facts.get(name)
            if fact is None:
                continue
            with self.subTest(method=name):
                if fact["params"] is None:
                    self.assertTrue(message.body.open, "the protocol checks no params here, so the table must be open")
                    known = {field.name for field in message.body.all_fields if not field.internal and field.span.has(3)}
                    self.assertLessEqual(known, set(fact.get("loose", [])))
                else:
                    self.hold_object(whole(self.shapes[fact["params"]]), message.body, fact["params"])

    def test_every_method_but_the_handshake_carries_who_asks(self):
        for name, message in self.methods.items():
            internal = [field.name for field in message.body.fields if field.internal]
            self.assertEqual([] if message.method.handshake else ["_client"], internal, name)

    def test_events_have_the_facts_of_the_protocol(self):
        facts = by_name(load("events.json", "events"))
        for name, message in self.events.items():
            if message.is_own or not message.span.has(3):
                continue
            fact, row = facts.get(name), message.event
            with self.subTest(event=name):
                self.assertIsNotNone(fact, "is no event of the protocol")
                self.assertEqual(fact["scope"], row.scope)
                self.assertEqual(DELIVERY[fact["delivery"]], row.delivery)
                self.assertEqual(DROP[fact["drop_if_slow"]], row.droppable)
                self.assertEqual(fact["advertised"], row.advertised)
                self.assertEqual(fact["seq"], row.counted)
                self.assertEqual(fact["state_version"], row.state_version)
                self.assertEqual(fact["nodes"], row.nodes)
                if fact["payload"]:
                    required = set(self.shapes[fact["payload"]].get("required", []))
                    ours = {field.name for field in message.body.all_fields if field.required and field.span.has(3)}
                    self.assertEqual(required, ours)

    def test_the_request_frame_has_the_shape_of_the_protocol(self):
        self.hold_object(self.shapes["RequestFrame"], self.types["request_frame"], "RequestFrame")

    def test_clients_see_only_codes_of_the_protocol(self):
        codes = set(load("errors.json", "codes"))
        self.assertEqual(set(), {error.wire for error in self.schema.errors} - codes)

    # --- one shape against one table ---------------------------------------------------

    def hold_object(self, shape, body, where):
        fields = [field for field in body.all_fields if not field.internal and field.span.has(3)]
        self.assertEqual(not shape.get("additionalProperties", True), not body.open, where)
        self.assertEqual(set(shape.get("properties", {})), {field.name for field in fields}, where)
        required = [name for name in shape.get("properties", {}) if name in shape.get("required", [])]
        self.assertEqual(required, [field.name for field in fields if field.required], where)
        for field in fields:
            self.hold_field(shape["properties"][field.name], field, f"{where}.{field.name}")

    def hold_field(self, shape, field, where):
        shape, is_nullable = without_null(shape)
        self.assertTrue(field.nullable or field.kind == "any" or not is_nullable, where)
        if "anyOf" in shape and all("const" in one for one in shape["anyOf"]):
            self.hold_choices([one["const"] for one in shape["anyOf"]], field, where)
            self.assertTrue(field.choices_any_of, where)
        elif "anyOf" in shape:
            self.assertEqual("any", field.kind, where)  # its owner tells the alternatives apart
        elif "const" in shape and not isinstance(shape["const"], str):
            self.assertEqual((shape["const"], shape["const"]), (field.min, field.max), where)
        elif "enum" in shape or "const" in shape:
            self.hold_choices(shape.get("enum", [shape.get("const")]), field, where)
            self.assertEqual("type" not in shape, field.choices_untyped, where)
        elif "type" in shape:
            self.assertIn(field.kind, KINDS[shape["type"]], where)
            self.hold_limits(shape, field, where)
        else:
            self.assertEqual("any", field.kind, where)
        if shape.get("type") == "array":
            self.hold_field(shape["items"], field.item, f"{where}[]")
        if shape.get("type") == "object":
            self.hold_inner(shape, field, where)

    def hold_choices(self, choices, field, where):
        """All of them in their order; the next protocol may have brought others in between."""
        self.assertEqual(choices, [choice for choice in field.choices if choice in choices], where)

    def hold_limits(self, shape, field, where):
        low = shape.get("minimum", shape.get("minLength", shape.get("minItems")))
        high = shape.get("maximum", shape.get("maxLength", shape.get("maxItems")))
        if field.kind in ("str", "list", "map"):
            self.assertEqual(low or 0, field.min, where)
        elif low is not None:
            self.assertEqual(low, field.min, where)
        if high is not None:
            self.assertEqual(high, field.max, where)

    def hold_inner(self, shape, field, where):
        if "patternProperties" in shape:
            self.assertEqual("map", field.kind, where)
            inner = next(iter(shape["patternProperties"].values()))
            if field.item is not None:
                self.hold_field(inner, field.item, f"{where}.*")
            else:
                self.assertEqual({}, inner, where)
        else:
            self.hold_object(shape, self.types[field.of], where)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
