/*
 * rig: real actors on the real bus in one process, commanded by a test. Its driver is an actor
 * as well; it does what each line of standard input says, one JSON object:
 *
 *   {"id": 1, "to": "agent/main", "method": "chat.send", "params": {…}, "window": 65536, "deadline": 1000}
 *   {"id": 1, "grant": 65536}     {"id": 1, "cancel": true}     {"restart": "router"}
 *
 * A method that is a cast needs no id. What a stream sends is granted again at once, unless the
 * call says "grants": false. It prints {"id", "chunk", "body"}, {"id", "ok", "from", "body"} or
 * {"id", "ok", "from", "code", "message", …}, {"event", "body"} of topics, and {"ready": true}
 * when every actor is. The end of the input ends it all.
 */
#ifndef TESTS_ACTOR_RIG_RIG_H
#define TESTS_ACTOR_RIG_RIG_H

#include <uv.h>

#include "bus/host.h"
#include "bus/json.h"
#include "bus/pack.h"

#define RIG_CALLS_MAX 65536

/* The driver's state, or the first member of it. */
struct rig {
    struct actor *actor;
    uv_pipe_t in;
    struct text_buf line;
    uint64_t calls[RIG_CALLS_MAX]; /* by the id of the test */
    bool is_held[RIG_CALLS_MAX];   /* nothing is granted but what the test says */
    /* Orders of this rig alone: true when it was one. NULL: there are none. */
    bool (*on_order)(struct rig *self, struct span order);
};

/* init and deinit of a driver. */
int rig_init(void *state, struct actor *actor, const char *arg);
void rig_deinit(void *state, struct actor *actor);
/* For its topics: prints what was published. */
int rig_on_event(void *state, struct actor_ctx *ctx, const void *msg);

/* A map to print, from its beginning; rig_print ends it. */
void rig_map_begin(struct pack *out);
void rig_print(struct pack *out);
/* {key: name, "body": body} */
void rig_print_body(const char *key, const char *name, struct span body);
const struct schema_msg *rig_message(struct span name);

/* Runs the addresses (of JSON5, "[\"config\", …]") until the end; for main. */
int rig_run(const char *addresses, const struct actor_def *const *defs,
            const char *(*def_of)(const char *address, const char **ret_arg));

#endif
