#include "edge/listener/run_ask.h"

#include <stdio.h>

#include "bus/codec.h"
#include "bus/value.h"
#include "edge/http/parts.h"
#include "edge/http/session_name.h"
#include "edge/listener/edge.h"
#include "edge/listener/scope.h"

#define WINDOW_BYTES 262144U
#define GRANT_MIN (WINDOW_BYTES / 4) /* a word for each piece of text would cost as much as the piece */

/* --- failures ------------------------------------------------------------------------- */

struct status_row {
    int failure;
    const char *reason; /* of the provider; NULL: any */
    int status;
    const char *type;
    const char *code;
};

/* The first that fits counts. */
static const struct status_row rows[] = {
    { FAIL_INVALID_REQUEST, NULL, 400, "invalid_request_error", NULL },
    { FAIL_UNAVAILABLE, NULL, 503, "api_error", NULL },
    { FAIL_TIMEOUT, NULL, 504, "api_error", "timeout" },
    { FAIL_CANCELLED, NULL, 503, "api_error", NULL },
    { FAIL_INTERNAL, NULL, 500, "api_error", NULL },
    { FAIL_AGENT_TIMEOUT, NULL, 504, "api_error", "timeout" },
    { FAIL_MISSING_SCOPE, NULL, 403, "forbidden", NULL },
    { FAIL_RATE_LIMITED, NULL, 429, "rate_limited", NULL },
    { FAIL_STORAGE, NULL, 503, "api_error", NULL },
    { FAIL_AGENT_UNKNOWN, NULL, 404, "invalid_request_error", "model_not_found" },
    { FAIL_RUN_UNKNOWN, NULL, 400, "invalid_request_error", "previous_response_not_found" },
    { FAIL_PROVIDER, "model", 404, "invalid_request_error", "model_not_found" },
    { FAIL_PROVIDER, "context", 400, "invalid_request_error", "context_length_exceeded" },
    { FAIL_PROVIDER, "refused", 400, "invalid_request_error", "provider_refused" },
    { FAIL_PROVIDER, "rate", 429, "rate_limited", "rate_limit_exceeded" },
    { FAIL_PROVIDER, "timeout", 504, "api_error", "timeout" },
    { FAIL_PROVIDER, "setup", 500, "api_error", "provider_not_configured" },
    { FAIL_PROVIDER, NULL, 502, "api_error", "provider_failed" },
};

void run_ask_error(const struct failure *failure, struct openai_error *ret_error)
{
    struct span reason = value_str(value_get(failure->details, "_reason"), SPAN_LIT(""));

    *ret_error = (struct openai_error){ .status = 500, .type = "api_error" };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].failure == failure->code && (!rows[i].reason || span_is_text(reason, rows[i].reason))) {
            ret_error->status = rows[i].status;
            ret_error->type = rows[i].type;
            ret_error->code = rows[i].code;
            break;
        }
    }
    (void)snprintf(ret_error->message, sizeof(ret_error->message), "%.*s", SPAN_FMT(failure->message)); /* cut */
    if (failure->message.len == 0) {
        (void)snprintf(ret_error->message, sizeof(ret_error->message), "internal error");
    }
}

/* Seconds for Retry-After; 0: none. */
static uint32_t retry_after_s(const struct failure *failure)
{
    if (failure->retry_after_ms) {
        return (failure->retry_after_ms + 999) / 1000;
    }
    return failure->code == FAIL_UNAVAILABLE ? 1 : 0;
}

void run_ask_fail(struct exchange *self, const struct failure *failure)
{
    struct openai_error error;

    run_ask_error(failure, &error);
    exchange_error(self, &error, retry_after_s(failure));
}

void run_ask_refuse(struct exchange *self, int r, const struct openai_error *error)
{
    static const struct openai_error short_of_memory = { .status = 503,
                                                         .type = "api_error",
                                                         .message = "The gateway is short of memory." };

    exchange_error(self, r > 0 ? error : &short_of_memory, r > 0 ? 0 : 1);
}

/* --- asking ----------------------------------------------------------------------------- */

void run_ask_client(const struct exchange *self, const struct msg_auth_decision *decision, struct type_client *ret)
{
    *ret = (struct type_client){ .conn_id = span_from(self->run.id),
                                 .role = decision->role,
                                 .scopes = decision->scopes,
                                 .principal = decision->principal,
                                 .is_local = decision->is_local,
                                 .has_client_id = true,
                                 .client_id = SPAN_LIT("openai-http"),
                                 .has_mode = true,
                                 .mode = SPAN_LIT("backend"),
                                 .has_auth_method = true,
                                 .auth_method = decision->method,
                                 .has_remote_ip = decision->has_remote_ip,
                                 .remote_ip = decision->remote_ip };
}

void run_ask_header(const struct exchange *self, const char *name, bool *ret_has, struct span *ret_value)
{
    struct span value = request_header(&self->request, name);

    if (value.len > 0) {
        *ret_has = true;
        *ret_value = value;
    }
}

/* `mimes` keeps what the rules point into. */
static void rules_fill(const struct input_rules *rules, bool is_image, struct pack *mimes, bool *ret_has,
                       struct type_run_input_rules *ret)
{
    parts_mimes_pack(rules, is_image, mimes);
    *ret_has = true;
    *ret = (struct type_run_input_rules){ .hosts = rules->hosts,
                                          .mimes = pack_span(mimes),
                                          .bytes_max = rules->bytes_max,
                                          .chars_max = rules->chars_max,
                                          .redirects_max = rules->redirects_max,
                                          .timeout_ms = rules->timeout_ms,
                                          .pdf_pages_max = rules->pdf_pages_max,
                                          .pdf_pixels_max = rules->pdf_pixels_max,
                                          .pdf_chars_min = rules->pdf_chars_min };
}

int run_ask_model_check(const struct exchange *self, const struct msg_auth_decision *decision,
                        struct openai_error *error)
{
    struct scope_set scopes = scope_set_of(decision->role, decision->scopes);

    if (!request_header(&self->request, "x-openclaw-model").len || scope_is_admin(&scopes)) {
        return 0;
    }
    *error = (struct openai_error){ .status = 403, .type = "forbidden", .message = "missing scope: operator.admin" };
    return OPENAI_E_REFUSED;
}

static int headers_check(const struct exchange *self, const struct msg_auth_decision *decision,
                         struct openai_error *error)
{
    if (session_name_is_reserved(request_header(&self->request, "x-openclaw-session-key"))) {
        return openai_refuse(error, "The header x-openclaw-session-key names a session of the gateway's own "
                                    "(`subagent:`, `cron:`, `acp:`), which is not to be had from outside.");
    }
    return run_ask_model_check(self, decision, error);
}

int run_ask(struct exchange *self, const struct run_ask *ask, struct openai_error *error)
{
    struct msg_agent_run *run = ask->run;
    struct msg_auth_decision decision;
    struct pack mimes[2];
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_RUN,
                               .in = run,
                               .deadline_ms = TIME_CALL_MAX_MS,
                               .on_answer = ask->on_done,
                               .trace = self->trace,
                               .cookie = self };
    int r = codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                         NULL);

    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    r = headers_check(self, &decision, error);
    if (r) {
        return r;
    }
    run_ask_header(self, "x-openclaw-agent-id", &run->has_agent_id, &run->agent_id);
    run_ask_header(self, "x-openclaw-model", &run->has_model, &run->model);
    run_ask_header(self, "x-openclaw-session-key", &run->has_session_key, &run->session_key);
    run_ask_header(self, "x-openclaw-message-channel", &run->has_channel, &run->channel);
    if (!run->has_idempotency_key) {
        run_ask_header(self, "idempotency-key", &run->has_idempotency_key, &run->idempotency_key);
    }
    run->has_client = true;
    run_ask_client(self, &decision, &run->client);
    call.principal = decision.principal;
    if (self->is_streamed) {
        call.window_bytes = WINDOW_BYTES;
        call.on_chunk = ask->on_delta;
    }
    pack_init(&mimes[0], 4096);
    pack_init(&mimes[1], 4096);
    rules_fill(&ask->inputs->images, true, &mimes[0], &run->has_images, &run->images);
    rules_fill(&ask->inputs->files, false, &mimes[1], &run->has_files, &run->files);
    r = actor_call(self->edge->actor, &call, &self->call.id);
    pack_deinit(&mimes[0]);
    pack_deinit(&mimes[1]);
    return r;
}

void run_ask_drained(struct exchange *self)
{
    if (self->debt >= GRANT_MIN && self->call.id) {
        actor_call_grant(self->edge->actor, self->call.id, self->debt);
        self->debt = 0;
    }
}
