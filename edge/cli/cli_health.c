#include "edge/cli/cli_health.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bus/value.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_problem.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/cli_target.h"

#define NOTHING ((struct span){ 0 })
#define LABEL_WIDTH 11
#define RECENT_MAX 5
#define READY "ready" /* the state of an actor that needs no mention */

void cli_health_label(const char *label)
{
    cli_out_styled(CLI_STYLE_BOLD, label);
    cli_out("%*s", (int)(strlen(label) < LABEL_WIDTH ? LABEL_WIDTH - strlen(label) : 1), "");
}

void cli_health_problem(const struct cli_paths *paths, const struct cli_problem *problem,
                        const struct cli_target *target)
{
    char text[PATH_MAX + 128];
    char buf[256];
    const char *advice = cli_problem_advice(problem, target, buf, sizeof(buf));

    cli_problem_text(problem, target, text, sizeof(text));
    cli_health_label("Problem");
    cli_out_safe(span_from(text), false);
    cli_out("\n");
    if (cli_problem_may_be_stranger(problem, target) &&
        cli_service_stranger_text(paths, target->url.port, text, sizeof(text))) {
        cli_health_label("");
        cli_out_safe(span_from(text), false);
        cli_out("\n");
    }
    if (advice) {
        cli_health_label("Next");
        cli_out("%s\n", advice);
    }
}

static void str_print(struct span value, const char *fallback)
{
    cli_out_safe(value_str(value, span_from(fallback)), false);
}

static void agents_print(struct span health)
{
    struct value_iter it = value_iter(value_get(health, "agents"));
    struct span key;
    struct span agent;
    bool is_first = true;

    cli_health_label("Agents");
    while (value_next(&it, &key, &agent)) {
        struct span state = value_str(value_get(agent, "state"), NOTHING);

        cli_out("%s", is_first ? "" : ", ");
        str_print(value_get(agent, "agentId"), "?");
        cli_out("%s", value_bool(value_get(agent, "isDefault"), false) ? " (default)" : "");
        if (state.len && !span_is_text(state, READY)) {
            cli_out(" ");
            cli_out_safe(state, false);
        }
        is_first = false;
    }
    cli_out("%s\n", is_first ? "none" : "");
}

static void channel_print(struct span label, struct span channel)
{
    struct span state = value_str(value_get(channel, "healthState"), NOTHING);
    struct span error = value_str(value_get(channel, "lastError"), NOTHING);
    bool is_on = value_bool(value_get(channel, "configured"), true);

    cli_out_safe(label, false);
    cli_out(": ");
    if (state.len) {
        cli_out_safe(state, false);
    } else {
        cli_out("%s", !is_on                                               ? "not configured"
                      : !value_bool(value_get(channel, "linked"), true)    ? "not linked"
                      : !value_bool(value_path(channel, "probe.ok"), true) ? "probe failed"
                      : !value_bool(value_get(channel, "running"), true)   ? "stopped"
                                                                           : "ok");
    }
    if (error.len) {
        cli_out(" (");
        cli_out_safe(error, false);
        cli_out(")");
    }
    cli_out("\n");
}

static void channels_print(struct span health)
{
    struct value_iter it = value_iter(value_get(health, "channels"));
    struct span labels = value_get(health, "channelLabels");
    struct span key;
    struct span channel;
    bool is_first = true;

    while (value_next(&it, &key, &channel)) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s", (int)(key.len < sizeof(name) ? key.len : sizeof(name) - 1), key.ptr);
        cli_health_label(is_first ? "Channels" : "");
        channel_print(value_str(value_get(labels, name), key), channel);
        is_first = false;
    }
    if (is_first) {
        cli_health_label("Channels");
        cli_out("none\n");
    }
}

static void sessions_print(struct span health, bool is_full)
{
    struct span sessions = value_get(health, "sessions");
    struct value_iter it = value_iter(value_get(sessions, "recent"));
    struct span key;
    struct span row;
    char age[CLI_FORMAT_LEN];

    cli_health_label("Sessions");
    cli_out("%" PRId64 "\n", value_i64(value_get(sessions, "count"), 0));
    for (int i = 0; (is_full || i < RECENT_MAX) && value_next(&it, &key, &row); i++) {
        cli_health_label("");
        str_print(value_get(row, "key"), "?");
        cli_out(", %s\n", cli_format_age(value_i64(value_get(row, "age"), -1), age));
    }
}

static void actors_print(struct span health, bool is_full)
{
    struct value_iter it = value_iter(value_get(health, "actors"));
    struct span key;
    struct span actor;

    while (value_next(&it, &key, &actor)) {
        struct span state = value_str(value_get(actor, "state"), NOTHING);
        struct span reason = value_str(value_get(actor, "reason"), NOTHING);
        int64_t restarts = value_i64(value_get(actor, "restarts"), 0);

        if (is_full || restarts > 0 || reason.len || !span_is_text(state, READY)) {
            cli_health_label("Actor");
            str_print(value_get(actor, "address"), "?");
            cli_out(" ");
            cli_out_safe(state, false);
            if (restarts) {
                cli_out(", restarted %" PRId64 " %s", restarts, restarts == 1 ? "time" : "times");
            }
            if (reason.len) {
                cli_out(": ");
                cli_out_safe(reason, false);
            }
            cli_out("\n");
        }
    }
}

static void process_print(struct span health)
{
    struct span process = value_get(health, "process");
    int64_t uptime = value_i64(value_get(health, "uptimeMs"), -1);
    char text[CLI_FORMAT_LEN];

    if (value_kind_of(process) == VALUE_MAP && uptime >= 0) {
        cli_health_label("Process");
        cli_out("pid %" PRId64 ", up %s", value_i64(value_get(process, "pid"), 0), cli_format_span(uptime, text));
        cli_out(", %s of memory\n", cli_format_bytes((uint64_t)value_i64(value_get(process, "rssBytes"), 0), text));
    }
}

void cli_health_print(struct span health, bool is_full)
{
    bool is_ok = value_bool(value_get(health, "ok"), false);
    struct span why = value_str(value_get(health, "degraded"), NOTHING);

    cli_health_label("Health");
    cli_out_styled(is_ok ? CLI_STYLE_GOOD : CLI_STYLE_BAD, is_ok ? "ok" : "not ok");
    if (why.len) {
        cli_out(", ");
        cli_out_safe(why, false);
    }
    cli_out("\n");
    process_print(health);
    agents_print(health);
    channels_print(health);
    sessions_print(health, is_full);
    actors_print(health, is_full);
}
