#include "edge/listener/large.h"

#include "edge/http/openai.h"
#include "edge/listener/edge.h"
#include "schema_gen.h"

static const struct {
    const char *surface;
    const char *reason;
    uint64_t limit;
} kinds[LARGE_KINDS] = {
    [LARGE_PREAUTH] = { "gateway.ws.preauth", "preauth_frame_limit", LIMIT_PREAUTH_PAYLOAD },
    [LARGE_FRAME] = { "gateway.ws.frame", "ws_frame_limit", LIMIT_PAYLOAD },
    [LARGE_DROPPED] = { "gateway.ws.outbound_buffer", "ws_send_buffer_drop", LIMIT_DROP_FROM },
    [LARGE_CLOSED] = { "gateway.ws.outbound_buffer", "ws_send_buffer_close", LIMIT_BUFFERED },
    [LARGE_BODY] = { "gateway.http.json", "json_body_limit", OPENAI_BODY_MAX },
    [LARGE_INPUT] = { "gateway.input", "input_budget", LIMIT_INPUT_ALL },
};

const char *large_reason(enum large_kind kind)
{
    return kinds[kind].reason;
}

void large_note(struct edge *edge, enum large_kind kind, uint64_t bytes)
{
    struct large *self = &edge->large;

    self->totals[kind]++;
    self->counts[kind]++;
    self->bytes[kind] = bytes > self->bytes[kind] ? bytes : self->bytes[kind];
}

void large_tell(struct edge *edge)
{
    struct large *self = &edge->large;

    for (size_t i = 0; i < LARGE_KINDS; i++) {
        struct msg_payload_large out = { .surface = span_from(kinds[i].surface),
                                         .action = SPAN_LIT("rejected"),
                                         .reason = span_from(kinds[i].reason),
                                         .count = self->counts[i],
                                         .has_bytes = self->bytes[i] > 0,
                                         .bytes = self->bytes[i],
                                         .limit_bytes = kinds[i].limit };

        if (self->counts[i] == 0) {
            continue;
        }
        log_info("payload_large", "surface=%s reason=%s count=%llu bytes=%llu limit=%llu", kinds[i].surface,
                 kinds[i].reason, (unsigned long long)out.count, (unsigned long long)out.bytes,
                 (unsigned long long)kinds[i].limit);
        self->counts[i] = 0;
        self->bytes[i] = 0;
        /* A fault here is one of the bus, which then says so to the runtime itself. */
        (void)actor_publish(edge->actor, MSG_PAYLOAD_LARGE, &out, NULL);
    }
}
