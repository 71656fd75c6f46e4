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
FIELDS = ("kind", "limits", "rest", "item", "keys_at", "keys_n", "words_at", "words_n", "alts_at", "alts_n", "pattern",
          "min", "max")


class Shapes:
    def __init__(self):
        self.types, self.sections, self.rules = {}, {}, []
        self.rows, self.keys, self.words, self.alts = [None], [], [], []
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
        for key in data.keys() - {"types", "sections", "reload"}:
            shapes.complain(name, f"unknown key {key}")
        for kind in ("types", "sections"):
            for one in data.get(kind, {}).keys() & getattr(shapes, kind).keys():
                shapes.complain(name, f"{one} is there twice")
            getattr(shapes, kind).update(data.get(kind, {}))
        shapes.rules += data.get("reload", [])
    for name, section in sorted(shapes.sections.items()):
        section["row"] = shapes.shape(section["shape"], name)
    for rule in shapes.rules:
        if rule["kind"] not in RELOAD or not re.match(r"^[A-Za-z.]+$", rule["prefix"]):
            shapes.complain("reload", f"{rule} is no rule")
    return shapes


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
    parts.append(f"}};\nconst size_t config_reload_rules_n = {len(shapes.rules)};\n")
    return "".join(parts)
