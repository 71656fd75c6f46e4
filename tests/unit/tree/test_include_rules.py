"""Who may include whom, headers that stand alone, and words that do not belong in the tree.

Usage: test_include_rules.py SOURCE_DIR COMPILE_COMMANDS
"""

import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import unittest

ROOT = ""
COMPILE_COMMANDS = ""

SKIPPED = {".git", "build", "node_modules", "__pycache__", ".pytest_cache", ".cache"}
SOURCE_FOLDERS = ("bus", "schema", "actors", "edge", "tests")
# The one place that knows every definition the program is made of.
COMPOSITION_ROOT = "edge/cli/compose.c"

BUS_LIBRARIES = ("zmq", "czmq", "msgpack", "uv")
# Libraries that only some rooms may open: header prefix -> folders.
ROOMS = {
    "libwebsockets": ("edge/", "tests/"),
    "sqlite3": ("actors/", "schema/base/", "tests/"),
    "curl": ("actors/agent/", "edge/cli/", "tests/"),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
# Spelled in halves, so that this file may hold them.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(" + "|".join(("wo" + "rk", "ro" + "ot")) + r")/[\w.]")


def tree():
    for folder, names, files in os.walk(ROOT):
        names[:] = sorted(n for n in names if n not in SKIPPED)
        for name in sorted(set(files) - SKIPPED):
            yield os.path.relpath(os.path.join(folder, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def sources(*suffixes):
    return [p for p in tree() if p.split("/")[0] in SOURCE_FOLDERS and p.endswith(suffixes or (".c", ".h"))]


def includes(path):
    return [(kind == '"', target) for kind, target in INCLUDE.findall(read(path))]


def room(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "actors" else parts[0]


def is_broken(path, target):
    """Why `path` may not include the file `target` of this tree; None when it may."""
    here, there = room(path), room(target)
    if here == "bus" and there != "bus":
        return "bus/ includes bus/ alone"
    if here == "schema" and there not in ("schema", "bus", "schema_gen.h"):  # the last is made of schema/
        return "schema/ includes bus/ alone"
    if here.startswith("actors/") and there.startswith("actors/") and there != here:
        return "an actor includes no other actor"
    if here.startswith("actors/") and there == "edge":
        return "an actor includes nothing of edge/"
    if here == "edge" and there.startswith("actors/") and path != COMPOSITION_ROOT:
        return f"only {COMPOSITION_ROOT} of edge/ includes actors"
    if here != "tests" and there == "tests":
        return "nothing outside tests/ includes tests/"
    return None


class IncludeRules(unittest.TestCase):
    def test_there_is_something_to_check(self):
        self.assertGreater(len(sources()), 10)

    def test_no_folder_includes_what_it_may_not(self):
        broken = []
        for path in sources():
            for is_ours, target in includes(path):
                why = is_ours and is_broken(path, target)
                if why:
                    broken.append(f"{path} includes {target}: {why}")
        self.assertEqual(broken, [])

    def test_includes_are_written_from_the_root(self):
        broken = []
        for path in sources():
            for is_ours, target in includes(path):
                is_file = os.path.isfile(os.path.join(ROOT, target))
                if is_ours and not is_file and "/" not in target and not target.endswith("_gen.h"):
                    broken.append(f"{path} includes {target}")
                if is_ours and target.startswith("."):
                    broken.append(f"{path} includes {target}")
        self.assertEqual(broken, [])

    def test_the_bus_knows_its_own_libraries_alone(self):
        foreign = re.compile(r"^(libwebsockets|lws|sqlite|curl|jansson|openssl|schema_gen)")
        broken = [
            f"{path} includes {target}" for path in sources() if room(path) == "bus"
            for _, target in includes(path) if foreign.match(target)
        ]
        self.assertEqual(broken, [])

    def test_libraries_stay_in_their_rooms(self):
        broken = []
        for path in sources():
            for is_ours, target in includes(path):
                for prefix, rooms in ROOMS.items():
                    if not is_ours and target.startswith(prefix) and not path.startswith(rooms):
                        broken.append(f"{path} includes {target}")
        self.assertEqual(broken, [])

    def test_no_header_is_called_utils_or_common(self):
        self.assertEqual([p for p in sources() if re.search(r"/(utils?|common|misc|helpers?)\.[ch]$", p)], [])


class Headers(unittest.TestCase):
    def test_every_header_compiles_alone(self):
        with open(COMPILE_COMMANDS, encoding="utf-8") as file:
            commands = json.load(file)
        flags, compiler = [], "cc"
        for command in commands:
            words = command.get("arguments") or shlex.split(command["command"])
            compiler = next(w for w in words if not w.endswith("ccache"))
            flags += self.wanted(words)
        flags = list(dict.fromkeys(flags))
        headers = sources(".h")

        def compile_alone(path):
            done = subprocess.run(
                [compiler, "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c"]
                + [part for flag in flags for part in flag] + ["-"],
                input=f'#include "{path}"\n#include "{path}"\nint stands_alone;\n',
                capture_output=True, text=True, cwd=ROOT, check=False)
            return None if done.returncode == 0 else f"{path}: {done.stderr.strip()[:600]}"

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            broken = [text for text in pool.map(compile_alone, headers) if text]
        self.assertEqual(broken, [])

    @staticmethod
    def wanted(words):
        found, i = [], 0
        while i < len(words):
            if words[i] in ("-isystem", "-I", "-D"):
                found.append((words[i], words[i + 1]))
                i += 1
            elif words[i].startswith(("-I", "-D")):
                found.append((words[i],))
            i += 1
        return found


class Words(unittest.TestCase):
    def test_no_text_names_a_place_on_one_machine_or_unfinished_work(self):
        broken = []
        for path in tree():
            if path.startswith("tests/data/") or path.endswith((".png", ".bin")) or "/corpus/" in path:
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                if MACHINE_PATH.search(line) or UNFINISHED.search(line):
                    broken.append(f"{path}:{number}: {line.strip()[:100]}")
        self.assertEqual(broken, [])

    def test_readme_opens_with_the_two_commands(self):
        lines = read("README.md").splitlines()
        self.assertEqual(lines[0], "```sh")
        self.assertRegex(lines[1], r"^deploy/quickstart\b")
        self.assertRegex(lines[2], r"^tests/run\b")
        self.assertEqual(lines[3], "```")


if __name__ == "__main__":
    ROOT, COMPILE_COMMANDS = sys.argv[1], sys.argv[2]
    unittest.main(argv=sys.argv[:1], verbosity=2)
