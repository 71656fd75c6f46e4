/*
 * bench_scaling: a gateway's traffic on the real bus, by synthetic edges, a router and agents, which are placed as
 * asked. Prints one JSON object: rate, latency, processor time by process, resident memory.
 *
 *   bench_scaling inproc|ipc|tcp [NAME=NUMBER]...
 *
 *   edges=1 agents=1 hosts=1     how many of each; agents are spread over so many processes (ipc) or machines (tcp)
 *   makers=0                     so many of the edges make runs, and the others listen; 0: all
 *   runs=20000 window=64         of each edge, and so many at a time
 *   text=128 work=0 wait=0       bytes of a run's text, its agent's processor time in us, its provider's in ms
 *   events=0 event=128 gap=0     told to all edges of each run, bytes of each, ms between two; runs are out of step
 *
 * It is its own gateway, its own other machines (over tcp and CURVE on this one), and, as `bench_scaling --child`, the
 * hosts of all.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/actor.h"
#include "bus/base/clock.h"
#include "bus/curve.h"
#include "bus/process.h"
#include "tests/bench/scaling_actors.h"
#include "tests/bench/scaling_wire.h"

#define HOSTS_MAX 16U
#define ACTORS_MAX 200U
#define PROCESSES_MAX (2 * HOSTS_MAX + 4)
#define WARM_SHARE 5U /* one run of so many is made before, and not counted */

/* --- what was asked for -------------------------------------------------------------------------- */

static char link_name[8];
static struct {
    const char *name;
    uint64_t value;
} asked[] = {
    { "edges", 1 },   { "agents", 1 }, { "hosts", 1 },    { "makers", 0 }, { "runs", 20000 },
    { "window", 64 }, { "text", 128 }, { "work", 0 },     { "wait", 0 },   { "events", 0 },
    { "event", 128 }, { "gap", 0 },    { "port", 28975 },
};

static uint64_t *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        if (strlen(asked[i].name) == len && strncmp(asked[i].name, name, len) == 0) {
            return &asked[i].value;
        }
    }
    return NULL;
}

static uint64_t get(const char *name)
{
    return *find(name, strlen(name));
}

/* `words` are LINK and NAME=NUMBER, as on the command line. */
static bool wish_read(char *const *words, size_t words_n)
{
    if (words_n == 0 ||
        (strcmp(words[0], "inproc") != 0 && strcmp(words[0], "ipc") != 0 && strcmp(words[0], "tcp") != 0)) {
        return false;
    }
    (void)snprintf(link_name, sizeof(link_name), "%s", words[0]);
    for (size_t i = 1; i < words_n; i++) {
        const char *equals = strchr(words[i], '=');
        uint64_t *value = equals ? find(words[i], (size_t)(equals - words[i])) : NULL;

        if (!value) {
            return false;
        }
        *value = strtoull(equals + 1, NULL, 10);
    }
    return get("edges") && get("agents") && get("runs") && get("window") && get("hosts") && get("hosts") <= HOSTS_MAX &&
           get("hosts") <= get("agents") && get("edges") + get("agents") <= ACTORS_MAX &&
           get("text") <= SCALING_TEXT_MAX && get("event") <= SCALING_TEXT_MAX;
}

static uint64_t makers(void)
{
    return get("makers") && get("makers") < get("edges") ? get("makers") : get("edges");
}

static bool is_over(const char *link)
{
    return strcmp(link_name, link) == 0;
}

/* --- who runs where ------------------------------------------------------------------------------ */

static void agents_list(FILE *out, uint64_t host, uint64_t hosts)
{
    const char *between = "";

    for (uint64_t i = host; i < get("agents"); i += hosts) {
        (void)fprintf(out, "%s'agent/%llu'", between, (unsigned long long)i);
        between = ", ";
    }
}

static char *topology_text(const char *key)
{
    size_t len = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);

    (void)fprintf(out, "{ hosts: { main: { actors: ['router'");
    for (uint64_t i = 0; i < get("edges"); i++) {
        (void)fprintf(out, ", 'edge/%llu'", (unsigned long long)i);
    }
    if (is_over("inproc")) {
        (void)fprintf(out, ", ");
        agents_list(out, 0, 1);
    }
    (void)fprintf(out, ", 'driver'] }");
    for (uint64_t i = 0; i < get("hosts") && !is_over("inproc"); i++) {
        (void)fprintf(out, ", 'far-%llu': { %s actors: [", (unsigned long long)i, is_over("tcp") ? "link: 'tcp'," : "");
        agents_list(out, i, get("hosts"));
        (void)fprintf(out, "] }");
    }
    (void)fprintf(out, " }");
    if (is_over("tcp")) {
        (void)fprintf(out, ", gateway: { endpoint: 'tcp://127.0.0.1:%llu', curve: \"%s\" }",
                      (unsigned long long)get("port"), key);
    }
    (void)fprintf(out, " }");
    (void)fclose(out);
    return text;
}

static void topology_of(const char *key, struct topology *topology)
{
    char *text = topology_text(key);
    struct topology_error error;

    if (topology_parse(span_from(text), topology, &error)) {
        (void)fprintf(stderr, "bench_scaling: %s\n", error.text);
        exit(1);
    }
    free(text);
}

/* --- processor time and memory of all processes ------------------------------------------------------ */

/* Each process of ours says by a file that it is one: its name is that of its part. */
static void process_tell(const char *part)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/process.%s", getenv("BENCH_DIR"), part);
    FILE *file = fopen(path, "we");
    if (!file) {
        perror(path);
        exit(1);
    }
    (void)fprintf(file, "%d\n", getpid());
    (void)fclose(file);
}

struct process_cost {
    char part[32];
    uint64_t cpu_us;
    uint64_t rss_kb;
};

static void cost_of(pid_t pid, struct process_cost *cost)
{
    clockid_t clock;
    struct timespec time;
    unsigned long pages = 0;
    char path[64];

    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0) {
        cost->cpu_us = (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%*u %lu", &pages) == 1) {
        cost->rss_kb = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    }
    if (file) {
        (void)fclose(file);
    }
}

static size_t costs(struct process_cost all[PROCESSES_MAX])
{
    const char *dir = getenv("BENCH_DIR");
    DIR *entries = opendir(dir);
    char path[320];
    size_t n = 0;
    int pid = 0;

    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry && n < PROCESSES_MAX;
         entry = readdir(entries)) {
        if (strncmp(entry->d_name, "process.", 8) != 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        FILE *file = fopen(path, "re");
        if (file && fscanf(file, "%d", &pid) == 1) {
            (void)snprintf(all[n].part, sizeof(all[n].part), "%.31s", entry->d_name + 8);
            cost_of(pid, &all[n++]);
        }
        if (file) {
            (void)fclose(file);
        }
    }
    (void)closedir(entries);
    return n;
}

/* --- the driver ------------------------------------------------------------------------------------ */

struct driver {
    bool is_warm;
    uint64_t ready; /* edges and agents */
    uint64_t waiting;
    uint64_t start_ns;
    struct msg_loaded worst;
    uint64_t p50_sum_us;
    size_t before_n;
    struct process_cost before[PROCESSES_MAX];
};

static uint64_t cost_before(const struct driver *self, const char *part)
{
    for (size_t i = 0; i < self->before_n; i++) {
        if (strcmp(self->before[i].part, part) == 0) {
            return self->before[i].cpu_us;
        }
    }
    return 0;
}

static void report(const struct driver *self)
{
    struct process_cost now[PROCESSES_MAX] = { 0 };
    uint64_t ns = clock_mono_ns() - self->start_ns;
    size_t n = costs(now);
    double runs = (double)(get("runs") * makers());
    uint64_t cpu_us = 0;
    uint64_t rss_kb = 0;

    (void)printf("{\"link\":\"%s\"", link_name);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        (void)printf(",\"%s\":%llu", asked[i].name, (unsigned long long)asked[i].value);
    }
    (void)printf(",\"parts\":{");
    for (size_t i = 0; i < n; i++) {
        uint64_t used_us = now[i].cpu_us - cost_before(self, now[i].part);

        (void)printf("%s\"%s\":%.3f", i ? "," : "", now[i].part, (double)used_us / runs);
        cpu_us += used_us;
        rss_kb += now[i].rss_kb;
    }
    (void)printf(
        "},\"per_second\":%.1f,\"cpu_us\":%.3f,\"p50_us\":%llu,\"p99_us\":%llu,\"rss_kb\":%llu,\"failed\":%llu}\n",
        runs * 1e9 / (double)ns, (double)cpu_us / runs, (unsigned long long)(self->p50_sum_us / makers()),
        (unsigned long long)self->worst.p99_us, (unsigned long long)rss_kb, (unsigned long long)self->worst.failed);
    (void)fflush(stdout);
}

static void load(struct driver *self, struct actor *actor);

static void on_loaded(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_loaded *out = answer->msg;

    (void)cookie;
    if (answer->failure) {
        (void)fprintf(stderr, "bench_scaling: an edge could not make its runs\n");
        (void)kill(getppid(), SIGTERM);
        return;
    }
    self->p50_sum_us += out->p50_us;
    self->worst.failed += out->failed;
    self->worst.p99_us = out->p99_us > self->worst.p99_us ? out->p99_us : self->worst.p99_us;
    if (--self->waiting > 0) {
        return;
    }
    if (self->is_warm) {
        report(self);
        (void)kill(getppid(), SIGTERM); /* our own supervising process */
        return;
    }
    self->is_warm = true;
    load(self, actor);
}

static void load(struct driver *self, struct actor *actor)
{
    uint64_t runs = self->is_warm ? get("runs") : get("runs") / WARM_SHARE + 1;
    struct msg_load in = { .runs = runs,
                           .window = get("window"),
                           .text_bytes = get("text"),
                           .agents = get("agents"),
                           .work_us = get("work"),
                           .wait_ms = get("wait"),
                           .gap_ms = get("gap"),
                           .events = get("events"),
                           .event_bytes = get("event") };
    struct actor_call call = { .msg = &scaling_load, .in = &in, .on_answer = on_loaded, .deadline_ms = UINT32_MAX };
    char to[32];

    self->p50_sum_us = 0;
    self->worst = (struct msg_loaded){ 0 };
    self->waiting = makers();
    self->before_n = costs(self->before);
    self->start_ns = clock_mono_ns();
    call.to = to;
    for (uint64_t i = 0; i < makers(); i++) {
        (void)snprintf(to, sizeof(to), "edge/%llu", (unsigned long long)i);
        (void)actor_call(actor, &call, NULL);
    }
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;

    (void)address;
    if (life == ACTOR_LIFE_READY && ++self->ready == get("edges") + get("agents")) {
        load(self, actor);
    }
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    (void)state;
    (void)arg;
    int r = actor_watch(actor, "edge/*", on_life);
    return r ? r : actor_watch(actor, "agent/*", on_life);
}

static const struct actor_def driver_def = { .name = "driver",
                                             .state_size = sizeof(struct driver),
                                             .init = driver_init };
static const struct actor_def *const defs[] = { &driver_def, &scaling_edge, &scaling_router, &scaling_agent, NULL };

static const char *def_of(const char *address, const char **ret_arg)
{
    const char *slash = strchr(address, '/');

    if (!slash) {
        return address;
    }
    *ret_arg = slash + 1;
    return strncmp(address, "edge/", 5) == 0 ? "edge" : "agent";
}

/* --- the processes ----------------------------------------------------------------------------------- */

static void on_ready(void *arg)
{
    int fd = (int)strtol(arg, NULL, 10);

    (void)!write(fd, "1", 1); /* whoever waits sees that nothing comes */
    (void)close(fd);
}

static void path_of(char path[96], const char *part)
{
    (void)snprintf(path, 96, "%s/%s", getenv("BENCH_DIR"), part);
}

static int child_run(void)
{
    struct curve_pair pair = { .public_key = "" };
    struct topology topology;
    const char *host = getenv("OPENCLAW_BUS_HOST");
    const char *incarnation = getenv("OPENCLAW_BUS_INCARNATION");
    char dir[96];

    topology_of(getenv("BENCH_KEY"), &topology);
    process_tell(host);
    bool is_far = topology_host_find(&topology, host)->is_remote;
    path_of(dir, host);
    if (is_far && curve_load(dir, &pair)) {
        return 1;
    }
    int r = host_run(&(struct host_opts){ .name = host,
                                          .topology = &topology,
                                          .run_dir = getenv("OPENCLAW_BUS_RUN_DIR"),
                                          .defs = defs,
                                          .registry = &scaling_registry,
                                          .def_of = def_of,
                                          .has_supervisor = true,
                                          .incarnation = (uint32_t)strtoul(incarnation, NULL, 10),
                                          .trunk_pair = is_far ? &pair : NULL,
                                          .on_ready = on_ready,
                                          .arg = getenv("OPENCLAW_BUS_READY_FD") });
    topology_deinit(&topology);
    return r ? 1 : 0;
}

/* The supervising process of the gateway, or with `host` that of another machine. */
static int supervisor_run(char *const *words, const char *host, const struct curve_pair *pair)
{
    struct topology topology;
    char part[48];
    char dir[96];
    char control[128];

    topology_of(getenv("BENCH_KEY"), &topology);
    (void)snprintf(part, sizeof(part), "keeper-%s", host ? host : "gateway");
    process_tell(part);
    path_of(dir, host ? host : "gateway");
    (void)snprintf(control, sizeof(control), "%s/control.sock", dir);
    int r = process_run(&(struct process_opts){ .topology = &topology,
                                                .only_host = host,
                                                .trunk_pair = !host && is_over("tcp") ? pair : NULL,
                                                .keys_dir = dir,
                                                .run_dir = dir,
                                                .registry = &scaling_registry,
                                                .child_argv = words,
                                                .control_path = control });
    topology_deinit(&topology);
    return r;
}

static pid_t far_run(char *const *words, const char *host, const char *near)
{
    struct curve_peer allowed = { .name = "" };
    struct curve_pair pair;
    char dir[96];

    path_of(dir, host);
    if (curve_make(dir, false, &pair)) {
        return -1;
    }
    (void)snprintf(allowed.name, sizeof(allowed.name), "%s", host);
    (void)snprintf(allowed.public_key, sizeof(allowed.public_key), "%s", pair.public_key);
    if (curve_allow(near, &allowed)) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(supervisor_run(words, host, &pair));
    }
    return pid;
}

static int all_run(char *const *words)
{
    struct curve_pair pair;
    pid_t pids[HOSTS_MAX] = { 0 };
    uint64_t far_n = is_over("tcp") ? get("hosts") : 0;
    char near[96];
    char host[32];

    path_of(near, "gateway");
    if (curve_make(near, false, &pair)) {
        return 1;
    }
    (void)setenv("BENCH_KEY", pair.public_key, 1);
    for (uint64_t i = 0; i < far_n; i++) {
        (void)snprintf(host, sizeof(host), "far-%llu", (unsigned long long)i);
        pids[i] = far_run(words, host, near);
    }
    int r = supervisor_run(words, NULL, &pair);
    for (uint64_t i = 0; i < far_n; i++) {
        (void)kill(pids[i], SIGTERM);
        (void)waitpid(pids[i], NULL, 0);
    }
    return r;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/bench-scaling-XXXXXX";
    char words[96];
    bool is_child = argc > 1 && strcmp(argv[1], "--child") == 0;
    static char name[] = "bench_scaling";
    static char word[] = "--child";
    char *child[ARRAY_LEN(asked) + 4] = { name, word };

    argv += 1 + is_child;
    argc -= 1 + is_child;
    if (argc < 1 || (size_t)argc > ARRAY_LEN(asked) + 1 || !wish_read(argv, (size_t)argc)) {
        (void)fprintf(stderr, "usage: bench_scaling inproc|ipc|tcp [NAME=NUMBER]...\n");
        return 64;
    }
    if (is_child) {
        return child_run();
    }
    for (int i = 0; i < argc; i++) {
        child[2 + i] = argv[i];
    }
    if (!mkdtemp(dir)) {
        perror("bench_scaling");
        return 1;
    }
    (void)setenv("BENCH_DIR", dir, 1);
    int r = all_run(child);
    (void)snprintf(words, sizeof(words), "rm -rf %s", dir);
    return system(words) || r ? 1 : 0;
}
