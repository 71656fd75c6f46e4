/*
 * tool_calls: the calls of tools that a model makes in one turn, as they grow, and their
 * forms: pieces for whoever streams, `toolCall` parts as they are stored, `tool_calls` as
 * chat completions have them. Pure.
 */
#ifndef ACTORS_AGENT_TOOL_CALLS_H
#define ACTORS_AGENT_TOOL_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define TOOL_CALLS_MAX 64U      /* of one turn */
#define TOOL_CALLS_ID_MAX 257   /* bytes, with terminator */
#define TOOL_CALLS_NAME_MAX 129 /* bytes, with terminator */

struct tool_call {
    uint32_t index; /* the provider's */
    char id[TOOL_CALLS_ID_MAX];
    char name[TOOL_CALLS_NAME_MAX];
    struct text_buf arguments; /* JSON, as far as it came */
};

struct tool_calls {
    struct tool_call *at; /* NULL while there is none */
    uint32_t n;
};

/* What one event of a provider says of one call. Empty: nothing. */
struct tool_call_piece {
    bool has_index; /* without it the id says which, and without that it is the newest */
    uint32_t index;
    struct span id;
    struct span name;
    struct span arguments;
};

void tool_calls_deinit(struct tool_calls *self);
enum {
    TOOL_CALLS_E_FULL = 1, /* more than TOOL_CALLS_MAX calls */
};
/* 0, TOOL_CALLS_E_FULL or -ENOMEM. A call whose provider gives it no id gets one. */
int tool_calls_add(struct tool_calls *self, const struct tool_call_piece *piece);

/*
 * Packs one run_tool_call of call `i`: id and name when `sent` is 0, and the arguments from
 * byte `sent - 1` on, at most `max` bytes of whole characters. Returns what `sent` is then.
 */
size_t tool_calls_piece_pack(const struct tool_calls *self, uint32_t i, size_t sent, size_t max, struct pack *out);
/* Is there something of call `i` behind `sent`? */
bool tool_calls_has_more(const struct tool_calls *self, uint32_t i, size_t sent);

/* Appends the parts {type: toolCall, id, name, arguments} to an open array. */
void tool_calls_stored_pack(const struct tool_calls *self, struct pack *out);

/* One such part, from what chat completions call a call. */
void tool_calls_part_pack(struct span id, struct span name, struct span arguments, struct pack *out);
/* Is this part of a stored message a call? */
bool tool_calls_is_part(struct span part);
/* Packs `tool_calls` of chat completions from the parts of a stored message; false when it has none. */
bool tool_calls_from_parts(struct span content, struct pack *out);
/* The same as a list of whole run_tool_call. */
void tool_calls_run_pack(struct span content, struct pack *out);

#endif
