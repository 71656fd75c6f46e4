#include "edge/listener/ready.h"

#include <stdio.h>

static struct ready_actor *row_find(struct ready *self, struct span address)
{
    for (size_t i = 0; i < self->actors_n; i++) {
        if (span_is_text(address, self->actors[i].address)) {
            return &self->actors[i];
        }
    }
    return NULL;
}

static struct ready_actor *row_add(struct ready *self, struct span address)
{
    struct ready_actor *row;

    if (self->actors_n == READY_ACTORS_MAX || address.len >= ACTOR_ADDRESS_MAX) {
        return NULL; /* more agents than we list: the first ones speak for the rest */
    }
    row = &self->actors[self->actors_n++];
    if (address.len) {
        memcpy(row->address, address.ptr, address.len);
    }
    row->address[address.len] = '\0';
    row->life = ACTOR_LIFE_ABSENT;
    return row;
}

static void row_remove(struct ready *self, struct ready_actor *row)
{
    *row = self->actors[--self->actors_n];
}

void ready_need(struct ready *self, const char *address)
{
    if (!row_find(self, span_from(address))) {
        (void)row_add(self, span_from(address)); /* the table is larger than what we need */
    }
}

void ready_note(struct ready *self, struct span address, enum actor_life life)
{
    struct ready_actor *row = row_find(self, address);
    bool is_agent = span_starts(address, "agent/");

    /* An agent that the configuration dropped is not missed, nor is one whose host has not come. */
    if (is_agent && (life == ACTOR_LIFE_STOPPED || life == ACTOR_LIFE_ABSENT)) {
        if (row) {
            row_remove(self, row);
        }
        return;
    }
    if (!row) {
        row = row_add(self, address);
    }
    if (row) {
        row->life = life;
    }
}

enum actor_life ready_life(const struct ready *self, const char *address)
{
    for (size_t i = 0; i < self->actors_n; i++) {
        if (span_is_text(span_from(address), self->actors[i].address)) {
            return self->actors[i].life;
        }
    }
    return ACTOR_LIFE_ABSENT;
}

static bool has_agent(const struct ready *self)
{
    for (size_t i = 0; i < self->actors_n; i++) {
        if (span_starts(span_from(self->actors[i].address), "agent/")) {
            return true;
        }
    }
    return false;
}

bool ready_is(const struct ready *self)
{
    for (size_t i = 0; i < self->actors_n; i++) {
        if (self->actors[i].life != ACTOR_LIFE_READY) {
            return false;
        }
    }
    return has_agent(self);
}

static int failing_write(const struct ready *self, struct text_buf *out)
{
    bool is_first = true;
    int r = 0;

    for (size_t i = 0; !r && i < self->actors_n; i++) {
        if (self->actors[i].life != ACTOR_LIFE_READY) {
            r = is_first ? 0 : text_buf_add(out, SPAN_LIT(","));
            r = r ? r : json_from_text(span_from(self->actors[i].address), out);
            is_first = false;
        }
    }
    if (!r && !has_agent(self)) {
        r = text_buf_add(out, is_first ? SPAN_LIT("\"agent\"") : SPAN_LIT(",\"agent\""));
    }
    return r;
}

int ready_write(const struct ready *self, uint64_t uptime_ms, bool is_full, struct text_buf *out)
{
    char tail[48];
    int r = text_buf_add(out, ready_is(self) ? SPAN_LIT("{\"ready\":true") : SPAN_LIT("{\"ready\":false"));

    if (r || !is_full) {
        return r ? r : text_buf_add(out, SPAN_LIT("}"));
    }
    r = text_buf_add(out, SPAN_LIT(",\"failing\":["));
    r = r ? r : failing_write(self, out);
    (void)snprintf(tail, sizeof(tail), "],\"uptimeMs\":%llu}", (unsigned long long)uptime_ms);
    return r ? r : text_buf_add(out, span_from(tail));
}
