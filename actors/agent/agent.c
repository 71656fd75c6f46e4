/*
 * agent: one agent: its sessions, transcripts and runs, and its talk with the provider.
 *
 * Accepts    chat.send chat.history chat.abort agent agent.wait sessions.describe
 *            sessions.preview (from router, with the whole session key), agent_run
 *            agent_embed agent_sessions agent_run_find agent_status agent_note agent_heartbeat
 *            config_update; topic: edge_watching
 * Publishes  agent chat session.message sessions.changed
 * Follows    agents.* and models.providers of the config
 * Stores     <state>/db/agent-<id>.sqlite
 * On restart every run that had not ended is run again from its committed message;
 * completions over HTTP are not, as their asker has been told of the crash, nor are
 * heartbeats, which their asker asks for again.
 */
#include "actors/agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/embed.h"
#include "actors/agent/intake.h"
#include "schema/base/db_problem.h"
#include "schema_gen.h"

/* --- routes and life ---------------------------------------------------------------------------------------------- */

/* Of an edge. */
static int on_edge_watching(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_edge_watching *in = msg;
    struct agent *self = arg;

    watchers_note(&self->watchers, actor_ctx_from(ctx), in->is_watching);
    return 0;
}

static const struct actor_route agent_routes[] = {
    { .msg = MSG_CHAT_SEND, .on = on_chat_send },
    { .msg = MSG_CHAT_ABORT, .on = on_chat_abort },
    { .msg = MSG_CHAT_HISTORY, .on = on_chat_history },
    { .msg = MSG_AGENT, .on = on_agent },
    { .msg = MSG_AGENT_WAIT, .on = on_agent_wait },
    { .msg = MSG_SESSIONS_PREVIEW, .on = on_sessions_preview },
    { .msg = MSG_SESSIONS_DESCRIBE, .on = on_sessions_describe },
    { .msg = MSG_AGENT_RUN, .on = on_agent_run },
    { .msg = MSG_AGENT_EMBED, .on = on_agent_embed },
    { .msg = MSG_AGENT_SESSIONS, .on = on_agent_sessions },
    { .msg = MSG_AGENT_RUN_FIND, .on = on_agent_run_find },
    { .msg = MSG_AGENT_STATUS, .on = on_agent_status },
    { .msg = MSG_METRICS_READ, .on = on_metrics_read },
    { .msg = MSG_AGENT_NOTE, .on = on_agent_note },
    { .msg = MSG_CONFIG_UPDATE, .on = on_config_update },
    { .msg = MSG_AGENT_HEARTBEAT, .on = on_agent_heartbeat },
};
enum { METHODS_N = 7 }; /* of the protocol; they are the router's in schema/ */
_Static_assert(ARRAY_LEN(agent_routes) == AGENT_ACCEPTS_N + METHODS_N, "agent: routes, schema differ");

static const struct actor_route agent_topics[] = {
    { .msg = MSG_EDGE_WATCHING, .on = on_edge_watching },
};

/* The id is the last part of the address. */
static int id_read(struct agent *self)
{
    const char *address = actor_address(self->actor);
    const char *slash = strchr(address, '/');
    size_t len = slash ? strlen(slash + 1) : 0;

    if (!len || len >= sizeof(self->id) ||
        strspn(slash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != len) {
        return FAULT(-EINVAL);
    }
    memcpy(self->id, slash + 1, len + 1);
    return 0;
}

/* Says which file it is, and what to do. A fault. */
static int store_unusable(struct agent *self, int rc)
{
    char text[sizeof(self->path) + 320];
    int fault = rc < 0 ? rc : FAULT(rc == STORE_E_NEWER ? -EPROTONOSUPPORT : -EAGAIN);
    const char *problem = *store_problem(&self->store) ? store_problem(&self->store) : db_problem_text(fault);

    (void)snprintf(text, sizeof(text), "%s: %s; %s", self->path, problem, db_problem_fix(fault));
    actor_status(self->actor, text);
    return fault;
}

/* Damage may show only when the rows are read. */
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
    store_log_name(self->path, self->syncer.path, sizeof(self->syncer.path));
    rc = store_open(&self->store, self->path);
    rc = rc ? rc : store_sessions_count(&self->store, &self->sessions_n);
    rc = rc ? rc : ask_notes_load(self);
    if (rc) {
        return store_unusable(self, rc);
    }
    rc = turn_resume(self);
    return rc == -EUCLEAN ? store_unusable(self, rc) : rc;
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
        self->converts.loop = actor_loop(actor);
        provider_engine_init(&self->engine, actor_loop(actor));
        self->is_engine_open = true;
    }
    if (!rc) {
        book_init(&self->book, self);
        rc = store_start(self);
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
    setup_close(self);
    show_deinit(self);
    intake_close(self);
    embed_close(self);
    waits_close(self);
    batch_close(self);
    book_deinit(&self->book);
    beats_deinit(self);
    notes_deinit(&self->notes);
    if (self->is_engine_open) {
        provider_engine_deinit(&self->engine);
    }
    store_close(&self->store);
    settings_deinit(&self->settings);
    pack_deinit(&self->scratch);
}

static void agent_on_cancel(void *state, struct actor *actor, void *cookie)
{
    (void)actor;
    if (!embed_cancel(state, cookie)) {
        show_cancel(state, cookie);
    }
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
    rc = batch_settle(self);
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
    .is_ready_late = true, /* with its settings */
};
