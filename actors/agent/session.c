#include "actors/agent/session.h"

#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"

void book_init(struct book *self, void *owner)
{
    *self = (struct book){ .owner = owner, .sessions = zhashx_new(), .runs = zhashx_new() };
}

static void run_free(struct run *run)
{
    while (run->askers) {
        run_asker_remove(run, run->askers);
    }
    text_buf_deinit(&run->text);
    text_buf_deinit(&run->said);
    text_buf_deinit(&run->question);
    text_buf_deinit(&run->options);
    tool_calls_deinit(&run->calls);
    text_buf_deinit(&run->answer);
    free(run->system_prompt);
    free(run->as_started);
    free(run);
}

void book_deinit(struct book *self)
{
    if (!self->runs) {
        return;
    }
    for (struct run *run = zhashx_first(self->runs); run; run = zhashx_next(self->runs)) {
        run_free(run);
    }
    for (struct session *session = zhashx_first(self->sessions); session; session = zhashx_next(self->sessions)) {
        free(session);
    }
    zhashx_destroy(&self->runs);
    zhashx_destroy(&self->sessions);
}

/* Keys are looked up as terminated text; one that does not fit is not there. */
static void *item_find(zhashx_t *items, struct span key, size_t key_max)
{
    char text[STORE_KEY_MAX > STORE_RUN_ID_MAX ? STORE_KEY_MAX : STORE_RUN_ID_MAX];

    if (key.len >= key_max || !key.len) {
        return NULL;
    }
    memcpy(text, key.ptr, key.len);
    text[key.len] = 0;
    return zhashx_lookup(items, text);
}

struct session *book_session_find(struct book *self, struct span key)
{
    return item_find(self->sessions, key, STORE_KEY_MAX);
}

struct session *book_session_add(struct book *self, const struct store_session *row)
{
    struct session *session = mem_new(sizeof(*session));

    session->row = *row;
    (void)zhashx_insert(self->sessions, session->row.key, session); /* the caller looked before */
    return session;
}

struct run *book_run_find(struct book *self, struct span id)
{
    return item_find(self->runs, id, STORE_RUN_ID_MAX);
}

static void ready_add(struct book *self, struct run *run)
{
    if (self->ready_last) {
        self->ready_last->ready_next = run;
    } else {
        self->ready_first = run;
    }
    self->ready_last = run;
}

static void ready_remove(struct book *self, struct run *run)
{
    struct run *before = NULL;
    struct run *at = self->ready_first;

    while (at && at != run) {
        before = at;
        at = at->ready_next;
    }
    if (!at) {
        return;
    }
    if (before) {
        before->ready_next = run->ready_next;
    } else {
        self->ready_first = run->ready_next;
    }
    if (self->ready_last == run) {
        self->ready_last = before;
    }
    run->ready_next = NULL;
}

struct run *book_run_add(struct book *self, struct session *session, const struct store_run *row)
{
    struct run *run = mem_new(sizeof(*run));

    run->owner = self->owner;
    run->row = *row;
    run->session = session;
    if (session->last) {
        session->last->next = run;
    } else {
        session->first = run;
    }
    session->last = run;
    session->runs_n++;
    self->waiting_n++;
    if (session->first == run) {
        ready_add(self, run);
    }
    (void)zhashx_insert(self->runs, run->row.id, run); /* the caller looked before */
    return run;
}

static void run_unlink(struct session *session, struct run *run)
{
    struct run *before = NULL;

    for (struct run *at = session->first; at && at != run; at = at->next) {
        before = at;
    }
    if (before) {
        before->next = run->next;
    } else {
        session->first = run->next;
    }
    if (session->last == run) {
        session->last = before;
    }
    session->runs_n--;
}

void book_run_remove(struct book *self, struct run *run)
{
    struct session *session = run->session;
    bool was_first = session->first == run;

    book_phase_set(self, run, RUN_ENDING); /* so that it is counted nowhere */
    run_unlink(session, run);
    if (was_first && session->first && session->first->phase == RUN_WAITING) {
        ready_add(self, session->first);
    }
    zhashx_delete(self->runs, run->row.id);
    run_free(run);
    if (!session->first) {
        zhashx_delete(self->sessions, session->row.key);
        free(session);
    }
}

bool book_has_room(const struct book *self, const struct session *session)
{
    return self->active_n + self->waiting_n < BOOK_RUNS_MAX && (!session || session->runs_n < SESSION_RUNS_MAX);
}

void book_phase_set(struct book *self, struct run *run, enum run_phase phase)
{
    if (run->phase == RUN_WAITING && phase != RUN_WAITING) {
        ready_remove(self, run);
    }
    self->waiting_n -= run->phase == RUN_WAITING;
    self->active_n -= run->phase == RUN_ACTIVE;
    run->phase = phase;
    self->waiting_n += phase == RUN_WAITING;
    self->active_n += phase == RUN_ACTIVE;
}

struct run *book_run_next(struct book *self)
{
    return self->ready_first;
}

struct asker *run_asker_add(struct run *run, enum asker_kind kind)
{
    struct asker *asker = mem_new(sizeof(*asker));

    asker->kind = kind;
    run_asker_attach(run, asker);
    return asker;
}

void run_asker_attach(struct run *run, struct asker *asker)
{
    asker->run = run;
    asker->next = run->askers;
    run->askers = asker;
}

void run_asker_detach(struct run *run, struct asker *asker)
{
    struct asker **at = &run->askers;

    while (*at != asker) {
        at = &(*at)->next;
    }
    *at = asker->next;
    asker->next = NULL;
    asker->run = NULL;
}

void asker_free(struct asker *asker)
{
    text_buf_deinit(&asker->rest);
    text_buf_deinit(&asker->reply);
    free(asker);
}

void run_asker_remove(struct run *run, struct asker *asker)
{
    run_asker_detach(run, asker);
    asker_free(asker);
}

void run_start_keep(struct run *run)
{
    if (!run->as_started) {
        run->as_started = mem_new(sizeof(*run->as_started));
    }
    *run->as_started = run->session->row;
}

void run_prompt_keep(struct run *run, struct span prompt)
{
    if (prompt.len && !run->system_prompt) {
        run->system_prompt = mem_text(prompt.ptr, prompt.len);
    }
}
