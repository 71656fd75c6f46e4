/*
 * gather: see gather.h.
 */
#include "actors/router/gather.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"

/* Unlinked already. */
static void gather_free(struct gather *self)
{
    for (size_t i = 0; i < self->parts_n; i++) {
        if (self->parts[i].has_answer) {
            body_deinit(&self->parts[i].body);
        }
    }
    body_deinit(&self->request);
    free(self);
}

void gather_destroy(struct gather *self)
{
    struct gather **at = self->head;

    while (*at && *at != self) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = self->next;
    }
    gather_free(self);
}

int gather_new(struct actor_ctx *ctx, struct gather **head, size_t parts_n, gather_done done,
               struct gather **ret_gather)
{
    struct gather *self = calloc(1, sizeof(*self) + parts_n * sizeof(self->parts[0]));
    struct span principal = actor_ctx_principal(ctx);
    uint32_t left_ms = actor_ctx_left_ms(ctx);

    if (!self) {
        return FAULT(-ENOMEM);
    }
    if (body_init_share(&self->request, actor_ctx_body_shared(ctx))) {
        free(self);
        return FAULT(-ENOMEM);
    }
    self->head = head;
    self->next = *head;
    *head = self;
    self->trace = actor_ctx_trace(ctx);
    snprintf(self->principal, sizeof(self->principal), "%.*s", SPAN_FMT(principal));
    self->deadline_ms = left_ms == UINT32_MAX ? UINT64_MAX : clock_mono_ms() + left_ms;
    self->done = done;
    self->parts_n = parts_n;
    self->token = actor_defer(ctx, self);
    *ret_gather = self;
    return 0;
}

uint32_t gather_left_ms(const struct gather *self)
{
    uint64_t now = clock_mono_ms();

    if (self->deadline_ms == UINT64_MAX) {
        return UINT32_MAX;
    }
    return self->deadline_ms <= now ? 1 : (uint32_t)(self->deadline_ms - now);
}

void gather_finish(struct gather *self, void *owner, struct actor *actor)
{
    self->done(owner, actor, self);
    if (!self->is_kept) {
        gather_destroy(self);
    }
}

static void on_part(void *owner, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct gather_part *part = cookie;
    struct gather *self = part->gather;

    if (answer->failure) {
        part->code = answer->failure->code;
        snprintf(part->why, sizeof(part->why), "%.*s", SPAN_FMT(answer->failure->message));
    } else if (body_init_share(&part->body, answer->body_shared)) {
        part->code = FAIL_INTERNAL;
    } else {
        part->has_answer = true;
    }
    if (--self->open_n == 0) {
        gather_finish(self, owner, actor);
    }
}

int gather_ask(struct gather *self, struct actor *actor, size_t at, const char *agent, const struct schema_msg *msg,
               const void *in, struct span body, const struct actor_ctx *cause)
{
    struct gather_part *part = &self->parts[at];
    uint32_t left_ms = gather_left_ms(self);
    char to[ACTOR_ADDRESS_MAX];

    part->gather = self;
    snprintf(part->agent, sizeof(part->agent), "%s", agent);
    snprintf(to, sizeof(to), "agent/%s", agent);
    self->open_n++;
    return actor_call(actor,
                      &(struct actor_call){
                          .to = to,
                          .msg = msg,
                          .in = in,
                          .body = body,
                          .deadline_ms = left_ms < GATHER_ASK_MS ? left_ms : GATHER_ASK_MS,
                          .cause = cause,
                          .on_answer = on_part,
                          .cookie = part,
                      },
                      &part->call);
}

void gather_cancel(struct gather *self, struct actor *actor)
{
    for (size_t i = 0; i < self->parts_n; i++) {
        if (!self->parts[i].has_answer && !self->parts[i].code && self->parts[i].call) {
            actor_call_cancel(actor, self->parts[i].call);
        }
    }
    if (self->late_call) {
        actor_call_cancel(actor, self->late_call);
    }
}

void gather_destroy_all(struct gather **head)
{
    while (*head) {
        struct gather *gather = *head;

        *head = gather->next;
        gather_free(gather);
    }
}
