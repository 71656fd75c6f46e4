#!/usr/bin/env python3
"""Holds schema/ against the facts of protocol 4 in tests/data/protocol4.

Usage: test_facts4.py SOURCE_DIR
"""
import json
import os
import sys
import unittest

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
sys.path.insert(0, os.path.join(SOURCE, "schema"))

from generator import read  # noqa: E402

DATA = os.path.join(SOURCE, "tests", "data")

# Where one schema cannot be both protocols at once, and which of them it is.
SCOPES_OF_3 = {
    "connect": "protocol 4 lists the scope of a name that is never called",
    "health": "protocol 3 gives it to every connection",
    "config.schema": "protocol 3 keeps it to administrators",
    "talk.mode": "operator.write, which holds operator.talk as well",
    "talk.speak": "operator.write, which holds operator.talk as well",
    "presence": "protocol 3 gives it to every connection",
}
REQUIRED_IN_3 = {("agents.create", "workspace"), ("exec.approvals.node.set", "file")}


def load(folder, name, key):
    with open(os.path.join(DATA, folder, name), encoding="utf-8") as stream:
        value = json.load(stream)
    return value[key] if key else value


def whole(shape):
    if "anyOf" not in shape:
        return shape
    properties = {}
    for one in shape["anyOf"]:
        properties.update({name: inner for name, inner in one["properties"].items() if name not in properties})
    return {"properties": properties}


class Facts4Test(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.schema, complaints = read.schema_read(os.path.join(SOURCE, "schema"))
        assert not complaints, complaints
        cls.types = {one.name: one for one in cls.schema.types}
        cls.methods = {one.name: one for one in cls.schema.messages if one.method}
        cls.events = {one.name: one for one in cls.schema.messages if one.event}
        cls.facts = load("protocol4", "facts.json", None)
        cls.shapes3 = {row["name"]: row["shape"] for row in load("protocol", "shapes.json", "shapes")}
        cls.shapes = {row["name"]: row["shape"] for row in load("protocol4", "shapes.json", "shapes")}
        cls.before = {row["name"]: row for row in load("protocol", "methods.json", "methods")}
        cls.now = {row["name"]: row for row in load("protocol4", "methods.json", "methods")}

    def test_every_method_says_which_protocols_have_it(self):
        for name, message in self.methods.items():
            if message.is_own:
                self.assertNotIn(name, self.now)
                continue
            with self.subTest(method=name):
                plugin = name == "browser.request"  # a plug-in's, which neither list of the core has
                self.assertEqual(3 if name in self.before else 4, message.span.since)
                self.assertEqual(4 if name in self.now or plugin else 3, message.span.until)
        self.assertEqual([], sorted(set(self.now) - set(self.methods)))
        self.assertEqual(self.facts["methodsGone"],
                         sorted(name for name, one in self.methods.items() if one.span.until == 3))

    def test_methods_have_the_facts_of_the_protocol(self):
        for name, fact in self.now.items():
            message = self.methods[name]
            with self.subTest(method=name):
                if fact["scope"] != "dynamic" and name not in SCOPES_OF_3:
                    self.assertEqual(fact["scope"], message.method.scope or "none")
                if name not in self.before:
                    self.assertEqual(fact["advertised"], message.method.advertised)
                    self.assertEqual(fact["rate_limited"], message.method.rate_limited)
                    self.assertEqual(fact["late"], message.method.late)

    def test_every_field_says_which_protocols_have_it(self):
        for name, fact in self.now.items():
            shape = self.before.get(name, {}).get("params")
            if "params" in fact:
                self.hold_fields(self.shapes3[shape], self.shapes[shape], self.methods[name].body, name)
        self.hold_fields(self.shapes3["ConnectParams"], self.shapes["ConnectParams"], self.methods["connect"].body, "connect")
        self.hold_fields(self.shapes3["RequestFrame"], self.shapes["RequestFrame"], self.types["request_frame"], "frame")

    def hold_fields(self, before, now, body, where):
        before, now = whole(before), whole(now)
        old, new = before["properties"], now["properties"]
        fields = {field.name: field for field in body.all_fields if not field.internal}
        self.assertEqual(set(old) | set(new), set(fields), where)
        for name, field in fields.items():
            with self.subTest(field=f"{where}.{name}"):
                self.assertEqual(3 if name in old else 4, field.span.since)
                self.assertEqual(4 if name in new else 3, field.span.until)
                if field.required and name in new and "required" in now:
                    self.assertTrue(name in now["required"] or (where, name) in REQUIRED_IN_3)
                if field.kind == "struct" and name in old and "properties" in new.get(name, {}):
                    self.hold_fields(old[name], new[name], self.types[field.of], f"{where}.{name}")
                if field.choices and "enum" in new.get(name, {}):
                    self.assertLessEqual({one for one in new[name]["enum"] if one}, set(field.choices))

    def test_every_event_is_accounted_for(self):
        before = {row["name"] for row in load("protocol", "events.json", "events")}
        now = {row["name"]: row for row in load("protocol4", "events.json", "events")}
        theirs = {name: message for name, message in self.events.items() if not message.is_own}
        self.assertEqual(before | set(now), set(theirs))
        for name, message in theirs.items():
            with self.subTest(event=name):
                self.assertEqual(3 if name in before else 4, message.span.since)
                self.assertEqual(4 if name in now else 3, message.span.until)
                fact = now.get(name)
                if fact is None or name in SCOPES_OF_3:
                    continue
                self.assertEqual(fact["scopes"][0] if fact["scopes"] else None, message.event.scope)
                self.assertEqual(fact["advertised"], message.event.advertised)

    def test_scopes_are_those_of_the_protocol(self):
        self.assertEqual(set(self.facts["scopes"]), {scope.name for scope in self.schema.scopes})
        for scope in self.schema.scopes:
            if scope.name != "operator.admin":
                granted = self.schema.scopes_of(scope) - {scope.name}
                self.assertEqual(set(self.facts["includes"].get(scope.name, [])), granted, scope.name)
        before = {row["scope"] for row in self.before.values()} | {"operator.talk.secrets"}
        self.assertEqual(before - {"none", "node"}, {one.name for one in self.schema.scopes if one.span.since == 3})

    def test_clients_of_both_protocols_may_name_themselves(self):
        client = {field.name: field for field in self.types["connect_client"].all_fields}
        self.assertEqual(self.facts["clientIds"], client["id"].choices)
        self.assertEqual(self.facts["clientModes"], client["mode"].choices)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
