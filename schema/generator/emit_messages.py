"""Writes the reference page of the messages between actors."""
from .docs_fields import cell, fields_table

HEAD = """\
# Messages between actors

Generated from `schema/bus` with every build. What clients see stands in `docs/protocol.md`.

"""


def messages_text(schema):
    text = HEAD
    for one in (message for message in schema.messages if message.source == "bus"):
        reply = f", reply `{one.reply.name}`" if one.reply else ""
        text += f"## `{one.name}`\n\n{cell(one.body.summary)}\n\n"
        text += f"{one.kind.capitalize()} of `{one.owner}`{reply}; at most {one.max_bytes} bytes.\n\n"
        text += fields_table(one.body)
    text += "# Types\n\n"
    for one in schema.types:
        text += f"## Type `{one.name}`\n\n{cell(one.summary)}\n\n{fields_table(one)}"
    text += "# Failure codes\n\n| number | name | code on the wire | meaning |\n| --- | --- | --- | --- |\n"
    for one in schema.errors:
        text += f"| {one.number} | {one.name} | {one.wire} | {cell(one.summary)} |\n"
    return text
