/*
 * `openclaw bus tap`: every envelope on the bus, as it passes.
 *
 * Binds a socket that can only receive and has the gateway's processes connect to it;
 * the control connection keeps the tap attached, so it ends with us however we end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"
#include "edge/cli/tap_order.h"

#define ATTACH_TIMEOUT_MS 5000
#define BATCHES_WAITING 4096
#define SENDERS_AT_ONCE 4096 /* each of them connects once and not again */
#define PATH_TEXT_MAX 160
#define HOLD_US 150000 /* how far apart batches of different senders may come; more than a busy machine makes of it */

struct tap {
    struct cli *cli;
    struct control_client client;
    void *context;
    void *pull;
    char path[PATH_TEXT_MAX];
    struct tap_filter filter;
    struct tap_calls *calls;
    struct tap_order order;
    struct text_buf line;
    bool is_json;
    bool with_bodies;
    uint64_t left_n; /* envelopes still to show */
    uint64_t end_ms; /* UINT64_MAX: none */
    bool is_broken;  /* standard output or memory gave out */
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void tap_deinit(struct tap *self)
{
    control_client_close(&self->client);
    if (self->pull) {
        (void)zmq_close(self->pull);
        (void)unlink(self->path); /* libzmq has done so, unless the bind failed */
    }
    if (self->context) {
        (void)zmq_ctx_term(self->context);
    }
    text_buf_deinit(&self->line);
    tap_order_deinit(&self->order);
    free(self->calls);
}

static int filter_read(struct tap *self)
{
    const char *text = cli_text(self->cli, "filter");
    struct tap_filter_error error;

    if (!text || tap_filter_parse(span_from(text), &self->filter, &error) == 0) {
        return CLI_EXIT_OK;
    }
    cli_err("--filter, column %u: %s", error.column, error.text);
    cli_err_more("%s", text);
    cli_err_more("%*s", (int)error.column, "^");
    return CLI_EXIT_USAGE;
}

static int socket_bind(struct tap *self)
{
    int waiting = BATCHES_WAITING;
    int backlog = SENDERS_AT_ONCE;
    int linger = 0;
    char endpoint[PATH_TEXT_MAX + 8];
    int len = snprintf(self->path, sizeof(self->path), "%s/tap-%d.sock", self->cli->paths.run_dir, (int)getpid());

    if (len < 0 || (size_t)len >= sizeof(self->path)) {
        cli_err("the run directory's path is too long: %s", self->cli->paths.run_dir);
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

static int attach(struct tap *self)
{
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack result;
    char endpoint[PATH_TEXT_MAX + 8];

    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s", self->path);
    pack_init(&request, 0);
    pack_init(&result, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "tap");
    pack_kv_text(&request, "endpoint", endpoint);
    pack_kv_text(&request, "filter", cli_text(self->cli, "filter"));
    pack_kv_bool(&request, "bodies", self->with_bodies);
    pack_map_end(&request);
    return control_client_ask(&self->client, pack_span(&request), ATTACH_TIMEOUT_MS, &result);
}

static int line_write(struct tap *self, const struct tap_record *record)
{
    int r;

    self->line.len = 0;
    r = self->is_json ? tap_record_json(record, &self->line) : tap_record_text(record, &self->line);
    if (r) {
        return r;
    }
    if (self->is_json) {
        cli_out_span((struct span){ self->line.data, self->line.len });
    } else {
        cli_out_safe((struct span){ self->line.data, self->line.len }, true);
    }
    return 0;
}

/* Shows what was sent until then; then whoever reads us gets it at once. */
static void records_show(struct tap *self, int64_t until_us)
{
    struct tap_held *held;

    while (self->left_n && !self->is_broken && (held = tap_order_take(&self->order, until_us))) {
        struct tap_filter_subject subject;

        tap_record_pair(&held->record, self->calls);
        subject = tap_record_subject(&held->record);
        if (tap_filter_fits(&self->filter, &subject)) {
            self->is_broken = line_write(self, &held->record) != 0;
            self->left_n--;
        }
        free(held);
    }
    self->is_broken = self->is_broken || !cli_out_flush() || !cli_out_is_open();
}

static void batches_take(struct tap *self)
{
    zmq_msg_t msg;

    (void)zmq_msg_init(&msg);
    while (zmq_msg_recv(&msg, self->pull, ZMQ_DONTWAIT) >= 0) {
        unsigned malformed = 0;
        int r = tap_order_add(&self->order, (struct span){ zmq_msg_data(&msg), zmq_msg_size(&msg) }, &malformed);

        if (r || malformed) {
            cli_err("a batch of records was not understood; are gateway and command of one version?");
        }
        records_show(self, clock_wall_us() - HOLD_US);
    }
    (void)zmq_msg_close(&msg);
}

static long wait_ms(const struct tap *self)
{
    uint64_t now_ms = clock_mono_ms();

    if (self->end_ms == UINT64_MAX) {
        return -1;
    }
    return now_ms >= self->end_ms ? 0 : (long)(self->end_ms - now_ms);
}

/* As long as wait_ms, but no longer than what is held may wait. */
static long poll_ms(const struct tap *self)
{
    long wait = wait_ms(self);

    return self->order.n && (wait < 0 || wait > HOLD_US / 1000) ? HOLD_US / 1000 : wait;
}

static int watch(struct tap *self)
{
    while (self->left_n && !self->is_broken && !is_interrupted && wait_ms(self) != 0) {
        zmq_pollitem_t items[] = { { .socket = self->pull, .events = ZMQ_POLLIN },
                                   { .fd = self->client.fd, .events = ZMQ_POLLIN } };

        if (zmq_poll(items, 2, poll_ms(self)) < 0 && zmq_errno() != EINTR) {
            cli_err("cannot wait for envelopes: %s", zmq_strerror(zmq_errno()));
            return CLI_EXIT_SOFTWARE;
        }
        batches_take(self);
        records_show(self, clock_wall_us() - HOLD_US);
        if (items[1].revents) { /* nothing is ever said there unasked but the end */
            records_show(self, INT64_MAX);
            cli_err("the gateway has ended");
            return CLI_EXIT_UNAVAILABLE;
        }
    }
    records_show(self, INT64_MAX);
    if (tap_order_dropped(&self->order)) {
        cli_err("the gateway dropped at least %llu records that could not be taken in time",
                (unsigned long long)tap_order_dropped(&self->order));
    }
    return is_interrupted ? CLI_EXIT_INTERRUPTED : CLI_EXIT_OK;
}

int cmd_bus_tap(struct cli *cli)
{
    CLEANUP(tap_deinit)
    struct tap self = {
        .cli = cli,
        .client = CONTROL_CLIENT_INIT,
        .is_json = cli_flag(cli, "json"),
        .with_bodies = cli_flag(cli, "bodies"),
        .left_n = cli_given(cli, "count") ? cli_number(cli, "count") : UINT64_MAX,
        .end_ms = UINT64_MAX,
    };
    struct sigaction action = { .sa_handler = on_signal };
    int r = filter_read(&self);

    self.calls = mem_new(sizeof(*self.calls));
    (void)sigaction(SIGINT, &action, NULL); /* cannot fail for this signal and handler */
    (void)sigaction(SIGTERM, &action, NULL);
    r = r ? r : control_client_open(cli->paths.control_path, &self.client);
    r = r ? r : socket_bind(&self);
    r = r ? r : attach(&self);
    if (r) {
        return r;
    }
    if (cli_given(cli, "duration")) {
        self.end_ms = clock_mono_ms() + cli_number(cli, "duration") * 1000U;
    }
    if (!self.is_json) {
        cli_err("watching; end with Ctrl-C");
    }
    return watch(&self);
}
