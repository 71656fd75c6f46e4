#!/usr/bin/env python3
"""The generator refuses what is malformed, ambiguous or without limits, and says where.

Usage: test_generator.py SOURCE_DIR
"""
import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
sys.path.insert(0, os.path.join(SOURCE, "schema"))

import generate  # noqa: E402

CLIENT = {"types": [{"name": "client", "summary": "Who.", "fields": [{"name": "id", "type": "str", "max": 8}]}]}
ERRORS = {"errors": [{"number": 64, "name": "LOST", "wire": "UNAVAILABLE", "retryable": True, "summary": "Gone."}]}
SCOPES = {"scopes": [{"name": "operator.read", "summary": "Reads."},
                     {"name": "operator.write", "includes": ["operator.read"], "summary": "Writes."},
                     {"name": "operator.admin", "includes": ["*"], "since": 4, "summary": "All."}]}
METHOD = {"id": 1000, "name": "one.get", "owner": "one", "scope": "operator.read", "summary": "Gets one.",
          "fields": [{"name": "sessionKey", "type": "str", "required": True, "min": 1, "max": 512}]}
EVENT = {"id": 2000, "name": "one.changed", "scope": "none", "summary": "One changed.",
         "fields": [{"name": "ts", "type": "u64", "required": True}]}
CALL = {"id": 1, "name": "one_ask", "kind": "call", "reply": "one_said", "summary": "Asks.",
        "fields": [{"name": "rows", "type": "list", "max": 4, "item": {"type": "struct", "of": "client"}}]}
REPLY = {"id": 2, "name": "one_said", "kind": "reply", "summary": "Says.", "fields": []}


def tree():
    return copy.deepcopy({
        "errors.json": ERRORS,
        "scopes.json": SCOPES,
        "types/client.json": CLIENT,
        "methods/one.json": {"methods": [METHOD]},
        "events/one.json": {"events": [EVENT]},
        "bus/one.json": {"messages": [CALL, REPLY]},
    })


def method(files):
    return files["methods/one.json"]["methods"][0]


def field(files):
    return method(files)["fields"][0]


class GeneratorTest(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for path, value in files.items():
                path = os.path.join(folder, "schema", path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(value if isinstance(value, str) else json.dumps(value))
            out = os.path.join(folder, "out")
            docs = os.path.join(folder, "docs", "protocol.md")
            lua = os.path.join(out, "bus.lua")
            done = self.run_main(["--schema", os.path.join(folder, "schema"), "--out", out, "--docs", docs, "--lua", lua])
            texts = {}
            for name in ("schema_gen.h", "schema_gen.c", "bus.lua"):
                path = os.path.join(out, name)
                if os.path.exists(path):
                    with open(path, encoding="utf-8") as stream:
                        texts[name] = stream.read()
            if os.path.exists(docs):
                with open(docs, encoding="utf-8") as stream:
                    texts["protocol.md"] = stream.read()
            return done, texts

    def run_main(self, args):
        """In this process: starting one for each case would take most of the time."""
        stderr = io.StringIO()
        with mock.patch.object(sys, "argv", ["generate.py"] + args), contextlib.redirect_stderr(stderr):
            code = generate.main()
        return types.SimpleNamespace(returncode=code, stderr=stderr.getvalue())

    def refuses(self, change, *needles):
        files = tree()
        change(files)
        done, texts = self.run_on(files)
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertEqual({}, texts, "nothing may be written")
        for needle in needles:
            self.assertIn(needle, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_writes_structs_tables_and_reference(self):
        done, texts = self.run_on(tree())
        self.assertEqual(0, done.returncode, done.stderr)
        header, source, docs = texts["schema_gen.h"], texts["schema_gen.c"], texts["protocol.md"]
        for needle in ("struct msg_one_get {", "struct span session_key;", "#define MSG_ONE_GET (&schema_msg_one_get)",
                       "#define EVENT_ONE_CHANGED", "#define TYPE_CLIENT", "FAIL_LOST = 64", "#define ONE_ACCEPTS_N 2",
                       "bool has_client;", "struct type_client client;"):
            self.assertIn(needle, header)
        for needle in ('"operator.read"', "&schema_msg_one_said", "SCHEMA_INTERNAL", "schema_registry = { registry_msgs, 4, registry_failures, 1, registry_session_keys }"):
            self.assertIn(needle, source)
        for needle in ("### Method `one.get`", "### Event `one.changed`", "| `sessionKey` \\* | str |", "LOST"):
            self.assertIn(needle, docs)
        self.assertNotIn("_client", docs)

    def test_writes_a_dissector(self):
        lua = self.run_on(tree())[1]["bus.lua"]
        for needle in ('["one.get"] = { "Gets one.", { ["sessionKey"] = ', '["_client"] = { "Who asks; added by the edge.", "client" }',
                       'local TOPICS = {\n    ["one.changed"] = { "One changed.",', '["one_ask"] = ', ', "one_said" }',
                       'local TYPES = {\n    ["client"] = { ["id"] = { nil, nil }, },', "code = { \"64 LOST\" }"):
            self.assertIn(needle, lua)
        self.assertNotIn("@TABLES@", lua)

    def test_runs_as_a_program(self):
        program = os.path.join(SOURCE, "schema", "generate.py")
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out")
            good = subprocess.run([sys.executable, program, "--schema", os.path.join(SOURCE, "schema"), "--out", out],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((0, ""), (good.returncode, good.stderr))
            self.assertEqual(["config_gen.c", "schema_gen.c", "schema_gen.h"], sorted(os.listdir(out)))
            bad = subprocess.run([sys.executable, program, "--schema", folder, "--out", out],
                                 capture_output=True, text=True, check=False)
            self.assertEqual(1, bad.returncode)
            self.assertTrue(bad.stderr.startswith("schema: "), bad.stderr)

    def test_writes_the_same_twice(self):
        self.assertEqual(self.run_on(tree())[1], self.run_on(tree())[1])

    def test_tells_all_complaints_at_once(self):
        files = tree()
        del field(files)["max"]
        files["events/one.json"]["events"][0]["scope"] = "everyone"
        done, _ = self.run_on(files)
        self.assertEqual(2, len(done.stderr.splitlines()), done.stderr)

    def test_refuses_text_that_is_not_json(self):
        self.refuses(lambda f: f.update({"bus/one.json": '{"messages": [}'}), "one.json", "line 1")
        self.refuses(lambda f: f.update({"bus/one.json": "[]"}), "must be an object")
        self.refuses(lambda f: f.update({"bus/one.json": '{"messages": [], "messages": []}'}), "duplicate key 'messages'")
        self.refuses(lambda f: f.update({"bus/one.json": '{"messages": NaN}'}), "NaN is not JSON")
        self.refuses(lambda f: f.pop("errors.json"), "errors.json")

    def test_refuses_unknown_and_missing_keys(self):
        self.refuses(lambda f: method(f).update(scop="x"), "method 'one.get'", "unknown key 'scop'")
        self.refuses(lambda f: field(f).update(maximum=3), "field 'sessionKey'", "unknown key 'maximum'")
        self.refuses(lambda f: method(f).pop("summary"), "'summary' is missing")
        self.refuses(lambda f: method(f).pop("owner"), "'owner' is missing")
        self.refuses(lambda f: method(f).pop("id"), "'id' is missing")
        self.refuses(lambda f: f["methods/one.json"].update(version=1), "unknown key 'version'")
        self.refuses(lambda f: f["bus/one.json"]["messages"][0].pop("kind"), "'kind' is missing")
        self.refuses(lambda f: f["errors.json"]["errors"][0].pop("wire"), "'wire' is missing")

    def test_refuses_values_of_a_wrong_type(self):
        self.refuses(lambda f: method(f).update(id="7"), "'id' must be a whole number")
        self.refuses(lambda f: method(f).update(id=True), "'id' must be a whole number")
        self.refuses(lambda f: field(f).update(required="yes"), "'required' must be true or false")
        self.refuses(lambda f: field(f).update(type="string"), "'type' is 'string'")
        self.refuses(lambda f: method(f).update(scope="admin"), "'scope' is 'admin'")
        self.refuses(lambda f: method(f).update(fields={}), "'fields' must be a list")
        self.refuses(lambda f: method(f)["fields"].append(7), "must be an object")
        self.refuses(lambda f: method(f).update(idempotency="maybe"), "'idempotency' is 'maybe'")

    def test_refuses_what_has_no_limit(self):
        self.refuses(lambda f: field(f).pop("max"), "'max' is missing: every str has a limit")
        self.refuses(lambda f: method(f)["fields"].append({"name": "l", "type": "list", "item": {"type": "bool"}}),
                     "every list has a limit")
        self.refuses(lambda f: method(f)["fields"].append({"name": "b", "type": "bin"}), "every bin has a limit")
        self.refuses(lambda f: method(f)["fields"].append({"name": "m", "type": "map"}), "every map has a limit")
        self.refuses(lambda f: method(f)["fields"].append(
            {"name": "l", "type": "list", "max": 3, "item": {"type": "str"}}), "item", "every str has a limit")

    def test_refuses_limits_that_make_no_sense(self):
        self.refuses(lambda f: field(f).update(min=600), "'max' is below 'min'")
        self.refuses(lambda f: field(f).update(min=-1), "within 0 and 2^32-1")
        self.refuses(lambda f: method(f)["fields"].append({"name": "n", "type": "u32", "max": 2**32}), "do not fit u32")
        self.refuses(lambda f: method(f)["fields"].append({"name": "n", "type": "u64", "min": -1}), "do not fit u64")
        self.refuses(lambda f: method(f)["fields"].append({"name": "n", "type": "bool", "max": 1}), "has no limits")
        self.refuses(lambda f: method(f).update(max_bytes=1 << 30), "'max_bytes'")

    def test_refuses_the_same_id_or_name_twice(self):
        self.refuses(lambda f: f["methods/one.json"]["methods"].append(dict(METHOD, name="two.get")), "id 1000 is taken by")
        self.refuses(lambda f: f["methods/one.json"]["methods"].append(dict(METHOD, id=1001)), "'one.get' is taken by")
        self.refuses(lambda f: f["methods/one.json"]["methods"].append(dict(METHOD, id=1001, name="one-get")),
                     "the C name 'msg_one_get' is taken by")
        self.refuses(lambda f: f["types/client.json"]["types"].append(CLIENT["types"][0]), "already described in")
        self.refuses(lambda f: f["errors.json"]["errors"].append(dict(ERRORS["errors"][0], name="OTHER")),
                     "stands there twice")

    def test_a_topic_may_bear_the_name_of_a_call(self):
        files = tree()
        files["events/one.json"]["events"][0]["name"] = "one.get"
        done, texts = self.run_on(files)
        self.assertEqual(0, done.returncode, done.stderr)
        source = texts["schema_gen.c"]
        self.assertLess(source.index("    &schema_msg_one_get,"), source.index("    &schema_event_one_get,"))

    def test_refuses_fields_that_clash(self):
        self.refuses(lambda f: method(f)["fields"].append(field(f)), "stands there twice")
        self.refuses(lambda f: method(f)["fields"].append({"name": "session_key", "type": "bool"}),
                     "the C name 'session_key' is taken")
        self.refuses(lambda f: method(f)["fields"].append({"name": "client", "type": "bool"}),
                     "belongs to the field _client")
        self.refuses(lambda f: method(f)["fields"].extend(
            [{"name": "a", "type": "bool"}, {"name": "hasA", "type": "bool"}]), "the C name 'has_a' is taken")

    def test_refuses_more_fields_than_the_codec_can_count(self):
        self.refuses(lambda f: method(f)["fields"].extend({"name": f"f{i}", "type": "bool"} for i in range(64)),
                     "more than 64 fields")

    def test_only_a_free_form_reply_can_be_secret(self):
        files = tree()
        method(files)["secret_reply"] = True
        self.assertIn("SCHEMA_MSG_CALL, SCHEMA_SENSITIVE,", self.run_on(files)[1]["schema_gen.c"])
        self.refuses(lambda f: f["bus/one.json"]["messages"][0].update(secret_reply=True), "mark fields as sensitive")
        self.refuses(lambda f: f["bus/one.json"]["messages"][1].update(secret_reply=True), "'secret_reply' is for calls")

    def test_refuses_links_that_lead_nowhere(self):
        self.refuses(lambda f: f["bus/one.json"]["messages"].pop(), "there is no message 'one_said' of kind reply")
        self.refuses(lambda f: f["bus/one.json"]["messages"][1].update(reply="one_said"), "'reply' is for calls")
        self.refuses(lambda f: method(f)["fields"].append({"name": "s", "type": "struct", "of": "nobody"}),
                     "there is no type 'nobody'")
        self.refuses(lambda f: f.pop("types/client.json"), "there is no type 'client'")

    def test_refuses_a_type_that_holds_itself(self):
        self.refuses(lambda f: f["types/client.json"]["types"][0]["fields"].append(
            {"name": "next", "type": "list", "max": 3, "item": {"type": "struct", "of": "client"}}),
            "holds itself: client -> client")

    def test_refuses_ids_outside_their_range(self):
        self.refuses(lambda f: method(f).update(id=999), "outside 1000 to 1999")
        self.refuses(lambda f: f["events/one.json"]["events"][0].update(id=1001), "outside 2000 to 2999")
        self.refuses(lambda f: f["bus/one.json"]["messages"][0].update(id=0), "outside 1 to 999")
        self.refuses(lambda f: f["errors.json"]["errors"][0].update(number=63), "belong to the bus")
        self.refuses(lambda f: f["errors.json"]["errors"][0].update(bus=True), "belong to the bus")

    def test_refuses_choices_that_make_no_sense(self):
        self.refuses(lambda f: field(f).update(choices=[]), "'choices' must be a list of strings")
        self.refuses(lambda f: field(f).update(choices=["a", "a"]), "names a value twice")
        self.refuses(lambda f: field(f).update(max=2, choices=["abc"]), "longer than 'max'")
        self.refuses(lambda f: field(f).update(min=2, choices=["a"]), "shorter than 'min'")
        self.refuses(lambda f: method(f)["fields"].append({"name": "n", "type": "u32", "choices": ["a"]}), "is for str")
        self.refuses(lambda f: field(f).update(choices_any_of=True), "need 'choices'")

    def test_refuses_what_cannot_be_told_apart(self):
        self.refuses(lambda f: method(f)["fields"].append(
            {"name": "n", "type": "u32", "required": True, "nullable": True}), "cannot be both required and nullable")

    def test_what_comes_later_has_a_row_and_nothing_else(self):
        files = tree()
        files["types/client.json"]["types"].append(
            {"name": "part", "summary": "Part.", "fields": [{"name": "x", "type": "bool"}]})
        method(files)["fields"].append({"name": "part", "type": "struct", "of": "part"})
        method(files)["later"] = "second thoughts"
        files["events/one.json"]["events"][0]["later"] = "second thoughts"
        done, texts = self.run_on(files)
        self.assertEqual(0, done.returncode, done.stderr)
        for name in ("MSG_ONE_GET", "EVENT_ONE_CHANGED", "TYPE_PART"):
            self.assertNotIn(name, texts["schema_gen.h"])
        self.assertIn("#define ONE_ACCEPTS_N 1", texts["schema_gen.h"])
        self.assertIn("#define TYPE_CLIENT", texts["schema_gen.h"])
        for needle in ('    { 1, 9, 23 },', '"one.get" "\\0"', '"second thoughts" "\\0"', "schema_laters_n = 1;"):
            self.assertIn(needle, texts["schema_gen.c"])
        self.assertNotIn("one.changed", texts["schema_gen.c"])
        self.assertIn("second thoughts", texts["protocol.md"])
        self.refuses(lambda f: method(f).update(later="Cron"), "'later' is 'Cron'")
        self.refuses(lambda f: method(f).update(later="x y", handshake=True), "the handshake cannot come later")
        self.refuses(lambda f: f["bus/one.json"]["messages"][0].update(later="x y"), "unknown key 'later'")

    def test_a_field_that_comes_later_is_documented_and_not_read(self):
        files = tree()
        method(files)["fields"].append({"name": "mood", "type": "str", "max": 8, "since": 4, "later": "moods"})
        done, texts = self.run_on(files)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn("mood", texts["schema_gen.h"] + texts["schema_gen.c"])
        self.assertIn("mood", texts["protocol.md"])
        self.refuses(lambda f: field(f).update(later="moods"), "a required field cannot come later")

    def test_protocols_are_a_span(self):
        files = tree()
        method(files).update(since=4)
        files["events/one.json"]["events"][0].update(until=3)
        source = self.run_on(files)[1]["schema_gen.c"]
        self.assertIn("SCHEMA_METHOD_ADVERTISED, 4, 4 };", source)
        self.assertIn("SCHEMA_EVENT_SEQ, 3, 3 };", source)
        self.refuses(lambda f: method(f).update(since=4, until=3), "in this order")
        self.refuses(lambda f: method(f).update(until=5), "'since' and 'until' must be of 3 to 4")
        self.refuses(lambda f: method(f).update(since="4"), "'since' must be a whole number")

    def test_scopes_bring_others_along(self):
        source = self.run_on(tree())[1]["schema_gen.c"]
        for row in ('{ "operator.read", 0x1U, 3 }', '{ "operator.write", 0x3U, 3 }', '{ "operator.admin", 0x7U, 4 }'):
            self.assertIn(row, source)
        self.refuses(lambda f: method(f).update(scope="operator.nap"), "there is no scope 'operator.nap'")
        self.refuses(lambda f: f["scopes.json"]["scopes"][0].update(includes=["operator.nap"]), "does not stand there")
        self.refuses(lambda f: f["scopes.json"]["scopes"].append(SCOPES["scopes"][0]), "stands there twice")
        self.refuses(lambda f: f.pop("scopes.json"), "there is no scope 'operator.read'")

    def test_an_idempotency_key_and_its_rule_go_together(self):
        key = {"name": "idempotencyKey", "type": "str", "required": True, "max": 64}
        self.refuses(lambda f: method(f).update(idempotency="required"), "exactly when the field idempotencyKey is")
        self.refuses(lambda f: method(f)["fields"].append(key), "exactly when the field idempotencyKey is")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
