/*
 * schema_table: the shape of the tables that the generator writes from schema/.
 *
 * Tables are data; one hand-written codec (codec.h, json.h) walks them to validate,
 * pack, unpack and redact. A message's C struct and its field table are generated
 * together, so offsets always agree.
 */
#ifndef BUS_SCHEMA_TABLE_H
#define BUS_SCHEMA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

enum schema_kind {
    SCHEMA_BOOL,   /* bool */
    SCHEMA_U32,    /* uint32_t */
    SCHEMA_U64,    /* uint64_t */
    SCHEMA_I64,    /* int64_t */
    SCHEMA_F64,    /* double */
    SCHEMA_STR,    /* struct span, UTF-8 */
    SCHEMA_BIN,    /* struct span, bytes */
    SCHEMA_ANY,    /* struct span: one raw msgpack value, empty when absent */
    SCHEMA_STRUCT, /* the generated struct of `type`, by value */
    SCHEMA_LIST,   /* struct span: one raw msgpack array; elements described by `item` */
    SCHEMA_MAP,    /* struct span: one raw msgpack map; values described by `item`, NULL for any */
};

enum {
    SCHEMA_REQUIRED = 1U << 0,
    SCHEMA_SENSITIVE = 1U << 1,        /* replaced by a marker before it leaves the host */
    SCHEMA_NULLABLE = 1U << 2,         /* nil is accepted and means absent; a required one is then an empty span */
    SCHEMA_OPEN = 1U << 3,             /* on a type: unknown keys are kept out but not refused */
    SCHEMA_INTERNAL = 1U << 4,         /* never accepted from a client's JSON (the edge adds it) */
    SCHEMA_PATTERN_NONBLANK = 1U << 5, /* a string must hold a non-space character */
    SCHEMA_CHOICES_ANY_OF = 1U << 6,   /* a wrong choice is worded as alternatives that all failed */
    SCHEMA_CHOICES_UNTYPED = 1U << 7,  /* a value of another type is worded as a wrong choice alone */
    SCHEMA_DROPPABLE = 1U << 8,        /* on a topic: who is too slow for it does without */
    SCHEMA_DROPPABLE_DELTA = 1U << 9,  /* on a topic: the same, but only while the body's "state" is "delta" */
    SCHEMA_LASTING = 1U << 10,         /* on a cast: it waits for a receiver that is overloaded */
    SCHEMA_SECRET = 1U << 11,          /* on a message: somewhere in its body is a sensitive field */
};

struct schema_type;

struct schema_field {
    const char *name; /* key on the wire */
    uint8_t name_len;
    uint8_t kind; /* enum schema_kind */
    uint16_t flags;
    uint32_t offset;            /* of the value in the struct */
    uint32_t has_offset;        /* of its `bool has_<name>`; UINT32_MAX when required */
    int64_t min;                /* numbers: least value, INT64_MIN for none; strings, lists: least length */
    int64_t max;                /* numbers: greatest value, INT64_MAX for none; else greatest length in bytes, items */
    const char *const *choices; /* strings: NULL-ended list of accepted values, or NULL */
    const struct schema_type *type;  /* STRUCT */
    const struct schema_field *item; /* LIST, MAP: describes one element (offset unused) */
};

struct schema_type {
    const char *name;
    size_t size; /* of the generated struct */
    const struct schema_field *fields;
    uint16_t fields_n;
    uint16_t flags;
};

enum schema_msg_kind {
    SCHEMA_MSG_CALL,  /* asks for a reply */
    SCHEMA_MSG_CAST,  /* asks for nothing */
    SCHEMA_MSG_REPLY, /* answers a call */
    SCHEMA_MSG_TOPIC, /* published */
    SCHEMA_MSG_CHUNK, /* one element of a stream */
};

struct schema_msg {
    uint32_t id;      /* never reused */
    const char *name; /* method, message or topic name on the wire */
    uint8_t name_len;
    uint8_t kind;       /* enum schema_msg_kind */
    uint16_t flags;     /* SCHEMA_SENSITIVE: neither the body nor a free-form reply is ever shown; SCHEMA_DROPPABLE* */
    uint32_t max_bytes; /* of the packed body */
    const struct schema_type *type;
    const struct schema_msg *reply; /* CALL: its reply, or NULL when the reply is free-form */
    const void *extra;              /* the application's own row (scope, owner, …), or NULL */
};

/* What a failure of the application means, for whoever asked and is told no more. */
struct schema_failure {
    int code;
    const char *text;
};

/* Every message the process knows, sorted by name in byte order. A topic may bear the name
 * of a call ("health"); it then comes after it. */
struct schema_registry {
    const struct schema_msg *const *msgs;
    size_t msgs_n;
    const struct schema_failure *failures;
    size_t failures_n;
    const char *const *session_keys; /* NULL-ended: where a body says which session it is about; or NULL */
};

/* The call, cast, reply or chunk of that name, else the topic; NULL when unknown. */
const struct schema_msg *schema_find(const struct schema_registry *registry, struct span name);
/* NULL when the application has no such code. */
const char *schema_failure_text(const struct schema_registry *registry, int code);
/* The topic of that name; NULL when unknown. */
const struct schema_msg *schema_find_topic(const struct schema_registry *registry, struct span name);

/* Bodies that hold secrets are wiped when they are done with: the message's own, and the free-form reply of a call. */
bool schema_body_is_secret(const struct schema_msg *msg);
bool schema_reply_is_secret(const struct schema_msg *call);

/* May this publication be left out for a receiver that is too slow? `body` is packed and well-formed. */
bool schema_is_droppable(const struct schema_msg *topic, struct span body);

#endif
