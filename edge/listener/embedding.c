#include "edge/listener/embedding.h"

#include "bus/base/mem.h"
#include "bus/codec.h"
#include "edge/http/embeddings.h"
#include "edge/listener/edge.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

#define ANSWER_MAX_MS 120000U

static void on_embedded(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct exchange *self = cookie;
    const struct msg_agent_embedded *done = answer->msg;
    struct text_buf text = { 0 };

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (answer->failure) {
        run_ask_fail(self, answer->failure);
        return;
    }
    if (embeddings_write(done->vectors, span_from(self->model), self->is_base64, done->tokens, &text)) {
        exchange_break(self);
    }
    exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    text_buf_deinit(&text);
}

static int embed_call(struct exchange *self, const struct embeddings_request *asked, struct openai_error *error)
{
    struct msg_auth_decision decision;
    struct msg_agent_embed in = { .inputs = asked->inputs,
                                  .has_agent_id = asked->agent_id.len > 0,
                                  .agent_id = asked->agent_id,
                                  .has_dimensions = asked->dimensions > 0,
                                  .dimensions = asked->dimensions,
                                  .has_client = true };
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_EMBED,
                               .in = &in,
                               .deadline_ms = ANSWER_MAX_MS,
                               .on_answer = on_embedded,
                               .trace = self->trace,
                               .cookie = self };
    int r = codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                         NULL);

    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    r = run_ask_model_check(self, &decision, error);
    if (r) {
        return r;
    }
    run_ask_header(self, "x-openclaw-agent-id", &in.has_agent_id, &in.agent_id);
    run_ask_header(self, "x-openclaw-model", &in.has_model, &in.model);
    run_ask_client(self, &decision, &in.client);
    call.principal = decision.principal;
    return actor_call(self->edge->actor, &call, &self->call.id);
}

void embedding_start(struct exchange *self)
{
    struct embeddings_request asked;
    struct openai_error error;
    struct pack raw;
    struct pack made;
    int r;

    pack_init(&raw, (size_t)EMBEDDINGS_BODY_MAX * 4);
    pack_init(&made, (size_t)EMBEDDINGS_BODY_MAX * 2);
    r = embeddings_parse((struct span){ self->body.data, self->body.len }, &raw, &made, &asked, &error);
    text_buf_deinit(&self->body);
    self->body = (struct text_buf){ 0 };
    if (!r) {
        edge_uuid(self->run.id);
        self->model = mem_text(asked.model.ptr, asked.model.len);
        self->is_base64 = asked.is_base64;
        r = embed_call(self, &asked, &error);
    }
    pack_deinit(&raw);
    pack_deinit(&made);
    if (r) {
        run_ask_refuse(self, r, &error);
    }
}
