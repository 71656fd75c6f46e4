/*
 * records: what the scheduler must know after a restart.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "actors/scheduler/scheduler_state.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/db_problem.h"

#define SEED SPAN_LIT("seed")
#define SWITCH SPAN_LIT("off")
#define LAST SPAN_LIT("last")
#define NOBODY SPAN_LIT("")
#define EMPTY_MAP "\x80"

/* --- one agent ----------------------------------------------------------------------------------- */

static void run_load(struct span map, struct beat_run *run)
{
    *run = (struct beat_run){
        .is_wake = value_bool(value_get(map, "isWake"), false),
        .started_ms = value_i64(value_get(map, "startedAt"), 0),
        .attempts_n = (uint32_t)value_i64(value_get(map, "attempts"), 0),
    };
    (void)snprintf(run->id, sizeof(run->id), "%.*s", SPAN_FMT(value_str(value_get(map, "id"), SPAN_LIT(""))));
    (void)snprintf(run->session, sizeof(run->session), "%.*s",
                   SPAN_FMT(value_str(value_get(map, "session"), SPAN_LIT(""))));
}

static void starts_load(struct span list, struct plan_starts *starts)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span at;

    *starts = (struct plan_starts){ { 0 } };
    while (value_next(&it, &key, &at)) {
        plan_start_note(starts, value_i64(at, 0));
    }
}

static void wakes_load(struct span list, struct lasting *kept)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span session;

    while (kept->wakes_n < SCHEDULER_WAKES_MAX && value_next(&it, &key, &session)) {
        struct span text = value_str(session, SPAN_LIT(""));

        kept->wakes[kept->wakes_n++] = mem_text(text.ptr, text.len);
    }
}

void lasting_load(struct scheduler *self, const char *agent_id, struct lasting *kept)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_AGENT, span_from(agent_id));
    struct span body = item ? item->body : (struct span){ 0 };
    struct span tasks = value_get(body, "tasks");

    *kept = (struct lasting){ .due_ms = value_i64(value_get(body, "dueAt"), 0),
                              .sent_ms = value_i64(value_get(body, "sentAt"), 0) };
    starts_load(value_get(body, "starts"), &kept->starts);
    run_load(value_get(body, "run"), &kept->run);
    wakes_load(value_get(body, "wakes"), kept);
    (void)text_buf_add(&kept->sent, value_str(value_get(body, "sent"), SPAN_LIT(""))); /* what is lost is repeated */
    pack_init(&kept->tasks, 65536);
    pack_raw(&kept->tasks, tasks.len ? tasks : SPAN_LIT(EMPTY_MAP));
}

static void run_pack(const struct beat_run *run, struct pack *out)
{
    pack_key(out, "run");
    pack_map_begin(out);
    pack_kv_text(out, "id", run->id);
    pack_kv_text(out, "session", run->session);
    pack_kv_bool(out, "isWake", run->is_wake);
    pack_kv_i64(out, "startedAt", run->started_ms);
    pack_kv_u64(out, "attempts", run->attempts_n);
    pack_map_end(out);
}

static void lasting_pack(const struct lasting *kept, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_i64(out, "dueAt", kept->due_ms);
    pack_key(out, "starts");
    pack_array_begin(out);
    for (size_t i = 0; i < PLAN_FLOOD_N; i++) {
        pack_i64(out, kept->starts.at_ms[i]);
    }
    pack_array_end(out);
    if (kept->run.id[0]) {
        run_pack(&kept->run, out);
    }
    pack_key(out, "wakes");
    pack_array_begin(out);
    for (size_t i = 0; i < kept->wakes_n; i++) {
        pack_text(out, kept->wakes[i]);
    }
    pack_array_end(out);
    pack_kv_i64(out, "sentAt", kept->sent_ms);
    pack_kv_str(out, "sent", (struct span){ kept->sent.data ? kept->sent.data : "", kept->sent.len });
    pack_kv_raw(out, "tasks", pack_span(&kept->tasks));
    pack_map_end(out);
}

int lasting_save(struct scheduler *self, const struct beat *beat)
{
    int r;

    pack_reset(&self->record);
    lasting_pack(&beat->kept, &self->record);
    r = pack_error(&self->record);
    return r ? r
             : shelf_put(self->shelf, KIND_AGENT, span_from(beat->agent_id), NOBODY, beat->kept.due_ms,
                         pack_span(&self->record));
}

int lasting_drop(struct scheduler *self, const char *agent_id)
{
    return shelf_drop(self->shelf, KIND_AGENT, span_from(agent_id));
}

void lasting_free(struct lasting *kept)
{
    for (size_t i = 0; i < kept->wakes_n; i++) {
        free(kept->wakes[i]);
    }
    text_buf_deinit(&kept->sent);
    pack_deinit(&kept->tasks);
    *kept = (struct lasting){ .due_ms = 0 };
}

int records_prune(struct scheduler *self)
{
    const struct shelf_item *item = shelf_first(self->shelf, KIND_AGENT);

    while (item) {
        const struct shelf_item *next = item->next;
        int r = beat_find(self, span_from(item->id)) ? 0 : shelf_drop(self->shelf, KIND_AGENT, span_from(item->id));

        if (r < 0) {
            return r; /* a disk that takes no writes keeps it until the next time */
        }
        item = next;
    }
    return 0;
}

/* --- the rest ----------------------------------------------------------------------------------------- */

static int state_put(struct scheduler *self, struct span id)
{
    int r = pack_error(&self->record);

    return r ? r : shelf_put(self->shelf, KIND_STATE, id, NOBODY, 0, pack_span(&self->record));
}

int records_switch(struct scheduler *self, bool is_off)
{
    int r;

    pack_reset(&self->record);
    pack_bool(&self->record, is_off);
    r = state_put(self, SWITCH);
    if (!r) {
        self->is_off = is_off;
    }
    return r;
}

int records_last_put(struct scheduler *self, struct span event)
{
    pack_reset(&self->record);
    pack_raw(&self->record, event);
    return state_put(self, LAST);
}

struct span records_last(const struct scheduler *self)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_STATE, LAST);

    return item ? item->body : (struct span){ 0 };
}

/* Another one for each gateway, the same over all its lives, as far as the disk allows. */
static int seed_load(struct scheduler *self)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_STATE, SEED);
    int r;

    if (item) {
        self->seed = (uint64_t)value_i64(item->body, 0);
        return 0;
    }
    if (getrandom(&self->seed, sizeof(self->seed), 0) != (ssize_t)sizeof(self->seed)) {
        return FAULT(-EIO);
    }
    self->seed >>= 1; /* an int64 holds it */
    pack_reset(&self->record);
    pack_u64(&self->record, self->seed);
    r = state_put(self, SEED);
    return r < 0 ? r : 0;
}

int records_open(struct scheduler *self)
{
    static const size_t limits[SHELF_KINDS] = { [KIND_STATE] = 8, [KIND_AGENT] = 2 * (size_t)SETTINGS_AGENTS_MAX };
    const struct shelf_item *item;
    char path[PATH_MAX];
    int r = shelf_path("scheduler", path, sizeof(path));

    if (r) {
        return r;
    }
    r = shelf_open(path, limits, &self->shelf);
    if (r) {
        db_problem_tell(self->actor, path, r);
        return r;
    }
    item = shelf_find(self->shelf, KIND_STATE, SWITCH);
    self->is_off = item && value_bool(item->body, false);
    return seed_load(self);
}
