#include "edge/cli/tap_remote.h"

#include <stdlib.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/tap_shown.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"

#define STEP_MS 60000U /* a wait without end is made of such */
#define REST_MS 50U    /* until what was sent before the end has come to the gateway */

/* --- which gateway ------------------------------------------------------------------------ */

static bool is_named(const struct cli *cli)
{
    static const char *const options[] = { "url", "port", "token", "password", "tls-fingerprint" };
    const char *url = getenv("OPENCLAW_GATEWAY_URL"); /* NOLINT(concurrency-mt-unsafe): one thread */

    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (cli_given(cli, options[i])) {
            return true;
        }
    }
    return url && url[0];
}

bool tap_remote_is_meant(const struct cli *cli)
{
    struct control_client client = CONTROL_CLIENT_INIT;
    struct cli_target target;
    bool is_elsewhere = false;

    if (is_named(cli)) {
        return true;
    }
    if (control_client_open_quiet(cli->paths.control_path, &client) == CLI_EXIT_OK) {
        control_client_close(&client);
        return false;
    }
    if (access(cli->paths.config_path, R_OK) == 0 && cli_target_resolve(cli, CLI_TARGET_TOLERANT, &target) == 0) {
        is_elsewhere = target.is_elsewhere;
        cli_target_deinit(&target);
    }
    return is_elsewhere;
}

/* --- lines -------------------------------------------------------------------------------- */

static void on_event(void *arg, struct span name, struct span payload)
{
    struct tap_remote *self = arg;
    struct value_iter lines = value_iter(value_get(payload, "lines"));
    struct tap_record record;
    struct span key;
    struct span line;

    if (!span_is_text(name, "bus.tap.lines")) {
        return;
    }
    while (value_next(&lines, &key, &line)) {
        if (tap_shown_read(line, &record)) {
            self->wish.on_record(self->wish.arg, &record);
        } else if (!self->is_odd) {
            self->is_odd = true;
            cli_err("a line of the tap was not understood; are gateway and command of one version?");
        }
    }
    self->dropped = (uint64_t)value_i64(value_get(payload, "dropped"), (int64_t)self->dropped);
    cli_session_wake(self->rpc.session);
}

/* --- asking ------------------------------------------------------------------------------- */

/* An interruption is no problem of a watcher's; who follows waits for what passes. */
static int problem_settle(struct tap_remote *self, const struct cli_problem *problem)
{
    if (problem->kind == CLI_PROBLEM_INTERRUPTED && self->wish.follows) {
        self->is_interrupted = true;
        return CLI_EXIT_OK;
    }
    if (self->wish.follows && cli_problem_is_passing(problem)) {
        return CLI_EXIT_UNAVAILABLE;
    }
    return cli_problem_explain(problem, &self->rpc.target);
}

static int ask(struct tap_remote *self, const char *method, struct span params, struct pack *ret_payload)
{
    struct cli_call call = { .method = method, .params = params, .timeout_ms = self->timeout_ms };
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };

    return cli_session_call(self->rpc.session, &call, ret_payload, &problem) ? problem_settle(self, &problem)
                                                                             : CLI_EXIT_OK;
}

static int subscribe(struct tap_remote *self)
{
    CLEANUP(pack_deinit) struct pack params;
    CLEANUP(pack_deinit) struct pack payload;

    pack_init(&params, 0);
    pack_init(&payload, 0);
    pack_map_begin(&params);
    if (self->wish.filter) {
        pack_kv_text(&params, "filter", self->wish.filter);
    }
    pack_kv_bool(&params, "bodies", self->wish.with_bodies);
    pack_kv_bool(&params, "times", self->wish.with_times);
    pack_kv_bool(&params, "sessions", self->wish.with_sessions);
    pack_map_end(&params);
    int r = ask(self, "bus.tap.subscribe", pack_span(&params), &payload);
    self->is_subscribed = r == CLI_EXIT_OK && !self->is_interrupted;
    return r;
}

int tap_remote_open(struct tap_remote *self, const struct cli *cli, const struct tap_remote_wish *wish)
{
    struct cli_rpc_opts opts = {
        .display_name = "gateway:tap", .timeout_ms = cli_number(cli, "timeout"), .arg = self, .on_event = on_event
    };

    *self = (struct tap_remote){ .timeout_ms = opts.timeout_ms, .wish = *wish };
    self->wish.follows = false; /* one that was not there from the start is told of */
    int r = cli_rpc_open(cli, &opts, &self->rpc);
    r = r ? r : subscribe(self);
    self->wish.follows = wish->follows;
    return r;
}

int tap_remote_again(struct tap_remote *self, uint64_t pause_ms)
{
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };

    self->dropped_before += self->dropped;
    self->dropped = 0;
    if (cli_session_pause(self->rpc.session, pause_ms, &problem) || cli_session_reopen(self->rpc.session, &problem)) {
        return problem_settle(self, &problem);
    }
    return subscribe(self);
}

int tap_remote_actors(struct tap_remote *self, struct pack *ret_actors)
{
    return ask(self, "bus.actors.list", (struct span){ NULL, 0 }, ret_actors);
}

int tap_remote_step(struct tap_remote *self, long timeout_ms)
{
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };
    uint64_t ms = timeout_ms < 0 || timeout_ms > (long)STEP_MS ? STEP_MS : (uint64_t)timeout_ms;

    if (cli_session_wait(self->rpc.session, ms, &problem) == 0) {
        return CLI_EXIT_OK;
    }
    if (problem.kind == CLI_PROBLEM_INTERRUPTED) {
        self->is_interrupted = true;
        return CLI_EXIT_OK;
    }
    self->is_subscribed = false;
    return problem_settle(self, &problem);
}

void tap_remote_rest(struct tap_remote *self)
{
    CLEANUP(pack_deinit) struct pack payload;

    pack_init(&payload, 0);
    if (!self->is_subscribed) {
        return;
    }
    self->is_subscribed = false;
    cli_session_resume(self->rpc.session);
    for (uint64_t end_ms = clock_mono_ms() + REST_MS, now_ms; (now_ms = clock_mono_ms()) < end_ms;) {
        struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };

        if (cli_session_wait(self->rpc.session, end_ms - now_ms, &problem)) {
            return; /* the connection is gone, or we are to end at once */
        }
    }
    if (ask(self, "bus.tap.unsubscribe", (struct span){ NULL, 0 }, &payload) == CLI_EXIT_OK) {
        self->dropped = (uint64_t)value_i64(value_get(pack_span(&payload), "dropped"), (int64_t)self->dropped);
    }
}

void tap_remote_close(struct tap_remote *self)
{
    cli_rpc_close(&self->rpc);
}
