#include "actors/agent/previous.h"

#include <stdio.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/ids.h"
#include "schema_gen.h"

struct earlier {
    struct store_run run;
    struct store_session session;
    struct session *in_book; /* NULL: nothing of the session is under way */
    bool is_stored;          /* it has ended, and that is in the store or in the batch */
};

static int sort(int rc)
{
    return rc <= 0 ? rc : rc == STORE_E_ABSENT ? PREVIOUS_E_ABSENT : PREVIOUS_E_STORE;
}

static int earlier_find(struct agent *self, struct span id, struct earlier *ret)
{
    struct run *run = book_run_find(&self->book, id);
    int rc = 0;

    if (run) {
        *ret = (struct earlier){ .run = run->row, .session = run->session->row, .in_book = run->session };
        ret->is_stored = run->phase == RUN_ENDING && !run->is_unsaved;
        return 0;
    }
    *ret = (struct earlier){ .is_stored = true };
    rc = store_run_get(&self->store, id, &ret->run);
    rc = rc ? rc : store_session_get_n(&self->store, ret->run.session_n, &ret->session);
    ret->in_book = rc ? NULL : book_session_find(&self->book, span_from(ret->session.key));
    return sort(rc);
}

/* Has the session gone on behind it? */
static int newest_check(struct agent *self, const struct earlier *earlier, bool *ret_is_newest)
{
    int64_t newest_n = 0;
    int rc = store_newest_run(&self->store, earlier->session.n, &newest_n);

    *ret_is_newest =
        newest_n <= earlier->run.n && (!earlier->in_book || earlier->in_book->last->row.n <= earlier->run.n);
    return rc == STORE_E_ABSENT ? 0 : sort(rc);
}

/*
 * One who named a session as well must have meant this one, or the one that it is a branch of,
 * so that nobody comes into another session than the one that was asked for.
 */
static int name_check(struct agent *self, const struct msg_agent_run *in, const struct earlier *earlier)
{
    struct store_session origin;
    int64_t origin_n;
    int rc;

    if (!in->is_session_named || span_is_text(in->session_key, earlier->session.key)) {
        return 0;
    }
    rc = store_branch_origin(&self->store, earlier->session.n, &origin_n);
    rc = rc ? rc : store_session_get_n(&self->store, origin_n, &origin);
    return rc ? sort(rc) : span_is_text(in->session_key, origin.key) ? 0 : PREVIOUS_E_ABSENT;
}

static int branch_make(struct agent *self, const struct earlier *earlier, struct store_branch *ret)
{
    const struct store_run *run = &earlier->run;
    uint32_t messages_n = 0;
    uint64_t bytes = 0;
    int rc;

    if (!earlier->is_stored) {
        return PREVIOUS_E_OPEN;
    }
    *ret = (struct store_branch){ .session_n = earlier->session.n,
                                  .seq_max = run->reply_seq ? run->reply_seq : run->message_seq,
                                  .run_n = run->n,
                                  .origin_n = earlier->session.n };
    rc = store_branch_origin(&self->store, earlier->session.n, &ret->origin_n);
    rc = rc == STORE_E_ABSENT ? 0 : rc;
    rc = rc ? rc : store_branch_measure(&self->store, ret, PREVIOUS_MESSAGES_MAX + 1, &messages_n, &bytes);
    if (rc) {
        return sort(rc);
    }
    return messages_n > PREVIOUS_MESSAGES_MAX || bytes > PREVIOUS_BYTES_MAX ? PREVIOUS_E_LARGE : 0;
}

/* A repeat of a request gets the answer of the first one; nothing is copied for it. */
static int repeat_check(struct agent *self, const struct msg_agent_run *in, bool *ret_is_repeat)
{
    struct store_run run;
    int rc = 0;

    *ret_is_repeat = in->has_idempotency_key && book_run_find(&self->book, in->idempotency_key);
    if (in->has_idempotency_key && !*ret_is_repeat) {
        rc = store_run_get(&self->store, in->idempotency_key, &run);
        *ret_is_repeat = !rc;
    }
    return rc == STORE_E_ABSENT ? 0 : sort(rc);
}

/* The session's name: what the router made for a request that names none, or one like it. */
static void key_make(const struct agent *self, const struct msg_agent_run *in, struct previous *previous)
{
    char uuid[IDS_UUID_MAX];

    if (in->is_session_named) {
        ids_uuid(uuid);
        (void)snprintf(previous->key, sizeof(previous->key), "agent:%s:openresponses:%s", self->id, uuid); /* fits */
    } else {
        (void)snprintf(previous->key, sizeof(previous->key), "%.*s", SPAN_FMT(in->session_key)); /* fits */
    }
}

int previous_find(struct agent *self, const struct msg_agent_run *in, struct previous *ret_previous)
{
    struct earlier earlier;
    bool is_newest = true;
    bool is_repeat = false;
    int rc = earlier_find(self, in->previous_run_id, &earlier);

    rc = rc ? rc : name_check(self, in, &earlier);
    if (!rc && !in->is_session_fixed) {
        rc = newest_check(self, &earlier, &is_newest);
    }
    if (rc) {
        return rc;
    }
    ret_previous->is_branch = !is_newest;
    if (is_newest) {
        (void)snprintf(ret_previous->key, sizeof(ret_previous->key), "%s", earlier.session.key); /* fits */
        return 0;
    }
    key_make(self, in, ret_previous);
    rc = repeat_check(self, in, &is_repeat);
    return rc || is_repeat ? rc : branch_make(self, &earlier, &ret_previous->branch);
}
