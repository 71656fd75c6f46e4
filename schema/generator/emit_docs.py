"""Writes docs/protocol.md, the reference page for authors of clients."""
from . import results
from .docs_fields import anchor, cell, fields_table, protocols

KNOWN = "Known and not served yet"


def docs_text(schema, intro):
    parts = [intro, _scopes(schema), _methods(schema), _events(schema), _types(schema), _shapes(schema),
             _errors(schema)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _scopes(schema):
    lines = ["## Scopes", "", "| scope | brings along | protocols | allows |", "| --- | --- | --- | --- |"]
    for one in schema.scopes:
        granted = schema.scopes_of(one) - {one.name}
        names = "all" if "*" in one.includes else ", ".join(f"`{name}`" for name in sorted(granted))
        lines.append(f"| `{one.name}` | {names} | {protocols(one.span)} | {cell(one.summary)} |")
    return "\n".join(lines) + "\n"


# --- methods ---------------------------------------------------------------------------


def _methods(schema):
    methods = [one for one in schema.messages if one.method]
    served = [one for one in methods if not one.later]
    known = [one for one in methods if one.later and one.body.summary]
    names = [one for one in methods if one.later and one not in known]
    text = "## Methods that are served\n\n" + _index(served)
    text += "".join(_method(one) for one in served)
    text += f"## {KNOWN}\n\n"
    text += ("The answer to these is `UNAVAILABLE` with `details: {reason: \"not-served\", capability}`, once role and "
             "scope are right.\n`features.methods` does not list them.\n\n")
    text += _index(known, "capability") + "".join(_method(one) for one in known)
    if names:
        text += "## Methods of newer gateways\n\nNot served either, and answered in the same way.\n\n" + _names(names)
    return text


def _index(methods, extra=None):
    head = f"| method | scope | {extra + ' | ' if extra else ''}what it does |\n| --- | --- | --- |{' --- |' if extra else ''}\n"
    rows = ""
    for one in methods:
        middle = f"{one.later} | " if extra else ""
        rows += (f"| [`{one.name}`](#{anchor('method', one.name)}) | {_scope(one.method.scope)} | {middle}"
                 f"{cell(one.body.summary)} |\n")
    return head + rows + "\n"


def _names(methods):
    lines = ["| method | scope | capability |", "| --- | --- | --- |"]
    lines += [f"| `{one.name}` | {_scope(one.method.scope)} | {one.later} |" for one in methods]
    return "\n".join(lines) + "\n\n"


def _scope(scope):
    return f"`{scope}`" if scope else "none"


def _method(one):
    row = one.method
    facts = [f"scope {_scope(row.scope)}", f"protocols {protocols(one.span)}"]
    if one.later:
        facts.append(f"not served yet: {one.later}")
    facts.append(f"params of at most {_bytes(one.max_bytes)}")
    if row.idempotency != "none":
        facts.append(f"idempotency key {row.idempotency}")
    for is_set, text in ((row.late, "unavailable while the gateway starts"),
                         (row.rate_limited, "counts against the limit of writes"),
                         (row.writes, "120 a minute for each client"),
                         (not row.advertised, "never listed in `features`"),
                         (row.handshake, "valid only as the first request"),
                         (one.is_own, "not part of the original protocol")):
        facts += [text] if is_set else []
    text = "; ".join(facts)
    return (f"### Method `{one.name}`\n\n{cell(one.body.summary)}\n\n{text[0].upper()}{text[1:]}.\n\n"
            f"{fields_table(one.body)}{_results(row)}")


def _results(row):
    text = ""
    for shape, head in ((row.accepted, "First response"), (row.result, "Result")):
        if shape is not None:
            text += f"{head}:\n\n{results.table(shape, anchor, cell)}"
    return text


def _bytes(count):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} bytes"


# --- events ----------------------------------------------------------------------------

DELIVERY = {
    "broadcast": "to every connection with the scope",
    "subscribers": "to connections that asked for it",
    "targeted": "to the connection it concerns",
    "connection": "to each connection by itself",
}
DROPPABLE = {"never": "never left out", "always": "left out for a slow client",
             "delta": "state `delta` is left out for a slow client"}


def _events(schema):
    events = [one for one in schema.messages if one.event]
    served = [one for one in events if not one.later]
    known = [one for one in events if one.later]
    text = "## Payloads of events\n\n" + "".join(_event(one) for one in served)
    text += "## Events that nobody sends yet\n\n"
    text += "| event | scope | protocols | capability |\n| --- | --- | --- | --- |\n"
    for one in known:
        name = f"[`{one.name}`](#{anchor('event', one.name)})" if one.body.summary else f"`{one.name}`"
        text += f"| {name} | {_scope(one.event.scope)} | {protocols(one.span)} | {one.later} |\n"
    return text + "\n" + "".join(_event(one) for one in known if one.body.summary)


def _event(one):
    row = one.event
    facts = [f"scope {_scope(row.scope)}", DELIVERY[row.delivery], DROPPABLE[row.droppable],
             f"protocols {protocols(one.span)}"]
    facts += [f"not sent yet: {one.later}"] if one.later else []
    facts += ["carries `seq`"] if row.counted else []
    facts += ["carries `stateVersion`"] if row.state_version else []
    facts += ["nodes get it as well"] if row.nodes else []
    text = "; ".join(facts)
    return (f"### Event `{one.name}`\n\n{cell(one.body.summary)}\n\n{text[0].upper()}{text[1:]}.\n\n"
            f"{fields_table(one.body, 'Further fields may come.')}")


# --- the rest --------------------------------------------------------------------------


def _types(schema):
    used, todo = set(), [one.body for one in schema.messages if one.method or one.event]
    by_name = {one.name: one for one in schema.types}
    while todo:
        for field in todo.pop().all_fields:
            for name, _ in field.types_used():
                if not field.internal and name not in used:
                    used.add(name)
                    todo.append(by_name[name])
    text = "## Types\n\n"
    for name in sorted(used):
        text += f"### Type `{name}`\n\n{cell(by_name[name].summary)}\n\n{fields_table(by_name[name])}"
    return text


def _shapes(schema):
    text = "## Parts of results\n\n"
    for name, (shape, summary) in sorted(schema.shapes.items()):
        text += f"### Result `{name}`\n\n{cell(summary)}\n\n{results.table(shape, anchor, cell)}"
    return text


def _errors(schema):
    lines = ["## Error codes", "", "`code` in `error`. The gateway tells more reasons apart than the protocol has codes; its"
             " log and tap name them.", "", "| code | retryable | reason | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.wire}` | {'yes' if one.retryable else 'no'} | {one.name} | {cell(one.summary)} |"
              for one in sorted(schema.errors, key=lambda one: (one.wire, one.number))]
    return "\n".join(lines) + "\n"
