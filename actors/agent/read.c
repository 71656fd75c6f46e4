#include "actors/agent/agent_state.h"
#include "actors/agent/message.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema_gen.h"

#define SESSIONS_LIMIT_DEFAULT 100U
#define PREVIEW_LIMIT_DEFAULT 12U
#define PREVIEW_LIMIT_MAX 50U
#define PREVIEW_CHARS_DEFAULT 240U
#define PREVIEW_CHARS_MAX 8000U
#define TITLE_CHARS_MAX 80U

int handler_fail_storage(struct agent *self, struct actor_ctx *ctx, int rc)
{
    return rc < 0 ? rc
                  : actor_fail(ctx, FAIL_STORAGE, "the database of the agent failed: %s", store_problem(&self->store));
}

int handler_reply_scratch(struct agent *self, struct actor_ctx *ctx)
{
    int rc = pack_error(&self->scratch);

    if (rc == -E2BIG) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the answer is too large; ask for less");
    }
    return rc ? rc : actor_reply_span(ctx, pack_span(&self->scratch));
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

/* --- reading ------------------------------------------------------------------------------------------ */

static uint32_t limit_of(bool has, uint64_t limit, uint32_t fallback, uint32_t most)
{
    if (!has) {
        return fallback;
    }
    return limit > most ? most : (uint32_t)limit;
}

int on_chat_history(void *arg, struct actor_ctx *ctx, const void *msg)
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
        return handler_fail_storage(self, ctx, rc);
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
    return rc ? handler_fail_storage(self, ctx, rc) : handler_reply_scratch(self, ctx);
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

int on_sessions_preview(void *arg, struct actor_ctx *ctx, const void *msg)
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
            return handler_fail_storage(self, ctx, rc);
        }
    }
    pack_array_end(&self->scratch);
    pack_map_end(&self->scratch);
    return handler_reply_scratch(self, ctx);
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

    if ((self->role && !span_is_text(role, self->role)) || transcript_is_hidden(message->body)) {
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
    text = utf8_cut_chars((struct span){ first.text.data, first.text.len }, chars_max);
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

int on_sessions_describe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_sessions_describe *in = msg;
    struct row_wish wish = { .agent = self,
                             .has_title = in->has_include_derived_titles && in->include_derived_titles,
                             .has_last = in->has_include_last_message && in->include_last_message };
    struct store_session row;
    int rc = session_find(self, in->key, &row);

    if (rc && rc != STORE_E_ABSENT) {
        return handler_fail_storage(self, ctx, rc);
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
    return rc ? handler_fail_storage(self, ctx, rc) : handler_reply_scratch(self, ctx);
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

int on_agent_sessions(void *arg, struct actor_ctx *ctx, const void *msg)
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
        return rc > 0 ? handler_fail_storage(self, ctx, rc) : rc ? rc : FAULT(-ENOMEM);
    }
    rows.rows = pack_span(&self->scratch);
    rows.defaults = pack_span(&defaults);
    return actor_reply(ctx, MSG_AGENT_SESSION_ROWS, &rows);
}

/* --- runs and health ------------------------------------------------------------------------------------------ */

int on_agent_run_find(void *arg, struct actor_ctx *ctx, const void *msg)
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
        return handler_fail_storage(self, ctx, rc);
    }
    found.state = span_from(store_run_state_name(run ? run->row.state : row.state));
    found.session_key = span_from(run ? run->session->row.key : session.key);
    return actor_reply(ctx, MSG_AGENT_RUN_FOUND, &found);
}

int on_agent_status(void *arg, struct actor_ctx *ctx, const void *msg)
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
        .store_error = span_from(self->store_trouble),
    };

    (void)msg;
    return actor_reply(ctx, MSG_AGENT_STATE, &state);
}
