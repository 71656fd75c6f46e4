"""Writes openclaw_bus.lua: dissector.lua with what the schema says of every message."""
import os

MARK = "-- @TABLES@\n"


def lua_text(schema):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dissector.lua"), encoding="utf-8") as file:
        template = file.read()
    if template.count(MARK) != 1:
        raise ValueError("dissector.lua has no place for the tables")
    return template.replace(MARK, _tables(schema))


def _tables(schema):
    served = schema.served()
    parts = ["-- By name: {what it says, its fields, the message that answers it}; a field is {what it is, what is in it}.\n"]
    parts.append(_table("TYPES", {one.name: _fields(one) for one in schema.types_needed()}))
    parts.append(_table("MESSAGES", {one.name: _message(one) for one in served if one.kind != "topic"}))
    parts.append(_table("TOPICS", {one.name: _message(one) for one in served if one.kind == "topic"}))
    codes = ", ".join(f"{one.number} {one.name}" for one in schema.errors)
    parts.append(f"local FAILURE = {{ nil, {{ code = {{ {quoted(codes)} }} }} }}\n")
    return "".join(parts)


def _table(name, rows):
    lines = "".join(f"    [{quoted(key)}] = {value},\n" for key, value in sorted(rows.items()))
    return f"local {name} = {{\n{lines}}}\n"


def _message(message):
    reply = quoted(message.reply.name) if message.reply else "nil"
    return f"{{ {_summary(message.body.summary)}, {_fields(message.body)}, {reply} }}"


def _fields(body):
    return "{ " + "".join(f"[{quoted(one.name)}] = {_field(one)}, " for one in body.fields) + "}"


def _field(field):
    says = ("secret. " if field.sensitive else "") + (field.summary or "")
    return f"{{ {_summary(says.strip())}, {_inside(field)} }}"


def _inside(field):
    """Of a list: what is in each of its entries."""
    if field.kind == "struct":
        return quoted(field.of)
    if field.item is not None:
        return _inside(field.item)
    return "nil"


def _summary(text):
    return quoted(text) if text else "nil"


def quoted(text):
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append(" ")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
