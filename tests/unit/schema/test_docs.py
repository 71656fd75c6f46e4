#!/usr/bin/env python3
"""Holds docs/protocol.md against schema/.

Usage: test_docs.py SOURCE_DIR
"""
import os
import re
import sys
import tempfile
import unittest
from unittest import mock

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
sys.path.insert(0, os.path.join(SOURCE, "schema"))

import generate  # noqa: E402

PAGE = os.path.join(SOURCE, "docs", "protocol.md")


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


class DocsTest(unittest.TestCase):
    def test_the_page_is_what_the_schema_says(self):
        with tempfile.TemporaryDirectory() as folder:
            fresh = os.path.join(folder, "protocol.md")
            with mock.patch.object(sys, "argv", ["generate.py", "--docs", fresh]):
                self.assertEqual(0, generate.main())
            if read(fresh) != read(PAGE):
                self.fail("docs/protocol.md is stale; write it anew: schema/generate.py --docs docs/protocol.md")

    def test_links_within_the_page_lead_somewhere(self):
        text = read(PAGE)
        heads = {re.sub(r"[^a-z0-9 _-]", "", line.lstrip("# ").lower()).replace(" ", "-")
                 for line in text.splitlines() if line.startswith("#")}
        self.assertEqual([], sorted(set(re.findall(r"\]\(#([^)]+)\)", text)) - heads))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
