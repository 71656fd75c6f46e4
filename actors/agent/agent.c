/*
 * agent: one agent: its sessions, transcripts and runs, and its talk with the provider.
 *
 * Accepts    chat.send chat.history chat.abort agent agent.wait sessions.describe
 *            sessions.preview (from router, with the whole session key), agent_run
 *            agent_sessions agent_run_find agent_status
 * Publishes  agent chat session.message sessions.changed
 * Asks       config (config_read models.providers and agents)
 * Stores     <state>/db/agent-<id>.sqlite
 * On restart every run that had not ended is run again from its committed message;
 * completions over HTTP are not, as their asker has been told of the crash.
 */
#include "actors/agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/ids.h"
#include "actors/agent/message.h"
#include "actors/agent/replies.h"
#include "actors/agent/transcript.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema_gen.h"

#define SESSIONS_LIMIT_DEFAULT 100U
#define PREVIEW_LIMIT_DEFAULT 12U
#define PREVIEW_LIMIT_MAX 50U
#define PREVIEW_CHARS_DEFAULT 240U
#define PREVIEW_CHARS_MAX 8000U
#define TITLE_CHARS_MAX 80U

/* --- helpers -------------------------------------------------------------------------------- */

static int fail_storage(struct agent *self, struct actor_ctx *ctx, int rc)
{
    return rc < 0 ? rc : actor_fail(ctx, FAIL_STORAGE, "the database of the agent failed: %s", store_problem(&self->store));
}

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

static int session_find(struct agent *self, struct span key, struct store_session *ret_row)
{
    struct session *session = book_session_find(&self->book, key);

    if (session) {
        *ret_row = session->row;
        return 0;
    }
    return store_session_get(&self->store, key, ret_row);
}

static int reply_scratch(struct agent *self, struct actor_ctx *ctx)
{
    int rc = pack_error(&self->scratch);

    if (rc == -E2BIG) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the answer is too large; ask for less");
    }
    return rc ? rc : actor_reply_span(ctx, pack_span(&self->scratch));
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

static int on_chat_send(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_chat_send *in = msg;
    struct question question = { .kind = STORE_RUN_CHAT,
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

static int on_chat_abort(void *arg, struct actor_ctx *ctx, const void *msg)
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
        struct failure failure = { .code = FAIL_PROVIDER, .message = span_from(row->error) };

        reply_agent_failed_pack(&self->scratch, row);
        failure.details = pack_span(&self->scratch);
        return actor_fail_with(ctx, &failure);
    }
    rc = show_reply_pack(self, row, &self->scratch);
    return rc ? fail_storage(self, ctx, rc) : reply_scratch(self, ctx);
}

static void prompt_keep(struct run *run, struct span prompt)
{
    if (prompt.len && !run->system_prompt) {
        run->system_prompt = mem_text(prompt.ptr, prompt.len);
    }
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

static int on_agent(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent *in = msg;
    char ref[STORE_NAME_MAX];
    struct question question = { .kind = STORE_RUN_AGENT,
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
        prompt_keep(run, in->extra_system_prompt);
    }
    asker = run_asker_add(run, ASKER_AGENT);
    asker->token = actor_defer(ctx, asker);
    return batch_ack_accepted(self, asker->token, span_from(run->row.id), run->row.created_ms);
}

/* --- agent_run ---------------------------------------------------------------------------------------- */

static uint32_t talk_count(struct span messages)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t count = 0;

    while (value_next(&it, &key, &message)) {
        struct span role = value_str(value_get(message, "role"), SPAN_LIT(""));

        count += !span_is_text(role, "system") && !span_is_text(role, "developer");
    }
    return count;
}

static bool content_is_plain(struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    while (value_next(&it, &key, &part)) {
        if (!span_is_text(value_str(value_get(part, "type"), SPAN_LIT("")), "text")) {
            return false;
        }
    }
    return true;
}

static int prompts_keep(struct run *run, struct span messages)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;

    while (value_next(&it, &key, &message)) {
        struct span role = value_str(value_get(message, "role"), SPAN_LIT(""));
        int rc = 0;

        if (span_is_text(role, "user") || span_is_text(role, "assistant")) {
            continue;
        }
        if (text.len) {
            rc = text_buf_add(&text, SPAN_LIT("\n"));
        }
        if (!rc) {
            rc = message_text_add(value_get(message, "content"), &text);
        }
        if (rc) {
            return rc;
        }
    }
    prompt_keep(run, (struct span){ text.data, text.len });
    return 0;
}

/*
 * One message of a person goes behind what the session holds, like one of chat.send. A
 * whole conversation is the asker's own: the provider gets exactly that.
 */
static int question_keep(struct run *run, const struct msg_agent_run *in)
{
    struct span last = message_last(in->messages, "user");

    run->max_tokens = in->has_max_tokens ? in->max_tokens : 0;
    run->has_temperature = in->has_temperature;
    run->temperature = in->temperature;
    run->has_top_p = in->has_top_p;
    run->top_p = in->top_p;
    if (in->has_stop && text_buf_add(&run->stop, in->stop)) {
        return FAULT(-ENOMEM);
    }
    if (talk_count(in->messages) == 1 && content_is_plain(value_get(last, "content"))) {
        return prompts_keep(run, in->messages);
    }
    return text_buf_add(&run->question, in->messages);
}

static int ended_completion(struct agent *self, struct actor_ctx *ctx, const struct store_run *row, struct span key)
{
    struct span text;
    struct span result;
    struct span meta;
    struct msg_run_done done;
    struct value_iter it;
    struct span unused;
    struct span payload = { 0 };
    int rc;

    if (row->state != STORE_RUN_DONE) {
        return actor_fail(ctx, row->state == STORE_RUN_ABORTED ? FAIL_CANCELLED : FAIL_PROVIDER, "%s",
                          row->state == STORE_RUN_ABORTED ? "the run was aborted" : row->error);
    }
    pack_reset(&self->scratch);
    rc = show_reply_pack(self, row, &self->scratch);
    if (rc) {
        return fail_storage(self, ctx, rc);
    }
    result = value_get(pack_span(&self->scratch), "result");
    it = value_iter(value_get(result, "payloads"));
    (void)value_next(&it, &unused, &payload); /* none when the answer was empty */
    text = value_str(value_get(payload, "text"), SPAN_LIT(""));
    meta = value_path(result, "meta.agentMeta");
    done = (struct msg_run_done){
        .run_id = span_from(row->id),
        .session_key = key,
        .agent_id = span_from(self->id),
        .provider = value_str(value_get(meta, "provider"), SPAN_LIT("")),
        .model = value_str(value_get(meta, "model"), SPAN_LIT("")),
        .finish_reason = span_from(row->stop_reason),
        .has_text = true,
        .text = text,
        .usage = { .input = (uint64_t)value_i64(value_path(meta, "usage.input"), 0),
                   .output = (uint64_t)value_i64(value_path(meta, "usage.output"), 0),
                   .total = (uint64_t)value_i64(value_path(meta, "usage.total"), 0) },
    };
    return actor_reply(ctx, MSG_RUN_DONE, &done);
}

static int completion_ask(struct agent *self, struct actor_ctx *ctx, const struct msg_agent_run *in, struct span text)
{
    char id[IDS_UUID_MAX];
    struct question question = { .kind = STORE_RUN_COMPLETION,
                                 .session_key = in->session_key,
                                 .id = in->idempotency_key,
                                 .text = text,
                                 .channel = in->has_channel ? in->channel : (struct span){ 0 },
                                 .model = in->has_model ? in->model : (struct span){ 0 },
                                 .timeout_ms = in->has_timeout_ms ? in->timeout_ms : 0 };
    struct store_run ended;
    struct asker *asker;
    struct run *run;
    int rc;

    if (!in->has_idempotency_key) {
        ids_uuid(id);
        question.id = span_from(id);
    }
    rc = admit(self, &question, &run, &ended);
    if (rc == ADMIT_E_ENDED) {
        return ended_completion(self, ctx, &ended, in->session_key);
    }
    if (rc && rc != ADMIT_E_REPEAT) {
        return fail_admit(self, ctx, rc);
    }
    if (!rc) {
        rc = question_keep(run, in);
        if (rc) {
            return rc;
        }
    }
    asker = run_asker_add(run, ASKER_COMPLETION);
    asker->token = actor_defer(ctx, asker);
    asker->is_streaming = actor_stream_credit(self->actor, asker->token) > 0;
    batch_touch(self, run); /* one that repeats gets what there is already */
    return 0;
}

static int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_agent_run *in = msg;
    struct span content = value_get(message_last(in->messages, "user"), "content");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int rc = message_text_add(content, &text);
    struct span said = { text.data, text.len };

    if (rc) {
        return rc;
    }
    if (!in->has_session_key) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "the session key is missing");
    }
    if (!said.len && content_is_plain(content)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "Missing user message in `messages`.");
    }
    if (said.len && memchr(said.ptr, 0, said.len)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "message must not contain null bytes");
    }
    return completion_ask(arg, ctx, in, said);
}

/* --- reading ------------------------------------------------------------------------------------------ */

static uint32_t limit_of(bool has, uint64_t limit, uint32_t fallback, uint32_t most)
{
    if (!has) {
        return fallback;
    }
    return limit > most ? most : (uint32_t)limit;
}

static int on_chat_history(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_chat_history *in = msg;
    struct transcript_limits limits = {
        .messages_max = limit_of(in->has_limit, in->limit, TRANSCRIPT_LIMIT_DEFAULT, TRANSCRIPT_LIMIT_MAX),
        .bytes_max = TRANSCRIPT_BYTES_MAX,
        .chars_max = in->has_max_chars ? (size_t)in->max_chars : TRANSCRIPT_CHARS_DEFAULT,
    };
    struct store_session row = { 0 };
    int rc = session_find(self, in->session_key, &row);

    if (rc && rc != STORE_E_ABSENT) {
        return fail_storage(self, ctx, rc);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "sessionKey", in->session_key);
    if (!rc) {
        pack_kv_text(&self->scratch, "sessionId", row.id);
    }
    pack_key(&self->scratch, "messages");
    rc = transcript_history_pack(&self->store, row.n, row.messages_n, &limits, &self->scratch);
    pack_kv_text(&self->scratch, "thinkingLevel", "off");
    pack_map_end(&self->scratch);
    return rc ? fail_storage(self, ctx, rc) : reply_scratch(self, ctx);
}

static int preview_pack(struct agent *self, struct span key, uint32_t limit, size_t chars_max)
{
    struct store_session row = { 0 };
    int rc = session_find(self, key, &row);

    if (rc && rc != STORE_E_ABSENT) {
        return rc;
    }
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "key", key);
    pack_kv_text(&self->scratch, "status", rc ? "missing" : row.messages_n ? "ok" : "empty");
    pack_key(&self->scratch, "items");
    rc = transcript_preview_pack(&self->store, row.n, row.messages_n, limit, chars_max, &self->scratch);
    pack_map_end(&self->scratch);
    return rc;
}

static int on_sessions_preview(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_sessions_preview *in = msg;
    uint32_t limit = limit_of(in->has_limit, in->limit, PREVIEW_LIMIT_DEFAULT, PREVIEW_LIMIT_MAX);
    uint32_t chars_max = limit_of(in->has_max_chars, in->max_chars, PREVIEW_CHARS_DEFAULT, PREVIEW_CHARS_MAX);
    struct value_iter it = value_iter(in->keys);
    struct span unused;
    struct span key;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_i64(&self->scratch, "ts", clock_wall_ms());
    pack_key(&self->scratch, "previews");
    pack_array_begin(&self->scratch);
    while (value_next(&it, &unused, &key)) {
        int rc = preview_pack(self, value_str(key, SPAN_LIT("")), limit, chars_max);

        if (rc) {
            return fail_storage(self, ctx, rc);
        }
    }
    pack_array_end(&self->scratch);
    pack_map_end(&self->scratch);
    return reply_scratch(self, ctx);
}

/* --- rows of sessions -------------------------------------------------------------------------------------- */

struct first_text {
    struct text_buf text;
    const char *role; /* NULL: of anyone */
    size_t chars_max;
    int rc;
};

static int first_on_message(void *arg, const struct store_message *message)
{
    struct first_text *self = arg;
    struct span role = value_str(value_get(message->body, "role"), SPAN_LIT(""));

    if (self->role && !span_is_text(role, self->role)) {
        return 0;
    }
    self->rc = message_text_add(value_get(message->body, "content"), &self->text);
    return self->rc || self->text.len;
}

/* Adds `key` with the newest text up to `seq_max`, when there is one. */
static int text_add(struct agent *self, const struct store_session *row, uint32_t seq_max, const char *key,
                    const char *role, size_t chars_max)
{
    struct first_text first = { .role = role, .chars_max = chars_max };
    struct span text;
    int rc = store_messages_read(&self->store, row->n, seq_max, first_on_message, &first);

    if (!rc) {
        rc = first.rc;
    }
    text = transcript_text_cut((struct span){ first.text.data, first.text.len }, chars_max);
    if (!rc && text.len) {
        pack_kv_str(&self->scratch, key, text);
    }
    text_buf_deinit(&first.text);
    return rc;
}

struct row_wish {
    struct agent *agent;
    bool has_title;
    bool has_last;
    bool has_active;
};

static int row_pack(const struct row_wish *wish, const struct store_session *row)
{
    struct agent *self = wish->agent;
    struct session *session = book_session_find(&self->book, span_from(row->key));
    int rc = 0;

    events_session_row_begin(&self->scratch, row, &self->settings);
    if (wish->has_title) {
        rc = text_add(self, row, 1, "derivedTitle", "user", TITLE_CHARS_MAX); /* the first message names it */
    }
    if (!rc && wish->has_last) {
        rc = text_add(self, row, row->messages_n, "lastMessagePreview", NULL, PREVIEW_CHARS_DEFAULT);
    }
    if (wish->has_active) {
        pack_kv_bool(&self->scratch, "hasActiveRun", session != NULL);
    }
    pack_map_end(&self->scratch);
    return rc;
}

static int on_sessions_describe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_sessions_describe *in = msg;
    struct row_wish wish = { .agent = self,
                             .has_title = in->has_include_derived_titles && in->include_derived_titles,
                             .has_last = in->has_include_last_message && in->include_last_message };
    struct store_session row;
    int rc = session_find(self, in->key, &row);

    if (rc && rc != STORE_E_ABSENT) {
        return fail_storage(self, ctx, rc);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_key(&self->scratch, "session");
    if (rc) {
        pack_nil(&self->scratch);
        rc = 0;
    } else {
        rc = row_pack(&wish, &row);
    }
    pack_map_end(&self->scratch);
    return rc ? fail_storage(self, ctx, rc) : reply_scratch(self, ctx);
}

static int row_on_session(void *arg, const struct store_session *row)
{
    return row_pack(arg, row);
}

static void defaults_pack(const struct agent *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "modelProvider", self->settings.provider);
    pack_kv_text(out, "model", self->settings.model);
    pack_kv_u64(out, "contextTokens", self->settings.context_tokens);
    events_thinking(out);
    pack_map_end(out);
}

static int on_agent_sessions(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_sessions *in = msg;
    struct row_wish wish = { .agent = self,
                             .has_title = in->has_include_derived_titles && in->include_derived_titles,
                             .has_last = in->has_include_last_message && in->include_last_message,
                             .has_active = true };
    struct store_filter filter = {
        .updated_min_ms = in->has_active_minutes ? clock_wall_ms() - (int64_t)in->active_minutes * 60000 : 0,
        .search = in->has_search ? in->search : (struct span){ 0 },
        .label = in->has_label ? in->label : (struct span){ 0 },
        .key = in->has_key ? in->key : (struct span){ 0 },
        .limit = in->has_limit ? in->limit : SESSIONS_LIMIT_DEFAULT,
    };
    struct msg_agent_session_rows rows = { .agent_id = span_from(self->id), .path = span_from(self->path) };
    CLEANUP(pack_deinit) struct pack defaults;
    int rc;

    pack_init(&defaults, 0);
    defaults_pack(self, &defaults);
    pack_reset(&self->scratch);
    pack_array_begin(&self->scratch);
    rc = store_sessions_list(&self->store, &filter, row_on_session, &wish, &rows.total);
    pack_array_end(&self->scratch);
    if (rc || pack_error(&self->scratch) || pack_error(&defaults)) {
        return rc > 0 ? fail_storage(self, ctx, rc) : rc ? rc : FAULT(-ENOMEM);
    }
    rows.rows = pack_span(&self->scratch);
    rows.defaults = pack_span(&defaults);
    return actor_reply(ctx, MSG_AGENT_SESSION_ROWS, &rows);
}

/* --- runs and health ------------------------------------------------------------------------------------------ */

static int on_agent_run_find(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_run_find *in = msg;
    struct run *run = book_run_find(&self->book, in->run_id);
    struct msg_agent_run_found found = { .is_known = true, .has_state = true, .has_session_key = true };
    struct store_session session;
    struct store_run row;
    int rc = 0;

    if (!run) {
        rc = store_run_get(&self->store, in->run_id, &row);
        rc = rc ? rc : store_session_get_n(&self->store, row.session_n, &session);
    }
    if (rc == STORE_E_ABSENT) {
        return actor_reply(ctx, MSG_AGENT_RUN_FOUND, &(struct msg_agent_run_found){ .is_known = false });
    }
    if (rc) {
        return fail_storage(self, ctx, rc);
    }
    found.state = span_from(store_run_state_name(run ? run->row.state : row.state));
    found.session_key = span_from(run ? run->session->row.key : session.key);
    return actor_reply(ctx, MSG_AGENT_RUN_FOUND, &found);
}

static int on_agent_status(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    struct msg_agent_state state = {
        .agent_id = span_from(self->id),
        .provider = span_from(self->settings.provider),
        .model = span_from(self->settings.model),
        .sessions_n = self->sessions_n,
        .runs_active = self->book.active_n,
        .runs_queued = self->book.waiting_n,
        .has_last_ok_at = self->last_ok_ms != 0,
        .last_ok_at = self->last_ok_ms,
        .has_last_error_at = self->last_error_ms != 0,
        .last_error_at = self->last_error_ms,
        .has_last_error = self->last_error_ms != 0,
        .last_error = span_from(self->last_error),
        .store_error = span_from(self->unsaved_due_ms ? store_problem(&self->store) : ""),
    };

    (void)msg;
    return actor_reply(ctx, MSG_AGENT_STATE, &state);
}

/* --- routes and life ---------------------------------------------------------------------------------------------- */

static const struct actor_route agent_routes[] = {
    { .msg = MSG_CHAT_SEND, .on = on_chat_send },
    { .msg = MSG_CHAT_ABORT, .on = on_chat_abort },
    { .msg = MSG_CHAT_HISTORY, .on = on_chat_history },
    { .msg = MSG_AGENT, .on = on_agent },
    { .msg = MSG_AGENT_WAIT, .on = on_agent_wait },
    { .msg = MSG_SESSIONS_PREVIEW, .on = on_sessions_preview },
    { .msg = MSG_SESSIONS_DESCRIBE, .on = on_sessions_describe },
    { .msg = MSG_AGENT_RUN, .on = on_agent_run },
    { .msg = MSG_AGENT_SESSIONS, .on = on_agent_sessions },
    { .msg = MSG_AGENT_RUN_FIND, .on = on_agent_run_find },
    { .msg = MSG_AGENT_STATUS, .on = on_agent_status },
};
enum { METHODS_N = 7 }; /* of the protocol; they are the router's in schema/ */
_Static_assert(ARRAY_LEN(agent_routes) == AGENT_ACCEPTS_N + METHODS_N, "agent: routes, schema differ");

static const struct actor_route agent_topics[] = {
    { .msg = MSG_CONFIG_CHANGED, .on = on_config_changed },
};

/* The id is the last part of the address. */
static int id_read(struct agent *self)
{
    const char *address = actor_address(self->actor);
    const char *slash = strchr(address, '/');
    size_t len = slash ? strlen(slash + 1) : 0;

    if (!len || len >= sizeof(self->id) || strspn(slash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len) {
        return FAULT(-EINVAL);
    }
    memcpy(self->id, slash + 1, len + 1);
    return 0;
}

static int store_start(struct agent *self)
{
    const char *state_dir = getenv("OPENCLAW_STATE_DIR");
    char dir[sizeof(self->path) - 128];
    int rc;

    if (!state_dir || snprintf(dir, sizeof(dir), "%s/db", state_dir) >= (int)sizeof(dir)) {
        return FAULT(-ENOENT);
    }
    if (mkdir(dir, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    (void)snprintf(self->path, sizeof(self->path), "%s/agent-%s.sqlite", dir, self->id);
    rc = store_open(&self->store, self->path);
    if (rc) {
        char text[sizeof(self->path) + 320];

        (void)snprintf(text, sizeof(text), "%s: %s", self->path, store_problem(&self->store));
        log_error("agent_store_unusable", "%s", text);
        actor_status(self->actor, text);
        return rc < 0 ? rc : FAULT(rc == STORE_E_NEWER ? -EPROTONOSUPPORT : -EAGAIN);
    }
    return FAULT_FOLD(store_sessions_count(&self->store, &self->sessions_n));
}

static int agent_init(void *state, struct actor *actor, const char *arg)
{
    struct agent *self = state;
    int rc;

    (void)arg;
    self->actor = actor;
    pack_init(&self->scratch, 0);
    rc = id_read(self);
    if (!rc) {
        rc = batch_open(self);
    }
    if (!rc) {
        rc = waits_open(self);
    }
    if (!rc) {
        rc = provider_engine_init(&self->engine, actor_loop(actor));
        self->is_engine_open = true;
    }
    if (!rc) {
        book_init(&self->book, self);
        rc = store_start(self);
    }
    if (!rc) {
        rc = turn_resume(self);
    }
    return rc ? rc : setup_open(self);
}

static void agent_deinit(void *state, struct actor *actor)
{
    struct agent *self = state;

    (void)actor;
    if (self->book.runs) {
        for (struct run *run = zhashx_first(self->book.runs); run; run = zhashx_next(self->book.runs)) {
            provider_turn_cancel(&run->turn);
        }
    }
    show_deinit(self);
    waits_close(self);
    batch_close(self);
    book_deinit(&self->book);
    if (self->is_engine_open) {
        provider_engine_deinit(&self->engine);
    }
    store_close(&self->store);
    settings_deinit(&self->settings);
    text_buf_deinit(&self->settings_providers);
    text_buf_deinit(&self->settings_agents);
    pack_deinit(&self->scratch);
}

static void agent_on_cancel(void *state, struct actor *actor, void *cookie)
{
    (void)actor;
    show_cancel(state, cookie);
}

static void agent_on_credit(void *state, struct actor *actor, void *cookie)
{
    (void)actor;
    show_credit(state, cookie);
}

static void agent_on_stop(void *state, struct actor *actor)
{
    struct agent *self = state;
    int rc;

    self->is_stopping = true;
    rc = store_batch_commit(&self->store);
    rc = rc ? rc : turn_park(self);
    if (rc) {
        log_warning("agent_not_parked", "agent=%s problem=\"%s\"", self->id, store_problem(&self->store));
    }
    actor_stop(actor);
}

const struct actor_def agent_actor = {
    .name = "agent",
    .state_size = sizeof(struct agent),
    .routes = agent_routes,
    .routes_n = ARRAY_LEN(agent_routes),
    .topics = agent_topics,
    .topics_n = ARRAY_LEN(agent_topics),
    .init = agent_init,
    .deinit = agent_deinit,
    .on_cancel = agent_on_cancel,
    .on_credit = agent_on_credit,
    .on_stop = agent_on_stop,
};
