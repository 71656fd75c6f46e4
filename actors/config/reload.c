#include "actors/config/reload.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/config/internal.h"
#include "actors/config/plan.h"
#include "bus/value.h"

#define MISSING_RETRIES 2U
#define MISSING_RETRY_MS 150U
#define DEBOUNCE_DEFAULT_MS 300
#define DEBOUNCE_MAX_MS 60000
#define RESTART_DELAY_MS 150U /* so that the answer to whoever changed the config goes out first */

static struct span setting(const struct config *self, const char *path)
{
    return value_path(pack_span(&self->snapshot.effective), path);
}

static enum reload_mode mode_of(const struct config *self)
{
    return plan_mode(value_str(setting(self, "gateway.reload.mode"), SPAN_LIT("")));
}

bool reload_is_off(const struct config *self)
{
    return mode_of(self) == RELOAD_OFF;
}

/* --- carrying out ----------------------------------------------------------------------------------- */

static bool is_answer_owed(const struct config *self)
{
    bool is_owed = self->write != NULL;

    for (const struct rollout *at = self->followers.rollouts; !is_owed && at; at = at->next) {
        is_owed = at->has_asker;
    }
    return is_owed;
}

/* Whoever changes the config next has its answer over the same edge; each of them is over in seconds. */
static void on_restart_due(uv_timer_t *timer)
{
    struct config *self = timer->data;

    if (is_answer_owed(self)) {
        (void)uv_timer_start(timer, on_restart_due, RESTART_DELAY_MS, 0); /* has a callback */
        return;
    }
    for (size_t i = 0; i < self->edges_n; i++) {
        int r = actor_restart(self->actor, self->edges[i]);
        if (r) {
            (void)actor_fault(self->actor, r);
        }
    }
}

void reload_edges_restart(struct config *self)
{
    (void)uv_timer_start(&self->restart, on_restart_due, RESTART_DELAY_MS, 0); /* has a callback */
}

/* Another port or address, and the edges are not started again for it. */
static void start_due_tell(struct config *self)
{
    char due[LISTENING_DUE_MAX];

    listening_due(self, due);
    if (due[0]) {
        log_warning("config_start_due", "paths=\"%s\" reason=\"gateway.reload.mode says so\"", due);
    }
    config_status_tell(self);
}

void reload_carry_out(struct config *self, struct span paths, struct rollout *rollout)
{
    struct reload_plan plan;

    plan_make(paths, mode_of(self), &plan);
    rollout->is_edge_due = plan.is_edge_due;
    rollout->is_move_due = listening_is_move_due(self);
    log_info("config_reload", "version=%llu paths=%u none=%u hot=%u restart=%u edge_restart=%s%s%s%s",
             (unsigned long long)self->version, plan.paths_n, plan.none_n, plan.hot_n, plan.restart_n,
             plan.is_edge_due || rollout->is_move_due ? "true" : "false", plan.why[0] ? " because_of=" : "", plan.why,
             rollout->is_move_due ? " other_sockets=true" : "");
    if (plan.is_edge_held) {
        log_warning("config_restart_held", "paths=%s reason=\"gateway.reload.mode is hot\"", plan.why);
    }
    if (!rollout->is_move_due) {
        start_due_tell(self);
    }
}

/* --- looking at the files ------------------------------------------------------------------------------ */

/* The file is there again as it was: nothing is wrong with it any more. */
static void settle(struct config *self)
{
    if (self->was_refused[0]) {
        self->was_refused[0] = '\0';
        log_info("config_recovered", "version=%llu", (unsigned long long)self->version);
    }
    if (self->activation.is_file_broken) {
        activation_settle(self, ACTIVATION_FILE);
    }
    config_status_tell(self);
}

static bool is_missing(const struct config *self)
{
    struct stat st;

    return self->snapshot.document.is_present && stat(self->path, &st) != 0;
}

/* Nobody means an empty config by removing the file. */
static int missing_refuse(struct config *self)
{
    config_details_set(self, NULL);
    (void)snprintf(self->issue.text, sizeof(self->issue.text), "%.600s: the file is gone", self->path);
    return SNAPSHOT_E_REFUSED;
}

/* 0: what is on disk is in force now; SNAPSHOT_E_REFUSED; or a fault. */
static int take(struct config *self, struct actor_ctx *cause)
{
    struct snapshot fresh;
    int r = is_missing(self) ? missing_refuse(self) : config_load(self, &fresh);

    if (r > 0) {
        config_refuse(self);
    }
    if (r) {
        return r;
    }
    if (!strcmp(fresh.document.hash, self->snapshot.document.hash)) {
        snapshot_deinit(&fresh);
        settle(self);
        return 0;
    }
    return activation_take(self, &fresh, cause);
}

static void on_change(void *arg)
{
    struct config *self = arg;

    if (mode_of(self) == RELOAD_OFF) {
        return;
    }
    if (!activation_make_way(self)) {
        self->activation.is_look_due = true;
        return;
    }
    if (is_missing(self) && self->missing_n++ < MISSING_RETRIES) {
        watch_again(&self->watch, MISSING_RETRY_MS); /* an editor between two renames */
        return;
    }
    self->missing_n = 0;
    int r = take(self, NULL);
    if (r < 0) {
        (void)actor_fault(self->actor, r);
        return;
    }
    reload_follow(self);
}

int config_on_reload(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;

    (void)msg;
    if (!activation_make_way(self)) {
        self->activation.is_look_due = true;
        return 0;
    }
    int r = take(self, ctx);
    if (r < 0) {
        return r;
    }
    reload_follow(self);
    return r ? actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", self->issue.text) : 0;
}

void reload_follow(struct config *self)
{
    const struct config_sources *sources = &self->snapshot.document.sources;
    int64_t debounce_ms = value_i64(setting(self, "gateway.reload.debounceMs"), DEBOUNCE_DEFAULT_MS);

    debounce_ms = debounce_ms < 0 ? DEBOUNCE_DEFAULT_MS : debounce_ms;
    self->watch.debounce_ms = (uint64_t)(debounce_ms < DEBOUNCE_MAX_MS ? debounce_ms : DEBOUNCE_MAX_MS);
    self->rotation.watch.debounce_ms = self->watch.debounce_ms;
    watch_begin(&self->watch);
    watch_add(&self->watch, self->path);
    for (size_t i = 1; i < sources->n; i++) {
        watch_add(&self->watch, sources->items[i]->path);
    }
    for (size_t i = 1; self->refused && self->refused[0] && self->refused[i]; i++) {
        watch_add(&self->watch, self->refused[i]);
    }
    watch_end(&self->watch);
}

/* --- life -------------------------------------------------------------------------------------------------- */

void reload_edge_life(struct config *self, struct span address, enum actor_life life)
{
    size_t i = 0;

    while (i < self->edges_n && !span_is_text(address, self->edges[i])) {
        i++;
    }
    if (i == self->edges_n && i < CONFIG_EDGES_MAX && address.len < sizeof(self->edges[0])) {
        (void)snprintf(self->edges[i], sizeof(self->edges[i]), "%.*s", SPAN_FMT(address));
        self->edges_n++;
    }
    if (life == ACTOR_LIFE_READY) {
        config_prove(self);
    }
}

int reload_open(struct config *self)
{
    int r = uv_timer_init(actor_loop(self->actor), &self->restart);

    if (r) {
        return FAULT(r);
    }
    self->restart.data = self;
    self->has_restart = true;
    self->watch.debounce_ms = DEBOUNCE_DEFAULT_MS;
    r = watch_open(&self->watch, actor_loop(self->actor), on_change, self);
    if (r) {
        return r;
    }
    watch_begin(&self->watch);
    watch_add(&self->watch, self->path);
    watch_end(&self->watch);
    return 0;
}

void reload_close(struct config *self)
{
    watch_close(&self->watch);
    if (self->has_restart) {
        uv_close((uv_handle_t *)&self->restart, NULL);
    }
}
