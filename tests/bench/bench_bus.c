/*
 * bench_bus: calls and casts between two actors, against the same two-frame pattern in
 * bare libzmq in the same run. Prints one JSON object per figure.
 *
 *   bench_bus [calls]        default 2000000
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/host.h"
#include "bus/pack.h"
#include "bus/tap.h"
#include "bus/value.h"

#define WINDOW 512U
#define HEADER_BYTES 64U /* about what an envelope's header takes */
#define BODY_BYTES 16U
#define CASTS_PER_CALL 256U
#define TAP_PAIRS 24U /* short turns, unwatched and watched by turns, so that both meet the same machine */
#define TAP_PAIRS_WARM 4U
#define TAP_TURN_CALLS 100000U /* long enough for attaching not to count */

static uint64_t total = 2000000;

static void figure(const char *name, uint64_t n, uint64_t ns)
{
    (void)printf("{\"figure\":\"%s\",\"count\":%llu,\"per_second\":%.0f,\"ns_each\":%.1f}\n", name,
                 (unsigned long long)n, (double)n * 1e9 / (double)ns, (double)ns / (double)n);
    (void)fflush(stdout);
}

/* --- bare libzmq -------------------------------------------------------------------------- */

static void check(int r)
{
    if (r < 0) {
        (void)fprintf(stderr, "zmq: %s\n", zmq_strerror(zmq_errno()));
        exit(1);
    }
}

static void *socket_of(void *zctx, int type, const char *endpoint)
{
    void *sock = zmq_socket(zctx, type);
    int none = 0;

    check(zmq_setsockopt(sock, type == ZMQ_PUSH ? ZMQ_SNDHWM : ZMQ_RCVHWM, &none, sizeof(none)));
    check(type == ZMQ_PULL ? zmq_bind(sock, endpoint) : zmq_connect(sock, endpoint));
    return sock;
}

static void pair_send(void *sock)
{
    zmq_msg_t header;
    zmq_msg_t body;

    check(zmq_msg_init_size(&header, HEADER_BYTES));
    memset(zmq_msg_data(&header), 1, HEADER_BYTES);
    check(zmq_msg_init_size(&body, BODY_BYTES));
    memset(zmq_msg_data(&body), 2, BODY_BYTES);
    check(zmq_msg_send(&header, sock, ZMQ_SNDMORE));
    check(zmq_msg_send(&body, sock, 0));
}

static void pair_receive(void *sock)
{
    zmq_msg_t header;
    zmq_msg_t body;

    check(zmq_msg_init(&header));
    check(zmq_msg_init(&body));
    check(zmq_msg_recv(&header, sock, 0));
    check(zmq_msg_recv(&body, sock, 0));
    check(zmq_msg_close(&header));
    check(zmq_msg_close(&body));
}

static void *bare_echo(void *zctx)
{
    void *pull = socket_of(zctx, ZMQ_PULL, "inproc://bare-echo");
    void *push = socket_of(zctx, ZMQ_PUSH, "inproc://bare-asker");

    for (uint64_t i = 0; i < total; i++) {
        pair_receive(pull);
        pair_send(push);
    }
    for (uint64_t i = 0; i < total; i++) {
        pair_receive(pull);
    }
    pair_send(push);
    (void)zmq_close(pull);
    (void)zmq_close(push);
    return NULL;
}

static void bare_run(void)
{
    void *zctx = zmq_ctx_new();
    pthread_t thread;
    void *pull = socket_of(zctx, ZMQ_PULL, "inproc://bare-asker");

    (void)pthread_create(&thread, NULL, bare_echo, zctx);
    void *push = socket_of(zctx, ZMQ_PUSH, "inproc://bare-echo");
    uint64_t start_ns = clock_mono_ns();
    uint64_t sent = 0;
    for (uint64_t got = 0; got < total; got++) {
        while (sent < total && sent - got < WINDOW) {
            pair_send(push);
            sent++;
        }
        pair_receive(pull);
    }
    figure("bare_round_trip", total, clock_mono_ns() - start_ns);
    start_ns = clock_mono_ns();
    for (uint64_t i = 0; i < total; i++) {
        pair_send(push);
    }
    pair_receive(pull);
    figure("bare_one_way", total, clock_mono_ns() - start_ns);
    (void)pthread_join(thread, NULL);
    (void)zmq_close(pull);
    (void)zmq_close(push);
    (void)zmq_ctx_term(zctx);
}

/* --- a watcher of its own process, as `openclaw bus tap` is -------------------------------- */

struct watched {
    char endpoint[64];
    pid_t pid;
    _Atomic uint64_t *records; /* shared with it: how many it has had */
    char dir[32];
};

static struct watched watched = { .dir = "/tmp/bench-tap-XXXXXX" };

/* Reads every record as far as its end, which is the least that a watcher does. */
static void watcher_run(void)
{
    void *pull = socket_of(zmq_ctx_new(), ZMQ_PULL, watched.endpoint);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        zmq_msg_t batch;

        check(zmq_msg_init(&batch));
        check(zmq_msg_recv(&batch, pull, 0));
        struct span bytes = { zmq_msg_data(&batch), zmq_msg_size(&batch) };
        if (wire_check(bytes.ptr, bytes.len, PACK_DEPTH_MAX)) {
            atomic_fetch_add(watched.records, value_count(bytes) - 1);
        }
        check(zmq_msg_close(&batch));
    }
}

static void watcher_start(void)
{
    watched.records = mmap(NULL, sizeof(*watched.records), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(watched.dir) || watched.records == MAP_FAILED) {
        perror("bench_bus");
        exit(1);
    }
    (void)snprintf(watched.endpoint, sizeof(watched.endpoint), "ipc://%s/tap", watched.dir);
    watched.pid = fork();
    if (watched.pid == 0) {
        watcher_run();
    }
}

static void watcher_stop(void)
{
    char path[64];

    (void)kill(watched.pid, SIGKILL);
    (void)waitpid(watched.pid, NULL, 0);
    (void)snprintf(path, sizeof(path), "%s/tap", watched.dir);
    (void)unlink(path);
    (void)rmdir(watched.dir);
}

/* --- the bus --------------------------------------------------------------------------------- */

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
static const struct schema_msg msg_tell = { .name = "tell", .name_len = 4, .kind = SCHEMA_MSG_CAST, .type = &n_type };
static const struct schema_msg *const msgs[] = { &msg_answer, &msg_ask, &msg_tell };
static const struct schema_registry registry = { .msgs = msgs, .msgs_n = ARRAY_LEN(msgs) };

static int on_ask(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_n *in = msg;

    (void)arg;
    return actor_reply(ctx, &msg_answer, &(struct msg_n){ in->n });
}

static int on_tell(void *arg, struct actor_ctx *ctx, const void *msg)
{
    (void)arg;
    (void)ctx;
    (void)msg;
    return 0;
}

static const struct actor_route server_routes[] = { { &msg_ask, on_ask, 0 }, { &msg_tell, on_tell, 0 } };
static const struct actor_def server_def = { .name = "server", .routes = server_routes, .routes_n = 2 };

enum phase { PHASE_CALLS, PHASE_TAPPED, PHASE_CASTS, PHASE_ALONE };

struct asker {
    enum phase phase;
    uint64_t sent;
    uint64_t got;
    uint64_t total;
    uint64_t start_ns;
    uint64_t failed;
    unsigned turn; /* of PHASE_TAPPED: even ones are not watched */
    double ratios[TAP_PAIRS];
    uint64_t plain_ns;
};

static void fill(struct asker *self, struct actor *actor);
static void phase_begin(struct asker *self, struct actor *actor, enum phase phase);

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)cookie;
    ((struct asker *)state)->failed += answer->failure ? 1 : 0;
    ((struct asker *)state)->got++;
    fill(state, actor);
}

static int ratio_order(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

static void turn_begin(struct asker *self, struct actor *actor)
{
    self->total = TAP_TURN_CALLS;
    self->sent = 0;
    self->got = 0;
    if (self->turn % 2) {
        (void)tap_attach(&(struct tap_wish){ .endpoint = span_from(watched.endpoint) });
    }
    self->start_ns = clock_mono_ns();
    fill(self, actor);
}

/* True when it was the last. */
static bool turn_end(struct asker *self)
{
    uint64_t ns = clock_mono_ns() - self->start_ns;
    unsigned pair = self->turn / 2;

    if (self->turn++ % 2 == 0) {
        self->plain_ns = ns;
        return false;
    }
    (void)tap_detach(span_from(watched.endpoint));
    if (pair >= TAP_PAIRS_WARM) {
        self->ratios[pair - TAP_PAIRS_WARM] = (double)self->plain_ns / (double)ns;
    } else {
        atomic_store(watched.records, 0);
    }
    return pair + 1 == TAP_PAIRS;
}

static void tapped_figure(struct asker *self)
{
    unsigned n = TAP_PAIRS - TAP_PAIRS_WARM;
    uint64_t sent = self->total * 2 * n;

    qsort(self->ratios, n, sizeof(*self->ratios), ratio_order);
    (void)printf("{\"figure\":\"bus_tapped\",\"pairs\":%u,\"ratio\":%.4f,\"ratio_low\":%.4f,\"ratio_high\":%.4f,"
                 "\"seen\":%.3f}\n",
                 n, self->ratios[n / 2], self->ratios[n / 4], self->ratios[n * 3 / 4],
                 (double)atomic_load(watched.records) / (double)sent);
    (void)fflush(stdout);
}

static void phase_end(struct asker *self, struct actor *actor)
{
    static const char *const names[] = { "bus_round_trip", "", "bus_one_way", "bus_alone" };

    uint64_t messages = self->phase == PHASE_CASTS ? self->total * CASTS_PER_CALL : self->total;

    if (self->phase != PHASE_TAPPED) {
        figure(names[self->phase], messages, clock_mono_ns() - self->start_ns);
    } else if (!turn_end(self)) {
        turn_begin(self, actor);
        return;
    } else {
        tapped_figure(self);
    }
    if (self->failed) {
        (void)fprintf(stderr, "%llu failed\n", (unsigned long long)self->failed);
    }
    if (self->phase == PHASE_ALONE) {
        host_stop();
    } else {
        phase_begin(self, actor, self->phase + 1);
    }
}

/* One call behind so many casts keeps their sender in step with the receiver. */
static void casts_send(struct actor *actor)
{
    for (unsigned i = 1; i < CASTS_PER_CALL; i++) {
        (void)actor_cast(actor, "server", &msg_tell, &(struct msg_n){ i }, NULL);
    }
}

static void fill(struct asker *self, struct actor *actor)
{
    uint64_t window = self->phase == PHASE_ALONE ? 1 : self->phase == PHASE_CASTS ? 16 : WINDOW;
    struct msg_n in = { 0 };
    struct actor_call call = { .to = "server", .msg = &msg_ask, .in = &in, .on_answer = on_answer };

    if (self->got == self->total) {
        phase_end(self, actor);
        return;
    }
    while (self->sent < self->total && self->sent - self->got < window) {
        if (self->phase == PHASE_CASTS) {
            casts_send(actor);
        }
        in.n = ++self->sent;
        (void)actor_call(actor, &call, NULL);
    }
}

static void phase_begin(struct asker *self, struct actor *actor, enum phase phase)
{
    *self = (struct asker){ .phase = phase, .total = total };
    if (phase == PHASE_ALONE || phase == PHASE_CASTS) {
        self->total = total / CASTS_PER_CALL;
    }
    if (phase == PHASE_TAPPED) {
        turn_begin(self, actor);
        return;
    }
    self->start_ns = clock_mono_ns();
    fill(self, actor);
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    (void)address;
    if (life == ACTOR_LIFE_READY && ((struct asker *)state)->total == 0) {
        phase_begin(state, actor, PHASE_CALLS);
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

int main(int argc, char **argv)
{
    struct topology topology;
    struct topology_error error;

    total = argc > 1 ? strtoull(argv[1], NULL, 10) : total;
    watcher_start();
    bare_run();
    if (topology_parse(SPAN_LIT("{ hosts: { main: { actors: ['server', 'asker'] } } }"), &topology, &error) != 0) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    struct host_opts opts = {
        .name = "main", .topology = &topology, .defs = defs, .registry = &registry, .def_of = def_of
    };
    int r = host_run(&opts);
    topology_deinit(&topology);
    watcher_stop();
    return r == 0 ? 0 : 1;
}
