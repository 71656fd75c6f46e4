#include <stdio.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/message.h"
#include "actors/agent/replies.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "schema_gen.h"

static int fail_admit(struct agent *self, struct actor_ctx *ctx, int rc)
{
    if (rc == ADMIT_E_FULL) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "too many runs wait for this %s",
                          self->book.active_n + self->book.waiting_n >= BOOK_RUNS_MAX ? "agent" : "session");
    }
    return rc < 0 ? rc : actor_fail(ctx, FAIL_STORAGE, "nothing was stored: %s", store_problem(&self->store));
}

/* What keeps a message from being stored as it is; NULL when nothing does. */
static const char *text_problem(struct span text, bool has_attachments)
{
    if (has_attachments) {
        return "attachments are not supported by this agent";
    }
    if (!text.len) {
        return "message or attachment required";
    }
    return memchr(text.ptr, 0, text.len) ? "message must not contain null bytes" : NULL;
}

/* --- chat.send --------------------------------------------------------------------------------- */

static bool text_is_stop(struct span text)
{
    return span_is_text(text, "/stop") || span_is_text(text, "/abort");
}

/* Aborts the run `id` of a session, or all of it when `id` is empty; packs the answer. */
static int abort_pack(struct agent *self, struct span key, struct span id, const char *reason)
{
    struct session *session = book_session_find(&self->book, key);
    struct run *run = session ? session->first : NULL;
    CLEANUP(pack_deinit) struct pack ids;
    uint32_t aborted_n = 0;
    int rc = 0;

    pack_init(&ids, 0);
    pack_array_begin(&ids);
    while (run && rc >= 0) {
        struct run *next = run->next; /* runs that end go at the end of the turn, not now */

        if (run->phase != RUN_ENDING && (!id.len || span_is_text(id, run->row.id))) {
            pack_text(&ids, run->row.id);
            aborted_n++;
            rc = turn_abort(self, run, reason);
        }
        run = next;
    }
    pack_array_end(&ids);
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_bool(&self->scratch, "ok", true);
    pack_kv_bool(&self->scratch, "aborted", aborted_n > 0);
    pack_kv_raw(&self->scratch, "runIds", pack_span(&ids));
    pack_map_end(&self->scratch);
    return rc < 0 ? rc : pack_error(&self->scratch);
}

static int abort_answer(struct agent *self, struct actor_ctx *ctx, struct span key, struct span id, const char *reason)
{
    int rc = abort_pack(self, key, id, reason);

    return rc ? rc : batch_ack(self, actor_defer(ctx, NULL), pack_span(&self->scratch), true);
}

/* The session key without its `agent:<id>:` says nothing of where a message came from;
 * people who write through chat.send are at the web chat. */
static struct span channel_of(const struct msg_chat_send *in)
{
    return in->has_originating_channel && in->originating_channel.len ? in->originating_channel : SPAN_LIT("webchat");
}

int on_chat_send(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_chat_send *in = msg;
    struct question question = { .kind = STORE_RUN_CHAT,
                                 .trace = actor_ctx_trace(ctx),
                                 .session_key = in->session_key,
                                 .id = in->idempotency_key,
                                 .text = in->message,
                                 .channel = channel_of(in),
                                 .timeout_ms = in->has_timeout_ms ? in->timeout_ms : 0 };
    const char *problem = text_problem(in->message, in->has_attachments && value_count(in->attachments) > 0);
    struct store_run ended;
    struct run *run;
    int rc;

    if (problem) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", problem);
    }
    if (text_is_stop(in->message)) {
        return abort_answer(self, ctx, in->session_key, (struct span){ 0 }, "stop");
    }
    rc = admit(self, &question, &run, &ended);
    if (rc && rc != ADMIT_E_REPEAT && rc != ADMIT_E_ENDED) {
        return fail_admit(self, ctx, rc);
    }
    pack_reset(&self->scratch);
    reply_send_pack(&self->scratch, rc == ADMIT_E_ENDED ? &ended : &run->row, rc != 0);
    if (pack_error(&self->scratch)) {
        return pack_error(&self->scratch);
    }
    return batch_ack(self, actor_defer(ctx, NULL), pack_span(&self->scratch), false);
}

int on_chat_abort(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_chat_abort *in = msg;

    return abort_answer(arg, ctx, in->session_key, in->has_run_id ? in->run_id : (struct span){ 0 }, "rpc");
}

/* --- agent ------------------------------------------------------------------------------------------ */

/* The second phase of a run that ended before this call. */
static int ended_answer(struct agent *self, struct actor_ctx *ctx, const struct store_run *row)
{
    int rc;

    pack_reset(&self->scratch);
    if (row->state == STORE_RUN_ERROR) {
        struct failure failure = { .code = store_run_is_cut(row) ? FAIL_UNAVAILABLE : FAIL_PROVIDER,
                                   .message = span_from(row->error),
                                   .retryable = store_run_is_cut(row) };

        reply_agent_failed_pack(&self->scratch, row);
        failure.details = pack_span(&self->scratch);
        return actor_fail_with(ctx, &failure);
    }
    rc = show_reply_pack(self, row, &self->scratch);
    return rc ? handler_fail_storage(self, ctx, rc) : handler_reply_scratch(self, ctx);
}

/* Model and provider of the method agent are two fields; a run keeps one reference. */
static struct span model_ref(const struct msg_agent *in, char ref[STORE_NAME_MAX])
{
    if (!in->has_model || !in->model.len) {
        return (struct span){ 0 };
    }
    if (in->has_provider && in->provider.len) {
        (void)snprintf(ref, STORE_NAME_MAX, "%.*s/%.*s", SPAN_FMT(in->provider), SPAN_FMT(in->model));
        return span_from(ref);
    }
    return in->model;
}

int on_agent(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent *in = msg;
    char ref[STORE_NAME_MAX];
    struct question question = { .kind = STORE_RUN_AGENT,
                                 .trace = actor_ctx_trace(ctx),
                                 .session_key = in->session_key,
                                 .id = in->idempotency_key,
                                 .text = in->message,
                                 .channel = in->has_channel ? in->channel : (struct span){ 0 },
                                 .model = model_ref(in, ref),
                                 .timeout_ms = in->has_timeout && in->timeout < UINT32_MAX ? in->timeout * 1000 : 0 };
    const char *problem = text_problem(in->message, in->has_attachments && value_count(in->attachments) > 0);
    struct store_run ended;
    struct asker *asker;
    struct run *run;
    int rc;

    if (problem || !in->has_session_key || !in->session_key.len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", problem ? problem : "the session key is missing");
    }
    rc = admit(self, &question, &run, &ended);
    if (rc == ADMIT_E_ENDED) {
        return ended_answer(self, ctx, &ended);
    }
    if (rc && rc != ADMIT_E_REPEAT) {
        return fail_admit(self, ctx, rc);
    }
    if (!rc && in->has_extra_system_prompt) {
        run_prompt_keep(run, in->extra_system_prompt);
    }
    asker = run_asker_add(run, ASKER_AGENT);
    asker->token = actor_defer(ctx, asker);
    return batch_ack_accepted(self, asker->token, span_from(run->row.id), run->row.created_ms);
}

/* --- agent_note ---------------------------------------------------------------------------------------- */

static int note_write(struct agent *self, const struct msg_agent_note *in, struct note_text *note)
{
    uint64_t gone = 0;
    int rc = notes_add(&self->notes, note, &note->number, &gone);

    if (rc) {
        return rc == NOTES_E_SAID ? 0 : ADMIT_E_FULL;
    }
    rc = gone ? store_note_drop(&self->store, gone) : 0;
    rc = rc ? rc : store_note_add(&self->store, in->has_id ? in->id : (struct span){ 0 }, note);
    if (!rc) {
        return 0;
    }
    rc = batch_fail(self, rc); /* the note is gone again */
    return rc < 0 ? rc : ADMIT_E_STORAGE;
}

/* One that is known was taken before the asker, or the gateway, broke off. */
static int note_take(struct agent *self, const struct msg_agent_note *in)
{
    struct note_text note = { .session_key = in->session_key,
                              .text = in->text,
                              .is_trusted = in->is_trusted,
                              .is_kept = in->has_id,
                              .at_ms = clock_wall_ms() };
    int rc = in->has_id ? store_note_find(&self->store, in->id) : STORE_E_ABSENT;

    if (rc == STORE_E_ABSENT) {
        return note_write(self, in, &note);
    }
    if (rc > 0) {
        rc = batch_fail(self, rc);
        return rc < 0 ? rc : ADMIT_E_STORAGE;
    }
    return rc;
}

int on_agent_note(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_note *in = msg;
    int rc = note_take(self, in);

    if (rc == ADMIT_E_FULL) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "too many notes wait for the next turn of this session");
    }
    if (rc) {
        return fail_admit(self, ctx, rc);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "session_key", in->session_key);
    pack_kv_text(&self->scratch, "agent_id", self->id);
    pack_map_end(&self->scratch);
    rc = pack_error(&self->scratch);
    return rc ? rc : batch_ack(self, actor_defer(ctx, NULL), pack_span(&self->scratch), false);
}

static void note_on_row(void *arg, const struct note_text *note)
{
    struct agent *self = arg;
    uint64_t number;
    uint64_t gone;

    (void)notes_add(&self->notes, note, &number, &gone); /* what is stored had room before */
}

int ask_notes_load(struct agent *self)
{
    uint64_t last = 0;
    int rc;

    notes_deinit(&self->notes);
    rc = store_notes_open(&self->store, note_on_row, self, &last);
    if (last > self->notes.last_number) {
        self->notes.last_number = last; /* those that were read are remembered under theirs */
    }
    return rc;
}
