"""Writes the reference page: methods, events, messages between actors, failure codes."""
from .model import INT64_MAX, INT64_MIN, NUMBER_RANGE, NUMBERS

HEAD = """\
# Protocol reference

Generated from `schema/` with every build. Field types: `u32 u64 i64 f64` are numbers, `str` is UTF-8, `any` is any JSON
value, `map` is an object with free keys. Lengths of strings are in bytes. A field with \\* is required.

"""


def docs_text(schema):
    parts = [HEAD, _methods(schema), _events(schema), _bus(schema), _types(schema), _errors(schema)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def _limits(field):
    if field.choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in field.choices)
    if field.kind in NUMBERS:
        least, most = NUMBER_RANGE[field.kind]
        low = "" if field.min in (least, INT64_MIN) and field.kind not in ("u32", "u64") else f"≥ {field.min}"
        high = "" if field.max in (most, INT64_MAX) else f"≤ {field.max}"
        return ", ".join(part for part in (low, high) if part)
    if field.kind in ("str", "bin"):
        return f"{field.min} to {field.max} bytes"
    if field.kind in ("list", "map"):
        return f"{field.min} to {field.max} of: {_kind(field.item)}" if field.item else f"up to {field.max} pairs"
    return ""


def _kind(field):
    if field.kind == "struct":
        return f"[{field.of}](#type-{field.of.replace('_', '-')})"
    if field.item is not None:
        return f"{field.kind} of {_kind(field.item)}"
    return field.kind


def _fields(body):
    fields = [field for field in body.all_fields if not field.internal]
    if not fields:
        return "No fields.\n\n" if not body.open else "Any fields.\n\n"
    lines = ["| field | type | limits | notes |", "| --- | --- | --- | --- |"]
    for field in fields:
        notes = [text for text, is_set in ((f"refused so far ({field.later})", field.later is not None),
                                           ("sensitive", field.sensitive), ("may be null", field.nullable),
                                           ("not blank", field.nonblank), (field.summary, bool(field.summary)))
                 if is_set]
        star = " \\*" if field.required else ""
        lines.append(f"| `{field.name}`{star} | {_kind(field)} | {_cell(_limits(field))} | {_cell('; '.join(notes))} |")
    tail = "\nFurther fields are ignored.\n" if body.open else ""
    return "\n".join(lines) + "\n" + tail + "\n"


def _methods(schema):
    methods = [message for message in schema.messages if message.method]
    lines = ["## Methods", "", "| method | scope | owner | what it does |", "| --- | --- | --- | --- |"]
    lines += [f"| [`{one.name}`](#method-{one.name.replace('.', '')}) | {one.method.scope or 'none'} | {one.owner} | "
              f"{_cell(one.body.summary)} |" for one in methods]
    text = "\n".join(lines) + "\n\n"
    for one in methods:
        text += f"### Method `{one.name}`\n\n{_cell(one.body.summary)}\n\n"
        facts = [f"not served yet ({one.later})"] if one.later else []
        facts += [f"scope {one.method.scope or 'none'}", f"answered by `{one.owner}`",
                 f"at most {one.max_bytes} bytes"]
        if one.method.idempotency != "none":
            facts.append(f"idempotency key {one.method.idempotency}")
        if one.method.late:
            facts.append("unavailable while the gateway starts")
        if one.method.rate_limited:
            facts.append("rate limited")
        if one.reply:
            facts.append(f"reply `{one.reply.name}`")
        text += "; ".join(facts).capitalize() + ".\n\n" + _fields(one.body)
    return text


def _events(schema):
    text = "## Events\n\n"
    for one in (message for message in schema.messages if message.event):
        row = one.event
        facts = [f"not served yet ({one.later})"] if one.later else []
        facts += [f"scope {row.scope or 'none'}", f"delivery: {row.delivery}",
                 f"dropped for a slow client: {row.droppable}"]
        facts += ["carries `seq`"] if row.counted else []
        facts += ["carries `stateVersion`"] if row.state_version else []
        text += f"### Event `{one.name}`\n\n{_cell(one.body.summary)}\n\n{'; '.join(facts).capitalize()}.\n\n"
        text += _fields(one.body)
    return text


def _bus(schema):
    text = "## Messages between actors\n\n"
    for one in (message for message in schema.messages if message.source == "bus"):
        reply = f", reply `{one.reply.name}`" if one.reply else ""
        text += f"### Message `{one.name}`\n\n{_cell(one.body.summary)}\n\n"
        text += f"{one.kind.capitalize()} of `{one.owner}`{reply}; at most {one.max_bytes} bytes.\n\n"
        text += _fields(one.body)
    return text


def _types(schema):
    text = "## Types\n\n"
    for one in schema.types:
        text += f"### Type `{one.name}`\n\n{_cell(one.summary)}\n\n{_fields(one)}"
    return text


def _errors(schema):
    lines = ["## Failure codes", "", "| number | name | code on the wire | retryable | meaning |",
             "| --- | --- | --- | --- | --- |"]
    lines += [f"| {one.number} | {one.name} | {one.wire} | {'yes' if one.retryable else 'no'} | {_cell(one.summary)} |"
              for one in schema.errors]
    return "\n".join(lines) + "\n"
