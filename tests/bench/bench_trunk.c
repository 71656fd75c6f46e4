/*
 * bench_trunk: calls between an actor of the gateway and one on another machine, over tcp and
 * CURVE, against the same two-frame pattern in bare libzmq between two processes in the same
 * run. Prints one JSON object per figure.
 *
 *   bench_trunk [calls]        default 200000
 *
 * It is its own gateway, its own other machine, and, as `bench_trunk --child`, the hosts of
 * both.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/curve.h"
#include "bus/process.h"

#define WINDOW 512U
#define ALONE_SHARE 32U /* one call of so many is also made with nothing else under way */
#define HEADER_BYTES 64U
#define BODY_BYTES 16U
#define PORT_BARE 28971
#define PORT_BUS 28973

static uint64_t total = 200000;

static void figure(const char *name, uint64_t n, uint64_t ns)
{
    (void)printf("{\"figure\":\"%s\",\"count\":%llu,\"per_second\":%.0f,\"ns_each\":%.1f}\n", name,
                 (unsigned long long)n, (double)n * 1e9 / (double)ns, (double)ns / (double)n);
    (void)fflush(stdout);
}

static void check(int r)
{
    if (r < 0) {
        (void)fprintf(stderr, "bench_trunk: %s\n", zmq_strerror(zmq_errno()));
        exit(1);
    }
}

/* --- bare libzmq: two processes, a connection in each direction ------------------------------ */

static void *bare_socket(void *zctx, int type, unsigned port, const struct curve_pair *pair)
{
    void *sock = zmq_socket(zctx, type);
    bool is_server = type == ZMQ_PULL;
    int number = is_server;
    char endpoint[64];
    int none = 0;

    (void)snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    check(zmq_setsockopt(sock, is_server ? ZMQ_RCVHWM : ZMQ_SNDHWM, &none, sizeof(none)));
    check(zmq_setsockopt(sock, ZMQ_CURVE_PUBLICKEY, pair->public_key, sizeof(pair->public_key)));
    check(zmq_setsockopt(sock, ZMQ_CURVE_SECRETKEY, pair->secret_key, sizeof(pair->secret_key)));
    check(is_server ? zmq_setsockopt(sock, ZMQ_CURVE_SERVER, &number, sizeof(number))
                    : zmq_setsockopt(sock, ZMQ_CURVE_SERVERKEY, pair->public_key, sizeof(pair->public_key)));
    check(is_server ? zmq_bind(sock, endpoint) : zmq_connect(sock, endpoint));
    return sock;
}

static void pair_send(void *sock)
{
    char header[HEADER_BYTES] = { 1 };
    char body[BODY_BYTES] = { 2 };

    check(zmq_send(sock, header, sizeof(header), ZMQ_SNDMORE));
    check(zmq_send(sock, body, sizeof(body), 0));
}

static void pair_receive(void *sock)
{
    char frame[HEADER_BYTES];

    check(zmq_recv(sock, frame, sizeof(frame), 0));
    check(zmq_recv(sock, frame, sizeof(frame), 0));
}

static void bare_echo(const struct curve_pair *pair, uint64_t n)
{
    void *zctx = zmq_ctx_new();
    void *pull = bare_socket(zctx, ZMQ_PULL, PORT_BARE, pair);
    void *push = bare_socket(zctx, ZMQ_PUSH, PORT_BARE + 1, pair);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t i = 0; i < n; i++) {
        pair_receive(pull);
        pair_send(push);
    }
    (void)zmq_close(pull);
    (void)zmq_close(push);
    (void)zmq_ctx_term(zctx);
    _exit(0);
}

static uint64_t bare_calls(void *push, void *pull, uint64_t n, uint64_t window)
{
    uint64_t start_ns = clock_mono_ns();
    uint64_t sent = 0;

    for (uint64_t got = 0; got < n; got++) {
        while (sent < n && sent - got < window) {
            pair_send(push);
            sent++;
        }
        pair_receive(pull);
    }
    return clock_mono_ns() - start_ns;
}

static void bare_run(const struct curve_pair *pair)
{
    uint64_t alone = total / ALONE_SHARE;
    pid_t pid = fork();

    if (pid == 0) {
        bare_echo(pair, 1 + total + alone);
    }
    void *zctx = zmq_ctx_new();
    void *pull = bare_socket(zctx, ZMQ_PULL, PORT_BARE + 1, pair);
    void *push = bare_socket(zctx, ZMQ_PUSH, PORT_BARE, pair);
    (void)bare_calls(push, pull, 1, 1); /* both connections are there */
    figure("bare_curve_round_trip", total, bare_calls(push, pull, total, WINDOW));
    figure("bare_curve_alone", alone, bare_calls(push, pull, alone, 1));
    (void)waitpid(pid, NULL, 0);
    (void)zmq_close(pull);
    (void)zmq_close(push);
    (void)zmq_ctx_term(zctx);
}

/* --- the actors --------------------------------------------------------------------------------- */

struct msg_n {
    uint64_t n;
};

static const struct schema_field n_fields[] = {
    { .name = "n",
      .name_len = 1,
      .kind = SCHEMA_U64,
      .flags = SCHEMA_REQUIRED,
      .has_offset = UINT32_MAX,
      .max = INT64_MAX },
};
static const struct schema_type n_type = { "n", sizeof(struct msg_n), n_fields, 1, 0 };
static const struct schema_msg msg_answer = {
    .name = "answer", .name_len = 6, .kind = SCHEMA_MSG_REPLY, .type = &n_type
};
static const struct schema_msg msg_ask = { .name = "ask", .name_len = 3, .type = &n_type, .reply = &msg_answer };
static const struct schema_msg *const msgs[] = { &msg_answer, &msg_ask };
static const struct schema_registry registry = { .msgs = msgs, .msgs_n = ARRAY_LEN(msgs) };

static int on_ask(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_n *in = msg;

    (void)arg;
    return actor_reply(ctx, &msg_answer, &(struct msg_n){ in->n });
}

static const struct actor_route server_routes[] = { { &msg_ask, on_ask, 0 } };
static const struct actor_def server_def = { .name = "server", .routes = server_routes, .routes_n = 1 };

struct asker {
    bool is_alone;
    uint64_t total;
    uint64_t sent;
    uint64_t got;
    uint64_t failed;
    uint64_t start_ns;
};

static void fill(struct asker *self, struct actor *actor);

static void phase_begin(struct asker *self, struct actor *actor, bool is_alone)
{
    *self = (struct asker){ .is_alone = is_alone, .total = is_alone ? total / ALONE_SHARE : total };
    self->start_ns = clock_mono_ns();
    fill(self, actor);
}

static void phase_end(struct asker *self, struct actor *actor)
{
    figure(self->is_alone ? "trunk_alone" : "trunk_round_trip", self->total, clock_mono_ns() - self->start_ns);
    if (self->failed) {
        (void)fprintf(stderr, "bench_trunk: %llu failed\n", (unsigned long long)self->failed);
    }
    if (self->is_alone) {
        (void)kill(getppid(), SIGTERM); /* our own supervising process */
    } else {
        phase_begin(self, actor, true);
    }
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct asker *self = state;

    (void)cookie;
    self->failed += answer->failure ? 1 : 0;
    self->got++;
    fill(self, actor);
}

static void fill(struct asker *self, struct actor *actor)
{
    uint64_t window = self->is_alone ? 1 : WINDOW;
    struct msg_n in = { 0 };
    struct actor_call call = { .to = "server", .msg = &msg_ask, .in = &in, .on_answer = on_answer };

    if (self->got == self->total) {
        phase_end(self, actor);
        return;
    }
    while (self->sent < self->total && self->sent - self->got < window) {
        in.n = ++self->sent;
        (void)actor_call(actor, &call, NULL);
    }
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    (void)address;
    if (life == ACTOR_LIFE_READY && ((struct asker *)state)->total == 0) {
        phase_begin(state, actor, false);
    }
}

static int asker_init(void *state, struct actor *actor, const char *arg)
{
    (void)state;
    (void)arg;
    return actor_watch(actor, "server", on_life);
}

static const struct actor_def asker_def = { .name = "asker", .state_size = sizeof(struct asker), .init = asker_init };
static const struct actor_def *const defs[] = { &server_def, &asker_def, NULL };

static const char *def_of(const char *address, const char **ret_arg)
{
    (void)ret_arg;
    return address;
}

/* --- the processes --------------------------------------------------------------------------------- */

static void topology_of(const char *key, struct topology *topology)
{
    struct topology_error error;
    char text[512];

    (void)snprintf(
        text, sizeof(text),
        "{ gateway: { endpoint: 'tcp://127.0.0.1:%d', curve: \"%s\" }, hosts: { main: { actors: ['asker'] }, "
        "far: { actors: ['server'], link: 'tcp' } } }",
        PORT_BUS, key);
    if (topology_parse(span_from(text), topology, &error)) {
        (void)fprintf(stderr, "bench_trunk: %s\n", error.text);
        exit(1);
    }
}

static void on_ready(void *arg)
{
    int fd = (int)strtol(arg, NULL, 10);

    (void)!write(fd, "1", 1); /* whoever waits sees that nothing comes */
    (void)close(fd);
}

static int child_run(void)
{
    struct curve_pair pair = { .public_key = "" };
    struct topology topology;
    const char *host = getenv("OPENCLAW_BUS_HOST");
    const char *incarnation = getenv("OPENCLAW_BUS_INCARNATION");

    total = strtoull(getenv("BENCH_CALLS"), NULL, 10);
    topology_of(getenv("BENCH_KEY"), &topology);
    bool is_far = strcmp(host, "far") == 0;
    if (is_far && curve_load(getenv("BENCH_DIR"), &pair)) {
        return 1;
    }
    int r = host_run(&(struct host_opts){ .name = host,
                                          .topology = &topology,
                                          .run_dir = getenv("OPENCLAW_BUS_RUN_DIR"),
                                          .defs = defs,
                                          .registry = &registry,
                                          .def_of = def_of,
                                          .has_supervisor = true,
                                          .incarnation = (uint32_t)strtoul(incarnation, NULL, 10),
                                          .trunk_pair = is_far ? &pair : NULL,
                                          .on_ready = on_ready,
                                          .arg = getenv("OPENCLAW_BUS_READY_FD") });
    topology_deinit(&topology);
    return r ? 1 : 0;
}

static int supervisor_run(const char *dir, const char *only_host, const struct curve_pair *pair)
{
    static char name[] = "bench_trunk";
    static char word[] = "--child";
    char *child_argv[] = { name, word, NULL };
    struct topology topology;
    char control[128];

    topology_of(getenv("BENCH_KEY"), &topology);
    (void)setenv("BENCH_DIR", dir, 1);
    (void)snprintf(control, sizeof(control), "%s/control.sock", dir);
    int r = process_run(&(struct process_opts){ .topology = &topology,
                                                .only_host = only_host,
                                                .trunk_pair = only_host ? NULL : pair,
                                                .keys_dir = dir,
                                                .run_dir = dir,
                                                .registry = &registry,
                                                .child_argv = child_argv,
                                                .control_path = control });
    topology_deinit(&topology);
    return r;
}

static int bus_run(const char *near, const char *far, const struct curve_pair *pair)
{
    struct curve_peer allowed = { .name = "far" };
    struct curve_pair other;
    char number[24];

    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)total);
    (void)setenv("BENCH_CALLS", number, 1);
    (void)setenv("BENCH_KEY", pair->public_key, 1);
    if (curve_make(far, false, &other)) {
        return 1;
    }
    (void)snprintf(allowed.public_key, sizeof(allowed.public_key), "%s", other.public_key);
    if (curve_allow(near, &allowed)) {
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(supervisor_run(far, "far", &other));
    }
    int r = supervisor_run(near, NULL, pair);
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    return r;
}

int main(int argc, char **argv)
{
    struct curve_pair pair;
    char dir[] = "/tmp/bench-trunk-XXXXXX";
    char near[64];
    char far[64];
    char words[96];

    if (argc > 1 && strcmp(argv[1], "--child") == 0) {
        return child_run();
    }
    total = argc > 1 ? strtoull(argv[1], NULL, 10) : total;
    if (!mkdtemp(dir)) {
        perror("bench_trunk");
        return 1;
    }
    (void)snprintf(near, sizeof(near), "%s/near", dir);
    (void)snprintf(far, sizeof(far), "%s/far", dir);
    int r = curve_make(near, false, &pair);
    if (r == 0) {
        bare_run(&pair);
        r = bus_run(near, far, &pair);
    }
    (void)snprintf(words, sizeof(words), "rm -rf %s", dir);
    return system(words) || r ? 1 : 0;
}
