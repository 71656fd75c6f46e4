#include "edge/cli/tap_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/cli/cli_out.h"

#define ATTACH_TIMEOUT_MS 5000
#define BATCHES_WAITING 4096
#define SENDERS_AT_ONCE 4096 /* each of them connects once and not again */
#define REST_MS 20           /* nothing has come for so long: all that was sent is here ... */
#define REST_ROUNDS 10U      /* ... or more comes all the time */
#define GOES_ON_MS 30000U    /* a new program listens, or an old one is gone, long before */
#define LOOK_MS 20
#define AGAIN_FIRST_MS 100U
#define AGAIN_MOST_MS 5000U
#define HOLD_US 150000 /* how far apart batches of different senders may come; more than a busy machine makes of it */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

void tap_watch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    (void)sigaction(SIGINT, &action, NULL); /* cannot fail for this signal and handler */
    (void)sigaction(SIGTERM, &action, NULL);
}

bool tap_watch_is_interrupted(void)
{
    return is_interrupted != 0;
}

int tap_watch_filter(const char *text, struct tap_filter *ret_filter)
{
    struct tap_filter_error error;

    *ret_filter = (struct tap_filter){ 0 };
    if (!text || tap_filter_parse(span_from(text), ret_filter, &error) == 0) {
        return CLI_EXIT_OK;
    }
    cli_err("--filter, column %u: %s", error.column, error.text);
    cli_err_more("%s", text);
    cli_err_more("%*s", (int)error.column, "^");
    return CLI_EXIT_USAGE;
}

/* --- attaching --------------------------------------------------------------------------- */

static int socket_bind(struct tap_watch *self, const struct cli *cli)
{
    int waiting = BATCHES_WAITING;
    int backlog = SENDERS_AT_ONCE;
    int linger = 0;
    char endpoint[TAP_WATCH_PATH_MAX + 8];
    int len = snprintf(self->path, sizeof(self->path), "%s/tap-%d.sock", cli->paths.run_dir, (int)getpid());

    if (len < 0 || (size_t)len >= sizeof(self->path)) {
        cli_err("the run directory's path is too long: %s", cli->paths.run_dir);
        return CLI_EXIT_USAGE;
    }
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s", self->path);
    self->context = zmq_ctx_new();
    self->pull = self->context ? zmq_socket(self->context, ZMQ_PULL) : NULL;
    if (!self->pull || zmq_setsockopt(self->pull, ZMQ_RCVHWM, &waiting, sizeof(waiting)) ||
        zmq_setsockopt(self->pull, ZMQ_BACKLOG, &backlog, sizeof(backlog)) ||
        zmq_setsockopt(self->pull, ZMQ_LINGER, &linger, sizeof(linger)) || zmq_bind(self->pull, endpoint)) {
        cli_err("cannot listen on %s: %s", endpoint, zmq_strerror(zmq_errno()));
        return CLI_EXIT_SOFTWARE;
    }
    return CLI_EXIT_OK;
}

static int attach(struct tap_watch *self)
{
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack result;
    char endpoint[TAP_WATCH_PATH_MAX + 8];

    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s", self->path);
    pack_init(&request, 0);
    pack_init(&result, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "tap");
    pack_kv_text(&request, "endpoint", endpoint);
    pack_kv_text(&request, "filter", self->filter_text);
    pack_kv_bool(&request, "bodies", self->with_bodies);
    pack_kv_bool(&request, "times", self->with_times);
    pack_kv_bool(&request, "sessions", self->with_sessions);
    pack_map_end(&request);
    return control_client_ask(&self->client, pack_span(&request), ATTACH_TIMEOUT_MS, &result);
}

/* Its process, by which it is known again when its program is another one. */
static void gateway_know(struct tap_watch *self)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(self->client.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        int fd = pidfd_open(peer.pid, 0);

        self->gateway_fd = fd > 0 ? fd : 0;
    }
}

int tap_watch_open(struct tap_watch *self, const struct cli *cli)
{
    int r = tap_watch_filter(self->filter_text, &self->filter);

    if (r) {
        return r;
    }
    self->is_remote = self->may_be_remote && tap_remote_is_meant(cli);
    if (self->is_remote) {
        return tap_remote_open(&self->remote, cli,
                               &(struct tap_remote_wish){ .filter = self->filter_text,
                                                          .with_bodies = self->with_bodies,
                                                          .with_times = self->with_times,
                                                          .with_sessions = self->with_sessions,
                                                          .follows = self->follows,
                                                          .on_record = self->on_record,
                                                          .arg = self->arg });
    }
    self->calls = mem_new(sizeof(*self->calls));
    self->control_path = cli->paths.control_path;
    r = control_client_open(&cli->paths, &self->client);
    if (r == CLI_EXIT_OK) {
        gateway_know(self);
    }
    r = r ? r : socket_bind(self, cli);
    return r ? r : attach(self);
}

static void detach(struct tap_watch *self)
{
    control_client_close(&self->client);
    if (self->pull) {
        (void)zmq_close(self->pull);
        (void)unlink(self->path); /* libzmq has done so, unless the bind failed */
    }
    if (self->gateway_fd) {
        (void)close(self->gateway_fd); /* only looked at */
        self->gateway_fd = 0;
    }
    if (self->context) {
        (void)zmq_ctx_term(self->context);
    }
    self->dropped_before += tap_order_dropped(&self->order);
    tap_order_deinit(&self->order);
    self->pull = NULL;
    self->context = NULL;
}

void tap_watch_close(struct tap_watch *self)
{
    if (self->is_remote) {
        tap_remote_close(&self->remote);
        return;
    }
    detach(self);
    free(self->calls);
    self->calls = NULL;
}

/* --- attaching again ---------------------------------------------------------------------- */

static int local_again(struct tap_watch *self, const struct cli *cli, uint64_t pause_ms)
{
    detach(self);
    *self->calls = (struct tap_calls){ 0 }; /* their answers will not come */
    (void)poll(NULL, 0, (int)pause_ms);     /* a signal ends it */
    int r = is_interrupted ? CLI_EXIT_OK : control_client_open_quiet(self->control_path, &self->client);
    if (r || is_interrupted) {
        return r;
    }
    gateway_know(self);
    r = socket_bind(self, cli);
    return r || attach(self) ? CLI_EXIT_UNAVAILABLE : CLI_EXIT_OK; /* it may be starting */
}

static int remote_again(struct tap_watch *self, uint64_t pause_ms)
{
    int r = tap_remote_again(&self->remote, pause_ms);

    is_interrupted = is_interrupted || self->remote.is_interrupted;
    return r;
}

int tap_watch_again(struct tap_watch *self, const struct cli *cli, uint64_t end_ms)
{
    uint64_t gone_ms = clock_mono_ms();
    uint64_t pause_ms = AGAIN_FIRST_MS;
    uint64_t now_ms = gone_ms;
    int r = CLI_EXIT_UNAVAILABLE;

    cli_remark("the gateway has gone away; watching goes on when it is back");
    while (r == CLI_EXIT_UNAVAILABLE && !is_interrupted && now_ms < end_ms) {
        pause_ms = pause_ms < end_ms - now_ms ? pause_ms : end_ms - now_ms;
        r = self->is_remote ? remote_again(self, pause_ms) : local_again(self, cli, pause_ms);
        pause_ms = pause_ms * 2 < AGAIN_MOST_MS ? pause_ms * 2 : AGAIN_MOST_MS;
        now_ms = clock_mono_ms();
    }
    if (r == CLI_EXIT_OK && !is_interrupted) {
        cli_remark("watching again; what passed in the %.1f s between was not seen", (double)(now_ms - gone_ms) / 1000);
    }
    return r == CLI_EXIT_UNAVAILABLE ? CLI_EXIT_OK : r;
}

/* --- records ------------------------------------------------------------------------------ */

/* Gives what was sent until then. */
static void records_give(struct tap_watch *self, int64_t until_us)
{
    struct tap_held *held;

    while ((held = tap_order_take(&self->order, until_us))) {
        struct tap_filter_subject subject;

        tap_record_pair(&held->record, self->calls);
        subject = tap_record_subject(&held->record);
        if (tap_filter_fits(&self->filter, &subject)) {
            self->on_record(self->arg, &held->record);
        }
        free(held);
    }
}

/* Records that are younger than this wait for others. */
static int64_t until_us(const struct tap_watch *self)
{
    return self->is_prompt ? INT64_MAX : clock_wall_us() - HOLD_US;
}

static void batches_take(struct tap_watch *self)
{
    zmq_msg_t msg;

    (void)zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, self->pull, ZMQ_DONTWAIT) >= 0) {
        unsigned malformed = 0;
        int r = tap_order_add(&self->order, (struct span){ zmq_msg_data(&msg), zmq_msg_size(&msg) }, &malformed);

        if (r || malformed) {
            cli_err("a batch of records was not understood; are gateway and command of one version?");
        }
        records_give(self, until_us(self));
    }
    (void)zmq_msg_close(&msg);
}

static int remote_step(struct tap_watch *self, long timeout_ms)
{
    int r = tap_remote_step(&self->remote, timeout_ms);

    is_interrupted = is_interrupted || self->remote.is_interrupted;
    return r;
}

/* Its last connection has ended. Does the same process serve again, or is it over? */
static bool gateway_goes_on(const struct tap_watch *self)
{
    struct pollfd end = { .fd = self->gateway_fd, .events = POLLIN };
    uint64_t until_ms = clock_mono_ms() + GOES_ON_MS;

    while (self->gateway_fd && !is_interrupted && clock_mono_ms() < until_ms && poll(&end, 1, LOOK_MS) == 0) {
        struct control_client client = CONTROL_CLIENT_INIT;

        if (control_client_open_quiet(self->control_path, &client) == CLI_EXIT_OK) {
            control_client_close(&client);
            return true;
        }
    }
    return false;
}

static void end_tell(const struct tap_watch *self)
{
    if (gateway_goes_on(self)) {
        cli_err("the gateway has made way for its new program, and watching it has ended with the old one");
        cli_err_more("next: run this again");
    } else if (!is_interrupted) {
        cli_err("the gateway has ended");
    }
}

static int local_step(struct tap_watch *self, long timeout_ms)
{
    long hold_ms = HOLD_US / 1000;
    zmq_pollitem_t items[] = { { .socket = self->pull, .events = ZMQ_POLLIN },
                               { .fd = self->client.fd, .events = ZMQ_POLLIN },
                               { .fd = self->also_fd, .events = ZMQ_POLLIN } };

    if (self->order.n && (timeout_ms < 0 || timeout_ms > hold_ms)) {
        timeout_ms = hold_ms; /* what is held may not wait longer */
    }
    if (zmq_poll(items, self->also_fd ? 3 : 2, timeout_ms) < 0 && zmq_errno() != EINTR) {
        cli_err("cannot wait for envelopes: %s", zmq_strerror(zmq_errno()));
        return CLI_EXIT_SOFTWARE;
    }
    batches_take(self);
    records_give(self, until_us(self));
    if (items[1].revents) { /* nothing is ever said there unasked but the end */
        records_give(self, INT64_MAX);
        if (!self->follows) {
            end_tell(self);
        }
        return CLI_EXIT_UNAVAILABLE;
    }
    return CLI_EXIT_OK;
}

int tap_watch_step(struct tap_watch *self, long timeout_ms)
{
    return self->is_remote ? remote_step(self, timeout_ms) : local_step(self, timeout_ms);
}

/* Who follows waits for what is not there, and it is told then. */
static int local_actors(const struct tap_watch *self, const struct cli *cli, struct pack *ret_actors)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;

    pack_init(&request, 0);
    if (!self->follows) {
        return control_client_op(&cli->paths, "actors", ret_actors);
    }
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "actors");
    pack_map_end(&request);
    return control_client_open_quiet(self->control_path, &client) ||
                   control_client_ask(&client, pack_span(&request), ATTACH_TIMEOUT_MS, ret_actors)
               ? CLI_EXIT_UNAVAILABLE
               : CLI_EXIT_OK;
}

int tap_watch_actors(struct tap_watch *self, const struct cli *cli, struct pack *ret_actors)
{
    int r = self->is_remote ? tap_remote_actors(&self->remote, ret_actors) : local_actors(self, cli, ret_actors);

    is_interrupted = is_interrupted || self->remote.is_interrupted;
    return r;
}

uint64_t tap_watch_dropped(const struct tap_watch *self)
{
    return self->is_remote ? self->remote.dropped_before + self->remote.dropped
                           : self->dropped_before + tap_order_dropped(&self->order);
}

/* What was sent until now may still be under way. */
static void local_rest(struct tap_watch *self)
{
    zmq_pollitem_t item = { .socket = self->pull, .events = ZMQ_POLLIN };

    for (unsigned i = 0; i < REST_ROUNDS && zmq_poll(&item, 1, REST_MS) > 0; i++) {
        batches_take(self);
    }
    records_give(self, INT64_MAX);
}

void tap_watch_rest(struct tap_watch *self)
{
    if (self->is_remote) {
        tap_remote_rest(&self->remote);
    } else {
        local_rest(self);
    }
    if (tap_watch_dropped(self)) {
        cli_err("the gateway dropped at least %llu records that could not be taken in time",
                (unsigned long long)tap_watch_dropped(self));
    }
}
