/*
 * What the operator asks over the control socket: status, actors, links, call, restart, stop, tap, guest.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/process_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

#define OPS_HOST_DEADLINE_MS 1000U /* a hung host shows as silent after so long */

struct op {
    const char *name;
    void (*run)(struct process *self, const struct control_request *request);
};

/* `told` is what it has answered, or empty; `error` why it could not be asked, "" when it was, or need not be. */
static void host_pack(const struct hostling *host, uint64_t now_ms, struct span told, const char *error,
                      struct pack *out)
{
    struct span rss = value_get(told, "rssBytes");
    struct span cpu = value_get(told, "cpuSeconds");

    pack_map_begin(out);
    pack_kv_text(out, "name", host->host->name);
    pack_kv_text(out, "state", actor_life_name(host->is_silent ? ACTOR_LIFE_UNRESPONSIVE : host->life));
    pack_key(out, "pid");
    if (host->pid) {
        pack_i64(out, host->pid);
    } else if (value_i64(value_get(told, "pid"), 0) > 0) { /* a number of its own machine */
        pack_i64(out, value_i64(value_get(told, "pid"), 0));
    } else {
        pack_nil(out);
    }
    pack_kv_u64(out, "incarnation", host->incarnation);
    pack_kv_u64(out, "restarts", host->supervisor.restarts);
    pack_kv_text(out, "link", host->is_remote ? "tcp" : "ipc");
    if (host->wire) {
        pack_kv_u64(out, "wire", host->wire);
    }
    if (host->release[0]) {
        pack_kv_text(out, "release", host->release);
    }
    pack_kv_u64(out, "uptimeMs", process_host_is_there(host) ? now_ms - host->started_ms : 0);
    if (host->has_died && WIFSIGNALED(host->last_status)) {
        pack_kv_i64(out, "lastSignal", WTERMSIG(host->last_status));
    } else if (host->has_died) {
        pack_kv_i64(out, "lastExit", WEXITSTATUS(host->last_status));
    }
    if (host->last_end[0]) {
        pack_kv_text(out, "lastEnd", host->last_end);
    }
    if (rss.len && cpu.len) {
        pack_kv_raw(out, "rssBytes", rss);
        pack_kv_raw(out, "cpuSeconds", cpu);
    }
    if (error[0]) {
        pack_kv_text(out, "error", error);
    }
    pack_map_end(out);
}

/* "127.0.0.1:80" or "[::1]:80"; sockets of other families are nobody's address. */
static void listening_pack(int fd, struct pack *out)
{
    struct sockaddr_in6 in6 = { 0 };
    struct sockaddr *address = (struct sockaddr *)&in6;
    socklen_t len = sizeof(in6);
    char host[INET6_ADDRSTRLEN];
    char text[INET6_ADDRSTRLEN + 16];

    if (getsockname(fd, address, &len) || (address->sa_family != AF_INET && address->sa_family != AF_INET6)) {
        return;
    }
    bool is_in6 = address->sa_family == AF_INET6;
    const void *bytes = is_in6 ? (const void *)&in6.sin6_addr : &((const struct sockaddr_in *)address)->sin_addr;
    if (inet_ntop(address->sa_family, bytes, host, sizeof(host))) {
        /* The port stands at the same place in both. */
        (void)snprintf(text, sizeof(text), is_in6 ? "[%s]:%u" : "%s:%u", host, ntohs(in6.sin6_port));
        pack_text(out, text);
    }
}

static void on_status(struct process *self, const struct control_request *request)
{
    CLEANUP(pack_deinit) struct pack out;
    uint64_t now_ms = clock_mono_ms();
    int fds[SOCKETS_MAX];

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_i64(&out, "pid", getpid());
    pack_kv_text(&out, "state", self->is_stopping ? "stopping" : self->has_been_ready ? "running" : "starting");
    pack_kv_u64(&out, "uptimeMs", now_ms - self->started_ms);
    if (self->opts->release) {
        pack_kv_text(&out, "release", self->opts->release);
    }
    if (self->opts->program) {
        pack_kv_text(&out, "program", self->opts->program);
    }
    if (self->opts->only_host) {
        pack_kv_text(&out, "onlyHost", self->opts->only_host);
    }
    pack_kv_u64(&out, "upgrades", self->opts->upgrades_n);
    pack_kv_u64(&out, "upgradesFailed", self->opts->upgrades_failed_n);
    if (self->opts->upgrade_failure && self->opts->upgrade_failure[0]) {
        pack_kv_text(&out, "upgradeError", self->opts->upgrade_failure);
    }
    pack_kv_text(&out, "runDir", self->opts->run_dir);
    pack_key(&out, "listening");
    pack_array_begin(&out);
    size_t fds_n = self->opts->sockets.list ? self->opts->sockets.list(self->opts->sockets.arg, fds) : 0;
    for (size_t i = 0; i < fds_n; i++) {
        listening_pack(fds[i], &out);
    }
    pack_array_end(&out);
    pack_key(&out, "hosts");
    pack_array_begin(&out);
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].host->name[0]) {
            host_pack(&self->hosts[i], now_ms, (struct span){ 0 }, "", &out);
        }
    }
    pack_array_end(&out);
    pack_map_end(&out);
    control_answer(self->control, request->ticket, pack_span(&out));
}

void process_answer(struct process *self, struct process_asker asker, struct span result)
{
    if (asker.token.id) { /* without memory for it the deadline ends the call */
        (void)actor_token_reply_span(node_actor(self->node), asker.token, result);
    } else {
        control_answer(self->control, asker.ticket, result);
    }
}

void process_accept(struct process *self, struct process_asker asker)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_map_end(&out);
    process_answer(self, asker, pack_span(&out));
}

void process_refuse(struct process *self, struct process_asker asker, int code, const char *fmt, ...)
{
    char text[FAILURE_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a longer one is cut */
    va_end(args);
    if (asker.token.id) { /* as above */
        (void)actor_token_fail_text(node_actor(self->node), asker.token, code, "%s", text);
    } else {
        control_refuse(self->control, asker.ticket, failure_name(code), "%s", text);
    }
}

static struct process_asker asker_of(const struct control_request *request)
{
    return (struct process_asker){ .ticket = request->ticket };
}

static struct hostling *host_find(struct process *self, struct span name)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (span_is_text(name, self->hosts[i].host->name)) {
            return &self->hosts[i];
        }
    }
    return NULL;
}

/* Asks the host of an actor to restart it; false when the directory knows no such actor. */
static bool actor_restart_ask(struct process *self, struct span address)
{
    const struct directory_entry *entry = directory_find(node_directory(self->node), address);
    CLEANUP(pack_deinit) struct pack body;
    char to[ACTOR_ADDRESS_MAX];

    pack_init(&body, 0);
    if (!entry || entry->life == ACTOR_LIFE_ABSENT) {
        return false;
    }
    pack_map_begin(&body);
    pack_kv_str(&body, "address", address);
    pack_map_end(&body);
    (void)snprintf(to, sizeof(to), "host/%s", entry->host);
    (void)actor_cast_span(node_actor(self->node), to, &wire_restart, pack_span(&body),
                          NULL); /* a dead letter says so */
    return true;
}

static void on_restart(struct process *self, const struct control_request *request)
{
    struct span address = value_str(value_get(request->body, "address"), (struct span){ "", 0 });
    struct hostling *host =
        span_starts(address, "host/") ? host_find(self, (struct span){ address.ptr + 5, address.len - 5 }) : NULL;

    if (host) {
        process_host_restart(host);
    } else if (!actor_restart_ask(self, address)) {
        control_refuse(self->control, request->ticket, "INVALID_REQUEST", "there is no actor \"%.*s\"",
                       (int)(address.len < ACTOR_ADDRESS_MAX ? address.len : ACTOR_ADDRESS_MAX), address.ptr);
        return;
    }
    log_info("restart_asked", "address=%.*s client=%llu", SPAN_FMT(address), (unsigned long long)request->client);
    process_accept(self, asker_of(request));
}

static void on_stop(struct process *self, const struct control_request *request)
{
    log_info("process_stop_asked", "client=%llu", (unsigned long long)request->client);
    process_accept(self, asker_of(request));
    process_stop(self, 0);
}

/* --- actors, links: every host is asked at once; who does not answer in time shows as such -- */

struct gather;
struct gather_host;

/* Appends the rows of one host to the list of actors. */
typedef void (*gather_rows)(const struct gather *gather, const struct gather_host *host, struct pack *out);

struct gather {
    struct gather *next;
    struct process *process;
    const struct schema_msg *msg; /* what they are asked */
    gather_rows rows;
    struct process_asker asker;
    unsigned pending_n;
    struct gather_host {
        struct gather *gather;
        const struct hostling *host;
        struct text_buf answer; /* packed; empty when there was none */
        char error[PROCESS_HELD_MAX + 32];
    } hosts[TOPOLOGY_HOSTS_MAX];
    size_t hosts_n;
};

static void gather_free(struct gather *gather)
{
    for (size_t i = 0; i < gather->hosts_n; i++) {
        text_buf_deinit(&gather->hosts[i].answer);
    }
    free(gather);
}

/* The rows of a host that cannot be asked: what the directory still knows of it. */
static void rows_known_pack(const struct gather *gather, const struct hostling *host, struct pack *out)
{
    const struct directory_entry *entry = node_directory(gather->process->node)->entries;

    for (; entry; entry = entry->next) {
        const char *status = directory_status(entry);

        if (strcmp(entry->host, host->host->name) != 0 || strncmp(entry->address, "host/", 5) == 0 ||
            (entry->life == ACTOR_LIFE_ABSENT && !status[0])) {
            continue;
        }
        pack_map_begin(out);
        pack_kv_text(out, "host", host->host->name);
        pack_kv_text(out, "address", entry->address);
        pack_kv_text(out, "state", process_host_is_there(host) ? "silent" : actor_life_name(host->life));
        if (status[0]) {
            pack_kv_text(out, "status", status);
        }
        pack_map_end(out);
    }
}

/* One cell of a row; a restart of the host was one of every actor on it. */
static void cell_pack(const struct hostling *host, bool is_silent, struct span key, struct span item, struct pack *out)
{
    if (span_is_text(key, "life") && is_silent) {
        pack_kv_text(out, "state", actor_life_name(ACTOR_LIFE_UNRESPONSIVE));
    } else if (span_is_text(key, "life")) {
        pack_kv_raw(out, "state", item);
    } else if (span_is_text(key, "restarts")) {
        pack_kv_i64(out, "restarts", value_i64(item, 0) + host->supervisor.restarts);
    } else if (!span_is_text(key, "host") && !span_is_text(key, "pid")) {
        pack_key_span(out, key);
        pack_raw(out, item);
    }
}

static void rows_told_pack(const struct gather *gather, const struct gather_host *from, struct pack *out)
{
    struct span told = { from->answer.data, from->answer.len };
    struct value_iter rows = value_iter(value_get(told, "actors"));
    int64_t pid = from->host->pid ? from->host->pid : value_i64(value_get(told, "pid"), 0);
    struct span row;
    struct span key;

    if (from->answer.len == 0) {
        rows_known_pack(gather, from->host, out);
        return;
    }
    while (value_next(&rows, &key, &row)) {
        struct span address = value_str(value_get(row, "address"), (struct span){ "", 0 });
        const struct directory_entry *entry = directory_find(node_directory(from->gather->process->node), address);
        struct value_iter cells = value_iter(row);
        struct span item;

        pack_map_begin(out);
        pack_kv_text(out, "host", from->host->host->name);
        pack_kv_i64(out, "pid", pid);
        while (value_next(&cells, &key, &item)) {
            cell_pack(from->host, entry && entry->is_silent, key, item, out);
        }
        pack_map_end(out);
    }
}

static void gather_answer(struct gather *gather)
{
    struct process *self = gather->process;
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_key(&out, "hosts");
    pack_array_begin(&out);
    for (size_t i = 0; i < gather->hosts_n; i++) {
        const struct gather_host *host = &gather->hosts[i];

        if (!host->host->host->name[0]) {
            continue; /* it has left meanwhile */
        }
        host_pack(host->host, clock_mono_ms(), (struct span){ host->answer.data, host->answer.len }, host->error, &out);
    }
    pack_array_end(&out);
    pack_key(&out, "actors");
    pack_array_begin(&out);
    for (size_t i = 0; i < gather->hosts_n; i++) {
        if (gather->hosts[i].host->host->name[0]) {
            gather->rows(gather, &gather->hosts[i], &out);
        }
    }
    pack_array_end(&out);
    pack_map_end(&out);
    process_answer(self, gather->asker, pack_span(&out));
}

static void gather_finish(struct gather *gather)
{
    for (struct gather **at = &gather->process->gathers; *at; at = &(*at)->next) {
        if (*at == gather) {
            *at = gather->next;
            break;
        }
    }
    gather_answer(gather);
    gather_free(gather);
}

static void on_host_actors(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct gather_host *host = cookie;

    (void)state;
    (void)actor;
    if (answer->failure) {
        (void)snprintf(host->error, sizeof(host->error), "%.*s",
                       (int)(answer->failure->message.len < sizeof(host->error) ? answer->failure->message.len
                                                                                : sizeof(host->error) - 1),
                       answer->failure->message.ptr);
    } else if (text_buf_add(&host->answer, answer->body)) {
        (void)snprintf(host->error, sizeof(host->error), "out of memory");
    }
    if (--host->gather->pending_n == 0) {
        gather_finish(host->gather); /* host may be gone from here on */
    }
}

static void not_there_explain(const struct hostling *host, char *out, size_t cap)
{
    char why[PROCESS_HELD_MAX];

    if (!host->is_remote) {
        (void)snprintf(out, cap, "its process is down%s%s", host->last_end[0] ? ": " : "", host->last_end);
        return;
    }
    process_trunk_why_not(host, why, sizeof(why));
    (void)snprintf(out, cap, "%s%s", span_starts(span_from(why), PROCESS_NOT_JOINED) ? "" : PROCESS_NOT_JOINED ": ",
                   why);
}

static void host_ask(struct gather *gather, struct hostling *host)
{
    struct gather_host *slot = &gather->hosts[gather->hosts_n++];
    char to[ACTOR_ADDRESS_MAX];
    static const struct span empty_map = { "\x80", 1 };
    struct actor_call call = { .to = to,
                               .msg = gather->msg,
                               .body = empty_map,
                               .deadline_ms = OPS_HOST_DEADLINE_MS,
                               .on_answer = on_host_actors,
                               .cookie = slot };

    slot->gather = gather;
    slot->host = host;
    if (!process_host_is_there(host)) {
        not_there_explain(host, slot->error, sizeof(slot->error));
        return;
    }
    (void)snprintf(to, sizeof(to), "host/%s", host->host->name);
    if (actor_call(node_actor(gather->process->node), &call, NULL)) {
        (void)snprintf(slot->error, sizeof(slot->error), "it could not be asked");
        return;
    }
    gather->pending_n++;
}

static void hosts_ask(struct process *self, struct process_asker asker, const struct schema_msg *msg, gather_rows rows)
{
    struct gather *gather = mem_new(sizeof(*gather));

    gather->process = self;
    gather->asker = asker;
    gather->msg = msg;
    gather->rows = rows;
    gather->next = self->gathers;
    self->gathers = gather;
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (self->hosts[i].host->name[0]) { /* else a guest has left it */
            host_ask(gather, &self->hosts[i]);
        }
    }
    if (gather->pending_n == 0) {
        gather_finish(gather);
    }
}

void process_actors_ask(struct process *self, struct process_asker asker)
{
    hosts_ask(self, asker, &wire_actors, rows_told_pack);
}

static void on_actors(struct process *self, const struct control_request *request)
{
    process_actors_ask(self, asker_of(request));
}

/* Each row as it was told, and where it is from. */
static void links_pack(const struct gather *gather, const struct gather_host *from, struct pack *out)
{
    struct value_iter rows = value_iter(value_get((struct span){ from->answer.data, from->answer.len }, "actors"));
    struct span row;
    struct span key;

    (void)gather;
    while (value_next(&rows, &key, &row)) {
        pack_map_begin(out);
        pack_kv_text(out, "host", from->host->host->name);
        pack_kv_raw(out, "address", value_get(row, "address"));
        pack_kv_raw(out, "links", value_get(row, "links"));
        pack_kv_raw(out, "topics", value_get(row, "topics"));
        pack_map_end(out);
    }
}

static void on_links(struct process *self, const struct control_request *request)
{
    hosts_ask(self, asker_of(request), &wire_links, links_pack);
}

void process_ops_deinit(struct process *self)
{
    while (self->gathers) {
        struct gather *gather = self->gathers;

        self->gathers = gather->next;
        gather_free(gather);
    }
}

/* --- the table ---------------------------------------------------------------------------- */

static const struct op ops[] = {
    { "status", on_status },
    { "actors", on_actors },
    { "links", on_links },
    { "call", process_call_on_request },
    { "restart", on_restart },
    { "stop", on_stop },
    { "upgrade", process_upgrade_on_request },
    { "guest", process_guest_on_request },
    { "tap", process_tap_on_request },
};

void process_on_request(void *arg, const struct control_request *request)
{
    struct process *self = arg;

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (span_is_text(request->op, ops[i].name)) {
            ops[i].run(self, request);
            return;
        }
    }
    control_refuse(self->control, request->ticket, "UNKNOWN_METHOD", "there is no operation \"%.*s\"",
                   (int)(request->op.len < 64 ? request->op.len : 64), request->op.ptr);
}
