#include "actors/auth/upgrades.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/pack.h"

struct upgrade_wait {
    struct upgrade_wait *next;
    struct actor_token token;
    char request_id[REQUESTS_ID_LEN];
    char device_id[DEVICE_ID_LEN];
    int64_t expires_ms;
};

void upgrades_init(struct upgrades *self, struct actor *actor)
{
    self->actor = actor;
    (void)uv_timer_init(actor_loop(actor), &self->timer); /* cannot fail */
    self->timer.data = self;
}

void upgrades_deinit(struct upgrades *self)
{
    while (self->waits) {
        struct upgrade_wait *wait = self->waits;

        self->waits = wait->next;
        free(wait);
    }
    if (self->actor) { /* else it never began */
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
}

/* --- the end of a wait ------------------------------------------------------------------------- */

/* Takes the wait out and answers it. */
static int wait_answer(struct upgrades *self, struct upgrade_wait **at, struct span body)
{
    struct upgrade_wait *wait = *at;
    int r = actor_token_reply_span(self->actor, wait->token, body);

    *at = wait->next;
    free(wait);
    return r;
}

static int wait_expire(struct upgrades *self, struct upgrade_wait **at)
{
    CLEANUP(pack_deinit) struct pack body;

    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "status", "expired");
    pack_kv_text(&body, "requestId", (*at)->request_id);
    pack_map_end(&body);
    int r = pack_error(&body);
    return r ? r : wait_answer(self, at, pack_span(&body));
}

static void timer_set(struct upgrades *self);

static void on_timer(uv_timer_t *timer)
{
    struct upgrades *self = timer->data;
    struct upgrade_wait **at = &self->waits;
    int64_t now_ms = clock_wall_ms();
    int r = 0;

    while (!r && *at) {
        if ((*at)->expires_ms <= now_ms) {
            r = wait_expire(self, at);
        } else {
            at = &(*at)->next;
        }
    }
    if (r) {
        (void)actor_fault(self->actor, r); /* the loop ends after this turn */
    }
    timer_set(self);
}

static void timer_set(struct upgrades *self)
{
    int64_t now_ms = clock_wall_ms();
    int64_t next_ms = INT64_MAX;

    for (const struct upgrade_wait *wait = self->waits; wait; wait = wait->next) {
        next_ms = wait->expires_ms < next_ms ? wait->expires_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        (void)uv_timer_stop(&self->timer); /* cannot fail */
    } else {
        (void)uv_timer_start(&self->timer, on_timer, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 1, 0);
    }
}

/* --- waiting ------------------------------------------------------------------------------------- */

void upgrades_wait(struct upgrades *self, struct actor_ctx *ctx, const char *request_id, const char *device_id,
                   int64_t expires_ms)
{
    struct upgrade_wait *wait = mem_new(sizeof(*wait));

    (void)snprintf(wait->request_id, sizeof(wait->request_id), "%s", request_id);
    (void)snprintf(wait->device_id, sizeof(wait->device_id), "%s", device_id);
    wait->expires_ms = expires_ms;
    wait->next = self->waits;
    self->waits = wait;
    wait->token = actor_defer(ctx, wait);
    timer_set(self);
}

bool upgrades_find(const struct upgrades *self, const char *request_id, const char *device_id, bool *ret_is_approved)
{
    for (size_t i = 0; i < UPGRADES_ENDS_MAX; i++) {
        const struct upgrade_end *end = &self->ends[i];

        if (end->request_id[0] && strcmp(end->request_id, request_id) == 0 && strcmp(end->device_id, device_id) == 0) {
            *ret_is_approved = end->is_approved;
            return true;
        }
    }
    return false;
}

bool upgrades_note(struct upgrades *self, const char *request_id, const char *device_id, bool is_approved)
{
    struct upgrade_end *end = &self->ends[self->ends_n++ % UPGRADES_ENDS_MAX];

    *end = (struct upgrade_end){ .is_approved = is_approved };
    (void)snprintf(end->request_id, sizeof(end->request_id), "%s", request_id);
    (void)snprintf(end->device_id, sizeof(end->device_id), "%s", device_id);
    for (const struct upgrade_wait *wait = self->waits; wait; wait = wait->next) {
        if (strcmp(wait->request_id, request_id) == 0) {
            return true;
        }
    }
    return false;
}

int upgrades_answer(struct upgrades *self, const char *request_id, struct span body)
{
    struct upgrade_wait **at = &self->waits;
    int r = 0;

    while (!r && *at) {
        if (strcmp((*at)->request_id, request_id) == 0) {
            r = wait_answer(self, at, body);
        } else {
            at = &(*at)->next;
        }
    }
    timer_set(self);
    return r;
}

void upgrades_drop(struct upgrades *self, const char *device_id, const char *but_id)
{
    for (struct upgrade_wait *wait = self->waits; wait; wait = wait->next) {
        if (strcmp(wait->device_id, device_id) == 0 && strcmp(wait->request_id, but_id) != 0) {
            wait->expires_ms = 0;
        }
    }
    timer_set(self);
}

bool upgrades_cancel(struct upgrades *self, const void *cookie)
{
    for (struct upgrade_wait **at = &self->waits; *at; at = &(*at)->next) {
        if (*at == cookie) {
            struct upgrade_wait *wait = *at;

            *at = wait->next;
            free(wait);
            return true;
        }
    }
    return false;
}
