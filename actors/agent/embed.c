#include "actors/agent/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/embed_wire.h"
#include "actors/agent/openai_headers.h"
#include "actors/agent/openai_wire.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

#define CONNECT_MS 10000
#define TOTAL_MS 110000
#define ANSWER_MAX ((size_t)32 << 20)
#define ERROR_BODY_MAX 16384

/* One request to a provider; nothing of it is stored. */
struct embed {
    struct embed *next;
    struct agent *owner;
    struct actor_token token;
    struct http_transfer *transfer;
    char *secret;
    struct text_buf body;
    uint32_t inputs_n;
    char provider[PROVIDER_ID_MAX];
    char model[PROVIDER_MODEL_MAX];
};

static void embed_free(struct embed *self)
{
    struct embed **at = &self->owner->embeds;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    self->owner->embeds_n--;
    http_transfer_cancel(&self->transfer);
    text_buf_deinit(&self->body);
    if (self->secret) {
        mem_wipe(self->secret, strlen(self->secret));
    }
    free(self->secret);
    free(self);
}

/* --- how it ended -------------------------------------------------------------------------- */

static void embed_fail(struct embed *self, enum provider_outcome outcome, const char *text, uint32_t retry_after_ms)
{
    CLEANUP(pack_deinit) struct pack details;
    struct failure failure = { .code = FAIL_PROVIDER, .message = span_from(text), .retry_after_ms = retry_after_ms };

    pack_init(&details, 0);
    pack_map_begin(&details);
    pack_kv_text(&details, "_reason", provider_outcome_name(outcome));
    pack_map_end(&details);
    failure.details = pack_span(&details);
    (void)actor_token_fail(self->owner->actor, self->token, &failure); /* the asker may be gone */
    embed_free(self);
}

static void embed_answer(struct embed *self)
{
    struct agent *owner = self->owner;
    CLEANUP(pack_deinit) struct pack vectors;
    struct msg_agent_embedded done = { .provider = span_from(self->provider), .model = span_from(self->model) };
    int rc;

    pack_init(&vectors, ANSWER_MAX);
    rc = embed_answer_read((struct span){ self->body.data, self->body.len }, self->inputs_n, &vectors, &done.tokens);
    if (rc) {
        embed_fail(self, rc < 0 ? PROVIDER_E_OVERSIZED : PROVIDER_E_RUBBISH,
                   rc < 0 ? "not enough memory for the provider's answer"
                          : "the provider answered with something other than the embeddings it was asked for",
                   0);
        return;
    }
    done.vectors = pack_span(&vectors);
    (void)actor_token_reply(owner->actor, self->token, MSG_AGENT_EMBEDDED, &done); /* the asker may be gone */
    embed_free(self);
}

static int on_body(void *arg, long status, struct span bytes)
{
    struct embed *self = arg;

    if (self->body.len + bytes.len > (status == 200 ? ANSWER_MAX : ERROR_BODY_MAX)) {
        return -1;
    }
    return text_buf_add(&self->body, bytes);
}

static void on_end(void *arg, const struct http_end *end)
{
    struct embed *self = arg;
    char text[PROVIDER_TEXT_MAX];
    bool is_retryable;

    self->transfer = NULL;
    if (end->outcome == HTTP_OK && end->status == 200) {
        embed_answer(self);
        return;
    }
    if (end->status && end->status != 200) {
        enum provider_outcome outcome = openai_error_read(end->status, (struct span){ self->body.data, self->body.len },
                                                          self->secret, text, sizeof(text), &is_retryable);

        embed_fail(self, outcome, text, end->retry_after_ms);
        return;
    }
    switch (end->outcome) {
    case HTTP_CONNECT_TIMEOUT:
    case HTTP_FIRST_BYTE_TIMEOUT:
    case HTTP_STALLED:
    case HTTP_TOTAL_TIMEOUT:
        embed_fail(self, PROVIDER_E_TIMEOUT, "the provider did not answer in time", 0);
        break;
    case HTTP_STOPPED:
        embed_fail(self, PROVIDER_E_OVERSIZED, "the provider's answer is too large", 0);
        break;
    default:
        (void)snprintf(text, sizeof(text), "the request to the provider failed (%s)", end->text); /* cut */
        embed_fail(self, PROVIDER_E_DOWN, text, 0);
        break;
    }
}

static const struct http_events embed_events = { .on_body = on_body, .on_end = on_end };

/* --- the request --------------------------------------------------------------------------- */

static int transfer_start(struct embed *self, const struct provider_setup *setup, const struct msg_agent_embed *in)
{
    CLEANUP(text_buf_deinit) struct text_buf body = { 0 };
    CLEANUP(openai_headers_deinit) struct openai_headers headers = { 0 };
    CLEANUP(mem_free) char *url = NULL;
    struct http_request request = { .tls = &setup->tls,
                                    .proxy_tls = &setup->proxy_tls,
                                    .proxy = setup->proxy,
                                    .connect_ms = CONNECT_MS,
                                    .first_byte_ms = setup->first_byte_ms,
                                    .stall_ms = setup->stall_ms,
                                    .total_ms = TOTAL_MS };
    int rc = embed_request_build(self->model, in->inputs,
                                 in->has_dimensions ? in->dimensions : self->owner->settings.embed_dimensions, &body);

    rc = rc ? rc : openai_headers_build(setup, "application/json", &headers);
    if (rc) {
        return rc;
    }
    if (asprintf(&url, "%s/embeddings", setup->base_url) < 0) {
        url = NULL;
        return FAULT(-ENOMEM);
    }
    request.url = url;
    request.headers = (const char *const *)headers.lines;
    request.body = (struct span){ body.data, body.len };
    return http_transfer_start(&self->owner->engine.http, &request, &embed_events, self, &self->transfer);
}

/* Which provider and model; a positive value with the problem and its kind. */
static int setup_find(struct agent *self, const struct msg_agent_embed *in, const struct provider_setup **ret_setup,
                      char model[PROVIDER_MODEL_MAX], enum provider_outcome *ret_outcome,
                      char problem[PROVIDER_TEXT_MAX])
{
    int rc = settings_resolve_embed(&self->settings, in->has_model ? in->model : (struct span){ 0 }, ret_setup, model,
                                    problem);

    *ret_outcome = PROVIDER_E_MODEL;
    if (rc) {
        return rc;
    }
    if ((*ret_setup)->api == PROVIDER_API_ECHO) {
        (void)snprintf(problem, PROVIDER_TEXT_MAX,
                       "the built-in model has no embeddings: name a provider in "
                       "agents.defaults.memorySearch or x-openclaw-model");
        return 1;
    }
    *ret_outcome = PROVIDER_E_SETUP;
    if ((*ret_setup)->problem[0]) {
        (void)snprintf(problem, PROVIDER_TEXT_MAX, "%s", (*ret_setup)->problem);
        return 1;
    }
    return provider_engine_open(&self->engine, (*ret_setup)->api, problem);
}

int on_agent_embed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_embed *in = msg;
    const struct provider_setup *setup = NULL;
    enum provider_outcome outcome;
    char problem[PROVIDER_TEXT_MAX] = "";
    struct embed *embed;
    int rc;

    if (!self->has_settings) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the configuration has not been read yet");
    }
    if (self->embeds_n >= EMBEDS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "too many embeddings are under way");
    }
    embed = mem_new(sizeof(*embed));
    embed->owner = self;
    embed->next = self->embeds;
    embed->inputs_n = value_count(in->inputs);
    embed->token = actor_defer(ctx, embed);
    self->embeds = embed;
    self->embeds_n++;
    rc = setup_find(self, in, &setup, embed->model, &outcome, problem);
    if (rc > 0) {
        embed_fail(embed, outcome, problem, 0);
        return 0;
    }
    if (rc) {
        return rc;
    }
    (void)snprintf(embed->provider, sizeof(embed->provider), "%s", setup->id);
    embed->secret = setup->secret ? mem_text(setup->secret, strlen(setup->secret)) : NULL;
    rc = transfer_start(embed, setup, in);
    provider_engine_kick(&self->engine); /* `embed` may be gone from here on */
    return rc;
}

bool embed_cancel(struct agent *self, const void *cookie)
{
    for (struct embed *embed = self->embeds; embed; embed = embed->next) {
        if (embed == cookie) {
            embed_free(embed);
            return true;
        }
    }
    return false;
}

void embed_close(struct agent *self)
{
    while (self->embeds) {
        embed_free(self->embeds);
    }
}
