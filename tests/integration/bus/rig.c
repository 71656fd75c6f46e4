/* The tables that a generator would write, and the program: one scenario per run. */
#include "tests/integration/bus/rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/host.h"
#include "bus/process.h"

static const struct schema_field ping_fields[] = {
    { .name = "n",
      .name_len = 1,
      .kind = SCHEMA_U64,
      .flags = SCHEMA_REQUIRED,
      .offset = offsetof(struct msg_ping, n),
      .has_offset = UINT32_MAX,
      .max = INT64_MAX },
    { .name = "text",
      .name_len = 4,
      .kind = SCHEMA_STR,
      .offset = offsetof(struct msg_ping, text),
      .has_offset = offsetof(struct msg_ping, has_text),
      .max = 65536 },
};
static const struct schema_field pong_fields[] = {
    { .name = "n",
      .name_len = 1,
      .kind = SCHEMA_U64,
      .flags = SCHEMA_REQUIRED,
      .offset = offsetof(struct msg_pong, n),
      .has_offset = UINT32_MAX,
      .max = INT64_MAX },
    { .name = "incarnation",
      .name_len = 11,
      .kind = SCHEMA_U32,
      .flags = SCHEMA_REQUIRED,
      .offset = offsetof(struct msg_pong, incarnation),
      .has_offset = UINT32_MAX,
      .max = UINT32_MAX },
};
static const struct schema_type ping_type = { "ping", sizeof(struct msg_ping), ping_fields, 2, 0 };
static const struct schema_type pong_type = { "pong", sizeof(struct msg_pong), pong_fields, 2, 0 };

#define MSG(var, text, kind_, type_, reply_)                                                                           \
    const struct schema_msg var = { .name = (text),                                                                    \
                                    .name_len = sizeof(text) - 1,                                                      \
                                    .kind = (kind_),                                                                   \
                                    .type = (type_),                                                                   \
                                    .reply = (reply_),                                                                 \
                                    .max_bytes = 1 << 20 }

MSG(rig_announce, "announce", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_break, "break", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_cancelled, "cancelled", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_chunk, "chunk", SCHEMA_MSG_CHUNK, &ping_type, NULL);
MSG(rig_doze, "doze", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_event, "event", SCHEMA_MSG_TOPIC, &ping_type, NULL);
const struct schema_msg rig_event_b = { .name = "event_b",
                                        .name_len = sizeof("event_b") - 1,
                                        .kind = SCHEMA_MSG_TOPIC,
                                        .flags = SCHEMA_DROPPABLE,
                                        .type = &ping_type,
                                        .max_bytes = 1 << 20 };
MSG(rig_flow, "flow", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_freeze, "freeze", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_heard, "heard", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_hoard, "hoard", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_hold, "hold", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_missed, "missed", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_news, "news", SCHEMA_MSG_TOPIC, &ping_type, NULL);
MSG(rig_note, "note", SCHEMA_MSG_CAST, &ping_type, NULL);
MSG(rig_noted, "noted", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_ping, "ping", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_pong, "pong", SCHEMA_MSG_REPLY, &pong_type, NULL);
MSG(rig_refuse, "refuse", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_relay, "relay", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_relay_hold, "relay_hold", SCHEMA_MSG_CALL, &ping_type, &rig_pong);
MSG(rig_slow, "slow", SCHEMA_MSG_CALL, &ping_type, &rig_pong);

static const struct schema_msg *const msgs[] = {
    &rig_announce, &rig_break, &rig_cancelled, &rig_chunk, &rig_doze,       &rig_event, &rig_event_b, &rig_flow,
    &rig_freeze,   &rig_heard, &rig_hoard,     &rig_hold,  &rig_missed,     &rig_news,  &rig_note,    &rig_noted,
    &rig_ping,     &rig_pong,  &rig_refuse,    &rig_relay, &rig_relay_hold, &rig_slow,
};
const struct schema_registry rig_registry = { .msgs = msgs, .msgs_n = ARRAY_LEN(msgs) };

/* --- the verdict goes through a file, since the driver may be in a child ------------------- */

void rig_verdict(bool is_well, const char *fmt, ...)
{
    const char *path = getenv("RIG_VERDICT");
    FILE *file = path && access(path, F_OK) != 0 ? fopen(path, "we") : NULL;
    va_list args;

    va_start(args, fmt);
    if (file) {
        (void)fprintf(file, "%s: ", is_well ? "ok" : "FAILED");
        (void)vfprintf(file, fmt, args);
        (void)fputc('\n', file);
        (void)fclose(file);
    }
    va_end(args);
    /* The program ends as an operator would end it. */
    (void)kill(getenv("RIG_SUPERVISED") ? getppid() : getpid(), SIGTERM);
}

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = strcmp(address, "driver") == 0 ? getenv("RIG_SCENARIO") : "";
    return strncmp(address, "echo", 4) == 0 ? "echo" : address;
}

static const struct actor_def *const defs[] = { &echo_actor, &relay_actor, &driver_actor, NULL };

static const char one_host[] = "{ hosts: { main: { actors: ['echo', 'relay', 'echo/*', 'driver'] } } }";
static const char two_hosts[] = "{ hosts: { servers: { actors: ['echo', 'relay', 'echo/*'] },"
                                " main: { actors: ['driver'] } } }";

static const char one_host_rest[] = "{ hosts: { main: { actors: ['driver', 'echo', 'relay', 'echo/*'],"
                                    " strategy: 'rest_for_one' } } }";
static const char two_hosts_rest[] = "{ hosts: { servers: { actors: ['echo', 'relay', 'echo/*'],"
                                     " strategy: 'rest_for_one' }, main: { actors: ['driver'] } } }";
static const char two_hosts_capped[] = "{ hosts: { servers: { actors: ['echo', 'relay', 'echo/*'], memoryMb: 300 },"
                                       " main: { actors: ['driver'] } } }";

static const char two_hosts_hung[] = "{ hosts: { servers: { actors: ['echo', 'relay', 'echo/*'], hangMs: 1000 },"
                                     " main: { actors: ['driver'] } } }";

static const char *topology_text(bool is_ipc)
{
    const char *scenario = getenv("RIG_SCENARIO");

    if (scenario && strstr(scenario, "rest_for_one")) {
        return is_ipc ? two_hosts_rest : one_host_rest;
    }
    if (scenario && strstr(scenario, "memory")) {
        return two_hosts_capped;
    }
    if (scenario && strstr(scenario, "hangs")) {
        return two_hosts_hung;
    }
    return is_ipc ? two_hosts : one_host;
}

static int topology_load(const char *transport, struct topology *topology)
{
    struct topology_error error;
    int r = topology_parse(span_from(topology_text(strcmp(transport, "ipc") == 0)), topology, &error);

    if (r != 0) {
        (void)fprintf(stderr, "topology: %s\n", error.text);
    }
    return r;
}

static int host_main(const char *transport)
{
    struct topology topology;
    const char *name = getenv("OPENCLAW_BUS_HOST");
    const char *incarnation = getenv("OPENCLAW_BUS_INCARNATION");
    const char *pulse = getenv("OPENCLAW_BUS_PULSE_FD");

    if (topology_load(transport, &topology) != 0) {
        return 1;
    }
    struct host_opts opts = { .name = name ? name : "main",
                              .topology = &topology,
                              .run_dir = getenv("OPENCLAW_BUS_RUN_DIR"),
                              .defs = defs,
                              .registry = &rig_registry,
                              .def_of = def_of,
                              .has_supervisor = name != NULL,
                              .incarnation = incarnation ? (uint32_t)atoi(incarnation) : 1,
                              .pulse_fd = pulse ? atoi(pulse) : 0 };
    int r = host_run(&opts);
    topology_deinit(&topology);
    return r == 0 ? 0 : 1;
}

static int process_main(char *program, const char *run_dir)
{
    struct topology topology;
    char control[256];
    char *child_argv[] = { program, (char *)(uintptr_t) "host-child", NULL };

    if (topology_load("ipc", &topology) != 0) {
        return 1;
    }
    (void)snprintf(control, sizeof(control), "%s/control.sock", run_dir);
    (void)setenv("RIG_SUPERVISED", "1", 1);
    struct process_opts opts = { .topology = &topology,
                                 .run_dir = run_dir,
                                 .registry = &rig_registry,
                                 .child_argv = child_argv,
                                 .control_path = control };
    int r = process_run(&opts);
    topology_deinit(&topology);
    return r;
}

static int verdict_read(const char *path)
{
    char line[512] = "FAILED: no verdict";
    FILE *file = fopen(path, "re");

    if (file) {
        (void)!fgets(line, sizeof(line), file);
        (void)fclose(file);
    }
    (void)fprintf(stderr, "%s\n", line);
    return strncmp(line, "ok", 2) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/bus-rig-XXXXXX";
    char verdict[64];

    if (argc == 2 && strcmp(argv[1], "host-child") == 0) {
        return host_main("ipc");
    }
    if (argc != 3 || !rig_scenario_find(argv[2]) || !mkdtemp(dir)) {
        (void)fprintf(stderr, "usage: %s inproc|ipc SCENARIO\n", argv[0]);
        return 2;
    }
    (void)snprintf(verdict, sizeof(verdict), "%s/verdict", dir);
    (void)setenv("RIG_VERDICT", verdict, 1);
    (void)setenv("RIG_SCENARIO", argv[2], 1);
    int r = strcmp(argv[1], "ipc") == 0 ? process_main(argv[0], dir) : host_main("inproc");
    int failed = verdict_read(verdict);
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
    if (r != 0) {
        (void)fprintf(stderr, "the program ended with %d\n", r);
    }
    return failed || r != 0;
}
