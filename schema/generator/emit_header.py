"""Writes schema_gen.h: the structs and the names of the tables."""
from .model import C_TYPES, SPANS, snake

HEAD = """\
/* Generated from schema/ by schema/generate.py; do not edit. */
#ifndef SCHEMA_GEN_H
#define SCHEMA_GEN_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/failure.h"
#include "bus/schema_table.h"
#include "schema/error.h"
#include "schema/event.h"
#include "schema/later.h"
#include "schema/method.h"
#include "schema/scope.h"

/* Every method, event and message between actors. */
extern const struct schema_registry schema_registry;

"""


def header_text(schema):
    parts = [HEAD, _errors(schema), _accepts(schema)]
    parts += [_body(one) for one in schema.types_needed()]
    for message in sorted(schema.served(), key=lambda one: one.id):
        parts.append(_body(message.body, message))
    parts.append("#endif\n")
    return "".join(parts)


def _errors(schema):
    lines = ["enum {"]
    lines += [f"    FAIL_{one.name} = {one.number}, /* {comment(one.summary)} */"
              for one in schema.errors if not one.is_bus]
    return "\n".join(lines + ["};", "", ""])


def _accepts(schema):
    lines = ["/* How many calls and casts each actor accepts; compare with its routes. */"]
    lines += [f"#define {snake(name).upper()}_ACCEPTS_N {count}"
              for name, count in sorted(schema.accepted_by().items())]
    return "\n".join(lines + ["", ""])


def comment(text):
    return " ".join(text.split()).replace("*/", "* /")


def wrapped(text, width=98):
    lines, line = [], ""
    for word in comment(text).split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n * ".join(lines + [line])


def _c_type(field):
    if field.kind in SPANS:
        return "struct span"
    if field.kind == "struct":
        return f"struct type_{snake(field.of)}"
    return C_TYPES[field.kind]


def _members(body):
    """The widest members come first, so that nothing is lost to padding."""
    wide, narrow, flags = [], [], []
    for field in body.fields:
        line = f"    {_c_type(field)} {field.member};{_note(field)}\n"
        {"u32": narrow, "bool": flags}.get(field.kind, wide).append(line)
        if field.has_member:
            flags.append(f"    bool {field.has_member};\n")
    return "".join(wide + narrow + flags)


def _note(field):
    if field.kind == "list" and field.item.kind == "struct":
        text = f"list of type_{snake(field.item.of)}"
    elif field.kind in ("list", "map"):
        text = f"{field.kind} of {field.item.kind if field.item else 'any'}"
    elif field.kind == "any":
        text = "one raw msgpack value"
    else:
        text = ""
    if field.summary:
        text = f"{text}; {field.summary}" if text else field.summary
    return f" /* {comment(text)} */" if text else ""


def _body(body, message=None):
    what = f"{message.source} {message.name}, {message.kind}" if message else f"type {body.name}"
    text = f"/*\n * {what}\n *\n * {wrapped(body.summary)}\n */\n"
    text += f"struct {body.c_name} {{\n"
    text += _members(body) or "    uint8_t none; /* it has no fields */\n"
    text += "};\n"
    if message:
        text += f"extern const struct schema_msg schema_{body.c_name};\n"
        text += f"#define {body.macro} (&schema_{body.c_name})\n\n"
    else:
        text += f"extern const struct schema_type schema_{body.c_name};\n"
        text += f"#define {body.macro} (&schema_{body.c_name})\n\n"
    return text
