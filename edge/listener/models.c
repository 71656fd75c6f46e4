#include "edge/listener/models.h"

#include <stdio.h>

#include "bus/value.h"
#include "edge/listener/edge.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

static int model_add(struct text_buf *out, struct span prefix, struct span id, struct span wanted, bool is_first)
{
    char name[96];
    struct span full = { name, 0 };
    int r;

    full.len = (size_t)snprintf(name, sizeof(name), "%.*s%.*s", SPAN_FMT(prefix), SPAN_FMT(id));
    if (wanted.len > 0) {
        return span_is(full, wanted) ? openai_model_write(full, out) : 0;
    }
    r = is_first ? 0 : text_buf_add(out, SPAN_LIT(","));
    return r ? r : openai_model_write(full, out);
}

/* All rows, or with `wanted` the one of that id (nothing when there is none). */
static int models_write(const struct msg_router_agent_list *list, struct span wanted, struct text_buf *out)
{
    struct value_iter iter = value_iter(list->agents);
    struct span key;
    struct span item;
    int r = model_add(out, (struct span){ "", 0 }, SPAN_LIT("openclaw"), wanted, true);

    r = r ? r : model_add(out, SPAN_LIT("openclaw/"), SPAN_LIT("default"), wanted, false);
    while (!r && value_next(&iter, &key, &item)) {
        struct span id = value_str(value_get(item, "id"), (struct span){ NULL, 0 });

        r = model_add(out, SPAN_LIT("openclaw/"), id, wanted, false);
    }
    return r;
}

/* The id behind "/v1/models/", percent-decoded; false when it is no valid one. */
static bool model_id_of(struct span path, char id[96], struct span *ret_id)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = sizeof("/v1/models/") - 1; i < path.len; i++) {
        char c = path.ptr[i];

        if (c == '%') {
            const char *high = i + 2 < path.len ? strchr(digits, path.ptr[i + 1] | 0x20) : NULL;
            const char *low = high ? strchr(digits, path.ptr[i + 2] | 0x20) : NULL;

            if (!high || !low || !*high || !*low) {
                return false;
            }
            c = (char)((high - digits) * 16 + (low - digits));
            i += 2;
        }
        if (len == 95 || (unsigned char)c < 0x20) {
            return false;
        }
        id[len++] = c;
    }
    *ret_id = (struct span){ id, len };
    return len > 0;
}

static void models_answer(struct exchange *self, const struct msg_router_agent_list *list)
{
    static const struct span prefix = { "/v1/models/", sizeof("/v1/models/") - 1 };
    bool is_one = span_starts(self->request.path, prefix.ptr);
    struct openai_error error = { .status = 400, .type = "invalid_request_error", .message = "Invalid model id." };
    struct span wanted = { NULL, 0 };
    struct span agent_id;
    struct text_buf text = { 0 };
    char id[96];
    int r = 0;

    if (is_one && (!model_id_of(self->request.path, id, &wanted) || !openai_agent_of(wanted, &agent_id))) {
        exchange_error(self, &error, 0);
        return;
    }
    r = is_one ? 0 : text_buf_add(&text, SPAN_LIT("{\"object\":\"list\",\"data\":["));
    r = r ? r : models_write(list, wanted, &text);
    r = r || is_one ? r : text_buf_add(&text, SPAN_LIT("]}"));
    if (r) {
        exchange_break(self);
    }
    if (is_one && text.len == 0) {
        error.status = 404;
        error.code = "model_not_found";
        (void)snprintf(error.message, sizeof(error.message), "Model '%.*s' not found.", SPAN_FMT(wanted));
        exchange_error(self, &error, 0);
    } else {
        exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    }
    text_buf_deinit(&text);
}

static void on_agents(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure) {
        run_ask_fail(self, reply->failure);
    } else {
        models_answer(self, reply->msg);
    }
}

void models_start(struct exchange *self)
{
    struct msg_router_agents in = { 0 };
    struct actor_call call = { .to = "router",
                               .msg = MSG_ROUTER_AGENTS,
                               .in = &in,
                               .trace = self->trace,
                               .on_answer = on_agents,
                               .cookie = self };

    int r = actor_call(self->edge->actor, &call, &self->call.id);

    if (r) {
        run_ask_refuse(self, r, NULL);
    }
}
