#include "actors/config/listening.h"

#include <stdio.h>
#include <string.h>

#include "actors/config/internal.h"
#include "actors/config/plan.h"
#include "actors/config/reload.h"
#include "bus/value.h"
#include "bus/wire.h"

#define DEADLINE_MS 5000U /* it scans the processes of the machine when a port is busy */

static bool is_same(const struct snapshot_place *a, const struct snapshot_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Does the config want the edges started again for it? */
static bool is_movable(const struct snapshot *snapshot)
{
    struct span name = value_str(value_path(pack_span(&snapshot->effective), "gateway.reload.mode"), SPAN_LIT(""));
    enum reload_mode mode = plan_mode(name);

    return mode == RELOAD_HYBRID || mode == RELOAD_RESTART;
}

static const struct snapshot_place *served(const struct config *self)
{
    return self->listening.served.port ? &self->listening.served : &self->snapshot.place;
}

void listening_refusal(const struct config *self, const struct snapshot_place *place, const char *problem, char *out,
                       size_t out_size)
{
    const struct snapshot_place *now = served(self);

    (void)snprintf(out, out_size, "%s cannot be used: %.300s; the gateway goes on listening on %s port %u",
                   place->port != now->port ? "gateway.port" : "gateway.bind", problem, now->host, now->port);
}

static int ask(struct config *self, const struct snapshot_place *place, bool is_taken, actor_on_answer on_answer)
{
    CLEANUP(pack_deinit) struct pack body;

    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "host", place->host);
    pack_kv_u64(&body, "port", place->port);
    pack_kv_bool(&body, "take", is_taken);
    pack_map_end(&body);
    if (pack_error(&body)) {
        return pack_error(&body);
    }
    return actor_call(self->actor,
                      &(struct actor_call){ .to = actor_node(self->actor),
                                            .msg = &wire_listen,
                                            .body = pack_span(&body),
                                            .deadline_ms = DEADLINE_MS,
                                            .on_answer = on_answer },
                      NULL);
}

/* --- before a config comes in force ----------------------------------------------------------------- */

bool listening_is_other(const struct config *self, const struct snapshot *fresh)
{
    return is_movable(fresh) && !is_same(&fresh->place, served(self));
}

bool listening_is_changed(const struct config *self, const struct snapshot *fresh)
{
    return !is_same(&fresh->place, &self->snapshot.place);
}

static void on_opened(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct config *self = state;
    struct listening *it = &self->listening;
    listening_on_open on_open = it->on_open;

    (void)actor;
    (void)cookie;
    it->on_open = NULL;
    it->is_other = !answer->failure && value_bool(value_get(answer->body, "isOther"), false);
    if (!on_open) {
        return; /* only let go of */
    }
    char problem[FAILURE_MESSAGE_MAX] = "";
    if (answer->failure) {
        (void)snprintf(problem, sizeof(problem), "%.*s", SPAN_FMT(answer->failure->message));
    }
    on_open(self, problem[0] ? problem : NULL);
}

int listening_open(struct config *self, const struct snapshot *fresh, listening_on_open on_open)
{
    self->listening.on_open = on_open;
    return ask(self, &fresh->place, false, on_opened);
}

void listening_drop(struct config *self)
{
    struct listening *it = &self->listening;

    if (!it->is_other) {
        return;
    }
    it->is_other = false;
    int r = ask(self, served(self), false, on_opened);
    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

/* --- after ----------------------------------------------------------------------------------------------- */

bool listening_is_move_due(struct config *self)
{
    bool is_other = self->listening.is_other;

    self->listening.is_other = false;
    return is_other;
}

/* The config may be another one by now than the one that was asked for. */
static void served_note(struct listening *it, struct span body)
{
    struct span host = value_str(value_get(body, "host"), SPAN_LIT(""));

    it->served.port = (uint16_t)value_i64(value_get(body, "port"), 0);
    (void)snprintf(it->served.host, sizeof(it->served.host), "%.*s", SPAN_FMT(host)); /* it came from such a one */
}

static void on_taken(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct config *self = state;
    struct listening *it = &self->listening;

    (void)actor;
    (void)cookie;
    it->problem[0] = '\0';
    if (!answer->failure) {
        served_note(it, answer->body);
        if (value_bool(value_get(answer->body, "isOther"), false)) {
            reload_edges_restart(self);
        }
    } else {
        char why[FAILURE_MESSAGE_MAX];

        (void)snprintf(why, sizeof(why), "%.*s", SPAN_FMT(answer->failure->message));
        listening_refusal(self, &self->snapshot.place, why, it->problem, sizeof(it->problem));
        log_warning("config_not_listening", "reason=\"%s\"", it->problem);
    }
    config_status_tell(self);
}

void listening_take(struct config *self)
{
    int r = ask(self, &self->snapshot.place, true, on_taken);

    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

int listening_start(struct config *self)
{
    return ask(self, &self->snapshot.place, true, on_taken);
}

void listening_due(const struct config *self, char out[LISTENING_DUE_MAX])
{
    const struct snapshot_place *now = served(self);
    const struct snapshot_place *wanted = is_movable(&self->snapshot) ? now : &self->snapshot.place;
    bool is_port = wanted->port != now->port;
    bool is_host = strcmp(wanted->host, now->host) != 0;

    (void)snprintf(out, LISTENING_DUE_MAX, "%s%s%s", is_port ? "gateway.port" : "", is_port && is_host ? ", " : "",
                   is_host ? "gateway.bind" : "");
}
