"""The schema in memory: what read.py makes and the emitters walk."""
import re

KINDS = ("bool", "u32", "u64", "i64", "f64", "str", "bin", "any", "struct", "list", "map")
NUMBERS = ("u32", "u64", "i64", "f64")
SPANS = ("str", "bin", "any", "list", "map")  # a struct span in C
SIZED = ("str", "bin", "list", "map")  # must have a greatest length

C_TYPES = {"bool": "bool", "u32": "uint32_t", "u64": "uint64_t", "i64": "int64_t", "f64": "double"}

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
NUMBER_RANGE = {
    "u32": (0, 2**32 - 1),
    "u64": (0, INT64_MAX),
    "i64": (INT64_MIN, INT64_MAX),
    "f64": (INT64_MIN, INT64_MAX),
}

C_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "bool true false asm typeof".split()
)


PROTOCOLS = (3, 4)  # that clients may speak


def snake(name):
    """sessionKey -> session_key, chat.send -> chat_send, paramsJSON -> params_json; a leading _ is dropped."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name.lstrip("_"))
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    return re.sub(r"[^A-Za-z0-9]+", "_", text).lower()


class Field:
    def __init__(self, name, kind):
        self.name = name
        self.kind = kind
        self.required = False
        self.sensitive = False
        self.nullable = False
        self.internal = False
        self.nonblank = False
        self.min = None
        self.max = None
        self.choices = None
        self.choices_any_of = False
        self.choices_untyped = False
        self.of = None  # name of a type
        self.item = None  # Field
        self.summary = ""
        self.span = Span()
        self.later = None  # the capability that will honour it; it is refused until then

    @property
    def member(self):
        text = snake(self.name)
        return text + "_" if text in C_KEYWORDS else text

    @property
    def has_member(self):
        return None if self.required else "has_" + snake(self.name)

    def types_used(self):
        """(type name, by value) for every type this field needs."""
        if self.kind == "struct":
            yield self.of, True
        if self.item is not None:
            for name, _ in self.item.types_used():
                yield name, False


class Span:
    """The protocols that have something."""

    def __init__(self, since=PROTOCOLS[0], until=PROTOCOLS[-1]):
        self.since = since
        self.until = until

    def has(self, protocol):
        return self.since <= protocol <= self.until


class Type:
    """Fields with a name: a shared type, or the body of a message."""

    def __init__(self, name, prefix, fields, is_open, summary):
        self.name = name
        self.prefix = prefix  # "type", "msg" or "event"
        self.all_fields = fields
        self.open = is_open
        self.summary = summary

    @property
    def fields(self):
        """Those that are read and written."""
        return [field for field in self.all_fields if field.later is None]

    @property
    def c_name(self):
        return f"{self.prefix}_{snake(self.name)}"

    @property
    def macro(self):
        return self.c_name.upper()


class Message:
    def __init__(self, ident, kind, body, owner, source):
        self.id = ident
        self.kind = kind  # call, cast, reply, topic, chunk
        self.body = body
        self.owner = owner  # address that accepts it, or the publisher
        self.to = [owner]  # definitions that accept it
        self.source = source  # "bus", "method" or "event"
        self.reply = None
        self.max_bytes = 0
        self.secret_reply = False  # the free-form reply of a call is never shown
        self.lasting = False  # a cast that waits for a receiver that is overloaded
        self.later = None  # the capability that will serve it; nobody does yet
        self.span = Span()
        self.is_own = False  # the protocol does not have it
        self.method = None  # MethodRow
        self.event = None  # EventRow

    @property
    def name(self):
        return self.body.name


class MethodRow:
    def __init__(self):
        self.scope = None
        self.idempotency = "none"
        self.advertised = True
        self.rate_limited = False
        self.writes = False
        self.late = False
        self.handshake = False
        self.result = None  # a shape of results.py
        self.accepted = None  # of the first response, where there are two


class EventRow:
    def __init__(self):
        self.scope = None
        self.delivery = "broadcast"
        self.droppable = "never"
        self.advertised = True
        self.counted = True
        self.state_version = False
        self.nodes = False


class Scope:
    def __init__(self, name, includes, span, summary):
        self.name = name
        self.includes = includes  # names of scopes that its holder has as well; "*" for all
        self.span = span
        self.summary = summary


class Error:
    def __init__(self, number, name, wire, retryable, is_bus, summary):
        self.number = number
        self.name = name
        self.wire = wire
        self.retryable = retryable
        self.is_bus = is_bus
        self.summary = summary


class Schema:
    def __init__(self):
        self.types = []  # Type, each after the types it holds by value
        self.messages = []  # Message, sorted as the registry wants them
        self.errors = []
        self.scopes = []
        self.shapes = {}  # name -> (shape, summary): parts of results

    def served(self):
        return [message for message in self.messages if message.later is None]

    def unserved(self):
        """The methods that nobody serves yet, by name."""
        return sorted((one for one in self.messages if one.method and one.later), key=lambda one: one.name.encode())

    def is_secret(self, body):
        """Does a sensitive field stand somewhere in it?"""
        by_name = {one.name: one for one in self.types}

        def has_any(fields, seen):
            for field in fields:
                if field.sensitive or (field.item is not None and has_any([field.item], seen)):
                    return True
                if field.kind == "struct" and field.of not in seen and has_any(by_name[field.of].fields, seen | {field.of}):
                    return True
            return False

        return has_any(body.fields, frozenset())

    def types_needed(self):
        """Without those that only messages and fields need which nobody serves yet."""
        by_name = {one.name: one for one in self.types}

        def reach(fields, found):
            for field in fields:
                for name, _ in field.types_used():
                    if name not in found:
                        found.add(name)
                        reach(by_name[name].all_fields, found)
            return found

        def reach_served(fields, found):
            for field in fields:
                for name, _ in field.types_used():
                    if name not in found:
                        found.add(name)
                        reach_served(by_name[name].fields, found)
            return found

        served, every = set(), set()
        for message in self.messages:
            reach(message.body.all_fields, every)
            if message.later is None:
                reach_served(message.body.fields, served)
        return [one for one in self.types if one.name in served or one.name not in every]

    def scopes_of(self, scope):
        """Names of all scopes that a holder of `scope` has, itself included."""
        if "*" in scope.includes:
            return {one.name for one in self.scopes}
        found, todo = {scope.name}, list(scope.includes)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += next(one.includes for one in self.scopes if one.name == name)
        return found

    def accepted_by(self):
        """definition name -> how many calls and casts it accepts."""
        counts = {}
        for message in self.served():
            if message.kind in ("call", "cast"):
                for name in message.to:
                    counts[name] = counts.get(name, 0) + 1
        return counts
