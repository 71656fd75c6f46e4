"""The tests that docs/testing.md names exist.

Usage: test_named_tests.py SOURCE_DIR
"""

import os
import re
import sys
import unittest

ROOT = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else ".")
NAMED = re.compile(r"`((?:e2e|integration|unit|chaos|interop)/[\w/.-]+\.(?:py|c))::(\w+)`")


class NamedTests(unittest.TestCase):
    def test_each_is_there(self):
        with open(os.path.join(ROOT, "docs", "testing.md"), encoding="utf-8") as page:
            named = NAMED.findall(page.read())
        self.assertGreater(len(named), 20)
        for path, name in named:
            with self.subTest(test=f"{path}::{name}"):
                with open(os.path.join(ROOT, "tests", path), encoding="utf-8") as file:
                    self.assertRegex(file.read(), rf"(?m)^(?:static void|def) {name}\(")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
