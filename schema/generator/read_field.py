"""Reads the description of one field and checks that it makes sense."""
import re

from .check import Entry
from .model import INT64_MAX, INT64_MIN, KINDS, NUMBER_RANGE, NUMBERS, PROTOCOLS, SIZED, SPANS, Field, Span

FIELD_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9_.-]{0,99}")
FIELDS_MOST = 64
TYPE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CAPABILITY = re.compile(r"[a-z][a-z -]{0,62}[a-z]")


def span_read(entry):
    """The protocols that have the entry: `since` and `until`, both included."""
    span = Span(entry.take("since", int, PROTOCOLS[0]), entry.take("until", int, PROTOCOLS[-1]))
    if span.since not in PROTOCOLS or span.until not in PROTOCOLS or span.since > span.until:
        entry.complain(f"'since' and 'until' must be of {PROTOCOLS[0]} to {PROTOCOLS[-1]}, in this order")
    return span


def field_read(value, where, complaints, is_item=False):
    """A Field, or None after complaints."""
    entry = Entry(value, where, complaints)
    name = "" if is_item else entry.text("name", required=True, pattern=FIELD_NAME)
    if name:
        entry.where = f"{where}: field '{name}'"
    kind = entry.one_of("type", KINDS, required=True)
    if kind is None or (not name and not is_item):
        return None
    field = Field(name, kind)
    if not is_item:
        field.required = entry.take("required", bool, False)
        field.nullable = entry.take("nullable", bool, False)
        field.internal = entry.take("internal", bool, False)
        field.span = span_read(entry)
        field.later = entry.text("later", pattern=CAPABILITY)
        if field.later is not None and field.required:
            entry.complain("a required field cannot come later")
    field.sensitive = entry.take("sensitive", bool, False)
    field.nonblank = entry.take("nonblank", bool, False)
    field.summary = entry.take("summary", str, "")
    _limits(entry, field)
    _choices(entry, field)
    _parts(entry, field, complaints)
    entry.finish()
    if field.required and field.nullable and kind not in SPANS:
        entry.complain(f"a {kind} cannot be both required and nullable: nothing would tell nil from zero")
    if field.nonblank and kind != "str":
        entry.complain("'nonblank' is for str")
    return field


def _limits(entry, field):
    low, high = entry.take("min", int), entry.take("max", int)
    if field.kind in NUMBERS:
        least, most = NUMBER_RANGE[field.kind]
        field.min = least if low is None else low
        field.max = most if high is None else high
        if field.min < least or field.max > most:
            entry.complain(f"the limits do not fit {field.kind}")
    elif field.kind in SIZED:
        if high is None and "choices" not in entry.rest:
            entry.complain(f"'max' is missing: every {field.kind} has a limit")
        field.min = 0 if low is None else low
        field.max = 0 if high is None else high
        if field.min < 0 or field.max > 2**32 - 1:
            entry.complain("the limits must be within 0 and 2^32-1")
    else:
        if low is not None or high is not None:
            entry.complain(f"a {field.kind} has no limits")
        field.min, field.max = INT64_MIN, INT64_MAX
    if high is not None and field.max < field.min:
        entry.complain("'max' is below 'min'")


def _choices(entry, field):
    choices = entry.take("choices", list)
    field.choices_any_of = entry.take("choices_any_of", bool, False)
    field.choices_untyped = entry.take("choices_untyped", bool, False)
    if choices is None:
        if field.choices_any_of or field.choices_untyped:
            entry.complain("'choices_any_of' and 'choices_untyped' need 'choices'")
        return
    if field.kind != "str":
        entry.complain("'choices' is for str")
    elif not choices or not all(isinstance(choice, str) for choice in choices):
        entry.complain("'choices' must be a list of strings that is not empty")
    elif len(set(choices)) != len(choices):
        entry.complain("'choices' names a value twice")
    else:
        field.choices = choices
        longest = max(len(choice.encode()) for choice in choices)
        if field.max == 0:
            field.max = longest
        elif field.max < longest:
            entry.complain("a choice is longer than 'max'")
        if min(len(choice.encode()) for choice in choices) < field.min:
            entry.complain("a choice is shorter than 'min'")


def _parts(entry, field, complaints):
    field.of = entry.text("of", required=field.kind == "struct", pattern=TYPE_NAME)
    item = entry.take("item", dict, required=field.kind == "list")
    if field.of and field.kind != "struct":
        entry.complain("'of' is for struct")
    if item is not None:
        if field.kind not in ("list", "map"):
            entry.complain("'item' is for list and map")
        field.item = field_read(item, f"{entry.where}: item", complaints, is_item=True)


def fields_read(values, where, complaints):
    fields = []
    names, members = set(), set()
    for value in values:
        field = field_read(value, where, complaints)
        if field is None:
            continue
        if field.name in names:
            complaints.add(where, f"field '{field.name}' stands there twice")
            continue
        names.add(field.name)
        for member in (field.member, field.has_member):
            if member in members:
                complaints.add(where, f"field '{field.name}': the C name '{member}' is taken")
            if member:
                members.add(member)
        fields.append(field)
    fields_count(fields, where, complaints)
    return fields


def fields_count(fields, where, complaints):
    if sum(field.later is None for field in fields) > FIELDS_MOST:
        complaints.add(where, f"has more than {FIELDS_MOST} fields: the codec counts them in one word")


def client_field():
    """What the edge adds to every method call, and no client can send."""
    field = Field("_client", "struct")
    field.of = "client"
    field.internal = True
    field.min, field.max = INT64_MIN, INT64_MAX
    field.summary = "Who asks; added by the edge."
    return field
