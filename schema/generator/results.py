"""What methods answer: shapes that look like the answer itself, for the reference page and for tests.

    "result": {
        "runId": "text: id of the run",
        "status": "text(started|in_flight|ok)",
        "endedAt?": "time: when it ended",
        "nodes": ["@node"],
        "env": { "*": "text" }
    }

A key with "?" may be absent; the key "*" stands for all others. A list with one entry holds any number of what that
says. A text is TYPE or TYPE: NOTE, where TYPE is bool, int, number, text, time (milliseconds since 1970), any, null, a
shape of schema/results.json as @NAME, or several of these with "|" between them; text(a|b) is one of these texts.
"""
import re

KINDS = ("bool", "int", "number", "text", "time", "any", "null")
KEY = re.compile(r"\*|[A-Za-z_][A-Za-z0-9_.-]{0,63}\??")
TERM = re.compile(r"(@?[a-zA-Z][A-Za-z0-9_-]*)(?:\(([^()]+)\))?")
FITS = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "time": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "any": lambda value: True,
    "null": lambda value: value is None,
}


class Leaf:
    def __init__(self, terms, note):
        self.terms = terms  # [(kind or @name, choices or None)]
        self.note = note


class Row:
    def __init__(self, fields, rest):
        self.fields = fields  # key -> (shape, may be absent)
        self.rest = rest  # shape of all other keys, or None: there are none


class Many:
    def __init__(self, item):
        self.item = item


def shape_read(value, where, complaints):
    """A shape, or None after complaints."""
    if isinstance(value, str):
        return _leaf(value, where, complaints)
    if isinstance(value, list) and len(value) == 1:
        return Many(shape_read(value[0], f"{where}[]", complaints))
    if not isinstance(value, dict):
        complaints.add(where, "a result is an object, a list with one entry, or a text")
        return None
    fields, rest = {}, None
    for key, inner in value.items():
        if not KEY.fullmatch(key):
            complaints.add(where, f"'{key}' is no key of a result")
            continue
        shape = shape_read(inner, f"{where}.{key}", complaints)
        if key == "*":
            rest = shape
        else:
            fields[key.rstrip("?")] = (shape, key.endswith("?"))
    return Row(fields, rest)


def _leaf(text, where, complaints):
    kinds, _, note = text.partition(":")
    terms = []
    for part in re.split(r"\|(?![^(]*\))", kinds.strip()):
        match = TERM.fullmatch(part.strip())
        if not match or not (match[1] in KINDS or match[1][0] == "@") or (match[2] and match[1] != "text"):
            complaints.add(where, f"'{part}' is no type of a result")
            return None
        terms.append((match[1], match[2].split("|") if match[2] else None))
    return Leaf(terms, note.strip())


def names_used(shape):
    if isinstance(shape, Leaf):
        yield from (kind[1:] for kind, _ in shape.terms if kind[0] == "@")
    elif isinstance(shape, Many):
        yield from names_used(shape.item)
    elif isinstance(shape, Row):
        for inner, _ in shape.fields.values():
            yield from names_used(inner)
        yield from names_used(shape.rest)


# --- holding answers against them --------------------------------------------------------------


def misfits(shape, value, named, at="", is_open=False):
    """Yields (path, what is wrong) of a value. `is_open`: keys that are not described are fine."""
    if isinstance(shape, Leaf):
        yield from _leaf_misfits(shape, value, named, at, is_open)
    elif isinstance(shape, Many):
        if not isinstance(value, list):
            yield at, f"should be a list, is {value!r:.80}"
            return
        for inner in value:
            yield from misfits(shape.item, inner, named, f"{at}[]", is_open)
    elif not isinstance(value, dict):
        yield at, f"should be an object, is {value!r:.80}"
    else:
        yield from _row_misfits(shape, value, named, at, is_open)


def _row_misfits(shape, value, named, at, is_open):
    for key, inner in value.items():
        if key in shape.fields:
            yield from misfits(shape.fields[key][0], inner, named, f"{at}.{key}", is_open)
        elif shape.rest is not None:
            yield from misfits(shape.rest, inner, named, f"{at}.*", is_open)
        elif not is_open:
            yield f"{at}.{key}", "is not described"
    for key, (_, may_lack) in shape.fields.items():
        if key not in value and not may_lack:
            yield f"{at}.{key}", "is missing"


def _leaf_misfits(shape, value, named, at, is_open):
    best = None
    for kind, choices in shape.terms:
        if kind[0] == "@":
            wrong = list(misfits(named[kind[1:]], value, named, at, is_open))
        elif not FITS[kind](value):
            wrong = [(at, f"should be {kind}, is {value!r:.80}")]
        else:
            wrong = [(at, f"is {value!r:.80}, none of {', '.join(choices)}")] if choices and value not in choices else []
        if best is None or len(wrong) < len(best):
            best = wrong
    yield from best


# --- the reference page ---------------------------------------------------------------------------


def table(shape, anchor, cell):
    """Rows of a Markdown table, one for each field, with the path to it."""
    if isinstance(shape, Row) and not shape.fields and shape.rest is None:
        return "An empty object.\n\n"
    lines = ["| field | type | notes |", "| --- | --- | --- |"]
    _rows("", shape, False, anchor, cell, lines)
    return "\n".join(lines) + "\n\n"


def _rows(path, shape, may_lack, anchor, cell, lines):
    name = f"`{path}`" if path else "the whole"
    star = "" if may_lack or not path else " \\*"
    if isinstance(shape, Leaf):
        lines.append(f"| {name}{star} | {_kinds(shape, anchor)} | {cell(_notes(shape))} |")
        return
    if isinstance(shape, Many):
        if isinstance(shape.item, Leaf):
            lines.append(f"| {name}{star} | list of {_kinds(shape.item, anchor)} | {cell(_notes(shape.item))} |")
            return
        lines.append(f"| {name}{star} | list |  |")
        path, shape = f"{path}[]", shape.item
    elif path:
        lines.append(f"| {name}{star} | object |  |")
    if isinstance(shape, Many):
        _rows(path, shape, True, anchor, cell, lines)
        return
    for key, (inner, inner_may_lack) in shape.fields.items():
        _rows(f"{path}.{key}" if path else key, inner, inner_may_lack, anchor, cell, lines)
    if shape.rest is not None:
        _rows(f"{path}.*" if path else "*", shape.rest, True, anchor, cell, lines)


def _kinds(shape, anchor):
    return " or ".join(f"[{kind[1:]}](#{anchor('result', kind[1:])})" if kind[0] == "@" else kind
                       for kind, _ in shape.terms)


def _notes(shape):
    choices = [choice for _, some in shape.terms for choice in some or ()]
    parts = ["one of " + ", ".join(f"`{choice}`" for choice in choices)] if choices else []
    return "; ".join(parts + ([shape.note] if shape.note else []))
