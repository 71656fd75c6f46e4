"""Reads schema/ into a model.Schema, with every complaint collected."""
import os
import re

from .check import Complaints, Entry, file_read
from .model import Error, EventRow, Message, MethodRow, Schema, Scope, Type
from .results import names_used, shape_read
from .read_field import CAPABILITY, TYPE_NAME, client_field, fields_count, fields_read, span_read

MESSAGE_NAME = re.compile(r"[a-z][A-Za-z0-9_.-]{0,99}")
OWNER_NAME = re.compile(r"[a-z][a-z0-9/_-]{0,99}")
ERROR_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
SCOPE = re.compile(r"none|node|operator\.[a-z.]+")

BODY_MAX_DEFAULT = 1 << 20
BODY_MAX_MOST = 64 << 20
ID_RANGE = {"bus": (1, 999), "method": (1000, 1999), "event": (2000, 2999)}


def schema_read(folder):
    """(Schema, complaints); the Schema is whole only when there are none."""
    complaints = Complaints()
    schema = Schema()
    reader = _Reader(schema, complaints)
    for part, read in (("types", reader.types_file), ("bus", reader.bus_file), ("methods", reader.methods_file),
                       ("events", reader.events_file)):
        for path in _files(os.path.join(folder, part)):
            read(path)
    reader.errors_file(os.path.join(folder, "errors.json"))
    if os.path.exists(os.path.join(folder, "scopes.json")):
        reader.scopes_file(os.path.join(folder, "scopes.json"))
    if os.path.exists(os.path.join(folder, "results.json")):
        reader.shapes_file(os.path.join(folder, "results.json"))
    reader.link()
    return schema, complaints.lines


def _files(folder):
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]


class _Reader:
    def __init__(self, schema, complaints):
        self.schema = schema
        self.complaints = complaints
        self.types = {}  # name -> (Type, where)
        self.ids = {}
        self.names = {}  # (is a topic, name) -> where
        self.c_names = {}
        self.replies = []  # (Message, name of its reply, where)

    # --- files -------------------------------------------------------------------

    def _file(self, path):
        return Entry(file_read(path, self.complaints), path, self.complaints)

    def types_file(self, path):
        entry = self._file(path)
        self._types(entry)
        entry.finish()

    def bus_file(self, path):
        entry = self._file(path)
        owner = os.path.splitext(os.path.basename(path))[0]
        self._types(entry)
        for value in entry.items("messages"):
            self._bus_message(Entry(value, path, self.complaints), owner)
        entry.finish()

    def methods_file(self, path):
        entry = self._file(path)
        self._types(entry)
        for value in entry.items("methods", required=True):
            self._method(Entry(value, path, self.complaints))
        entry.finish()

    def events_file(self, path):
        entry = self._file(path)
        self._types(entry)
        for value in entry.items("events", required=True):
            self._event(Entry(value, path, self.complaints))
        entry.finish()

    def errors_file(self, path):
        entry = self._file(path)
        numbers, names = set(), set()
        for value in entry.items("errors", required=True):
            error = self._error(Entry(value, path, self.complaints))
            if error is None:
                continue
            if error.number in numbers or error.name in names:
                self.complaints.add(path, f"error '{error.name}' ({error.number}) stands there twice")
            numbers.add(error.number)
            names.add(error.name)
            self.schema.errors.append(error)
        entry.finish()
        self.schema.errors.sort(key=lambda error: error.number)

    def scopes_file(self, path):
        entry = self._file(path)
        for value in entry.items("scopes", required=True):
            one = Entry(value, path, self.complaints)
            name = one.text("name", required=True, pattern=SCOPE)
            one.where = f"{path}: scope '{name}'"
            includes = one.items("includes")
            span = span_read(one)
            summary = one.text("summary", required=True)
            one.finish()
            known = {scope.name for scope in self.schema.scopes}
            if name in known or name in ("none", "node"):
                one.complain("stands there twice, or is a word of its own")
            self.schema.scopes.append(Scope(name, includes, span, summary))
        entry.finish()
        names = {scope.name for scope in self.schema.scopes} | {"*"}
        for scope in self.schema.scopes:
            if not set(map(str, scope.includes)) <= names:
                entry.complain(f"scope '{scope.name}' includes one that does not stand there")
        if len(self.schema.scopes) > 32:
            entry.complain("more than 32 scopes do not fit their set")

    def shapes_file(self, path):
        entry = self._file(path)
        for value in entry.items("shapes", required=True):
            one = Entry(value, path, self.complaints)
            name = one.text("name", required=True)
            one.where = f"{path}: shape '{name}'"
            summary = one.text("summary", required=True)
            shape = shape_read(one.take("shape", dict, {}, required=True), one.where, self.complaints)
            one.finish()
            if name in self.schema.shapes:
                one.complain("stands there twice")
            self.schema.shapes[name] = (shape, summary)
        entry.finish()

    def _shape(self, entry, key):
        if key not in entry.rest:
            return None
        return shape_read(entry.rest.pop(key), f"{entry.where}: {key}", self.complaints)

    # --- entries -----------------------------------------------------------------

    def _types(self, entry):
        for value in entry.items("types"):
            one = Entry(value, entry.where, self.complaints)
            name = one.text("name", required=True, pattern=TYPE_NAME)
            one.where = f"{entry.where}: type '{name}'"
            summary = one.text("summary", required=True)
            is_open = one.take("open", bool, False)
            fields = fields_read(one.items("fields", required=True), one.where, self.complaints)
            one.finish()
            if name in self.types:
                one.complain(f"already described in {self.types[name][1]}")
            elif name:
                self.types[name] = (Type(name, "type", fields, is_open, summary), entry.where)

    def _begin(self, entry, source, kind, owner):
        """What every message has; returns (Message, its fields' values)."""
        path = entry.where
        name = entry.text("name", required=True, pattern=MESSAGE_NAME)
        entry.where = f"{path}: {source} '{name}'"
        ident = entry.take("id", int, 0, required=True)
        low, high = ID_RANGE[source]
        if not low <= ident <= high:
            entry.complain(f"id {ident} is outside {low} to {high}")
        self._claim(self.ids, ident, entry, f"id {ident}")
        self._claim(self.names, (kind == "topic", name), entry, f"the name '{name}'")
        later = entry.text("later", pattern=CAPABILITY) if source != "bus" else None
        summary = entry.text("summary", required=later is None) or ""
        is_open = entry.take("open", bool, False)
        fields = fields_read(entry.items("fields"), entry.where, self.complaints)
        body = Type(name, "event" if source == "event" else "msg", fields, is_open, summary)
        self._claim(self.c_names, body.c_name, entry, f"the C name '{body.c_name}'")
        message = Message(ident, kind, body, owner, source)
        message.later = later
        if source != "bus":
            message.span = span_read(entry)
            message.is_own = entry.take("own", bool, False)
        message.max_bytes = entry.take("max_bytes", int, BODY_MAX_DEFAULT)
        if not 1 <= message.max_bytes <= BODY_MAX_MOST:
            entry.complain(f"'max_bytes' must be within 1 and {BODY_MAX_MOST}")
        reply = entry.text("reply")
        if reply:
            if kind != "call":
                entry.complain("'reply' is for calls")
            self.replies.append((message, reply, entry.where))
        message.secret_reply = entry.take("secret_reply", bool, False)
        if message.secret_reply and (kind != "call" or reply):
            entry.complain("'secret_reply' is for calls whose reply is free-form; else mark fields as sensitive")
        to = entry.take("to", list)
        if to is not None:
            if not to or not all(isinstance(one, str) and OWNER_NAME.fullmatch(one) for one in to):
                entry.complain("'to' must be a list of actor names")
            else:
                message.to = to
        self.schema.messages.append(message)
        return message

    def _claim(self, table, key, entry, what):
        if key in table:
            entry.complain(f"{what} is taken by {table[key]}")
        else:
            table[key] = entry.where

    def _bus_message(self, entry, owner):
        kind = entry.one_of("kind", ("call", "cast", "reply", "topic", "chunk"), required=True)
        if kind is not None:
            message = self._begin(entry, "bus", kind, owner)
            message.lasting = entry.take("lasting", bool, False)
            if message.lasting and kind != "cast":
                entry.complain("'lasting' is for casts")
            entry.finish()

    def _method(self, entry):
        owner = entry.text("owner", required=True, pattern=OWNER_NAME)
        message = self._begin(entry, "method", "call", owner)
        row = message.method = MethodRow()
        scope = entry.text("scope", required=True, pattern=SCOPE)
        row.scope = None if scope == "none" else scope
        row.idempotency = entry.one_of("idempotency", ("none", "optional", "required"), "none")
        row.advertised = entry.take("advertised", bool, True)
        row.rate_limited = entry.take("rate_limited", bool, False)
        row.writes = entry.take("writes", bool, False)
        row.late = entry.take("late", bool, False)
        row.handshake = entry.take("handshake", bool, False)
        row.result = self._shape(entry, "result")
        row.accepted = self._shape(entry, "accepted")
        if message.later is not None and row.handshake:
            entry.complain("the handshake cannot come later")
        entry.finish()
        key = next((field for field in message.body.fields if field.name == "idempotencyKey"), None)
        if (row.idempotency == "required") != (key is not None and key.required):
            entry.complain("'idempotency' is required exactly when the field idempotencyKey is")
        if row.handshake:
            message.to = []  # the edge answers it before there is anyone to route for
        else:
            if any(field.member == "client" for field in message.body.fields):
                entry.complain("the C name 'client' belongs to the field _client")
            message.body.all_fields.append(client_field())
            fields_count(message.body.fields, entry.where, self.complaints)

    def _event(self, entry):
        message = self._begin(entry, "event", "topic", "")
        message.to = []
        row = message.event = EventRow()
        scope = entry.text("scope", required=True, pattern=SCOPE)
        row.scope = None if scope == "none" else scope
        row.delivery = entry.one_of("delivery", ("broadcast", "subscribers", "targeted", "connection"),
                                    "broadcast")
        row.droppable = entry.one_of("droppable", ("never", "always", "delta"), "never")
        row.advertised = entry.take("advertised", bool, True)
        row.counted = entry.take("seq", bool, row.delivery == "broadcast")
        row.state_version = entry.take("state_version", bool, False)
        row.nodes = entry.take("nodes", bool, False)
        entry.finish()

    def _error(self, entry):
        name = entry.text("name", required=True, pattern=ERROR_NAME)
        entry.where = f"{entry.where}: error '{name}'"
        number = entry.take("number", int, 0, required=True)
        wire = entry.text("wire", required=True, pattern=ERROR_NAME)
        retryable = entry.take("retryable", bool, False, required=True)
        is_bus = entry.take("bus", bool, False)
        summary = entry.text("summary", required=True)
        entry.finish()
        if is_bus != (1 <= number < 64) or number > 0xFFFF:
            entry.complain("numbers below 64 belong to the bus ('bus': true), others are up to 65535")
        return Error(number, name, wire, retryable, is_bus, summary)

    # --- links between entries -----------------------------------------------------

    def link(self):
        self._link_replies()
        self._link_shapes()
        known = {scope.name for scope in self.schema.scopes} | {None, "node"}
        for message in self.schema.messages:
            row = message.method or message.event
            if row is not None and row.scope not in known and SCOPE.fullmatch(row.scope):
                self.complaints.add(f"message '{message.name}'", f"there is no scope '{row.scope}' in scopes.json")
        bodies = [(message.body, f"message '{message.name}'") for message in self.schema.messages]
        bodies += [(found, f"type '{name}'") for name, (found, _) in self.types.items()]
        for body, where in bodies:
            for field in body.all_fields:
                for name, _ in field.types_used():
                    if name not in self.types:
                        self.complaints.add(where, f"field '{field.name}': there is no type '{name}'")
        self._order_types()
        self.schema.messages.sort(key=lambda message: (message.name.encode(), message.kind == "topic"))

    def _link_replies(self):
        by_name = {message.name: message for message in self.schema.messages if message.kind == "reply"}
        for message, reply, where in self.replies:
            message.reply = by_name.get(reply)
            if message.reply is None:
                self.complaints.add(where, f"there is no message '{reply}' of kind reply")

    def _link_shapes(self):
        shapes = [(shape, f"shape '{name}'") for name, (shape, _) in self.schema.shapes.items()]
        for message in self.schema.messages:
            if message.method:
                shapes += [(shape, f"method '{message.name}'")
                           for shape in (message.method.accepted, message.method.result) if shape is not None]
        used = set()
        for shape, where in shapes:
            for name in names_used(shape):
                used.add(name)
                if name not in self.schema.shapes:
                    self.complaints.add(where, f"there is no shape '{name}' in results.json")
        for name in sorted(self.schema.shapes.keys() - used):
            self.complaints.add(f"shape '{name}'", "nothing holds it")

    def _order_types(self):
        done, path = set(), []

        def visit(name):
            if name in done or name not in self.types:
                return
            if name in path:
                self.complaints.add(f"type '{name}'", "holds itself: " + " -> ".join(path + [name]))
                return
            path.append(name)
            for field in self.types[name][0].all_fields:
                for used, _ in field.types_used():
                    visit(used)
            path.pop()
            done.add(name)
            self.schema.types.append(self.types[name][0])

        for name in sorted(self.types):
            visit(name)
