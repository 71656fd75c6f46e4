"""Reads schema/config/ and writes config_gen.c: what a config may hold, and what a change of it means.

A shape is a word (any, bool, false, null, str, num, int), a list of the texts accepted, "@name" for
one of `types`, or an object with one of: str, num, int (limits), list, map, object, any_of.
"""
import json
import os
import re

from .emit_source import quoted

WORDS = {"any": "ANY", "bool": "BOOL", "false": "FALSE", "null": "NULL", "str": "TEXT", "num": "NUMBER", "int": "INT"}
RELOAD = {"none": "CONFIG_RELOAD_NONE", "hot": "CONFIG_RELOAD_HOT", "restart": "CONFIG_RELOAD_RESTART"}
CREDENTIAL_KEYS = {"path", "id", "type", "ref", "file", "profile", "owner", "expect", "plan", "configure", "shadows", "since",
                   "web"}
FIELDS = ("kind", "limits", "rest", "item", "keys_at", "keys_n", "words_at", "words_n", "alts_at", "alts_n", "pattern",
          "min", "max")


class Shapes:
    def __init__(self):
        self.types, self.sections, self.rules, self.followers = {}, {}, [], []
        self.rows, self.keys, self.words, self.alts = [None], [], [], []
        self.credentials = []
        self.named, self.known, self.complaints = {}, {}, []

    def complain(self, where, what):
        self.complaints.append(f"config: {where}: {what}")

    def shape(self, data, where):
        """Number of the row that says `data`."""
        if isinstance(data, str) and data.startswith("@"):
            return self.named_shape(data[1:], where)
        spelled = json.dumps(data, sort_keys=True)
        if spelled not in self.known:
            row = self.row(data, where)
            self.rows.append(row)
            self.known[spelled] = len(self.rows) - 1
        return self.known[spelled]

    def named_shape(self, name, where):
        if name not in self.types:
            self.complain(where, f"no type is named {name}")
            return 0
        if name not in self.named:
            self.named[name] = None
            self.named[name] = self.shape(self.types[name], f"type {name}")
        if self.named[name] is None:
            self.complain(where, f"type {name} holds itself")
            return 0
        return self.named[name]

    def row(self, data, where):
        if isinstance(data, str) and data in WORDS:
            return {"kind": WORDS[data]}
        if isinstance(data, list) and data and all(isinstance(one, str) for one in data):
            return {"kind": "TEXT", "words_at": self.words_add(data), "words_n": len(data)}
        if isinstance(data, dict):
            for name in ("str", "num", "int", "list", "map", "object", "any_of"):
                if name in data:
                    return getattr(self, "row_" + name)(data, where)
        self.complain(where, f"{json.dumps(data)[:60]} is no shape")
        return {"kind": "ANY"}

    def words_add(self, words):
        self.words += words
        return len(self.words) - len(words)

    def limits(self, kind, given, where):
        row, flags = {"kind": kind}, []
        for key, value in given.items():
            if key in ("min", "max"):
                row[key] = value
                flags.append(f"CONFIG_LIMIT_{key.upper()}")
            elif key == "above":
                row["min"] = value
                flags.append("CONFIG_LIMIT_ABOVE")
            elif key == "pattern":
                row["pattern"] = value
            else:
                self.complain(where, f"unknown limit {key}")
        row["limits"] = " | ".join(flags) or "0"
        return row

    def row_str(self, data, where):
        return self.limits("TEXT", data["str"], where)

    def row_num(self, data, where):
        return self.limits("NUMBER", data["num"], where)

    def row_int(self, data, where):
        return self.limits("INT", data["int"], where)

    def row_list(self, data, where):
        row = self.limits("LIST", {key: value for key, value in data.items() if key != "list"}, where)
        row["item"] = self.shape(data["list"], where + "[]")
        return row

    def row_map(self, data, where):
        return {"kind": "OBJECT", "rest": self.shape(data["map"], where + ".*")}

    def row_object(self, data, where):
        given = data["object"]
        for key in given.keys() - {"keys", "need", "rest", "key_pattern"}:
            self.complain(where, f"an object has no {key}")
        needed = set(given.get("need", ()))
        for key in needed - given.get("keys", {}).keys():
            self.complain(where, f"needs {key}, which it does not have")
        rows = [(key, self.shape(value, f"{where}.{key}"), key in needed)
                for key, value in sorted(given.get("keys", {}).items())]
        row = {"kind": "OBJECT", "keys_at": len(self.keys), "keys_n": len(rows)}
        self.keys += rows
        if "rest" in given:
            row["rest"] = self.shape(given["rest"], where + ".*")
        if "key_pattern" in given:
            row["pattern"] = given["key_pattern"]
        return row

    def secrets_of(self, data, where):
        """Paths of all places of the type `secret` in a shape."""
        if data == "@secret":
            yield where
        elif isinstance(data, str) and data.startswith("@") and data[1:] in self.types:
            yield from self.secrets_of(self.types[data[1:]], where)
        elif isinstance(data, dict) and "any_of" in data:
            for one in data["any_of"]:
                yield from self.secrets_of(one, where)
        elif isinstance(data, dict) and "list" in data:
            yield from self.secrets_of(data["list"], where + "[]")
        elif isinstance(data, dict) and "map" in data:
            yield from self.secrets_of(data["map"], where + ".*")
        elif isinstance(data, dict) and "object" in data:
            for key, value in data["object"].get("keys", {}).items():
                yield from self.secrets_of(value, f"{where}.{key}")
            yield from self.secrets_of(data["object"].get("rest"), where + ".*")

    def is_served(self, credential):
        section = self.sections.get(credential["path"].split(".")[0])
        return not credential.keys() & {"file", "since"} and section is not None and "later" not in section

    def credentials_check(self):
        """The table of credentials and the shapes must tell of the same places."""
        held = {path for name, section in self.sections.items() for path in self.secrets_of(section["shape"], name)}
        told = set()
        for row in self.credentials:
            where = f"credential {row.get('path')}"
            for key in row.keys() - CREDENTIAL_KEYS:
                self.complain(where, f"unknown key {key}")
            if not re.match(r"^[a-z][A-Za-z-]*(\.(\*|[A-Za-z][A-Za-z0-9-]*(\[\])?))+$", row.get("path", "")):
                self.complain(where, "is no path")
            elif row["path"] in told:
                self.complain(where, "is there twice")
            elif self.is_served(row) and row["path"] not in held:
                self.complain(where, "is no place of type secret")
            told.add(row.get("path"))
        for path in sorted(held - told):
            self.complain(path, "is of type secret and not among the credentials")

    def row_any_of(self, data, where):
        rows = [self.shape(one, f"{where}|{i}") for i, one in enumerate(data["any_of"])]
        self.alts += rows
        return {"kind": "ONE_OF", "alts_at": len(self.alts) - len(rows), "alts_n": len(rows)}


def config_read(folder):
    """What schema/config says; `complaints` tells what is wrong with it."""
    shapes = Shapes()
    path = os.path.join(folder, "config")
    for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
        with open(os.path.join(path, name), encoding="utf-8") as file:
            data = json.load(file)
        for key in data.keys() - {"types", "sections", "reload", "credentials", "followers"}:
            shapes.complain(name, f"unknown key {key}")
        for kind in ("types", "sections"):
            for one in data.get(kind, {}).keys() & getattr(shapes, kind).keys():
                shapes.complain(name, f"{one} is there twice")
            getattr(shapes, kind).update(data.get(kind, {}))
        shapes.rules += data.get("reload", [])
        shapes.credentials += data.get("credentials", [])
        shapes.followers += data.get("followers", [])
    for name, section in sorted(shapes.sections.items()):
        section["row"] = shapes.shape(section["shape"], name)
    for rule in shapes.rules:
        if rule["kind"] not in RELOAD or not re.match(r"^[A-Za-z.]+$", rule["prefix"]):
            shapes.complain("reload", f"{rule} is no rule")
    shapes.credentials_check()
    for one in shapes.followers:
        _follower_check(shapes, one)
    return shapes


def _follower_check(shapes, follower):
    """Paths lie beside each other, so that the part of the config which they name holds each of them once."""
    paths = follower.get("paths", [])
    if follower.keys() != {"actor", "paths"} or not re.match(r"^[a-z]+(/\*)?$", follower["actor"]) or not paths:
        shapes.complain("followers", f"{follower} is no follower")
    for path in paths:
        if path.split(".")[0] not in shapes.sections:
            shapes.complain("followers", f"{follower['actor']}: no section holds {path}")
        if any(other != path and (path + ".").startswith(other + ".") for other in paths) or paths.count(path) > 1:
            shapes.complain("followers", f"{follower['actor']}: {path} is named twice")


def _cell(name, value):
    if name == "kind":
        return f"CONFIG_KIND_{value}"
    return quoted(value) if name == "pattern" else str(value)


def _row(row):
    cells = [f".{name} = {_cell(name, row[name])}" for name in FIELDS if row.get(name) not in (None, 0, "0")]
    return "    { " + ", ".join(cells) + " },\n"


def _rule(rule):
    return (f"    {{ {quoted(rule['prefix'])}, {RELOAD[rule['kind']]}, {quoted(','.join(rule.get('actions', ())))}, "
            f"{int(rule.get('live', False))}, {int(rule.get('listener', False))} }},\n")


def _segment_behind(path, name):
    """Index of the wildcard that follows the segment `name`, -1 without one; a list counts as two segments."""
    parts = path.replace("[]", ".[]").split(".")
    found = [at + 1 for at, part in enumerate(parts[:-1]) if part == name and parts[at + 1] == "*"]
    return found[0] if found else -1


def _credential(shapes, row):
    path = row["path"]
    told = [row.get("id", path), row.get("type", path), row.get("ref"), row.get("file", "openclaw.json"),
            row.get("profile"), row.get("owner", ""), row.get("web")]
    flags = [shapes.is_served(row), row.get("plan", True), row.get("configure", True) and row.get("plan", True),
             row.get("expect") == "string-or-object", row.get("shadows", False)]
    numbers = [_segment_behind(path, "providers"), _segment_behind(path, "accounts"), row.get("since", 3)]
    cells = [quoted(path)] + [quoted(one) if one is not None else "NULL" for one in told]
    return "    { " + ", ".join(cells + [str(int(one)) for one in flags + numbers]) + " },\n"


def config_text(shapes):
    parts = ["/* Generated from schema/config/ by schema/generate.py; do not edit. */\n",
             '#include "schema/config_table.h"\n\n', "const struct config_shape config_shapes[] = {\n    { 0 },\n"]
    parts += [_row(row) for row in shapes.rows[1:]]
    parts.append("};\n\nconst struct config_shape_key config_shape_keys[] = {\n    { 0 },\n" if not shapes.keys else
                 "};\n\nconst struct config_shape_key config_shape_keys[] = {\n")
    parts += [f"    {{ {quoted(name)}, {shape}, {int(needed)} }},\n" for name, shape, needed in shapes.keys]
    parts.append("};\n\nconst char *const config_shape_words[] = {\n")
    parts += [f"    {quoted(word)},\n" for word in shapes.words] or ["    \"\",\n"]
    parts.append("};\n\nconst uint16_t config_shape_alts[] = {\n")
    parts += [f"    {alt},\n" for alt in shapes.alts] or ["    0,\n"]
    parts.append("};\n\nconst struct config_section config_sections[] = {\n")
    for name, section in sorted(shapes.sections.items()):
        later = section.get("later")
        parts.append(f"    {{ {quoted(name)}, {quoted(later) if later else 'NULL'}, {section['row']} }},\n")
    parts.append(f"}};\nconst size_t config_sections_n = {len(shapes.sections)};\n\n")
    parts.append("const struct config_reload_rule config_reload_rules[] = {\n")
    parts += [_rule(rule) for rule in shapes.rules]
    parts.append(f"}};\nconst size_t config_reload_rules_n = {len(shapes.rules)};\n\n")
    parts.append("const struct config_credential config_credentials[] = {\n")
    parts += [_credential(shapes, row) for row in shapes.credentials] or ["    { 0 },\n"]
    parts.append(f"}};\nconst size_t config_credentials_n = {len(shapes.credentials)};\n\n")
    return "".join(parts + _followers(shapes.followers))


def _followers(followers):
    parts = []
    for i, follower in enumerate(followers):
        paths = ", ".join(map(quoted, follower["paths"]))
        parts.append(f"static const char *const follower_paths_{i}[] = {{ {paths}, NULL }};\n")
    parts.append("const struct config_follower config_followers[] = {\n")
    parts += [f"    {{ {quoted(one['actor'])}, follower_paths_{i} }},\n" for i, one in enumerate(followers)]
    parts.append("    { NULL, NULL },\n};\n")
    return parts
