"""What the reference pages say about one field."""
from .model import INT64_MAX, INT64_MIN, NUMBER_RANGE, NUMBERS, PROTOCOLS


def cell(text):
    return " ".join(str(text).split()).replace("|", "\\|")


def anchor(kind, name):
    return f"{kind}-{name}".replace(".", "").lower()


def protocols(span):
    return ", ".join(str(protocol) for protocol in PROTOCOLS if span.has(protocol))


def _kind(field):
    if field.kind == "struct":
        return f"[{field.of}](#{anchor('type', field.of)})"
    if field.item is not None:
        return f"{field.kind} of {_kind(field.item)}"
    return field.kind


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
        inner = _limits(field.item) if field.item else ""
        return f"{field.min} to {field.max}" + (f", each {inner}" if inner else "")
    return ""


def _notes(field):
    notes = [text for text, is_set in (
        (f"refused so far: {field.later}", field.later is not None),
        (f"protocol {protocols(field.span)}", protocols(field.span) != ", ".join(map(str, PROTOCOLS))),
        ("may be null", field.nullable),
        ("not blank", field.nonblank),
        ("never shown in logs or the tap", field.sensitive),
        (field.summary, bool(field.summary)),
    ) if is_set]
    return cell("; ".join(notes))


def fields_table(body, open_note="Further fields are ignored."):
    fields = [field for field in body.all_fields if not field.internal]
    if not fields:
        return f"{'Any fields.' if body.open else 'No fields.'}\n\n"
    lines = ["| field | type | limits | notes |", "| --- | --- | --- | --- |"]
    for field in fields:
        star = " \\*" if field.required else ""
        lines.append(f"| `{field.name}`{star} | {_kind(field)} | {cell(_limits(field))} | {_notes(field)} |")
    tail = f"\n{open_note}\n" if body.open else ""
    return "\n".join(lines) + "\n" + tail + "\n"
