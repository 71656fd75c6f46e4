"""Writes schema_gen.c: the tables."""
from .model import INT64_MAX, INT64_MIN, snake

HEAD = """\
/* Generated from schema/ by schema/generate.py; do not edit. */
#include "schema_gen.h"

#include <stddef.h>

"""

IDEMPOTENCY = {"none": "SCHEMA_IDEMPOTENCY_NONE", "optional": "SCHEMA_IDEMPOTENCY_OPTIONAL",
               "required": "SCHEMA_IDEMPOTENCY_REQUIRED"}
DELIVERY = {"broadcast": "SCHEMA_DELIVERY_BROADCAST", "subscribers": "SCHEMA_DELIVERY_SUBSCRIBERS",
            "targeted": "SCHEMA_DELIVERY_TARGETED", "connection": "SCHEMA_DELIVERY_CONNECTION"}

# Where a body says which session it is about, the likeliest first.
SESSION_KEYS = ("sessionKey", "session_key", "_scopeKey", "key")


def source_text(schema):
    parts = [HEAD]
    parts += [_type(one) for one in schema.types_needed()]
    for message in schema.served():
        parts.append(_type(message.body, is_static=True))
        parts.append(_message(message, schema.is_secret(message.body)))
    parts += [_registry(schema.served(), schema.errors), _later(schema), _scopes(schema), _errors(schema)]
    return "".join(parts)


def quoted(text):
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif " " <= char <= "~":
            out.append(char)
        else:
            out += [f"\\{byte:03o}" for byte in char.encode()]
    return '"' + "".join(out) + '"'


def _maybe(text):
    return "NULL" if text is None else quoted(text)


def _number(value):
    if value == INT64_MIN:
        return "INT64_MIN"
    if value == INT64_MAX:
        return "INT64_MAX"
    return f"INT64_C({value})"


def _flags(pairs):
    return " | ".join(name for name, is_set in pairs if is_set) or "0"


def _field_flags(field):
    return _flags((
        ("SCHEMA_REQUIRED", field.required),
        ("SCHEMA_SENSITIVE", field.sensitive),
        ("SCHEMA_NULLABLE", field.nullable),
        ("SCHEMA_INTERNAL", field.internal),
        ("SCHEMA_PATTERN_NONBLANK", field.nonblank),
        ("SCHEMA_CHOICES_ANY_OF", field.choices_any_of),
        ("SCHEMA_CHOICES_UNTYPED", field.choices_untyped),
    ))


class _Tables:
    """Side tables (choices, items) that a field points to come before its own table."""

    def __init__(self, stem):
        self.stem = stem
        self.text = ""
        self.count = 0

    def _name(self, what):
        self.count += 1
        return f"{self.stem}_{what}{self.count}"

    def choices(self, field):
        if not field.choices:
            return "NULL"
        name = self._name("choices")
        values = ", ".join(quoted(choice) for choice in field.choices)
        self.text += f"static const char *const {name}[] = {{ {values}, NULL }};\n"
        return name

    def item(self, field):
        if field.item is None:
            return "NULL"
        row = self.row(field.item, "0", "UINT32_MAX")
        name = self._name("item")
        self.text += f"static const struct schema_field {name} = {row};\n"
        return f"&{name}"

    def row(self, field, offset, has_offset):
        choices, item = self.choices(field), self.item(field)
        of = f"&schema_type_{snake(field.of)}" if field.kind == "struct" else "NULL"
        return (f"{{ {quoted(field.name)}, {len(field.name.encode())}, SCHEMA_{field.kind.upper()}, "
                f"{_field_flags(field)}, {offset}, {has_offset}, {_number(field.min)}, {_number(field.max)}, "
                f"{choices}, {of}, {item} }}")


def _type(body, is_static=False):
    stem = body.c_name
    tables = _Tables(stem)
    rows = []
    for field in body.fields:
        offset = f"offsetof(struct {stem}, {field.member})"
        has = f"offsetof(struct {stem}, {field.has_member})" if field.has_member else "UINT32_MAX"
        rows.append(f"    {tables.row(field, offset, has)},\n")
    text = tables.text
    if rows:
        text += f"static const struct schema_field {stem}_fields[] = {{\n{''.join(rows)}}};\n"
    flags = "SCHEMA_OPEN" if body.open else "0"
    name = f"static const struct schema_type {stem}_type" if is_static else f"const struct schema_type schema_{stem}"
    fields = f"{stem}_fields" if rows else "NULL"
    return text + f"{name} = {{ {quoted(body.name)}, sizeof(struct {stem}), {fields}, {len(rows)}, {flags} }};\n"


def _method_row(message):
    row = message.method
    flags = _flags((
        ("SCHEMA_METHOD_ADVERTISED", row.advertised),
        ("SCHEMA_METHOD_RATE_LIMITED", row.rate_limited),
        ("SCHEMA_METHOD_LATE", row.late),
        ("SCHEMA_METHOD_HANDSHAKE", row.handshake),
        ("SCHEMA_METHOD_WRITES", row.writes),
    ))
    stem = message.body.c_name
    return (f"static const struct schema_method {stem}_method = {{ {quoted(message.owner)}, {_maybe(row.scope)}, "
            f"{IDEMPOTENCY[row.idempotency]}, {flags}, {message.span.since}, {message.span.until} }};\n")


def _event_row(message):
    row = message.event
    flags = _flags((
        ("SCHEMA_EVENT_ADVERTISED", row.advertised),
        ("SCHEMA_EVENT_SEQ", row.counted),
        ("SCHEMA_EVENT_STATE_VERSION", row.state_version),
        ("SCHEMA_EVENT_NODES", row.nodes),
    ))
    return (f"static const struct schema_event {message.body.c_name}_event = {{ {_maybe(row.scope)}, "
            f"{DELIVERY[row.delivery]}, {flags}, {message.span.since}, "
            f"{message.span.until} }};\n")


def _message(message, is_secret):
    stem = message.body.c_name
    text, extra = "", "NULL"
    if message.method:
        text, extra = _method_row(message), f"&{stem}_method"
    elif message.event:
        text, extra = _event_row(message), f"&{stem}_event"
    reply = f"&schema_{message.reply.body.c_name}" if message.reply else "NULL"
    flags = _flags((
        ("SCHEMA_SENSITIVE", message.secret_reply),
        ("SCHEMA_DROPPABLE", message.event and message.event.droppable == "always"),
        ("SCHEMA_DROPPABLE_DELTA", message.event and message.event.droppable == "delta"),
        ("SCHEMA_LASTING", message.lasting),
        ("SCHEMA_SECRET", is_secret),
    ))
    return text + (f"const struct schema_msg schema_{stem} = {{ {message.id}, {quoted(message.name)}, "
                   f"{len(message.name.encode())}, SCHEMA_MSG_{message.kind.upper()}, {flags}, {message.max_bytes}U, "
                   f"&{stem}_type, {reply}, {extra} }};\n\n")


def _registry(messages, errors):
    rows = "".join(f"    &schema_{message.body.c_name},\n" for message in messages)
    own = [one for one in errors if not one.is_bus]
    keys = ", ".join(quoted(key) for key in SESSION_KEYS)
    texts = "".join(f"    {{ FAIL_{one.name}, {quoted(one.summary)} }},\n" for one in own) or "    { 0, NULL },\n"
    return (f"static const struct schema_msg *const registry_msgs[] = {{\n{rows}}};\n"
            f"static const struct schema_failure registry_failures[] = {{\n{texts}}};\n"
            f"static const char *const registry_session_keys[] = {{ {keys}, NULL }};\n"
            "const struct schema_registry schema_registry = { "
            f"registry_msgs, {len(messages)}, registry_failures, {len(own)}, registry_session_keys }};\n\n")


def _later(schema):
    """Offsets into one text instead of pointers: these rows are many, and need no relocation."""
    offsets, parts, at = {None: 0}, [quoted("") + ' "\\0"'], 1

    def place(text):
        nonlocal at
        if text not in offsets:
            offsets[text] = at
            parts.append(f'{quoted(text)} "\\0"')
            at += len(text.encode()) + 1
        return offsets[text]

    rows = "".join(f"    {{ {place(one.name)}, {place(one.method.scope)}, {place(one.later)} }},\n"
                   for one in schema.unserved())
    text = "\n    ".join(parts)
    return (f"const char schema_later_text[] =\n    {text};\n"
            f"const struct schema_later schema_laters[] = {{\n{rows or '    { 0 },' + chr(10)}}};\n"
            f"const size_t schema_laters_n = {len(schema.unserved())};\n\n")


def _scopes(schema):
    bits = {one.name: 1 << i for i, one in enumerate(schema.scopes)}
    rows = "".join(f"    {{ {quoted(one.name)}, {sum(bits[name] for name in schema.scopes_of(one)):#x}U, "
                   f"{one.span.since} }},\n" for one in schema.scopes)
    return (f"const struct schema_scope schema_scopes[] = {{\n{rows or '    { 0 },' + chr(10)}}};\n"
            f"const size_t schema_scopes_n = {len(schema.scopes)};\n\n")


def _errors(schema):
    text = "".join(f'_Static_assert(FAIL_{one.name} == {one.number}, "errors.json and bus/failure.h differ");\n'
                   for one in schema.errors if one.is_bus)
    rows = "".join(f"    {{ {quoted(one.name)}, {quoted(one.wire)}, FAIL_{one.name}, "
                   f"{'true' if one.retryable else 'false'} }},\n" for one in schema.errors)
    return (f"{text}\nconst struct schema_error schema_errors[] = {{\n{rows}}};\n"
            f"const size_t schema_errors_n = {len(schema.errors)};\n")
