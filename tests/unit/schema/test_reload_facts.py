"""Holds schema/config/reload.json against the protocol's own rules: every path means the same by both.

Usage: test_reload_facts.py SOURCE_DIR
"""
import json
import os
import sys
import unittest

ROOT = sys.argv.pop(1) if len(sys.argv) > 1 else "."


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return json.load(file)


FACTS = read("tests/data/protocol/reload.json")
OURS = read("schema/config/reload.json")["reload"]


def facts_rules():
    """In the order in which the protocol asks them."""
    rules = list(FACTS["baseRules"])
    for row in FACTS["pluginRegisteredRules"]:
        rules += [{"prefix": prefix, "kind": "restart", "actions": []} for prefix in row["restartPrefixes"]]
    names = [row["configPrefixes"][0].split(".")[1] for row in FACTS["channelRules"]["bundled"]]
    rules += [{"prefix": f"channels.{name}", "kind": "hot", "actions": [f"restart-channel:{name}"]} for name in names]
    entry = FACTS["channelRules"]["channelPluginEntryTemplate"]
    rules += [{"prefix": f"plugins.entries.{name}", "kind": entry["kind"],
               "actions": [action.replace("<channelId>", name) for action in entry["actions"]]} for name in names]
    return rules + FACTS["tailRules"]


def meaning(rules, path):
    for rule in rules:
        if path == rule["prefix"] or path.startswith(rule["prefix"] + "."):
            return rule["kind"], rule.get("actions", [])
    return "restart", []


class Rules(unittest.TestCase):
    def test_every_path_means_the_same(self):
        theirs = facts_rules()
        paths = {rule["prefix"] + tail for rule in theirs + OURS for tail in ("", ".x", "x")}
        self.assertGreater(len(paths), 150)
        for path in sorted(paths):
            self.assertEqual(meaning(OURS, path), meaning(theirs, path), path)

    def test_ours_are_marked_only_where_the_protocol_restarts(self):
        for rule in OURS:
            if rule.get("live") or rule.get("listener"):
                self.assertEqual(rule["kind"], "restart", rule)


if __name__ == "__main__":
    unittest.main()
