/*
 * cli_probe: looks at one gateway without taking any failure as the end: what can be
 * learned is kept, the first problem too.
 */
#ifndef EDGE_CLI_CLI_PROBE_H
#define EDGE_CLI_CLI_PROBE_H

#include "bus/pack.h"
#include "edge/cli/cli_session.h"

/* What to ask once connected. */
enum {
    CLI_PROBE_HEALTH = 1U << 0,
    CLI_PROBE_STATUS = 1U << 1,
    CLI_PROBE_PRESENCE = 1U << 2,
    CLI_PROBE_CONFIG = 1U << 3,
    CLI_PROBE_HEARTBEAT = 1U << 4,
    CLI_PROBE_ALL_SCOPES = 1U << 6, /* ask for more than read permission */
    CLI_PROBE_LIVE = 1U << 5,       /* the gateway shall look at its channels now, not answer from its snapshot */
};

#define CLI_PROBE_ANSWERS_N 5

struct cli_probe {
    bool is_connected; /* hello-ok came */
    bool is_rpc_ok;    /* and every request was answered */
    uint64_t latency_ms;
    struct cli_problem problem; /* the first one */
    struct pack hello;
    struct pack answers[CLI_PROBE_ANSWERS_N]; /* by bit number; empty when not asked or failed */
};

void cli_probe_run(const struct cli *cli, const struct cli_target *target, unsigned asks, uint64_t timeout_ms,
                   struct cli_probe *ret_probe);
void cli_probe_deinit(struct cli_probe *self);

/* One of the CLI_PROBE_ bits; an empty span without an answer. */
struct span cli_probe_answer(const struct cli_probe *self, unsigned ask);
/* "admin_capable", "write_capable", "read_only", "connected_no_operator_scope", "pairing_pending", "unknown" */
const char *cli_probe_capability(const struct cli_probe *self);

/* Appends {"role", "scopes", "capability"}. */
void cli_probe_pack_auth(const struct cli_probe *self, struct pack *out);
/* Appends {"host", "ip", "version", "platform"} or nil. */
void cli_probe_pack_self(const struct cli_probe *self, struct pack *out);

#endif
