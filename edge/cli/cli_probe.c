#include "edge/cli/cli_probe.h"

#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

static const char *const methods[CLI_PROBE_ANSWERS_N] = { "health", "status", "system-presence", "config.get",
                                                          "last-heartbeat" };

static void ask(struct cli_session *session, size_t i, unsigned asks, uint64_t left_ms, struct cli_probe *probe)
{
    struct cli_problem problem;
    struct pack params;
    bool is_live = (asks & CLI_PROBE_LIVE) && (1U << i) == CLI_PROBE_HEALTH;

    pack_init(&params, 0);
    pack_map_begin(&params);
    if (is_live) {
        pack_kv_bool(&params, "probe", true);
    }
    pack_map_end(&params);
    if (cli_session_call(
            session, &(struct cli_call){ .method = methods[i], .params = pack_span(&params), .timeout_ms = left_ms },
            &probe->answers[i], &problem)) {
        probe->is_rpc_ok = false;
        if (probe->problem.kind == CLI_PROBLEM_NONE) {
            probe->problem = problem;
        }
    }
    pack_deinit(&params);
}

void cli_probe_run(const struct cli *cli, const struct cli_target *target, unsigned asks, uint64_t timeout_ms,
                   struct cli_probe *ret_probe)
{
    struct cli_session_opts opts = {
        .cli = cli,
        .target = target,
        .role = asks & CLI_PROBE_ALL_SCOPES ? CLI_SESSION_INSPECT : CLI_SESSION_PROBE,
        .display_name = "gateway:probe",
        .timeout_ms = timeout_ms,
    };
    uint64_t deadline = clock_mono_ms() + timeout_ms;
    struct cli_session *session = NULL;

    *ret_probe = (struct cli_probe){ .is_connected = false };
    pack_init(&ret_probe->hello, 0);
    for (size_t i = 0; i < CLI_PROBE_ANSWERS_N; i++) {
        pack_init(&ret_probe->answers[i], 0);
    }
    if (cli_session_open(&opts, &session, &ret_probe->problem)) {
        return;
    }
    ret_probe->is_connected = true;
    ret_probe->is_rpc_ok = true;
    ret_probe->latency_ms = cli_session_latency_ms(session);
    pack_raw(&ret_probe->hello, cli_session_hello(session));
    for (size_t i = 0; i < CLI_PROBE_ANSWERS_N; i++) {
        uint64_t now = clock_mono_ms();

        if (asks & (1U << i)) {
            ask(session, i, asks, now < deadline ? deadline - now : 1, ret_probe);
        }
    }
    cli_session_destroy(&session);
}

void cli_probe_deinit(struct cli_probe *self)
{
    pack_deinit(&self->hello);
    for (size_t i = 0; i < CLI_PROBE_ANSWERS_N; i++) {
        pack_deinit(&self->answers[i]);
    }
}

struct span cli_probe_answer(const struct cli_probe *self, unsigned ask_bit)
{
    for (size_t i = 0; i < CLI_PROBE_ANSWERS_N; i++) {
        if (ask_bit == 1U << i) {
            return pack_span(&self->answers[i]);
        }
    }
    return NOTHING;
}

static bool has_scope(struct span scopes, const char *wanted)
{
    struct value_iter it = value_iter(scopes);
    struct span key;
    struct span scope;

    while (value_next(&it, &key, &scope)) {
        if (span_is_text(value_str(scope, NOTHING), wanted)) {
            return true;
        }
    }
    return false;
}

const char *cli_probe_capability(const struct cli_probe *self)
{
    struct span scopes = value_path(pack_span(&self->hello), "auth.scopes");

    if (!self->is_connected) {
        return strcmp(self->problem.detail, "PAIRING_REQUIRED") == 0 ? "pairing_pending" : "unknown";
    }
    if (has_scope(scopes, "operator.admin")) {
        return "admin_capable";
    }
    if (has_scope(scopes, "operator.write")) {
        return "write_capable";
    }
    return has_scope(scopes, "operator.read") ? "read_only" : "connected_no_operator_scope";
}

static struct span self_in(struct span presence)
{
    struct value_iter it = value_iter(presence);
    struct span key;
    struct span row;

    while (value_next(&it, &key, &row)) {
        if (span_is_text(value_str(value_get(row, "mode"), NOTHING), "gateway")) {
            return row;
        }
    }
    return NOTHING;
}

/* The gateway's own line of the presence list; empty when unknown. */
static struct span own_line(const struct cli_probe *self)
{
    struct span asked = self_in(cli_probe_answer(self, CLI_PROBE_PRESENCE));

    return asked.len ? asked : self_in(value_path(pack_span(&self->hello), "snapshot.presence"));
}

static void str_or_nil(struct pack *out, const char *key, struct span value)
{
    struct span text = value_str(value, NOTHING);

    pack_key(out, key);
    if (text.len) {
        pack_str(out, text);
    } else {
        pack_nil(out);
    }
}

void cli_probe_pack_auth(const struct cli_probe *self, struct pack *out)
{
    struct span auth = value_get(pack_span(&self->hello), "auth");
    struct span scopes = value_get(auth, "scopes");

    pack_map_begin(out);
    str_or_nil(out, "role", value_get(auth, "role"));
    pack_key(out, "scopes");
    if (value_kind_of(scopes) == VALUE_ARRAY) {
        pack_raw(out, scopes);
    } else {
        pack_array_begin(out);
        pack_array_end(out);
    }
    pack_kv_text(out, "capability", cli_probe_capability(self));
    pack_map_end(out);
}

void cli_probe_pack_self(const struct cli_probe *self, struct pack *out)
{
    static const char *const keys[] = { "host", "ip", "version", "platform" };
    struct span row = own_line(self);

    if (!row.len) {
        pack_nil(out);
        return;
    }
    pack_map_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        str_or_nil(out, keys[i], value_get(row, keys[i]));
    }
    pack_map_end(out);
}
