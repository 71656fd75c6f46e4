/*
 * `openclaw bus replay`: asks a gateway of its own what a recording says that clients asked,
 * in the same order, and shows where the answers differ.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/replay_compare.h"
#include "edge/cli/replay_gateway.h"
#include "edge/cli/tap_parts.h"
#include "edge/cli/tap_watch.h"
#include "schema_gen.h"

#define FILTER "kind == publish && to ~ edge/*"
#define OPEN_CALLS_MAX 12U /* of one connection; the gateway takes a few more */

/* One that came and was not expected yet. */
struct event {
    struct event *next;
    struct text_buf topic;
    struct text_buf about;
    struct text_buf body;
};

struct replay {
    const struct cli *cli;
    struct cli test; /* the same command line, for the gateway of the replay */
    struct replay_script script;
    struct replay_gateway gateway;
    struct tap_watch watch;
    struct control_client client;
    struct event *events;
    struct event **events_tail;
    unsigned open_n; /* calls that are not answered yet */
    unsigned same;
    unsigned differing;
    unsigned missing;
};

/* --- what is to be done ------------------------------------------------------------------------ */

/* About the process that answers, so never twice the same. */
static bool is_about_process(struct span address)
{
    return span_is_text(address, "health") || span_is_text(address, "log");
}

/* What clients ask of the gateway, by its methods or over HTTP. */
static bool is_of_client(const struct schema_msg *msg, const struct tap_record *record)
{
    return (msg->extra || msg == MSG_AGENT_RUN) && span_starts(record->env.from, "edge/") &&
           !is_about_process(record->env.to);
}

/* Without a filter: what clients ask. */
static bool is_wanted(const struct cli *cli, const struct tap_filter *filter, const struct tap_record *record)
{
    const struct schema_msg *msg = schema_find(&schema_registry, record->env.name);
    struct tap_filter_subject subject = tap_record_subject(record);

    if (record->env.kind != ENVELOPE_CALL || !msg || msg->kind != SCHEMA_MSG_CALL) {
        return false;
    }
    return cli_given(cli, "filter") ? tap_filter_fits(filter, &subject) : is_of_client(msg, record);
}

static int script_read(struct replay *self)
{
    CLEANUP(tap_parts_close) struct tap_parts parts = { 0 };
    struct tap_filter everything = { 0 };
    struct tap_filter filter;
    struct tap_record record;
    int r = tap_watch_filter(cli_text(self->cli, "filter"), &filter);

    self->script.registry = &schema_registry;
    r = r ? r : tap_parts_open(&parts, cli_arg(self->cli, 0));
    while (r == CLI_EXIT_OK) {
        r = tap_parts_next(&parts, &everything, &record);
        if (r || parts.is_end) {
            break;
        }
        if (replay_script_add(&self->script, &record, is_wanted(self->cli, &filter, &record))) {
            cli_err("out of memory");
            r = CLI_EXIT_SOFTWARE;
        }
    }
    if (r == CLI_EXIT_OK && self->script.calls_n == 0) {
        cli_err(self->script.without_body ? "the recording has no bodies; make one with `openclaw bus tap --record "
                                            "FILE --bodies`"
                                          : "the recording has no call that could be made again");
        return CLI_EXIT_FAILED;
    }
    return r;
}

/* --- what comes ----------------------------------------------------------------------------------- */

static void on_record(void *arg, const struct tap_record *record)
{
    struct replay *self = arg;
    struct span about = replay_script_event(&schema_registry, record);
    struct event *event = about.len ? mem_new(sizeof(*event)) : NULL;

    if (!event) {
        return;
    }
    *self->events_tail = event;
    self->events_tail = &event->next;
    if (text_buf_add(&event->topic, record->env.name) || text_buf_add(&event->about, about) ||
        text_buf_add(&event->body, record->body)) {
        cli_err("out of memory: an event is left out");
    }
}

static void event_free(struct event *event)
{
    text_buf_deinit(&event->topic);
    text_buf_deinit(&event->about);
    text_buf_deinit(&event->body);
    free(event);
}

static struct span text_of(const struct text_buf *text)
{
    return (struct span){ text->data, text->len };
}

/* The oldest one that this step means, cut out; NULL when it has not come. */
static struct event *event_take(struct replay *self, const struct replay_step *step)
{
    for (struct event **at = &self->events; *at; at = &(*at)->next) {
        struct event *event = *at;

        if (span_is_text(text_of(&event->topic), step->name) &&
            span_is(text_of(&event->about), text_of(&step->about))) {
            *at = event->next;
            if (!*at) {
                self->events_tail = at;
            }
            return event;
        }
    }
    return NULL;
}

static void answer_take(struct replay *self, struct span answer)
{
    int64_t number = value_i64(value_get(answer, "id"), -1);
    struct span result = value_get(answer, "result");
    struct replay_step *step =
        number >= 0 && (size_t)number < self->script.steps_n ? &self->script.steps[number] : NULL;

    if (!step || step->kind != REPLAY_CALL || step->is_done) {
        return;
    }
    step->is_done = true;
    self->open_n--;
    step->replayed_ms = value_f64(value_get(result, "latencyMs"), (double)value_i64(value_get(result, "latencyMs"), 0));
    if (text_buf_add(&step->replayed, result.len ? result : answer)) { /* a refusal has no result, but an error */
        cli_err("out of memory: an answer is left out");
    }
}

static int answers_take(struct replay *self)
{
    int r;

    do {
        CLEANUP(pack_deinit) struct pack answer;

        pack_init(&answer, 0);
        r = control_client_take(&self->client, &answer);
        if (r == CLI_EXIT_OK) {
            answer_take(self, pack_span(&answer));
        }
    } while (r == CLI_EXIT_OK);
    return r == CLI_EXIT_TRY_LATER ? CLI_EXIT_OK : r;
}

/* Waits for something to come. False in `ret_left` when the time is over. */
static int wait(struct replay *self, uint64_t end_ms, bool *ret_left)
{
    uint64_t now_ms = clock_mono_ms();
    int r = CLI_EXIT_OK;

    *ret_left = now_ms < end_ms && !tap_watch_is_interrupted();
    if (*ret_left) {
        r = tap_watch_step(&self->watch, (long)(end_ms - now_ms));
    }
    return r ? r : answers_take(self);
}

/* --- what is shown --------------------------------------------------------------------------------- */

static void check_pack(const struct replay_step *step, const char *result, const struct replay_comparison *comparison,
                       double replayed_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "type", step->kind == REPLAY_EVENT ? "event" : "answer");
    pack_kv_text(out, step->kind == REPLAY_EVENT ? "topic" : "method", step->name);
    pack_kv_text(out, "from", step->address);
    if (step->kind == REPLAY_EVENT) {
        pack_kv_str(out, "about", text_of(&step->about));
    } else {
        pack_kv_f64(out, "recordedMs", step->latency_ms);
        pack_kv_f64(out, "replayedMs", replayed_ms);
    }
    pack_kv_text(out, "result", result);
    pack_key(out, "differences");
    pack_array_begin(out);
    for (unsigned i = 0; i < comparison->differences_n && i < REPLAY_DIFFERENCES_MAX; i++) {
        pack_map_begin(out);
        pack_kv_text(out, "path", comparison->differences[i].path);
        pack_kv_text(out, "recorded", comparison->differences[i].recorded);
        pack_kv_text(out, "replayed", comparison->differences[i].replayed);
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_kv_u64(out, "passedOver", comparison->passed_over);
    pack_map_end(out);
}

static void json_print(const struct pack *pack)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (pack_error(pack) || json_from_value(pack_span(pack), &text) || text_buf_add(&text, SPAN_LIT("\n"))) {
        cli_err("out of memory");
        return;
    }
    cli_out_span(text_of(&text));
}

static void check_print(const struct replay_step *step, const char *result, const struct replay_comparison *comparison,
                        double replayed_ms)
{
    char line[ACTOR_ADDRESS_MAX + ENVELOPE_NAME_MAX + 96];

    if (step->kind == REPLAY_EVENT) {
        (void)snprintf(line, sizeof(line), "%-8s %s event of %s", result, step->name, step->address);
    } else {
        (void)snprintf(line, sizeof(line), "%-8s %s by %s in %.3f ms, recorded %.3f ms", result, step->name,
                       step->address, replayed_ms, step->latency_ms);
    }
    cli_out_safe(span_from(line), false);
    cli_out("\n");
    for (unsigned i = 0; i < comparison->differences_n && i < REPLAY_DIFFERENCES_MAX; i++) {
        const struct replay_difference *one = &comparison->differences[i];

        cli_out("         ");
        cli_out_safe(span_from(one->path[0] ? one->path : "the whole"), false);
        cli_out("\n           recorded  ");
        cli_out_safe(span_from(one->recorded), false);
        cli_out("\n           replayed  ");
        cli_out_safe(span_from(one->replayed), false);
        cli_out("\n");
    }
    if (comparison->differences_n > REPLAY_DIFFERENCES_MAX) {
        cli_out("         and %u more\n", comparison->differences_n - REPLAY_DIFFERENCES_MAX);
    }
}

/* `is_missing`: there is nothing to compare with. */
static void check_show(struct replay *self, const struct replay_step *step, bool is_missing,
                       const struct replay_comparison *comparison, double replayed_ms)
{
    const char *result = is_missing ? "missing" : comparison->differences_n ? "differs" : "same";
    CLEANUP(pack_deinit) struct pack pack;

    self->missing += is_missing;
    self->differing += !is_missing && comparison->differences_n;
    self->same += !is_missing && !comparison->differences_n;
    pack_init(&pack, 0);
    if (cli_flag(self->cli, "json")) {
        check_pack(step, result, comparison, replayed_ms, &pack);
        json_print(&pack);
    } else {
        check_print(step, result, comparison, replayed_ms);
    }
    (void)cli_out_flush();
}

static void summary_show(const struct replay *self)
{
    const struct replay_script *script = &self->script;
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    if (cli_flag(self->cli, "json")) {
        pack_map_begin(&pack);
        pack_kv_text(&pack, "type", "summary");
        pack_kv_u64(&pack, "calls", script->calls_n);
        pack_kv_u64(&pack, "same", self->same);
        pack_kv_u64(&pack, "differing", self->differing);
        pack_kv_u64(&pack, "missing", self->missing);
        pack_kv_u64(&pack, "leftOutSecret", script->secret);
        pack_kv_u64(&pack, "leftOutWithoutBody", script->without_body);
        pack_map_end(&pack);
        json_print(&pack);
        return;
    }
    cli_out("\n%u calls made; answers and events: %u the same, %u differ, %u missing\n", script->calls_n, self->same,
            self->differing, self->missing);
    if (script->secret || script->without_body) {
        cli_out("left out: %u calls with secrets that the recording does not have, %u without a body\n", script->secret,
                script->without_body);
    }
}

/* --- the steps ------------------------------------------------------------------------------------- */

static int call_send(struct replay *self, size_t number)
{
    const struct replay_step *step = &self->script.steps[number];
    CLEANUP(pack_deinit) struct pack request;

    pack_init(&request, 0);
    pack_map_begin(&request);
    pack_kv_u64(&request, "id", number);
    pack_kv_text(&request, "op", "call");
    pack_kv_text(&request, "address", step->address);
    pack_kv_text(&request, "method", step->name);
    pack_kv_raw(&request, "params", text_of(&step->body));
    pack_kv_u64(&request, "timeoutMs", cli_number(self->cli, "timeout"));
    pack_kv_u64(&request, "window", step->window);
    pack_map_end(&request);
    if (pack_error(&request)) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    self->open_n++;
    return control_client_send(&self->client, pack_span(&request));
}

static int call_step(struct replay *self, size_t number)
{
    uint64_t end_ms = clock_mono_ms() + cli_number(self->cli, "timeout");
    bool is_left = true;
    int r = CLI_EXIT_OK;

    while (r == CLI_EXIT_OK && is_left && self->open_n >= OPEN_CALLS_MAX) {
        r = wait(self, end_ms, &is_left);
    }
    return r ? r : call_send(self, number);
}

/* What of a failure must be the same. */
static void failure_pack(struct span failure, struct pack *out)
{
    pack_map_begin(out);
    pack_key(out, "failure");
    pack_map_begin(out);
    pack_kv_raw(out, "code", value_get(failure, "code"));
    pack_kv_raw(out, "message", value_get(failure, "message"));
    pack_map_end(out);
    pack_map_end(out);
}

static void answer_check(struct replay *self, const struct replay_step *step, const struct replay_step *call)
{
    struct replay_comparison *comparison = mem_new(sizeof(*comparison));
    struct span result = text_of(&call->replayed);
    struct span failure = value_get(result, "failure");
    CLEANUP(pack_deinit) struct pack recorded;
    CLEANUP(pack_deinit) struct pack replayed;

    comparison->is_strict = cli_flag(self->cli, "strict");
    pack_init(&recorded, 0);
    pack_init(&replayed, 0);
    if (step->is_failure) {
        failure_pack(text_of(&step->body), &recorded);
    } else {
        pack_raw(&recorded, text_of(&step->body));
    }
    if (failure.len) {
        failure_pack(failure, &replayed);
    } else {
        pack_raw(&replayed, value_get(result, "reply").len ? value_get(result, "reply") : value_get(result, "error"));
    }
    if (call->is_done) {
        replay_compare(comparison, pack_span(&recorded), pack_span(&replayed));
    }
    check_show(self, step, !call->is_done, comparison, call->replayed_ms);
    free(comparison);
}

static int answer_step(struct replay *self, const struct replay_step *step)
{
    const struct replay_step *call = &self->script.steps[step->call];
    uint64_t end_ms = clock_mono_ms() + cli_number(self->cli, "timeout");
    bool is_left = true;
    int r = CLI_EXIT_OK;

    while (r == CLI_EXIT_OK && is_left && !call->is_done) {
        r = wait(self, end_ms, &is_left);
    }
    if (r == CLI_EXIT_OK && !tap_watch_is_interrupted()) {
        answer_check(self, step, call);
    }
    return r;
}

static int event_step(struct replay *self, const struct replay_step *step)
{
    uint64_t end_ms = clock_mono_ms() + cli_number(self->cli, "timeout");
    struct replay_comparison *comparison = mem_new(sizeof(*comparison));
    struct event *event = event_take(self, step);
    bool is_left = true;
    int r = CLI_EXIT_OK;

    comparison->is_strict = cli_flag(self->cli, "strict");
    while (r == CLI_EXIT_OK && is_left && !event) {
        r = wait(self, end_ms, &is_left);
        event = event_take(self, step);
    }
    if (event) {
        replay_compare(comparison, text_of(&step->body), text_of(&event->body));
        event_free(event);
    }
    if (r == CLI_EXIT_OK && !tap_watch_is_interrupted()) {
        check_show(self, step, !event, comparison, 0);
    }
    free(comparison);
    return r;
}

static int steps_run(struct replay *self)
{
    int r = CLI_EXIT_OK;

    for (size_t i = 0; i < self->script.steps_n && r == CLI_EXIT_OK && !tap_watch_is_interrupted(); i++) {
        const struct replay_step *step = &self->script.steps[i];

        r = step->kind == REPLAY_CALL     ? call_step(self, i)
            : step->kind == REPLAY_ANSWER ? answer_step(self, step)
                                          : event_step(self, step);
    }
    return r;
}

/* --- all of it --------------------------------------------------------------------------------------- */

static void replay_deinit(struct replay *self)
{
    tap_watch_close(&self->watch);
    control_client_close(&self->client);
    replay_gateway_stop(&self->gateway);
    while (self->events) {
        struct event *event = self->events;

        self->events = event->next;
        event_free(event);
    }
    replay_script_deinit(&self->script);
}

static int gateway_start(struct replay *self)
{
    const struct replay_gateway_opts opts = { .config = cli_text(self->cli, "config"),
                                              .topology = cli_text(self->cli, "topology"),
                                              .is_kept = cli_flag(self->cli, "keep") };
    int r = replay_gateway_start(&self->gateway, &opts, &self->script);

    self->test = *self->cli;
    self->test.paths = self->gateway.paths;
    self->watch.filter_text = FILTER;
    self->watch.with_bodies = true;
    self->watch.is_prompt = true;
    self->watch.on_record = on_record;
    self->watch.arg = self;
    r = r ? r : tap_watch_open(&self->watch, &self->test);
    r = r ? r : control_client_open(&self->test.paths, &self->client);
    self->watch.also_fd = self->client.fd;
    return r;
}

int cmd_bus_replay(struct cli *cli)
{
    CLEANUP(replay_deinit)
    struct replay self = { .cli = cli, .watch = { TAP_WATCH_INIT }, .client = CONTROL_CLIENT_INIT };
    int r;

    self.events_tail = &self.events;
    tap_watch_signals();
    r = script_read(&self);
    r = r ? r : gateway_start(&self);
    r = r ? r : steps_run(&self);
    if (r) {
        return r;
    }
    if (tap_watch_is_interrupted()) {
        return CLI_EXIT_INTERRUPTED;
    }
    summary_show(&self);
    return self.differing || self.missing ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}
