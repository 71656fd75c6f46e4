/*
 * batch_fail: the database took no write. Whoever waits for it hears so, and it is tried again.
 */
#include <stdio.h>

#include "actors/agent/agent_state.h"
#include "bus/base/log.h"
#include "schema_gen.h"

#define UNSAVED_RETRY_MS 1000

static void failure_make(struct agent *self, struct failure *failure, char text[FAILURE_MESSAGE_MAX])
{
    int len =
        snprintf(text, FAILURE_MESSAGE_MAX, "nothing was stored: %s (%s)", store_problem(&self->store), self->path);

    *failure = (struct failure){
        .code = FAIL_STORAGE,
        .message = { text, len < FAILURE_MESSAGE_MAX ? (size_t)len : FAILURE_MESSAGE_MAX - 1 },
        .retryable = true,
        .retry_after_ms = UNSAVED_RETRY_MS,
    };
}

static void run_forget(struct agent *self, struct run *run, const struct failure *failure)
{
    provider_turn_cancel(&run->turn);
    while (run->askers) {
        (void)actor_token_fail(self->actor, run->askers->token, failure); /* the asker may be gone */
        run_asker_remove(run, run->askers);
    }
    batch_untouch(self, run);
    book_run_remove(&self->book, run);
}

/* The rows of sessions in memory go back to what is stored, or to that they are not. */
static void sessions_reload(struct agent *self)
{
    for (struct session *session = zhashx_first(self->book.sessions); session;
         session = zhashx_next(self->book.sessions)) {
        struct store_session row;

        int rc = session->row.n ? store_session_get_n(&self->store, session->row.n, &row) : 1;

        if (rc == 0) {
            session->row = row;
        } else if (rc == STORE_E_ABSENT) { /* it began in the batch, and a heartbeat goes on in it */
            session->row.n = 0;
            session->row.messages_n = 0;
        }
    }
}

static void runs_fail(struct agent *self, const struct failure *failure)
{
    zlistx_t *runs = zhashx_values(self->book.runs);

    for (struct run *run = zlistx_first(runs); run; run = zlistx_next(runs)) {
        if (run->is_unstored) {
            run_forget(self, run, failure);
        } else if (run->phase == RUN_ENDING && !run->is_unsaved) {
            run->is_unsaved = true;
            show_unsaved(self, run);
        }
    }
    zlistx_destroy(&runs);
}

/* Told once, however many ask meanwhile; see batch_probe for its end. */
static void trouble_note(struct agent *self, const char *text)
{
    if (!self->store_trouble[0]) {
        log_error("agent_store_failing",
                  "file=%s problem=\"%s\" fix=\"make room or check the disk; it is tried again "
                  "every second\"",
                  self->path, store_problem(&self->store));
    }
    (void)snprintf(self->store_trouble, sizeof(self->store_trouble), "%s (%.200s)", store_problem(&self->store),
                   self->path);
    actor_status(self->actor, text);
}

int batch_probe(struct agent *self)
{
    int rc = self->store_trouble[0] ? store_probe(&self->store, self->path) : 0;

    if (rc) {
        return rc < 0 ? rc : FAIL_STORAGE;
    }
    if (self->store_trouble[0]) {
        log_info("agent_store_recovered", "file=%s", self->path);
        self->store_trouble[0] = '\0';
    }
    actor_status(self->actor, "");
    return 0;
}

void batch_retry_later(struct agent *self)
{
    self->unsaved_due_ms = uv_now(actor_loop(self->actor)) + UNSAVED_RETRY_MS;
    waits_arm(self);
}

int batch_fail(struct agent *self, int rc)
{
    char text[FAILURE_MESSAGE_MAX];
    struct failure failure;

    if (rc < 0) {
        return rc;
    }
    failure_make(self, &failure, text);
    trouble_note(self, text);
    store_batch_rollback(&self->store);
    batch_acks_fail(self, &failure);
    runs_fail(self, &failure);
    sessions_reload(self);
    (void)ask_notes_load(self);                                  /* what cannot be read now is there in the next life */
    (void)store_sessions_count(&self->store, &self->sessions_n); /* the old count is the better guess */
    batch_retry_later(self);
    return FAIL_STORAGE;
}
