/*
 * beat: heartbeats, turns of a session that nobody asked for. Beginning and end are here,
 * what is between is a run like any other. One that has nothing to tell leaves nothing
 * behind but the row of the run, by which a repeat of its id is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/beat_file.h"
#include "actors/agent/beat_text.h"
#include "actors/agent/ids.h"
#include "actors/agent/message.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema_gen.h"

#define BEATS_MAX 64
#define ISOLATED_SUFFIX ":heartbeat"

struct beat {
    struct beat *next;
    struct actor_token token; /* void: whoever asked has gone */
    struct trace_id trace;
    struct text_buf body;          /* the question, packed … */
    struct msg_agent_heartbeat in; /* … and as it borrows from there */
    struct span session_key;       /* whose turn it is */
    char isolated_key[STORE_KEY_MAX];
    struct text_buf prompt;
    struct text_buf guide; /* the system prompt of the turn */
    struct pack tasks;     /* names of those that are part of it */
    struct run *run;       /* NULL: it waits */
    struct text_buf poll;  /* packed message that stands for the question, once there is an alert */
    char poll_id[IDS_SHORT_MAX];
    uint32_t poll_seq;
    bool is_told; /* that it waits */
};

/* --- the list --------------------------------------------------------------------------------- */

static void beat_free(struct beat *beat)
{
    text_buf_deinit(&beat->body);
    text_buf_deinit(&beat->prompt);
    text_buf_deinit(&beat->guide);
    text_buf_deinit(&beat->poll);
    pack_deinit(&beat->tasks);
    free(beat);
}

static void beat_drop(struct agent *self, struct beat *beat)
{
    struct beat **at = &self->beats;

    while (*at != beat) {
        at = &(*at)->next;
    }
    *at = beat->next;
    beat_free(beat);
}

void beats_deinit(struct agent *self)
{
    while (self->beats) {
        beat_drop(self, self->beats);
    }
}

static struct beat *beat_find(struct agent *self, struct span run_id)
{
    struct beat *beat = self->beats;

    while (beat && !span_is(beat->in.run_id, run_id)) {
        beat = beat->next;
    }
    return beat;
}

bool beat_is(const struct agent *self, const void *cookie)
{
    for (const struct beat *beat = self->beats; beat; beat = beat->next) {
        if (beat == cookie) {
            return true;
        }
    }
    return false;
}

bool beat_cancel(struct agent *self, const void *cookie)
{
    for (struct beat *beat = self->beats; beat; beat = beat->next) {
        if (beat == cookie) {
            beat->token = (struct actor_token){ 0 };
            if (!beat->run) {
                beat_drop(self, beat); /* it is asked again, if at all */
            }
            return true;
        }
    }
    return false;
}

/* --- answers ------------------------------------------------------------------------------------ */

struct beat_answer {
    const char *outcome;
    const char *reason;
    struct span text;
    const char *channel;
};

static void beat_answer(struct agent *self, struct beat *beat, const struct beat_answer *answer)
{
    if (beat->tasks.depth) {
        pack_array_end(&beat->tasks);
    }

    struct msg_agent_heartbeat_done done = {
        .session_key = beat->session_key,
        .outcome = span_from(answer->outcome),
        .reason = span_from(answer->reason),
        .text = answer->text.ptr ? answer->text : SPAN_LIT(""),
        .channel = span_from(answer->channel),
        .tasks = pack_span(&beat->tasks),
    };

    (void)actor_token_reply(self->actor, beat->token, MSG_AGENT_HEARTBEAT_DONE, &done); /* the asker may be gone */
}

static void beat_skip(struct agent *self, struct beat *beat, const char *reason)
{
    beat_answer(self, beat, &(struct beat_answer){ .outcome = "skipped", .reason = reason, .channel = "" });
    beat_drop(self, beat);
}

static void beat_fail(struct agent *self, struct beat *beat, int code, const char *text)
{
    (void)actor_token_fail_text(self->actor, beat->token, code, "%s", text); /* the asker may be gone */
    beat_drop(self, beat);
}

/* --- what it is told ------------------------------------------------------------------------------- */

static bool task_is_due(struct span done, const struct beat_task *task, int64_t now_ms)
{
    char name[BEAT_TASK_NAME_MAX + 1];
    int64_t done_ms;

    (void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(task->name));
    done_ms = value_i64(value_get(done, name), 0);
    return !done_ms || done_ms > now_ms || now_ms - done_ms >= task->every_ms;
}

static int task_add(struct beat *beat, const struct beat_task *task)
{
    int rc = text_buf_add(&beat->prompt, SPAN_LIT("- "));

    rc = rc ? rc : text_buf_add(&beat->prompt, task->name);
    rc = rc ? rc : text_buf_add(&beat->prompt, SPAN_LIT(": "));
    rc = rc ? rc : text_buf_add(&beat->prompt, task->prompt);
    pack_str(&beat->tasks, task->name);
    return rc ? rc : text_buf_add(&beat->prompt, SPAN_LIT("\n"));
}

/* The tasks whose time has come instead of the usual prompt; 0 of them in `ret_n`: nothing is to do. */
static int tasks_add(struct beat *beat, const struct beat_task *tasks, size_t tasks_n, struct span file, size_t *ret_n)
{
    CLEANUP(text_buf_deinit) struct text_buf rest = { 0 };
    int64_t now_ms = clock_wall_ms();
    int rc = text_buf_add(&beat->prompt, SPAN_LIT("These tasks are due now; do all of them:\n\n"));

    *ret_n = 0;
    for (size_t i = 0; i < tasks_n && !rc; i++) {
        if (task_is_due(beat->in.tasks, &tasks[i], now_ms)) {
            rc = task_add(beat, &tasks[i]);
            (*ret_n)++;
        }
    }
    rc = rc ? rc
            : text_buf_add(&beat->prompt,
                           SPAN_LIT("\nWhen all are done and nothing needs attention, answer " BEAT_TOKEN ".\n"));
    rc = rc ? rc : beat_rest_add(file, &rest);
    if (!rc && !beat_file_is_empty((struct span){ rest.data, rest.len })) {
        rc = text_buf_add(&beat->prompt, SPAN_LIT("\nHEARTBEAT.md says besides:\n\n"));
        rc = rc ? rc : text_buf_add(&beat->prompt, (struct span){ rest.data, rest.len });
    }
    return rc;
}

static int guide_add(struct beat *beat, struct span file)
{
    int rc = 0;

    if (beat->in.has_guide) {
        rc = text_buf_add(&beat->guide,
                          SPAN_LIT("This turn is a heartbeat: nobody wrote, and nobody waits for an answer. When "
                                   "nothing needs the person's attention, answer with " BEAT_TOKEN
                                   " and nothing else. Otherwise answer with what they should know, and without "
                                   "that word.\n"));
    }
    rc = rc ? rc : text_buf_add(&beat->guide, SPAN_LIT("The time is "));
    rc = rc ? rc : text_buf_add(&beat->guide, beat->in.time);
    rc = rc ? rc : text_buf_add(&beat->guide, SPAN_LIT(".\n"));
    if (!rc && file.len) {
        rc = text_buf_add(&beat->guide, SPAN_LIT("\nHEARTBEAT.md of the workspace:\n\n"));
        rc = rc ? rc : text_buf_add(&beat->guide, file);
    }
    return rc ? rc : text_buf_add(&beat->guide, (struct span){ "", 1 });
}

/* 0, a fault, or 1 with why the model need not be asked. */
static int beat_compose(struct agent *self, struct beat *beat, const char **ret_skip)
{
    CLEANUP(text_buf_deinit) struct text_buf file = { 0 };
    struct beat_task tasks[BEAT_TASKS_MAX];
    int read = beat_file_read(self->settings.workspace, &file);
    struct span text = { file.data, read ? 0 : file.len };
    size_t tasks_n = beat_tasks_read(text, tasks);
    size_t due_n = 1;
    int rc = read < 0 ? read : 0;

    if (!rc && !read && !beat->in.is_urgent && beat_file_is_empty(text)) {
        *ret_skip = "empty-heartbeat-file";
        return 1;
    }
    if (!rc && tasks_n && !beat->in.is_urgent) {
        rc = tasks_add(beat, tasks, tasks_n, text, &due_n);
        text.len = 0; /* its words are in the prompt */
    } else if (!rc) {
        rc = text_buf_add(&beat->prompt, beat->in.prompt);
    }
    if (!rc && !due_n) {
        *ret_skip = "no-tasks-due";
        return 1;
    }
    return rc ? rc : guide_add(beat, text);
}

/* --- the beginning --------------------------------------------------------------------------------------- */

static int session_begin(struct agent *self, struct beat *beat, struct session **ret_session)
{
    struct store_session row;
    int rc = store_session_get(&self->store, beat->session_key, &row);

    if (rc == STORE_E_ABSENT) {
        row = (struct store_session){ .created_ms = clock_wall_ms() };
        (void)snprintf(row.key, sizeof(row.key), "%.*s", SPAN_FMT(beat->session_key));
        ids_uuid(row.id);
        rc = 0;
    }
    if (!rc) {
        *ret_session = book_session_add(&self->book, &row);
    }
    return rc;
}

static int beat_begin(struct agent *self, struct beat *beat)
{
    struct store_run row = { .kind = STORE_RUN_HEARTBEAT, .state = STORE_RUN_STARTED, .attempts = 1 };
    struct session *session;
    int rc = session_begin(self, beat, &session);

    if (rc) {
        beat_fail(self, beat, FAIL_STORAGE, "the session cannot be read");
        return rc < 0 ? rc : 0;
    }
    row.created_ms = clock_wall_ms();
    row.started_ms = row.created_ms;
    row.timeout_ms = beat->in.timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)beat->in.timeout_ms;
    (void)snprintf(row.id, sizeof(row.id), "%.*s", SPAN_FMT(beat->in.run_id));
    (void)snprintf(row.model, sizeof(row.model), "%.*s", SPAN_FMT(beat->in.model));
    beat->run = book_run_add(&self->book, session, &row);
    beat->run->beat = beat;
    beat->run->trace = beat->trace;
    return 0; /* the book gives it to whoever starts runs */
}

/* The built-in model repeats what it is told, which is nothing to tell anybody. */
static bool has_provider(const struct agent *self, const struct beat *beat)
{
    const struct provider_setup *setup = NULL;
    char model[PROVIDER_MODEL_MAX];
    char problem[PROVIDER_TEXT_MAX];

    return settings_resolve(&self->settings, beat->in.model, &setup, model, problem) || setup->api != PROVIDER_API_ECHO;
}

static int beat_try(struct agent *self, struct beat *beat)
{
    const char *skip = "no-provider";
    int rc = has_provider(self, beat) ? beat_compose(self, beat, &skip) : 1;

    if (rc > 0) {
        beat_skip(self, beat, skip);
        return 0;
    }
    return rc ? rc : beat_begin(self, beat);
}

static bool must_wait(struct agent *self, const struct beat *beat)
{
    return book_session_find(&self->book, beat->session_key) ||
           (!beat->in.is_urgent && self->book.active_n + self->book.waiting_n > 0);
}

static void waits_tell(struct agent *self, struct beat *beat)
{
    struct msg_agent_heartbeat_waits waits = { .session_key = beat->session_key };

    if (!beat->is_told) {
        beat->is_told = true;
        (void)actor_stream_send(self->actor, beat->token, MSG_AGENT_HEARTBEAT_WAITS, &waits); /* may be gone */
    }
}

int beats_start_ready(struct agent *self)
{
    struct beat *next;
    int rc = 0;

    for (struct beat *beat = self->beats; beat && !rc; beat = next) {
        next = beat->next;
        if (beat->run) {
            continue;
        }
        if (must_wait(self, beat)) {
            waits_tell(self, beat);
        } else {
            rc = beat_try(self, beat); /* `beat` may be gone from here on */
        }
    }
    return rc;
}

/* Also when the turn has a session of its own: what people were told of is the other one. */
struct span beat_notes_key(const struct beat *beat)
{
    return beat->in.session_key;
}

int beat_messages_pack(struct agent *self, struct run *run, struct transcript_context *context, struct pack *out)
{
    struct beat *beat = run->beat;
    struct store_run row = { .n = INT64_MAX, .session_n = run->session->row.n }; /* behind all others */
    CLEANUP(pack_deinit) struct pack question;

    if (beat->in.is_isolated) {
        row.session_n = 0; /* a session without messages */
    }
    pack_init(&question, 0);
    pack_array_begin(&question);
    pack_map_begin(&question);
    pack_kv_text(&question, "role", "user");
    pack_kv_str(&question, "content", (struct span){ beat->prompt.data, beat->prompt.len });
    pack_map_end(&question);
    pack_array_end(&question);
    context->question = pack_span(&question);
    context->system_prompts[1] = beat->guide.data;
    return pack_error(&question) ? pack_error(&question) : transcript_context_pack(&self->store, &row, context, out);
}

/* --- the end ------------------------------------------------------------------------------------------------ */

static const char *const outcomes[] = { [BEAT_EMPTY] = "ok-empty", [BEAT_OK] = "ok-token", [BEAT_ALERT] = "alert" };

static int answer_judge(struct run *run)
{
    CLEANUP(text_buf_deinit) struct text_buf left = { 0 };
    struct span answer = { run->text.data, run->text.len };
    enum beat_word word = BEAT_EMPTY;
    int rc = beat_judge(answer, run->beat->in.ack_max_chars, &left, &word);

    if (rc) {
        return rc;
    }
    (void)snprintf(run->row.stop_reason, sizeof(run->row.stop_reason), "%s", outcomes[word]);
    run->text.len = 0;
    return text_buf_add(&run->text, word == BEAT_ALERT ? (struct span){ left.data, left.len } : SPAN_LIT(BEAT_TOKEN));
}

static bool is_alert(const struct run *run)
{
    return run->row.state == STORE_RUN_DONE && strcmp(run->row.stop_reason, outcomes[BEAT_ALERT]) == 0;
}

/* What stands in the transcript: that there was a heartbeat, and what it said. */
static int messages_make(struct agent *self, struct run *run)
{
    int rc;

    pack_reset(&self->scratch);
    transcript_poll_mark_pack(&self->scratch, run->row.started_ms);
    rc = pack_error(&self->scratch);
    rc = rc ? rc : text_buf_add(&run->beat->poll, pack_span(&self->scratch));
    if (rc) {
        return rc;
    }
    pack_reset(&self->scratch);
    transcript_answer_pack(&self->scratch, run, run->row.ended_ms);
    rc = pack_error(&self->scratch);
    ids_short(run->beat->poll_id);
    ids_short(run->answer_id);
    return rc ? rc : text_buf_add(&run->answer, pack_span(&self->scratch));
}

int beat_end(struct agent *self, struct run *run)
{
    int rc = run->row.state == STORE_RUN_DONE ? answer_judge(run) : 0;

    if (!rc && is_alert(run)) {
        rc = messages_make(self, run);
    }
    rc = rc ? rc : turn_save(self, run);
    return rc < 0 ? rc : 0; /* everyone has been told of an outcome */
}

static int message_write(struct agent *self, struct run *run, struct span id, struct span body, uint32_t *ret_seq)
{
    struct store_session *session = &run->session->row;
    struct store_message message = {
        .seq = session->messages_n + 1, .run_n = run->row.n, .ts_ms = run->row.ended_ms, .id = id, .body = body
    };
    int rc = store_message_add(&self->store, session->n, &message);

    if (!rc) {
        session->messages_n = message.seq;
        *ret_seq = message.seq;
    }
    return rc;
}

/* The session as it was, but for what was said. */
static int alert_write(struct agent *self, struct run *run)
{
    struct store_session *session = &run->session->row;
    struct beat *beat = run->beat;
    bool is_fresh = !session->n;
    int rc;

    session->updated_ms = run->row.ended_ms;
    rc = store_session_put(&self->store, session);
    run->row.session_n = session->n;
    rc = rc ? rc : store_run_put(&self->store, &run->row);
    rc = rc ? rc
            : message_write(self, run, span_from(beat->poll_id), (struct span){ beat->poll.data, beat->poll.len },
                            &beat->poll_seq);
    rc = rc ? rc
            : message_write(self, run, span_from(run->answer_id), (struct span){ run->answer.data, run->answer.len },
                            &run->row.reply_seq);
    rc = rc ? rc : store_run_put(&self->store, &run->row);
    rc = rc ? rc : store_session_put(&self->store, session);
    self->sessions_n += !rc && is_fresh;
    return rc;
}

int beat_rows_write(struct agent *self, struct run *run)
{
    if (run->row.state != STORE_RUN_DONE) {
        return 0; /* nothing of it lasts, so the same id may run again */
    }
    run->row.n = 0; /* what was tried before was taken back */
    run->row.reply_seq = 0;
    run->row.session_n = run->session->row.n;
    return is_alert(run) ? alert_write(self, run) : store_run_put(&self->store, &run->row);
}

static void end_answer(struct agent *self, struct run *run)
{
    struct beat_answer answer = { .outcome = run->row.stop_reason,
                                  .reason = "",
                                  .text = is_alert(run) ? (struct span){ run->text.data, run->text.len }
                                                        : (struct span){ 0 },
                                  .channel = run->session->row.channel };
    struct failure failure = { .code = run->row.state == STORE_RUN_ABORTED ? FAIL_CANCELLED : FAIL_PROVIDER,
                               .message = span_from(run->row.state == STORE_RUN_ABORTED ? "the run was aborted"
                                                                                        : run->row.error) };

    if (run->row.state == STORE_RUN_DONE) {
        beat_answer(self, run->beat, &answer);
    } else {
        (void)actor_token_fail(self->actor, run->beat->token, &failure); /* the asker may be gone */
    }
}

static void run_remove(struct agent *self, struct run *run)
{
    struct beat *beat = run->beat;

    waits_end(self, &run->row);
    batch_untouch(self, run);
    book_run_remove(&self->book, run);
    beat_drop(self, beat);
    batch_due(self); /* others may have waited for it */
}

void beat_show_end(struct agent *self, struct run *run)
{
    if (!run->is_unsaved) {
        if (is_alert(run)) {
            show_alert(self, run);
        } else if (run->row.state == STORE_RUN_DONE && run->beat->in.shows_ok) {
            show_chat_end(self, run);
        }
        end_answer(self, run);
    }
    run_remove(self, run); /* `run` is gone from here on */
}

void beat_show_unsaved(struct agent *self, struct run *run)
{
    batch_untouch(self, run);
    (void)actor_token_fail_text(self->actor, run->beat->token, FAIL_STORAGE, "the answer could not be stored: %s",
                                store_problem(&self->store)); /* the asker may be gone */
    run->beat->token = (struct actor_token){ 0 };
}

/* --- the question ---------------------------------------------------------------------------------------------- */

struct reply_read {
    uint32_t seq;
    struct text_buf text;
    int rc;
};

static int reply_on_message(void *arg, const struct store_message *message)
{
    struct reply_read *self = arg;

    if (message->seq == self->seq) {
        self->rc = message_text_add(value_get(message->body, "content"), &self->text);
    }
    return 1;
}

/* One that ended before: in a life of whoever asks again that is over. */
static int ended_answer(struct agent *self, struct actor_ctx *ctx, const struct msg_agent_heartbeat *in,
                        const struct store_run *row)
{
    struct reply_read reply = { .seq = row->reply_seq };
    struct store_session session = { .channel = "" };
    struct msg_agent_heartbeat_done done = { .session_key = in->session_key,
                                             .outcome = span_from(row->stop_reason),
                                             .reason = SPAN_LIT("repeat"),
                                             .tasks = SPAN_LIT("\x90") };
    int rc = row->session_n ? store_session_get_n(&self->store, row->session_n, &session) : 0;

    if (!rc && row->reply_seq) {
        rc = store_messages_read(&self->store, row->session_n, row->reply_seq, reply_on_message, &reply);
        rc = rc ? rc : reply.rc;
    }
    done.text = reply.text.data ? (struct span){ reply.text.data, reply.text.len } : SPAN_LIT("");
    done.channel = span_from(session.channel);
    rc = rc ? handler_fail_storage(self, ctx, rc) : actor_reply(ctx, MSG_AGENT_HEARTBEAT_DONE, &done);
    text_buf_deinit(&reply.text);
    return rc;
}

/* Whose transcript it reads, and whether that is one of its own. */
static void session_name(struct beat *beat)
{
    struct span key = beat->in.session_key;
    size_t len = sizeof(ISOLATED_SUFFIX) - 1;
    bool is_own = key.len > len && memcmp(key.ptr + key.len - len, ISOLATED_SUFFIX, len) == 0;

    beat->session_key = key;
    if (beat->in.is_isolated && !is_own && key.len + len < sizeof(beat->isolated_key)) {
        (void)snprintf(beat->isolated_key, sizeof(beat->isolated_key), "%.*s" ISOLATED_SUFFIX, SPAN_FMT(key));
        beat->session_key = span_from(beat->isolated_key);
    }
}

static int beat_add(struct agent *self, struct actor_ctx *ctx)
{
    struct beat *beat = mem_new(sizeof(*beat));
    int rc = text_buf_add(&beat->body, actor_ctx_body(ctx));

    pack_init(&beat->tasks, 65536);
    pack_array_begin(&beat->tasks);
    if (!rc) {
        rc = codec_decode(MSG_AGENT_HEARTBEAT->type, (struct span){ beat->body.data, beat->body.len }, &beat->in, NULL);
    }
    if (rc) {
        beat_free(beat);
        return FAULT_FOLD(rc);
    }
    session_name(beat);
    beat->trace = actor_ctx_trace(ctx);
    beat->token = actor_defer(ctx, beat);
    beat->next = self->beats;
    self->beats = beat;
    batch_due(self);
    return 0;
}

int on_agent_heartbeat(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_heartbeat *in = msg;
    struct beat *beat = beat_find(self, in->run_id);
    size_t beats_n = 0;
    struct store_run row;
    int rc;

    if (beat) { /* whoever asked first has gone: it would not ask twice */
        beat->token = actor_defer(ctx, beat);
        return 0;
    }
    rc = store_run_get(&self->store, in->run_id, &row);
    if (rc != STORE_E_ABSENT) {
        return rc ? handler_fail_storage(self, ctx, rc)
               : row.kind == STORE_RUN_HEARTBEAT
                   ? ended_answer(self, ctx, in, &row)
                   : actor_fail(ctx, FAIL_INVALID_REQUEST, "the id is that of another run");
    }
    for (beat = self->beats; beat; beat = beat->next) {
        beats_n++;
    }
    if (beats_n >= BEATS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "too many heartbeats of this agent wait");
    }
    return beat_add(self, ctx);
}
