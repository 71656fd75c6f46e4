#include <stdio.h>
#include <string.h>

#include "actors/config/write_internal.h"
#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/config_redact.h"

/* The code for the handler to return; once there is no handler the answer is sent, and the code says that it is over.
 */
int write_fail(struct write *write, const struct failure *failure)
{
    if (write->ctx) {
        return actor_fail_with(write->ctx, failure);
    }
    int r = actor_token_fail(write->self->actor, write->token, failure);
    return r ? r : failure->code;
}

int write_refuse_with(struct write *write, int code, const char *text)
{
    return write_fail(write, &(struct failure){ .code = code, .message = span_from(text) });
}

int write_refuse(struct write *write, const char *text)
{
    return write_refuse_with(write, FAIL_INVALID_REQUEST, text);
}

int write_refuse_changed(struct write *write, const char *text)
{
    CLEANUP(pack_deinit) struct pack details;

    pack_init(&details, 0);
    pack_map_begin(&details);
    pack_kv_text(&details, "code", CONFIG_CHANGE_CONFLICT);
    pack_map_end(&details);
    return pack_error(&details) ? pack_error(&details)
                                : write_fail(write, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                                       .message = span_from(text),
                                                                       .details = pack_span(&details) });
}

/* Nothing is started again for a change, so no file waits to tell about it afterwards. */
static void sentinel_pack(const struct write *write, struct pack *out)
{
    pack_key(out, "sentinel");
    pack_map_begin(out);
    pack_kv_text(out, "path", NULL);
    pack_key(out, "payload");
    pack_map_begin(out);
    pack_kv_text(out, "kind", write->in.kind);
    pack_kv_text(out, "status", "ok");
    pack_kv_i64(out, "ts", clock_wall_ms());
    pack_key(out, "message");
    if (write->in.note.len) {
        pack_str(out, write->in.note);
    } else {
        pack_nil(out);
    }
    pack_key(out, "stats");
    pack_map_begin(out);
    pack_kv_text(out, "mode", write->in.method);
    pack_kv_text(out, "root", write->self->path);
    pack_map_end(out);
    pack_map_end(out);
    pack_map_end(out);
}

void write_answer_look(struct write *write)
{
    const struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());
    const struct {
        const char *path;
        const char *given;
    } places[] = {
        { "gateway.port", overrides.port },
        { "gateway.bind", overrides.bind },
        { "gateway.auth.mode", overrides.auth },
        { "gateway.auth.token", overrides.token },
        { "gateway.auth.password", overrides.password },
    };
    struct span before = pack_span(&write_base_of(write)->resolved);
    struct span after = pack_span(&write->fresh.document.resolved);
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (places[i].given && !span_is(value_path(before, places[i].path), value_path(after, places[i].path))) {
            len += (size_t)snprintf(write->overridden + len, sizeof(write->overridden) - len, "%s%s", len ? ", " : "",
                                    places[i].path); /* all of them fit */
        }
    }
}

static void answer_pack(const struct write *write, struct pack *out)
{
    char due[LISTENING_DUE_MAX];

    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_text(out, "path", write->self->path);
    pack_kv_text(out, "hash", write->is_partial ? write->fresh.document.hash : write->self->snapshot.document.hash);
    pack_key(out, "config");
    config_redact(pack_span(&write->self->snapshot.effective), out);
    if (write->is_partial) {
        pack_kv_bool(out, "valid", !write->self->issue.text[0]);
        pack_kv_text(out, "reason", write->self->issue.text);
        pack_kv_raw(out, "issues", pack_span(&write->self->issues));
    }
    listening_due(write->self, due);
    if (due[0] && !write->is_partial) {
        pack_kv_text(out, "startDue", due);
    }
    if (write->overridden[0]) {
        pack_kv_text(out, "overridden", write->overridden);
    }
    if (write->in.kind) {
        sentinel_pack(write, out);
    }
}

static int answer_send(struct write *write)
{
    struct pack *out = &write->self->scratch;

    pack_reset(out);
    answer_pack(write, out);
    followers_problems_pack(write->self, out);
    pack_map_end(out);
    if (pack_error(out)) {
        return pack_error(out);
    }
    return write->ctx ? actor_reply_span(write->ctx, pack_span(out))
                      : actor_token_reply_span(write->self->actor, write->token, pack_span(out));
}

int write_answer_partial(struct write *write)
{
    return answer_send(write);
}

int write_answer(struct write *write)
{
    struct config *self = write->self;
    struct rollout *rollout = rollout_find(self, self->version);

    if (rollout && !rollout->has_asker) {
        rollout->has_asker = true;
        answer_pack(write, &rollout->answer);
        rollout->asker = write->ctx ? actor_defer(write->ctx, NULL) : write->token;
        return rollout->answer.fault; /* it is open still */
    }
    return answer_send(write);
}
