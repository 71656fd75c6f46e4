#include "actors/config/followers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/diff.h"
#include "actors/config/internal.h"
#include "actors/config/part.h"
#include "actors/config/reload.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

struct follower {
    struct follower *next;
    struct config *config;
    const struct config_follower *row;
    char address[ACTOR_ADDRESS_MAX];
    bool is_asked;          /* an update is on the way to it */
    bool is_due;            /* something changed that the one on the way does not hold */
    bool is_whole;          /* the next one holds everything */
    bool is_silent;         /* the last one was not answered in time, or could not be delivered */
    uint64_t asked_version; /* that of the last update sent */
    bool is_gone;           /* freed when the answer that is owed to us has come */
    struct pack paths;      /* open array: what changed since the last one was sent */
    size_t paths_n;
    char problem[FOLLOWER_REASON_MAX]; /* why it does not work by what is in force; "": it does */
};

static void follower_send(struct follower *it, struct actor_ctx *cause);

static struct follower *follower_find(const struct config *self, struct span address)
{
    for (struct follower *it = self->followers.first; it; it = it->next) {
        if (span_is_text(address, it->address)) {
            return it;
        }
    }
    return NULL;
}

static void paths_forget(struct follower *it)
{
    pack_reset(&it->paths);
    pack_array_begin(&it->paths);
    it->paths_n = 0;
}

/* --- rollouts ------------------------------------------------------------------------------------- */

struct rollout *rollout_find(struct config *self, uint64_t version)
{
    for (struct rollout *at = self->followers.rollouts; at; at = at->next) {
        if (at->version == version) {
            return at;
        }
    }
    return NULL;
}

static void rollout_free(struct rollout *rollout)
{
    pack_deinit(&rollout->answer);
    free(rollout->waits);
    free(rollout);
}

static int asker_answer(struct config *self, struct rollout *rollout)
{
    followers_problems_pack(self, &rollout->answer);
    pack_map_end(&rollout->answer);
    return pack_error(&rollout->answer)
               ? pack_error(&rollout->answer)
               : actor_token_reply_span(self->actor, rollout->asker, pack_span(&rollout->answer));
}

void rollout_close(struct config *self, struct rollout *rollout)
{
    struct rollout **at = &self->followers.rollouts;

    if (rollout->waits_n) {
        return;
    }
    while (*at != rollout) {
        at = &(*at)->next;
    }
    *at = rollout->next;
    self->followers.rollouts_n--;
    log_info("config_applied", "version=%llu actors=%zu failed=%zu us=%llu", (unsigned long long)rollout->version,
             rollout->told_n, rollout->failed_n, (unsigned long long)((clock_mono_ns() - rollout->started_ns) / 1000));
    int r = rollout->has_asker ? asker_answer(self, rollout) : 0;
    if (rollout->is_edge_due) {
        reload_edges_restart(self);
    }
    if (rollout->is_move_due) {
        listening_take(self);
    }
    rollout_free(rollout);
    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

static bool wait_drop(struct rollout *rollout, const struct follower *it)
{
    for (size_t i = 0; i < rollout->waits_n; i++) {
        if (rollout->waits[i] == it) {
            rollout->waits[i] = rollout->waits[--rollout->waits_n];
            return true;
        }
    }
    return false;
}

/* What it said holds for every change up to `version`; of what came later it has not heard. */
static void rollouts_note(struct follower *it, uint64_t version)
{
    struct config *self = it->config;
    struct rollout *next;

    for (struct rollout *at = self->followers.rollouts; at; at = next) {
        next = at->next;
        if (at->version <= version && wait_drop(at, it)) {
            at->failed_n += it->problem[0] != '\0';
            rollout_close(self, at);
        }
    }
}

static struct rollout *rollout_new(struct config *self)
{
    struct rollout *rollout = mem_new(sizeof(*rollout));

    rollout->version = self->version;
    rollout->started_ns = clock_mono_ns();
    rollout->waits = mem_new((self->followers.n + 1) * sizeof(struct follower *));
    pack_init(&rollout->answer, 0);
    rollout->next = self->followers.rollouts;
    self->followers.rollouts = rollout;
    self->followers.rollouts_n++;
    return rollout;
}

/* --- one follower --------------------------------------------------------------------------------------- */

static void follower_free(struct follower *it)
{
    struct follower **at = &it->config->followers.first;

    while (*at != it) {
        at = &(*at)->next;
    }
    *at = it->next;
    it->config->followers.n--;
    pack_deinit(&it->paths);
    free(it);
}

/* It is no part of the gateway any more: what waits for it waits for the others alone. */
static void follower_drop(struct follower *it)
{
    it->problem[0] = '\0';
    it->is_gone = true;
    rollouts_note(it, UINT64_MAX);
    if (!it->is_asked) {
        follower_free(it);
    }
}

static void on_again(uv_timer_t *timer)
{
    struct config *self = timer->data;

    for (struct follower *it = self->followers.first; it; it = it->next) {
        if (it->is_silent && !it->is_asked && !it->is_gone) {
            it->is_whole = true;
            follower_send(it, NULL);
        }
    }
}

/* Told once for each reason. */
static void problem_set(struct follower *it, const struct failure *failure)
{
    char reason[FOLLOWER_REASON_MAX];

    (void)snprintf(reason, sizeof(reason), "%.*s", SPAN_FMT(failure->message));
    it->is_silent = failure->code != FAIL_INVALID_REQUEST;
    if (it->is_silent && !uv_is_active((uv_handle_t *)&it->config->followers.again)) {
        (void)uv_timer_start(&it->config->followers.again, on_again, FOLLOWER_AGAIN_MS, 0);
    }
    if (strcmp(reason, it->problem) != 0) {
        memcpy(it->problem, reason, sizeof(reason));
        log_warning("config_not_applied", "actor=%s version=%llu reason=\"%s\"", it->address,
                    (unsigned long long)it->asked_version, it->problem);
    }
}

static void problem_clear(struct follower *it)
{
    it->is_silent = false;
    if (it->problem[0]) {
        it->problem[0] = '\0';
        log_info("config_caught_up", "actor=%s version=%llu", it->address, (unsigned long long)it->asked_version);
    }
}

static void on_applied(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct config *self = state;
    struct follower *it = cookie;

    (void)actor;
    it->is_asked = false;
    if (it->is_gone) {
        follower_free(it);
        return;
    }
    if (answer->failure) {
        problem_set(it, answer->failure);
    } else {
        problem_clear(it);
    }
    rollouts_note(it, it->asked_version);
    config_status_tell(self);
    if (it->is_due) {
        follower_send(it, NULL);
    }
}

/* Its part, with those secrets that are its own. 0 or a fault. */
static int part_show(const struct follower *it, struct pack *part)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack credentials;
    struct config *self = it->config;
    struct span all;

    pack_init_secret(&credentials, 0);
    (void)secret_set_credentials(&self->snapshot.secrets, span_from(it->address), &credentials); /* empty: none */
    int r = config_part(self, SPAN_LIT(""), span_from(it->address), &text, &all);

    pack_reset(part);
    if (!r) {
        part_pack(it->row, all, pack_span(&credentials), part);
    }
    r = r ? r : pack_error(&credentials);
    return r ? r : pack_error(part);
}

/* A fault here is memory, or the bus itself: the actor cannot go on. */
static void follower_send(struct follower *it, struct actor_ctx *cause)
{
    struct config *self = it->config;
    struct pack *part = &self->followers.part;

    if (activation_holds(self, it->address)) {
        return; /* due still: followers_resume sends it */
    }
    int r = part_show(it, part);
    if (it->is_whole) {
        paths_forget(it);
    }
    pack_array_end(&it->paths);
    struct msg_config_update in = {
        .version = self->version, .is_whole = it->is_whole, .paths = pack_span(&it->paths), .config = pack_span(part)
    };
    struct actor_call call = { .to = it->address,
                               .msg = MSG_CONFIG_UPDATE,
                               .in = &in,
                               .deadline_ms = FOLLOWER_MS,
                               .on_answer = on_applied,
                               .cookie = it };
    if (cause) {
        call.trace = actor_ctx_trace(cause);
    }
    r = r ? r : pack_error(&it->paths);
    r = r ? r : actor_call(self->actor, &call, NULL);
    pack_reset(part);
    paths_forget(it);
    it->is_asked = !r;
    it->is_due = it->is_whole = false;
    it->asked_version = self->version;
    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

/* --- telling --------------------------------------------------------------------------------------------- */

static void follower_tell(struct follower *it, struct span paths, struct actor_ctx *cause, struct rollout *rollout)
{
    size_t n = part_paths_pack(it->row, paths, &it->paths);

    if (!n) {
        return;
    }
    it->paths_n += n;
    it->is_due = true;
    it->is_whole |= it->paths_n > DIFF_PATHS_MAX || it->problem[0];
    rollout->told_n++;
    if (it->is_silent) {
        rollout->failed_n++; /* it was waited for once; it gets this when it answers again */
    } else {
        rollout->waits[rollout->waits_n++] = it;
    }
    if (!it->is_asked) {
        follower_send(it, cause);
    }
}

struct rollout *followers_tell(struct config *self, struct span paths, struct actor_ctx *cause)
{
    struct rollout *rollout = rollout_new(self);
    struct follower *next;

    for (struct follower *it = self->followers.first; it; it = next) {
        next = it->next;
        if (!it->is_gone) {
            follower_tell(it, paths, cause, rollout);
        }
    }
    return rollout;
}

void followers_resume(struct config *self)
{
    for (struct follower *it = self->followers.first; it; it = it->next) {
        if (it->is_due && !it->is_asked && !it->is_gone) {
            follower_send(it, NULL);
        }
    }
}

int config_on_follow(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    struct span from = actor_ctx_from(ctx);
    const struct config_follower *row = part_row(from);
    struct follower *it = follower_find(self, from);

    (void)msg;
    if (!row || from.len >= sizeof(it->address)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "schema/config/followers.json does not name this actor");
    }
    if (!it && self->followers.n >= FOLLOWERS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "more than %u actors follow the config", FOLLOWERS_MAX);
    }
    if (!it) {
        it = mem_new(sizeof(*it));
        it->config = self;
        it->row = row;
        (void)snprintf(it->address, sizeof(it->address), "%.*s", SPAN_FMT(from));
        pack_init(&it->paths, 0);
        paths_forget(it);
        it->next = self->followers.first;
        self->followers.first = it;
        self->followers.n++;
    }
    it->is_gone = false;
    it->is_due = it->is_whole = true;
    int r = actor_reply(ctx, MSG_CONFIG_FOLLOWED, &(struct msg_config_followed){ .version = self->version });
    if (!r && !it->is_asked) {
        follower_send(it, ctx);
    }
    return r;
}

bool followers_problem(const struct config *self, char *text, size_t size)
{
    for (const struct follower *it = self->followers.first; it; it = it->next) {
        if (it->problem[0]) {
            (void)snprintf(text, size, "%s does not work by the config in force: %s", it->address, it->problem);
            return true;
        }
    }
    return false;
}

void followers_problems_pack(const struct config *self, struct pack *out)
{
    bool has_any = false;

    for (const struct follower *it = self->followers.first; it; it = it->next) {
        if (!it->problem[0]) {
            continue;
        }
        if (!has_any) {
            has_any = true;
            pack_key(out, "notApplied");
            pack_array_begin(out);
        }
        pack_map_begin(out);
        pack_kv_text(out, "actor", it->address);
        pack_kv_text(out, "reason", it->problem);
        pack_map_end(out);
    }
    if (has_any) {
        pack_array_end(out);
    }
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void on_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct config *self = arg;
    struct follower *it = follower_find(self, address);

    (void)actor;
    if (it && !it->is_gone && (life == ACTOR_LIFE_ABSENT || life == ACTOR_LIFE_STOPPED)) {
        follower_drop(it);
        config_status_tell(self);
    }
    if (span_starts(address, "edge/")) {
        reload_edge_life(self, address, life);
    }
}

int followers_open(struct config *self)
{
    int r = uv_timer_init(actor_loop(self->actor), &self->followers.again);

    if (r) {
        return FAULT(r);
    }
    self->followers.again.data = self;
    self->followers.has_timer = true;
    pack_init_secret(&self->followers.part, 0);
    for (const struct config_follower *row = config_followers; !r && row->actor; row++) {
        r = actor_watch(self->actor, row->actor, on_life);
    }
    return r;
}

void followers_close(struct config *self)
{
    struct followers *all = &self->followers;

    while (all->rollouts) {
        struct rollout *rollout = all->rollouts;
        all->rollouts = rollout->next;
        rollout_free(rollout); /* whoever waits is told that config has stopped */
    }
    while (all->first) {
        follower_free(all->first);
    }
    pack_deinit(&all->part);
    if (all->has_timer) {
        uv_close((uv_handle_t *)&all->again, NULL);
    }
}
