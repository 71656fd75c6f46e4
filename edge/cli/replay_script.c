#include "edge/cli/replay_script.h"

#include <errno.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

#define REDACTED "[redacted]"

static const struct span nothing = { "", 0 };

void replay_script_deinit(struct replay_script *self)
{
    for (size_t i = 0; i < self->steps_n; i++) {
        text_buf_deinit(&self->steps[i].about);
        text_buf_deinit(&self->steps[i].body);
        text_buf_deinit(&self->steps[i].replayed);
    }
    free(self->steps);
    self->steps = NULL;
    self->steps_n = 0;
}

static void text_copy(struct span text, char *out, size_t cap)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

/* NULL when memory is out. */
static struct replay_step *step_add(struct replay_script *self, enum replay_kind kind, const struct tap_record *record)
{
    struct replay_step *step;

    if (self->steps_n == self->steps_cap) {
        size_t cap = self->steps_cap ? self->steps_cap * 2 : 64;
        struct replay_step *steps = realloc(self->steps, cap * sizeof(*steps));

        if (!steps) {
            return NULL;
        }
        self->steps = steps;
        self->steps_cap = cap;
    }
    step = &self->steps[self->steps_n];
    *step = (struct replay_step){ .kind = kind, .corr = record->env.corr, .latency_ms = record->latency_ms };
    if (record->body.len && text_buf_add(&step->body, record->body)) {
        return NULL;
    }
    text_copy(record->env.name, step->name, sizeof(step->name));
    self->steps_n++;
    return step;
}

static void agent_note(struct replay_script *self, struct span address)
{
    if (!span_starts(address, "agent/")) {
        return;
    }
    for (size_t i = 0; i < self->agents_n; i++) {
        if (span_is_text(address, self->agents[i])) {
            return;
        }
    }
    if (self->agents_n < ARRAY_LEN(self->agents)) {
        text_copy(address, self->agents[self->agents_n++], ACTOR_ADDRESS_MAX);
    }
}

/* Was something in it replaced? */
static bool has_redacted(struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    if (value_kind_of(value) == VALUE_STR) {
        return span_is_text(value_str(value, nothing), REDACTED);
    }
    while (value_next(&it, &key, &item)) {
        if (has_redacted(item)) {
            return true;
        }
    }
    return false;
}

static int call_add(struct replay_script *self, const struct tap_record *record)
{
    struct replay_step *step;

    if (!record->body.len) {
        self->without_body++;
        return 0;
    }
    if (has_redacted(record->body)) {
        self->secret++;
        return 0;
    }
    step = step_add(self, REPLAY_CALL, record);
    if (!step) {
        return FAULT(-ENOMEM);
    }
    step->window = record->env.flags;
    text_copy(record->env.to, step->address, sizeof(step->address));
    text_copy(record->env.from, step->asker, sizeof(step->asker));
    self->calls_n++;
    return 0;
}

/* The newest call that waits for this answer; steps_n when there is none. */
static size_t call_find(const struct replay_script *self, const struct tap_record *record)
{
    for (size_t i = self->steps_n; i > 0; i--) {
        const struct replay_step *step = &self->steps[i - 1];

        if (step->kind == REPLAY_CALL && step->corr == record->env.corr && span_is_text(record->env.to, step->asker)) {
            return i - 1;
        }
    }
    return self->steps_n;
}

static int answer_add(struct replay_script *self, const struct tap_record *record)
{
    size_t call = call_find(self, record);
    struct replay_step *step;

    if (call == self->steps_n) {
        return 0;
    }
    step = step_add(self, REPLAY_ANSWER, record);
    if (!step) {
        return FAULT(-ENOMEM);
    }
    step->call = call;
    step->is_failure = record->env.kind == ENVELOPE_FAIL;
    text_copy(record->env.from, step->address, sizeof(step->address));
    return 0;
}

struct span replay_script_event(const struct schema_registry *registry, const struct tap_record *record)
{
    /* How an answer is cut into pieces depends on the moment; these say what came of it. */
    static const struct {
        const char *topic;
        const char *key;
    } told[] = { { "chat", "runId" }, { "session.message", "sessionKey" } };
    const struct schema_msg *topic = schema_find_topic(registry, record->env.name);

    if (record->env.kind != ENVELOPE_PUBLISH || !span_starts(record->env.to, "edge/") || record->is_handled ||
        !record->body.len || !topic || schema_is_droppable(topic, record->body)) {
        return nothing;
    }
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        if (span_is_text(record->env.name, told[i].topic)) {
            return value_str(value_get(record->body, told[i].key), nothing);
        }
    }
    return nothing;
}

/* Does it name this run or session, which it may do in short ("main" for "agent:main:main")? */
static bool has_name(struct span value, struct span about)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    if (value_kind_of(value) == VALUE_STR) {
        struct span text = value_str(value, nothing);
        size_t before = about.len > text.len ? about.len - text.len : 0;

        return text.len && span_is((struct span){ about.ptr + before, about.len - before }, text) &&
               (before == 0 || about.ptr[before - 1] == ':');
    }
    while (value_next(&it, &key, &item)) {
        if (has_name(item, about)) {
            return true;
        }
    }
    return false;
}

/* A run or session whose name the gateway made up has another one when it is made again: nobody can wait for it. */
static bool is_known_before(const struct replay_script *self, struct span about)
{
    for (size_t i = 0; i < self->steps_n; i++) {
        const struct text_buf *body = &self->steps[i].body;

        if (self->steps[i].kind == REPLAY_CALL && has_name((struct span){ body->data, body->len }, about)) {
            return true;
        }
    }
    return false;
}

static int event_add(struct replay_script *self, const struct tap_record *record)
{
    struct span about = replay_script_event(self->registry, record);
    struct replay_step *step;

    if (!about.len || !is_known_before(self, about)) {
        return 0; /* no call of ours can have led to it */
    }
    step = step_add(self, REPLAY_EVENT, record);
    if (!step || text_buf_add(&step->about, about)) {
        return FAULT(-ENOMEM);
    }
    text_copy(record->env.from, step->address, sizeof(step->address));
    return 0;
}

int replay_script_add(struct replay_script *self, const struct tap_record *record, bool is_wanted)
{
    const struct envelope *env = &record->env;

    agent_note(self, env->from);
    agent_note(self, env->to);
    if (record->is_handled || record->note.len) {
        return 0;
    }
    switch (env->kind) {
    case ENVELOPE_CALL:
        return is_wanted && env->via.len == 0 ? call_add(self, record) : 0;
    case ENVELOPE_REPLY:
    case ENVELOPE_FAIL:
        return answer_add(self, record);
    case ENVELOPE_PUBLISH:
        return event_add(self, record);
    default:
        return 0;
    }
}
