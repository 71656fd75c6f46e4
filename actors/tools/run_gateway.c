/*
 * run_gateway: gateway: what the config holds, and what it may hold. It changes nothing: a
 * program that may do that has config.patch.
 */
#include "actors/tools/tools_state.h"
#include "bus/base/utf8.h"

static int on_told(struct invocation *self, const struct actor_answer *answer)
{
    struct pack *out = &self->tools->pack;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_raw(out, "result", answer->body);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

int run_gateway(struct invocation *self)
{
    struct span action = invocation_text(self, "action");
    struct msg_config_get get = { .has_client = true, .client = self->ask.client };
    struct msg_config_schema_lookup lookup = { .path = invocation_text(self, "path"),
                                               .has_client = true,
                                               .client = self->ask.client };

    if (!action.len) {
        return invocation_fail(self, 400, "action required");
    }
    if (span_is_text(action, "config.get")) {
        return invocation_ask(self, "config", MSG_CONFIG_GET, &get, 0, on_told);
    }
    if (!span_is_text(action, "config.schema.lookup")) {
        return invocation_fail(
            self, 400,
            "action \"%.*s\" is not served: config.get and config.schema.lookup are, and a client of "
            "the protocol has config.patch",
            SPAN_FMT(utf8_cut(action, 64)));
    }
    if (!lookup.path.len || lookup.path.len > 1024) {
        return invocation_fail(self, 400, lookup.path.len ? "path is longer than 1024 bytes" : "path required");
    }
    return invocation_ask(self, "config", MSG_CONFIG_SCHEMA_LOOKUP, &lookup, 0, on_told);
}
