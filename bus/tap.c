#include "bus/tap.h"

#include <czmq.h>
#include <pthread.h>

#include "bus/base/clock.h"
#include "bus/base/descriptors.h"
#include "bus/base/fault.h"
#include "bus/codec.h"
#include "bus/value.h"

#define TAP_BATCH_RECORDS 256U
#define TAP_BATCH_BYTES ((size_t)64 * 1024)
#define TAP_BATCHES_WAITING 256 /* per actor and watcher; more is dropped */

_Atomic uint32_t tap_watched;

/* The only state the actors of a process share: who watches. Guarded by its lock; an
 * actor looks only when the generation has changed. */
static struct {
    pthread_mutex_t lock;
    uint32_t generation;
    unsigned watchers_n;
    struct {
        char endpoint[TAP_ENDPOINT_MAX];
        bool with_bodies;
    } watchers[TAP_WATCHERS_MAX];
} tap_list = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void generation_publish(void)
{
    if (++tap_list.generation == 0) {
        tap_list.generation = 1;
    }
    atomic_store(&tap_watched, tap_list.watchers_n ? tap_list.generation : 0);
}

int tap_attach(const char *endpoint, bool with_bodies)
{
    int r = TAP_E_FULL;

    pthread_mutex_lock(&tap_list.lock);
    if (tap_list.watchers_n < TAP_WATCHERS_MAX && strlen(endpoint) < TAP_ENDPOINT_MAX) {
        strcpy(tap_list.watchers[tap_list.watchers_n].endpoint, endpoint);
        tap_list.watchers[tap_list.watchers_n].with_bodies = with_bodies;
        tap_list.watchers_n++;
        generation_publish();
        r = 0;
    }
    pthread_mutex_unlock(&tap_list.lock);
    return r;
}

int tap_detach(const char *endpoint)
{
    int r = TAP_E_UNKNOWN;

    pthread_mutex_lock(&tap_list.lock);
    for (unsigned i = 0; i < tap_list.watchers_n; i++) {
        if (strcmp(tap_list.watchers[i].endpoint, endpoint) == 0) {
            tap_list.watchers[i] = tap_list.watchers[--tap_list.watchers_n];
            generation_publish();
            r = 0;
            break;
        }
    }
    pthread_mutex_unlock(&tap_list.lock);
    return r;
}

static void sockets_close(struct tap_port *self)
{
    for (unsigned i = 0; i < self->sockets_n; i++) {
        zsock_destroy((zsock_t **)(void *)&self->sockets[i].zsock);
    }
    self->sockets_n = 0;
}

static void sockets_open(struct tap_port *self)
{
    self->with_bodies = false;
    pthread_mutex_lock(&tap_list.lock);
    self->generation = tap_list.generation;
    for (unsigned i = 0; i < tap_list.watchers_n; i++) {
        zsock_t *sock = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PUSH);

        if (!sock) {
            continue;
        }
        zsock_set_sndhwm(sock, TAP_BATCHES_WAITING);
        zsock_set_linger(sock, 0);
        if (zsock_connect(sock, "%s", tap_list.watchers[i].endpoint) != 0) {
            zsock_destroy(&sock);
            continue;
        }
        self->sockets[self->sockets_n].zsock = sock;
        self->sockets[self->sockets_n].with_bodies = tap_list.watchers[i].with_bodies;
        self->with_bodies |= tap_list.watchers[i].with_bodies;
        self->sockets_n++;
    }
    pthread_mutex_unlock(&tap_list.lock);
}

void tap_port_init(struct tap_port *self)
{
    *self = (struct tap_port){ 0 };
    pack_init(&self->batch, 0);
}

void tap_port_deinit(struct tap_port *self)
{
    sockets_close(self);
    pack_deinit(&self->batch);
}

static void body_pack(struct tap_port *self, struct span body, const struct schema_msg *msg)
{
    if (!self->with_bodies || !msg || (msg->flags & SCHEMA_SENSITIVE) ||
        !wire_check(body.ptr, body.len, PACK_DEPTH_MAX / 2)) {
        pack_nil(&self->batch);
    } else if (codec_redact(msg->type, body, &self->batch) != 0) {
        self->batch.fault = FAULT(-EPROTO); /* half a body may be in it: the batch is dropped and counted */
    }
}

static void batch_begin(struct tap_port *self, const char *host, const char *address)
{
    pack_reset(&self->batch);
    pack_array_begin(&self->batch);
    pack_map_begin(&self->batch);
    pack_kv_text(&self->batch, "host", host);
    pack_kv_text(&self->batch, "address", address);
    pack_kv_u64(&self->batch, "dropped", self->dropped);
    pack_map_end(&self->batch);
    self->records = 0;
    self->is_open = true;
}

static void budget_fill(struct tap_port *self)
{
    int64_t passed_us;

    self->turn_us = clock_wall_us();
    passed_us = self->turn_us - self->budget_us;
    if (passed_us < 0 || passed_us >= TAP_RECORDS_BURST * 1000 / TAP_RECORDS_PER_MS) {
        self->budget = TAP_RECORDS_BURST; /* also when the clock was set back */
        self->budget_us = self->turn_us;
    } else if (passed_us >= 1000) {
        uint64_t budget = self->budget + (uint64_t)passed_us * TAP_RECORDS_PER_MS / 1000;

        self->budget = budget < TAP_RECORDS_BURST ? (uint32_t)budget : TAP_RECORDS_BURST;
        self->budget_us = self->turn_us;
    }
}

bool tap_port_admits(struct tap_port *self)
{
    uint32_t generation = atomic_load_explicit(&tap_watched, memory_order_relaxed);

    if (generation != self->generation) {
        sockets_close(self);
        sockets_open(self);
    }
    if (!self->sockets_n) {
        return false;
    }
    if (!self->turn_us) {
        budget_fill(self);
    }
    if (!self->budget) {
        self->dropped++;
        return false;
    }
    self->budget--;
    return true;
}

void tap_port_record(struct tap_port *self, const char *host, const char *address, struct span header, struct span body,
                     const struct schema_msg *msg, const char *note)
{
    if (!self->is_open) {
        batch_begin(self, host, address);
    }
    pack_array_begin(&self->batch);
    pack_i64(&self->batch, self->turn_us);
    pack_bin(&self->batch, header);
    pack_u64(&self->batch, body.len);
    body_pack(self, body, msg);
    pack_text(&self->batch, note);
    pack_array_end(&self->batch);
    self->records++;
    if (self->records >= TAP_BATCH_RECORDS || self->batch.len >= TAP_BATCH_BYTES) {
        tap_port_flush(self);
    }
}

void tap_port_flush(struct tap_port *self)
{
    if (!self->is_open) {
        return;
    }
    self->is_open = false;
    pack_array_end(&self->batch);
    struct span bytes = pack_span(&self->batch);
    for (unsigned i = 0; i < self->sockets_n; i++) {
        if (pack_error(&self->batch) != 0 ||
            zmq_send(zsock_resolve(self->sockets[i].zsock), bytes.ptr, bytes.len, ZMQ_DONTWAIT) < 0) {
            self->dropped += self->records; /* the watcher is slow; the bus does not wait */
        }
    }
}
