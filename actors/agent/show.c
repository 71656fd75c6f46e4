#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/intake.h"
#include "actors/agent/replies.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema_gen.h"

#define CHUNK_MAX 65536U
#define DRAINS_BYTES_MAX ((size_t)64 << 20) /* text of ended runs that waits for slow readers */

/* --- events ------------------------------------------------------------------------------- */

void show_publish(struct agent *self, const struct run *run, const struct schema_msg *topic)
{
    if (!pack_error(&self->scratch) && self->scratch.len <= topic->max_bytes) {
        (void)actor_publish_traced(self->actor, topic, pack_span(&self->scratch), run->trace); /* at most once */
    }
}

static void publish_changed(struct agent *self, const struct run *run, const struct events_change *change)
{
    pack_reset(&self->scratch);
    events_session_changed(&self->scratch, run, &self->settings, change, clock_wall_ms());
    show_publish(self, run, EVENT_SESSIONS_CHANGED);
}

static void publish_message(struct agent *self, const struct run *run, struct span body, struct span message_id,
                            uint32_t message_seq)
{
    pack_reset(&self->scratch);
    events_session_message(&self->scratch, run, &self->settings, body, message_id, message_seq);
    show_publish(self, run, EVENT_SESSION_MESSAGE);
    publish_changed(
        self, run,
        &(struct events_change){
            .phase = "message", .row = &run->session->row, .message_id = message_id, .message_seq = message_seq });
}

static void show_start(struct agent *self, struct run *run)
{
    run->is_announced = true;
    pack_reset(&self->scratch);
    events_run_started(&self->scratch, run, clock_wall_ms());
    show_publish(self, run, EVENT_AGENT);
    /* A quick run has ended when its start is told. */
    publish_changed(
        self, run,
        &(struct events_change){ .phase = "start", .row = run->as_started ? run->as_started : &run->session->row });
    free(run->as_started);
    run->as_started = NULL;
}

static void show_question(struct agent *self, struct run *run)
{
    struct value_iter it = value_iter((struct span){ run->said.data, run->said.len });
    uint32_t seq = run->row.message_seq - it.left / 2;
    struct span key;
    struct span id;
    struct span message;

    run->is_new = false;
    while (value_next(&it, &key, &id) && value_next(&it, &key, &message)) {
        publish_message(self, run, message, value_str(id, id), ++seq);
        show_tool_result(self, run, message);
    }
    text_buf_deinit(&run->said);
    run->said = (struct text_buf){ 0 };
}

static void show_run_ended(struct agent *self, struct run *run)
{
    pack_reset(&self->scratch);
    events_run_ended(&self->scratch, run, clock_wall_ms());
    show_publish(self, run, EVENT_AGENT);
}

static void show_chat_ended(struct agent *self, struct run *run)
{
    pack_reset(&self->scratch);
    events_chat_ended(&self->scratch, run, clock_wall_ms());
    show_publish(self, run, EVENT_CHAT);
}

static void show_end_events(struct agent *self, struct run *run)
{
    if (run->row.state == STORE_RUN_ABORTED) {
        run->seq++; /* the chat event stands for this step and comes first */
        show_chat_ended(self, run);
        run->seq--;
        show_run_ended(self, run);
    } else {
        show_tool_calls(self, run);
        show_run_ended(self, run);
        if (run->row.state == STORE_RUN_DONE && run->chat_shown < run->text.len && show_is_watched(self, run)) {
            show_chat_delta(self, run);
        }
        show_chat_ended(self, run);
    }
    publish_changed(self, run, &(struct events_change){ .phase = "end", .row = &run->session->row });
}

/* --- text for those who stream ----------------------------------------------------------------- */

/* Sends pieces from `*sent` on while there is credit. False when the credit is out. */
static bool pieces_send(struct agent *self, struct actor_token token, struct span text, size_t *sent)
{
    while (*sent < text.len) {
        size_t len = text.len - *sent;
        struct msg_run_delta delta = { .text = { text.ptr + *sent, len > CHUNK_MAX ? CHUNK_MAX : len } };
        int rc;

        while (delta.text.len < len && ((unsigned char)delta.text.ptr[delta.text.len] & 0xc0) == 0x80) {
            delta.text.len--; /* not in the middle of a character */
        }
        rc = actor_stream_send(self->actor, token, MSG_RUN_DELTA, &delta);
        if (rc == ACTOR_E_NO_CREDIT) {
            return false;
        }
        *sent += rc ? len : delta.text.len; /* nobody is there any more: on_cancel tidies up */
    }
    return true;
}

/* Packs the next piece of every call as a list. 0: there is none. */
static uint32_t calls_pack(const struct tool_calls *calls, size_t sent[TOOL_CALLS_MAX], size_t max, struct pack *out)
{
    uint32_t pieces_n = 0;

    pack_reset(out);
    pack_array_begin(out);
    for (uint32_t i = 0; i < calls->n; i++) {
        if (tool_calls_has_more(calls, i, sent[i])) {
            sent[i] = tool_calls_piece_pack(calls, i, sent[i], max, out);
            pieces_n++;
        }
    }
    pack_array_end(out);
    return pieces_n;
}

/* The same for calls of tools, once the text is out. */
static bool calls_send(struct agent *self, const struct run *run, struct asker *asker)
{
    size_t sent[TOOL_CALLS_MAX];

    memcpy(sent, asker->calls_sent, sizeof(sent));
    while (calls_pack(&run->calls, sent, CHUNK_MAX / (run->calls.n + 1), &self->scratch)) {
        struct msg_run_delta delta = { .text = SPAN_LIT(""),
                                       .has_tool_calls = true,
                                       .tool_calls = pack_span(&self->scratch) };

        if (actor_stream_send(self->actor, asker->token, MSG_RUN_DELTA, &delta) == ACTOR_E_NO_CREDIT) {
            return false;
        }
        memcpy(asker->calls_sent, sent, sizeof(sent)); /* nobody is there any more: on_cancel tidies up */
    }
    return true;
}

static void stream_text(struct agent *self, struct run *run)
{
    struct span text = { run->text.data, run->text.len };

    for (struct asker *asker = run->askers; asker; asker = asker->next) {
        if (asker->is_streaming && !asker->is_starved) {
            asker->is_starved = !pieces_send(self, asker->token, text, &asker->sent) || !calls_send(self, run, asker);
        }
    }
    turn_flow(run);
}

static void drain_free(struct agent *self, struct asker *drain)
{
    struct asker **at = &self->drains;

    while (*at != drain) {
        at = &(*at)->next;
    }
    *at = drain->next;
    self->drains_bytes -= drain->rest.len;
    asker_free(drain);
}

/* Those that have waited longest make room. Nothing is lost: the transcript has the answer. */
static void drains_fit(struct agent *self)
{
    while (self->drains_bytes > DRAINS_BYTES_MAX) {
        struct asker *oldest = self->drains;

        while (oldest->next) {
            oldest = oldest->next;
        }
        (void)actor_token_fail_text(self->actor, oldest->token, FAIL_UNAVAILABLE, /* the asker may be gone */
                                    "the answer was not read in time; it stands in the transcript");
        drain_free(self, oldest);
    }
}

static void drain_go(struct agent *self, struct asker *drain)
{
    struct span text = { drain->rest.data, drain->rest.len };

    if (pieces_send(self, drain->token, text, &drain->sent)) {
        (void)actor_token_reply_span(self->actor, drain->token, /* the asker may be gone */
                                     (struct span){ drain->reply.data, drain->reply.len });
        drain_free(self, drain);
    }
}

/* --- final answers -------------------------------------------------------------------------------- */

/* `calls` are pieces of calls, packed; or empty. */
static void done_make(const struct agent *self, const struct run *run, bool has_text, struct span calls,
                      struct msg_run_done *done)
{
    *done = (struct msg_run_done){
        .run_id = span_from(run->row.id),
        .session_key = span_from(run->session->row.key),
        .agent_id = span_from(self->id),
        .provider = span_from(run->provider),
        .model = span_from(run->model),
        .finish_reason = span_from(run->finish_reason),
        .has_text = has_text,
        .text = { run->text.data ? run->text.data : "", run->text.len },
        .has_tool_calls = calls.len > 0,
        .tool_calls = calls,
        .usage = { .input = run->usage.input, .output = run->usage.output, .total = run->usage.total },
    };
}

/* What of its calls an asker has not been sent; in `out`. */
static struct span calls_rest(const struct run *run, struct asker *asker, struct pack *out)
{
    return calls_pack(&run->calls, asker->calls_sent, SIZE_MAX, out) ? pack_span(out) : (struct span){ 0 };
}

/* The text goes on by itself; the run need not wait for a slow reader. */
static int drain_begin(struct agent *self, struct run *run, struct asker *asker)
{
    CLEANUP(pack_deinit) struct pack calls;
    struct msg_run_done done;
    struct codec_error error;
    int rc;

    pack_init(&calls, 0);
    done_make(self, run, false, calls_rest(run, asker, &calls), &done);
    pack_reset(&self->scratch);
    rc = codec_encode(MSG_RUN_DONE->type, &done, &self->scratch, &error);
    if (!rc) {
        rc = text_buf_add(&asker->reply, pack_span(&self->scratch));
    }
    if (!rc) {
        rc = text_buf_add(&asker->rest, (struct span){ run->text.data + asker->sent, run->text.len - asker->sent });
    }
    if (rc) {
        return FAULT_FOLD(rc);
    }
    asker->sent = 0;
    run_asker_detach(run, asker);
    asker->next = self->drains;
    self->drains = asker;
    self->drains_bytes += asker->rest.len;
    drains_fit(self);
    return 0;
}

static int failure_code(const struct run *run)
{
    return run->row.state == STORE_RUN_ABORTED ? FAIL_CANCELLED
           : store_run_is_cut(&run->row)       ? FAIL_UNAVAILABLE
                                               : FAIL_PROVIDER;
}

static void asker_fail(struct agent *self, const struct run *run, const struct asker *asker)
{
    CLEANUP(pack_deinit) struct pack details;
    struct failure failure = { .code = failure_code(run),
                               .message = span_from(run->row.state == STORE_RUN_ABORTED ? "the run was aborted"
                                                                                        : run->row.error),
                               .retryable = run->is_retryable,
                               .retry_after_ms = run->retry_after_ms };

    pack_init(&details, 0);
    if (asker->kind == ASKER_AGENT) {
        reply_agent_failed_pack(&details, &run->row);
        failure.details = pack_span(&details);
    } else if (run->row.state == STORE_RUN_ERROR) {
        pack_map_begin(&details);
        pack_kv_text(&details, "_reason", provider_outcome_name(run->outcome));
        pack_map_end(&details);
        failure.details = pack_span(&details);
    }
    (void)actor_token_fail(self->actor, asker->token, &failure); /* the asker may be gone */
}

static int answer_agent(struct agent *self, struct run *run, struct asker *asker)
{
    struct span answer = { run->answer.data, run->answer.len };
    int rc = 0;

    if (run->row.state == STORE_RUN_ERROR) {
        asker_fail(self, run, asker);
        run_asker_remove(run, asker);
        return 0;
    }
    pack_reset(&self->scratch);
    rc = reply_agent_pack(&self->scratch, &run->row, run->session->row.id, answer, self->path,
                          self->settings.context_tokens);
    if (!rc) {
        (void)actor_token_reply_span(self->actor, asker->token, pack_span(&self->scratch)); /* the asker may be gone */
        run_asker_remove(run, asker);
    }
    return rc;
}

static int answer_completion(struct agent *self, struct run *run, struct asker *asker)
{
    CLEANUP(pack_deinit) struct pack calls;
    struct msg_run_done done;

    pack_init(&calls, 0);
    if (run->row.state != STORE_RUN_DONE) {
        asker_fail(self, run, asker);
        run_asker_remove(run, asker);
        return 0;
    }
    if (asker->is_streaming && asker->sent < run->text.len) {
        return drain_begin(self, run, asker);
    }
    done_make(self, run, !asker->is_streaming, calls_rest(run, asker, &calls), &done);
    (void)actor_token_reply(self->actor, asker->token, MSG_RUN_DONE, &done); /* the asker may be gone */
    run_asker_remove(run, asker);
    return 0;
}

static int askers_answer(struct agent *self, struct run *run)
{
    while (run->askers) {
        struct asker *asker = run->askers;
        int rc = asker->kind == ASKER_AGENT ? answer_agent(self, run, asker) : answer_completion(self, run, asker);

        if (rc) {
            return rc;
        }
    }
    return 0;
}

static void show_end(struct agent *self, struct run *run)
{
    int rc = 0;

    if (!run->is_unsaved) {
        show_end_events(self, run);
        if (run->answer.len) {
            publish_message(self, run, (struct span){ run->answer.data, run->answer.len }, span_from(run->answer_id),
                            run->row.reply_seq);
        }
        rc = askers_answer(self, run);
    }
    waits_end(self, &run->row);
    batch_untouch(self, run);
    book_run_remove(&self->book, run);
    if (book_run_next(&self->book) || self->beats) {
        batch_due(self);
    }
    if (rc) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
    }
}

void show_run(struct agent *self, struct run *run)
{
    bool was_started = run->phase == RUN_ACTIVE || (run->phase == RUN_ENDING && run->row.started_ms);

    if (run->beat) { /* seen once it has something to tell */
        if (run->phase == RUN_ENDING) {
            beat_show_end(self, run); /* `run` is gone from here on */
        }
        return;
    }
    if (was_started && !run->is_announced) {
        show_start(self, run);
    }
    if (run->is_new) {
        show_question(self, run);
    }
    if (!run->is_unsaved) {
        show_text(self, run);
        stream_text(self, run);
    }
    if (run->phase == RUN_ENDING) {
        show_end(self, run); /* `run` is gone from here on */
    }
}

void show_chat_end(struct agent *self, struct run *run)
{
    run->seq++;
    show_chat_ended(self, run);
}

void show_alert(struct agent *self, struct run *run)
{
    publish_message(self, run, (struct span){ run->answer.data, run->answer.len }, span_from(run->answer_id),
                    run->row.reply_seq);
    show_chat_end(self, run);
}

void show_unsaved(struct agent *self, struct run *run)
{
    if (run->beat) {
        beat_show_unsaved(self, run);
        return;
    }
    batch_untouch(self, run);
    run->row.state = STORE_RUN_ERROR;
    (void)snprintf(run->row.error, sizeof(run->row.error), "the answer could not be stored: %s",
                   store_problem(&self->store));
    show_end_events(self, run);
    while (run->askers) {
        asker_fail(self, run, run->askers);
        run_asker_remove(run, run->askers);
    }
    waits_end(self, &run->row);
}

/* --- those who stream come and go -------------------------------------------------------------------- */

static struct asker *drain_find(struct agent *self, const void *cookie)
{
    struct asker *drain = self->drains;

    while (drain && drain != cookie) {
        drain = drain->next;
    }
    return drain;
}

void show_credit(struct agent *self, void *cookie)
{
    struct asker *drain = drain_find(self, cookie);
    struct asker *asker = cookie;

    if (beat_is(self, cookie)) {
        return;
    }
    if (drain) {
        drain_go(self, drain);
    } else if (asker && asker->kind == ASKER_COMPLETION && asker->is_starved) {
        asker->is_starved = false;
        stream_text(self, asker->run);
    }
}

void show_cancel(struct agent *self, void *cookie)
{
    struct asker *drain = drain_find(self, cookie);
    struct asker *asker = cookie;
    struct run *run;
    bool is_completion;
    int rc = 0;

    if (drain) {
        drain_free(self, drain);
        return;
    }
    if (!asker || waits_cancel(self, cookie) || beat_cancel(self, cookie)) {
        return;
    }
    if (!asker->run) {
        intake_cancel(self, asker);
        return;
    }
    run = asker->run;
    is_completion = asker->kind == ASKER_COMPLETION;
    run_asker_remove(run, asker);
    if (is_completion && !run->askers && run->row.kind == STORE_RUN_COMPLETION) {
        rc = actor_asker_is_gone(self->actor) ? turn_cut(self, run) : turn_abort(self, run, "disconnected");
    } else {
        turn_flow(run);
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
    }
}

void show_deinit(struct agent *self)
{
    while (self->drains) {
        drain_free(self, self->drains);
    }
}

/* --- answers of runs that ended long ago ------------------------------------------------------------- */

struct answer_read {
    uint32_t seq;
    struct text_buf body;
    int rc;
};

static int answer_on_message(void *arg, const struct store_message *message)
{
    struct answer_read *self = arg;

    if (message->seq == self->seq) {
        self->rc = text_buf_add(&self->body, message->body);
    }
    return 1;
}

static void answer_deinit(struct answer_read *self)
{
    text_buf_deinit(&self->body);
}

int show_answer_read(struct agent *self, const struct store_run *row, struct text_buf *out)
{
    CLEANUP(answer_deinit) struct answer_read answer = { .seq = row->reply_seq };
    int rc = store_messages_read(&self->store, row->session_n, row->reply_seq, answer_on_message, &answer);

    rc = rc ? rc : answer.rc;
    return rc ? rc : text_buf_add(out, (struct span){ answer.body.data, answer.body.len });
}

int show_reply_pack(struct agent *self, const struct store_run *row, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf answer = { 0 };
    struct store_session session;
    int rc = store_session_get_n(&self->store, row->session_n, &session);

    rc = rc ? rc : show_answer_read(self, row, &answer);
    if (rc) {
        return rc;
    }
    return reply_agent_pack(out, row, session.id, (struct span){ answer.data, answer.len }, self->path,
                            self->settings.context_tokens);
}
