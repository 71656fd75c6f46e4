/*
 * order: what a hook asks for: a line for the agent, or a turn of it; as its sender wrote it
 * or as a mapping of the config makes it. Pure.
 */
#ifndef ACTORS_HOOKS_ORDER_H
#define ACTORS_HOOKS_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/hooks/settings.h"
#include "actors/hooks/template.h"
#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define ORDER_TEXT_MAX ((size_t)1 << 20) /* of the message */
#define ORDER_WAKE_MAX ((size_t)128 << 10)
#define ORDER_WORD_MAX ((size_t)512) /* of the other texts */
#define ORDER_TIMEOUT_MAX 172800U

struct order {
    bool is_wake;
    bool is_now; /* wakes at once, or leaves it to the next heartbeat */
    struct text_buf text;
    struct text_buf name;
    struct text_buf agent;
    struct text_buf session_key;
    enum settings_key_source key_source;
    struct text_buf channel; /* "last", or of a channel */
    struct text_buf to;
    struct text_buf model;
    struct text_buf thinking;
    uint32_t timeout_s; /* 0: the agent's */
    bool is_delivered;
    bool is_trusted;    /* allowUnsafeExternalContent: not marked as a stranger's */
    const char *source; /* for the mark: "Webhook" */
};
void order_deinit(struct order *self);

enum {
    ORDER_E_REFUSED = 1,   /* the text in `why` is for the sender */
    ORDER_E_NONE = 2,      /* no mapping fits */
    ORDER_E_TRANSFORM = 3, /* the order is what the mapping makes of it; its transform has yet to look at it */
};

/* `order` is zeroed; deinit copes with what a refusal leaves. 0, an outcome, or -ENOMEM. */
int order_wake(struct span payload, struct order *order, struct text_buf *why);
int order_agent(struct span payload, struct order *order, struct text_buf *why);
/* By the first mapping, or preset, that fits. `ret_transform` is set with ORDER_E_TRANSFORM, and points into the
 * settings. */
int order_mapped(const struct settings *settings, const struct template_facts *facts, struct order *order,
                 struct span *ret_transform, struct text_buf *why);
/* What the transform says instead: the fields of the packed map `said`; empty, or anything else, changes nothing. */
int order_change(struct span said, struct order *order, struct text_buf *why);

/* Appends the map that lasts. */
void order_pack(const struct order *order, struct span agent, struct span session_key, int64_t at_ms, struct pack *out);

#endif
