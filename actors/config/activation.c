#include "actors/config/activation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/config/internal.h"
#include "actors/config/reload.h"
#include "actors/config/write.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define RETRY_FIRST_MS 1000U
#define RETRY_LAST_MS 60000U
#define GRACE_MS 5000U /* as long as a provider may take unless its own timeoutMs says otherwise */
#define NOTE_DEADLINE_MS 5000U
#define LATE_LOOK_MS 3600000 /* the wall clock may be set */

static int run(struct config *self, enum activation_why why, struct secret_set *set, struct actor_ctx *cause);

static void reset(struct activation *it)
{
    secret_resolve_destroy(&it->resolve);
    free(it->refs);
    it->refs = NULL;
    it->set = NULL;
    it->on_judged = NULL;
    it->judged = NULL;
    it->why = ACTIVATION_NONE;
    snapshot_deinit(&it->fresh);
    snapshot_init(&it->fresh);
    secret_set_deinit(&it->renewed);
}

/* --- telling -------------------------------------------------------------------------------------- */

static void on_noted(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)arg;
    (void)actor;
    (void)cookie;
    (void)answer; /* who cannot be told finds it in the log and in health */
}

/* For the main session, as operators may look nowhere else. */
static void note(struct config *self, const char *code, const char *text)
{
    char said[400];

    (void)snprintf(said, sizeof(said), "[%s] %s", code, text);
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_NOTE,
                               .in = &(struct msg_agent_note){ .text = span_from(said) },
                               .deadline_ms = NOTE_DEADLINE_MS,
                               .on_answer = on_noted };
    int r = actor_call(self->actor, &call, NULL);

    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

static const char *owner_of(const struct secret_entry *entry)
{
    return entry->row->owner[0] ? entry->row->owner : "none";
}

/* Those of which the set before said something else. */
static void entries_tell(const struct secret_set *set, const struct secret_set *before)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct secret_entry *entry = &set->items[i];
        const struct secret_entry *old = before ? secret_set_find(before, entry->path) : NULL;

        if (old && old->is_active == entry->is_active) {
            continue;
        }
        if (!strncmp(entry->row->path, "gateway.", 8)) {
            log_info("SECRETS_GATEWAY_AUTH_SURFACE", "path=%s state=%s reason=\"%s\"", entry->path,
                     entry->is_active ? "active" : "inactive", entry->reason);
        }
        if (entry->is_over_plain) {
            log_warning("SECRETS_REF_OVERRIDES_PLAINTEXT", "path=%s", entry->path);
        }
        if (!entry->is_active) {
            log_warning("SECRETS_REF_IGNORED_INACTIVE_SURFACE", "path=%s reason=\"%s\"", entry->path, entry->reason);
        }
    }
}

void activation_tell(struct config *self)
{
    const struct secret_set *set = &self->snapshot.secrets;

    if (self->activation.is_told) {
        return;
    }
    self->activation.is_told = true;
    entries_tell(set, NULL);
    for (size_t i = 0; i < set->n; i++) {
        if (set->items[i].is_active && set->items[i].problem[0]) {
            log_warning("SECRETS_DEGRADED", "path=%s owner=%s state=cold reason=\"%s\" retry=automatic",
                        set->items[i].path, owner_of(&set->items[i]), set->items[i].problem);
        }
    }
}

void activation_tell_changed(const struct secret_set *set, const struct secret_set *before)
{
    entries_tell(set, before);
}

/* --- degraded and recovered ------------------------------------------------------------------------- */

/* The references of the config in force, and what agents keep, as their files say it now. */
static int renewed_collect(struct config *self)
{
    struct secret_set *set = &self->activation.renewed;
    struct span doc = pack_span(&self->snapshot.document.resolved);
    struct profiles profiles;
    int r = secret_set_collect(set, doc, config_lookup_process());

    if (r) {
        return FAULT(r);
    }
    profiles_load(&profiles, doc, self->state_dir);
    r = secret_set_collect_profiles(set, &profiles, &self->snapshot.secrets, clock_wall_ms());
    return r ? FAULT(r) : 0;
}

static void on_retry(uv_timer_t *timer)
{
    struct config *self = timer->data;
    struct activation *it = &self->activation;
    int r = 0;

    if (it->why != ACTIVATION_NONE) {
        return; /* its end decides anew */
    }
    if (it->is_file_broken) {
        watch_again(&self->watch, 0);
        return;
    }
    r = renewed_collect(self);
    r = r ? r : run(self, ACTIVATION_RETRY, &it->renewed, NULL);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
    }
}

static void retry_arm(struct config *self)
{
    struct activation *it = &self->activation;
    uint64_t wait_ms = RETRY_FIRST_MS << (it->attempts < 6 ? it->attempts : 6);

    it->attempts++;
    (void)uv_timer_start(&it->retry, on_retry, wait_ms < RETRY_LAST_MS ? wait_ms : RETRY_LAST_MS, 0);
}

/* Everything that has a value keeps it; the log tells why, others that it is so. */
static void degrade(struct config *self, enum activation_why why, size_t failed_n, const struct secret_entry *first)
{
    struct activation *it = &self->activation;
    const char *state = it->is_file_broken ? "refused" : first->is_stale ? "stale" : "cold";

    (void)snprintf(it->degraded_text, sizeof(it->degraded_text), "%zu secret%s not available: %.180s%s (%s)", failed_n,
                   failed_n == 1 ? " is" : "s are", first->path, failed_n > 1 ? " and others" : "", state);
    if (why != ACTIVATION_START && !it->is_degraded) {
        log_error("SECRETS_RELOADER_DEGRADED", "failed=%zu path=%s owner=%s state=%s reason=\"%s\"", failed_n,
                  first->path, owner_of(first), state, first->problem);
        note(self, "SECRETS_RELOADER_DEGRADED", it->degraded_text);
    } else if (why != ACTIVATION_START) {
        log_warning("SECRETS_RELOADER_DEGRADED", "failed=%zu path=%s owner=%s state=%s attempts=%u reason=\"%s\"",
                    failed_n, first->path, owner_of(first), state, it->attempts, first->problem);
    }
    it->is_degraded = true;
    retry_arm(self);
    config_status_tell(self);
}

static void recover(struct config *self)
{
    struct activation *it = &self->activation;
    bool was_degraded = it->is_degraded;

    (void)uv_timer_stop(&it->retry);
    it->is_degraded = false;
    it->is_file_broken = false;
    it->attempts = 0;
    it->degraded_text[0] = '\0';
    if (was_degraded) {
        log_info("SECRETS_RELOADER_RECOVERED", "secrets=%zu", self->snapshot.secrets.asked_n);
        note(self, "SECRETS_RELOADER_RECOVERED", "all secrets are available again");
        config_status_tell(self);
    }
}

static void on_late(uv_timer_t *timer);

/* What expires is chosen anew then: another credential may take its place. */
static void late_arm(struct config *self)
{
    int64_t at_ms = secret_set_expires(&self->snapshot.secrets);
    int64_t left_ms = at_ms - clock_wall_ms();

    (void)uv_timer_stop(&self->activation.late);
    if (at_ms) {
        left_ms = left_ms < 1 ? 1 : left_ms > LATE_LOOK_MS ? LATE_LOOK_MS : left_ms;
        (void)uv_timer_start(&self->activation.late, on_late, (uint64_t)left_ms, 0); /* has a callback */
    }
}

static void on_late(uv_timer_t *timer)
{
    struct config *self = timer->data;
    int r = 0;

    if (clock_wall_ms() < secret_set_expires(&self->snapshot.secrets)) {
        late_arm(self);
        return;
    }
    r = activation_renew(self);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
    }
}

void activation_settle(struct config *self, enum activation_why why)
{
    late_arm(self);
    const struct secret_entry *first;
    size_t failed_n = secret_set_failed(&self->snapshot.secrets, &first);

    self->activation.is_file_broken = false;
    self->rotation.is_newer = false;
    rotation_follow(self);
    if (failed_n) {
        degrade(self, why, failed_n, first);
    } else {
        recover(self);
    }
}

/* --- followers that wait ------------------------------------------------------------------------------- */

bool activation_holds(const struct config *self, const char *address)
{
    struct span doc = pack_span(&self->snapshot.effective);

    return self->activation.why == ACTIVATION_START && uv_is_active((const uv_handle_t *)&self->activation.grace) &&
           secret_set_is_awaited(&self->snapshot.secrets, doc, doc, span_from(address));
}

static void on_grace(uv_timer_t *timer)
{
    followers_resume(timer->data);
}

/* --- ends ------------------------------------------------------------------------------------------------------ */

static void answer_pack(const struct config *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_u64(out, "warningCount", self->snapshot.secrets.inactive_n);
}

static void waiters_fail(struct config *self)
{
    struct activation *it = &self->activation;
    char text[FAILURE_MESSAGE_MAX];

    secret_set_failed_text(&self->snapshot.secrets, "secrets.reload failed", text, sizeof(text));
    pack_reset(&self->scratch);
    secret_set_failed_pack(&self->snapshot.secrets, &self->scratch);
    struct failure failure = { .code = FAIL_UNAVAILABLE,
                               .message = span_from(text),
                               .retryable = true,
                               .details = pack_error(&self->scratch) ? (struct span){ 0 } : pack_span(&self->scratch) };
    while (it->waiters_n) {
        (void)actor_token_fail(self->actor, it->waiters[--it->waiters_n], &failure);
    }
}

/* The first of them when all whom it concerns work by what is new; more than one at a time is rare. */
static void waiters_answer(struct config *self, bool has_failed, struct rollout *rollout)
{
    struct activation *it = &self->activation;
    struct pack *out = &self->scratch;
    size_t i = 0;

    if (has_failed) {
        waiters_fail(self);
    }
    if (it->waiters_n && rollout && !rollout->has_asker) {
        rollout->has_asker = true;
        rollout->asker = it->waiters[i++];
        answer_pack(self, &rollout->answer);
    }
    for (; i < it->waiters_n; i++) {
        pack_reset(out);
        answer_pack(self, out);
        pack_map_end(out);
        (void)actor_token_reply_span(self->actor, it->waiters[i], pack_span(out));
    }
    it->waiters_n = 0;
}

static int start_end(struct config *self)
{
    const struct secret_entry *broken;
    size_t failed_n = secret_set_take(self->activation.set, NULL, self->activation.resolve, &broken);
    struct rollout *rollout = NULL;
    bool was_awaited = self->activation.was_awaited;

    reset(&self->activation);
    (void)uv_timer_stop(&self->activation.grace);
    /* Whoever was told before the last ones came is told again. */
    int r = was_awaited ? config_renewed(self, &(struct secret_set){ 0 }, &rollout) : 0;
    followers_resume(self);
    activation_settle(self, ACTIVATION_START);
    waiters_answer(self, failed_n > 0, rollout);
    if (rollout) {
        rollout_close(self, rollout);
    }
    return r;
}

static int reload_run(struct config *self)
{
    struct activation *it = &self->activation;
    int r = renewed_collect(self);

    it->is_reload_due = false;
    return r ? r : run(self, ACTIVATION_RELOAD, &it->renewed, NULL);
}

/* What had to wait for the end. */
static int next(struct config *self)
{
    struct activation *it = &self->activation;

    if (it->why != ACTIVATION_NONE) {
        return 0;
    }
    if (it->is_look_due) {
        it->is_look_due = false;
        watch_again(&self->watch, 0);
    }
    return it->is_reload_due ? reload_run(self) : 0;
}

static void following(struct config *self)
{
    int r = next(self);

    r = r < 0 ? r : write_resume(self);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
        return;
    }
    reload_follow(self);
}

static int file_take(struct config *self, struct actor_ctx *cause)
{
    struct activation *it = &self->activation;
    struct snapshot fresh = it->fresh;

    snapshot_init(&it->fresh);
    reset(it);
    return config_apply(self, &fresh, cause);
}

static void file_refuse(struct config *self)
{
    struct activation *it = &self->activation;

    config_document_locate(&it->fresh.document, &self->issue);
    config_details_set(self, NULL);
    it->is_file_broken = true;
    config_refuse(self);
}

/* A port that only comes later is no reason to refuse what has nothing to do with it. */
static void on_file_placed(struct config *self, const char *problem)
{
    struct activation *it = &self->activation;

    if (problem && listening_is_changed(self, &it->fresh)) {
        listening_refusal(self, &it->fresh.place, problem, self->issue.text, sizeof(self->issue.text));
        file_refuse(self);
        retry_arm(self);
        reset(it);
    } else {
        int r = file_take(self, NULL);
        if (r) {
            (void)actor_fault(self->actor, r);
            return;
        }
    }
    following(self);
}

static int file_end(struct config *self, struct actor_ctx *cause)
{
    struct activation *it = &self->activation;
    const struct secret_entry *broken;

    (void)secret_set_take(it->set, &self->snapshot.secrets, it->resolve, &broken);
    if (broken) {
        (void)snprintf(self->issue.text, sizeof(self->issue.text), "%.300s cannot be resolved: %.250s", broken->path,
                       broken->problem);
        file_refuse(self);
        degrade(self, ACTIVATION_FILE, 1, broken);
        reset(it);
        return SNAPSHOT_E_REFUSED;
    }
    return listening_is_other(self, &it->fresh) ? listening_open(self, &it->fresh, on_file_placed)
                                                : file_take(self, cause);
}

static void on_write_placed(struct config *self, const char *problem)
{
    activation_on_judged on_judged = self->activation.on_judged;

    reset(&self->activation);
    on_judged(self, NULL, problem);
    listening_drop(self); /* unless it is in force now */
    following(self);
}

static int write_end(struct config *self)
{
    struct activation *it = &self->activation;
    activation_on_judged on_judged = it->on_judged;
    const struct secret_entry *broken;

    (void)secret_set_take(it->set, &self->snapshot.secrets, it->resolve, &broken);
    if (!broken && listening_is_other(self, it->judged)) {
        return listening_open(self, it->judged, on_write_placed);
    }
    reset(it);
    on_judged(self, broken, NULL);
    return 0;
}

/* Whoever asked may be among those whom the new secret of the gateway shuts out, so the answer goes first. */
static bool is_own_changed(const struct secret_set *before, const struct secret_set *after)
{
    for (size_t i = 0; i < after->n; i++) {
        const struct secret_entry *old = secret_set_find(before, after->items[i].path);

        if (!strncmp(after->items[i].path, "gateway.auth.", 13) && old && !span_is(old->value, after->items[i].value)) {
            return true;
        }
    }
    return false;
}

static int renew_end(struct config *self)
{
    struct activation *it = &self->activation;
    enum activation_why why = it->why;
    struct secret_set before = self->snapshot.secrets;
    const struct secret_entry *broken;
    size_t failed_n = secret_set_take(it->set, &before, it->resolve, &broken);

    secret_resolve_destroy(&it->resolve); /* what it borrows moves */
    self->snapshot.secrets = it->renewed;
    it->renewed = (struct secret_set){ 0 };
    reset(it);
    entries_tell(&self->snapshot.secrets, &before);
    struct rollout *rollout;
    if (is_own_changed(&before, &self->snapshot.secrets)) {
        waiters_answer(self, failed_n > 0, NULL);
    }
    int r = config_renewed(self, &before, &rollout);
    secret_set_deinit(&before);
    if (it->is_file_broken) {
        rotation_follow(self);
        watch_again(&self->watch, 0); /* what the edited file refers to may be there now */
    } else {
        activation_settle(self, why);
    }
    waiters_answer(self, failed_n > 0, rollout);
    if (rollout) {
        rollout_close(self, rollout);
    }
    return r;
}

/* 0, SNAPSHOT_E_REFUSED for files, or a fault. */
static int end(struct config *self, struct actor_ctx *cause)
{
    switch (self->activation.why) {
    case ACTIVATION_START:
        return start_end(self);
    case ACTIVATION_FILE:
        return file_end(self, cause);
    case ACTIVATION_WRITE:
        return write_end(self);
    case ACTIVATION_RELOAD:
    case ACTIVATION_RETRY:
        return renew_end(self);
    default:
        return 0;
    }
}

static void on_done(void *arg)
{
    struct config *self = arg;
    int r = end(self, NULL);

    if (r < 0) {
        (void)actor_fault(self->actor, r);
        return;
    }
    following(self);
}

/* At the start whoever waits for what is there now is served at once. */
static void on_some(void *arg)
{
    struct config *self = arg;

    if (self->activation.why == ACTIVATION_START) {
        (void)secret_set_fill(self->activation.set, self->activation.resolve);
        followers_resume(self);
    }
}

/* --- beginnings -------------------------------------------------------------------------------------------------- */

static int run(struct config *self, enum activation_why why, struct secret_set *set, struct actor_ctx *cause)
{
    struct activation *it = &self->activation;

    it->why = why;
    it->set = set;
    it->refs = mem_new((set->asked_n + 1) * sizeof(*it->refs));
    secret_set_refs(set, it->refs);
    rotation_follow(self);
    struct secret_resolve_opts opts = { .loop = actor_loop(self->actor),
                                        .doc = set->doc,
                                        .lookup = config_lookup_process(),
                                        .refs = it->refs,
                                        .refs_n = set->asked_n,
                                        .on_some = on_some,
                                        .on_done = on_done,
                                        .arg = self };
    int r = secret_resolve_start(&opts, &it->resolve);

    if (r) {
        reset(it);
        return r;
    }
    it->was_awaited = !secret_resolve_is_done(it->resolve);
    return it->was_awaited ? 0 : end(self, cause);
}

int activation_start(struct config *self)
{
    struct activation *it = &self->activation;
    int r = run(self, ACTIVATION_START, &self->snapshot.secrets, NULL);

    if (!r && it->why == ACTIVATION_START) {
        (void)secret_set_fill(it->set, it->resolve);
        r = uv_timer_start(&it->grace, on_grace, GRACE_MS, 0);
    }
    return r;
}

int activation_take(struct config *self, struct snapshot *fresh, struct actor_ctx *cause)
{
    self->activation.fresh = *fresh;
    snapshot_init(fresh);
    return run(self, ACTIVATION_FILE, &self->activation.fresh.secrets, cause);
}

int activation_judge(struct config *self, struct snapshot *judged, activation_on_judged on_judged)
{
    self->activation.on_judged = on_judged;
    self->activation.judged = judged;
    return run(self, ACTIVATION_WRITE, &judged->secrets, NULL);
}

bool activation_make_way(struct config *self)
{
    struct activation *it = &self->activation;

    if (it->why == ACTIVATION_START) {
        int r = start_end(self);
        if (r) {
            (void)actor_fault(self->actor, r);
        }
        if (it->is_reload_due) { /* what comes now may end at once, and then asks for nothing more */
            it->is_reload_due = false;
            watch_again(&self->rotation.watch, 0);
        }
    } else if (it->why == ACTIVATION_RETRY) {
        reset(it);
        retry_arm(self);
    }
    return it->why == ACTIVATION_NONE;
}

int activation_renew(struct config *self)
{
    struct activation *it = &self->activation;

    if (it->why == ACTIVATION_RETRY) {
        reset(it);
    }
    it->is_reload_due = it->why != ACTIVATION_NONE;
    return it->is_reload_due ? 0 : reload_run(self);
}

int config_on_secrets_reload(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    struct activation *it = &self->activation;

    (void)msg;
    if (it->waiters_n == ACTIVATION_WAITERS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "secrets.reload: too many are waiting for it already");
    }
    it->waiters[it->waiters_n++] = actor_defer(ctx, NULL);
    return it->why == ACTIVATION_START || it->why == ACTIVATION_RELOAD ? 0 : activation_renew(self);
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

int activation_open(struct config *self)
{
    struct activation *it = &self->activation;

    snapshot_init(&it->fresh);
    int r = uv_timer_init(actor_loop(self->actor), &it->retry);
    r = r ? r : uv_timer_init(actor_loop(self->actor), &it->grace);
    r = r ? r : uv_timer_init(actor_loop(self->actor), &it->late);
    if (r) {
        return FAULT(r);
    }
    it->retry.data = self;
    it->grace.data = self;
    it->late.data = self;
    it->has_timers = true;
    return 0;
}

void activation_close(struct config *self)
{
    struct activation *it = &self->activation;

    reset(it);
    if (it->has_timers) {
        uv_close((uv_handle_t *)&it->retry, NULL);
        uv_close((uv_handle_t *)&it->grace, NULL);
        uv_close((uv_handle_t *)&it->late, NULL);
    }
}
