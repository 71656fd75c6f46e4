/*
 * What the operator asks over the control socket: status, actors, restart, stop, tap.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/log.h"
#include "bus/process_internal.h"
#include "bus/pack.h"
#include "bus/value.h"

struct op {
    const char *name;
    void (*run)(struct process *self, const struct control_request *request);
};

static void host_pack(const struct hostling *host, uint64_t now_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "name", host->host->name);
    pack_kv_text(out, "state", actor_life_name(host->life));
    pack_key(out, "pid");
    if (host->pid) {
        pack_i64(out, host->pid);
    } else {
        pack_nil(out);
    }
    pack_kv_u64(out, "incarnation", host->incarnation);
    pack_kv_u64(out, "restarts", host->supervisor.restarts);
    pack_kv_u64(out, "uptimeMs", host->pid ? now_ms - host->started_ms : 0);
    if (host->has_died && WIFSIGNALED(host->last_status)) {
        pack_kv_i64(out, "lastSignal", WTERMSIG(host->last_status));
    } else if (host->has_died) {
        pack_kv_i64(out, "lastExit", WEXITSTATUS(host->last_status));
    }
    pack_map_end(out);
}

static void on_status(struct process *self, const struct control_request *request)
{
    CLEANUP(pack_deinit) struct pack out;
    uint64_t now_ms = clock_mono_ms();

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_i64(&out, "pid", getpid());
    pack_kv_text(&out, "state", self->is_stopping ? "stopping" : self->has_been_ready ? "running" : "starting");
    pack_kv_u64(&out, "uptimeMs", now_ms - self->started_ms);
    pack_kv_text(&out, "runDir", self->opts->run_dir);
    pack_key(&out, "hosts");
    pack_array_begin(&out);
    for (size_t i = 0; i < self->hosts_n; i++) {
        host_pack(&self->hosts[i], now_ms, &out);
    }
    pack_array_end(&out);
    pack_map_end(&out);
    control_answer(self->control, request->ticket, pack_span(&out));
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

/* Answers a request that said all it had to by being accepted. */
static void accept_request(struct process *self, const struct control_request *request)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_map_end(&out);
    control_answer(self->control, request->ticket, pack_span(&out));
}

static void on_restart(struct process *self, const struct control_request *request)
{
    struct span address = value_str(value_get(request->body, "address"), (struct span){ NULL, 0 });
    struct hostling *host = NULL;

    if (span_starts(address, "host/")) {
        host = host_find(self, (struct span){ address.ptr + 5, address.len - 5 });
    }
    if (!host) {
        control_refuse(self->control, request->ticket, "INVALID_REQUEST", "there is no \"%.*s\"",
                       (int)(address.len < 128 ? address.len : 128), address.ptr);
        return;
    }
    log_info("host_restart_asked", "host=%s client=%llu", host->host->name, (unsigned long long)request->client);
    process_host_restart(host);
    accept_request(self, request);
}

static void on_stop(struct process *self, const struct control_request *request)
{
    log_info("process_stop_asked", "client=%llu", (unsigned long long)request->client);
    accept_request(self, request);
    process_stop(self, 0);
}

static const struct op ops[] = {
    { "status", on_status },
    { "restart", on_restart },
    { "stop", on_stop },
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

void process_on_gone(void *arg, uint64_t client)
{
    (void)arg;
    (void)client;
}
