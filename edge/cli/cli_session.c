#include "edge/cli/cli_session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_down.h"
#include "edge/cli/cli_handshake.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_uuid.h"
#include "edge/cli/ws_client.h"

#define RETRY_LEAST_MS 100U
#define RETRY_MOST_MS 2000U
#define FRAME_DEPTH 64U

/* What the conversation waits for. */
struct request {
    char id[CLI_UUID_LEN + 1]; /* empty: nothing is asked */
    bool expect_final;
    bool is_done;
    struct pack *answer; /* borrowed from the caller */
};

struct cli_session {
    struct cli_session_opts opts;
    struct cli_handshake handshake;
    struct ws_url owner; /* where it is the owner who asks; host empty: by the target's address */
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    struct ws_client *client;
    struct request request;
    struct cli_problem problem; /* first thing that went wrong in the current step */
    struct pack hello;
    bool is_late;
    bool is_interrupted;
    int signal_number; /* of the interruption */
    bool has_ended;
    uint64_t started_ms;
    uint64_t latency_ms;
};

static void problem_set(struct cli_session *self, enum cli_problem_kind kind, const char *message)
{
    if (self->problem.kind == CLI_PROBLEM_NONE) {
        self->problem.kind = kind;
        (void)snprintf(self->problem.message, sizeof(self->problem.message), "%s", message);
    }
}

static void text_copy(char *out, size_t out_size, struct span text)
{
    (void)snprintf(out, out_size, "%.*s", (int)(text.len < out_size ? text.len : out_size), text.ptr ? text.ptr : "");
}

/* Error object of a response: { code, message, details, retryable, retryAfterMs }. */
static void problem_of_error(struct cli_session *self, struct span error)
{
    struct cli_problem *problem = &self->problem;
    struct span details = value_get(error, "details");
    struct span none = { 0 };
    int64_t after = value_i64(value_get(error, "retryAfterMs"), 0);
    bool is_handshake = pack_span(&self->hello).len == 0;

    if (problem->kind != CLI_PROBLEM_NONE) {
        return;
    }
    problem->kind = is_handshake ? CLI_PROBLEM_REFUSED : CLI_PROBLEM_ANSWER;
    text_copy(problem->message, sizeof(problem->message), value_str(value_get(error, "message"), none));
    text_copy(problem->code, sizeof(problem->code), value_str(value_get(error, "code"), none));
    text_copy(problem->detail, sizeof(problem->detail), value_str(value_get(details, "code"), none));
    text_copy(problem->request_id, sizeof(problem->request_id), value_str(value_get(details, "requestId"), none));
    problem->retryable = value_bool(value_get(error, "retryable"), false);
    problem->retry_after_ms = after > 0 && after < UINT32_MAX ? (uint32_t)after : 0;
}

/* A raw JSON value as msgpack; absent becomes nil. 0 or JSON_E_*. */
static int raw_to_pack(struct span raw, struct pack *out)
{
    struct json_opts opts = { .depth_max = FRAME_DEPTH };
    struct json_error error;

    return json_to_pack(raw.len ? raw : SPAN_LIT("null"), &opts, out, &error);
}

static int request_send(struct cli_session *self, const char *method, struct span params)
{
    CLEANUP(text_buf_deinit) struct text_buf frame = { 0 };
    int r = cli_uuid_new(self->request.id);

    self->request.is_done = false;
    r = r ? r : text_buf_add(&frame, SPAN_LIT("{\"type\":\"req\",\"id\":\""));
    r = r ? r : text_buf_add(&frame, span_from(self->request.id));
    r = r ? r : text_buf_add(&frame, SPAN_LIT("\",\"method\":"));
    r = r ? r : json_from_text(span_from(method), &frame);
    if (params.len) {
        r = r ? r : text_buf_add(&frame, SPAN_LIT(",\"params\":"));
        r = r ? r : json_from_value(params, &frame);
    }
    r = r ? r : text_buf_add(&frame, SPAN_LIT("}"));
    r = r ? r : ws_client_send(self->client, (struct span){ frame.data, frame.len });
    mem_wipe(frame.data, frame.len); /* connect carries the secret */
    return r;
}

static void on_challenge(struct cli_session *self, struct span payload)
{
    struct pack params;
    struct span nonce = value_str(value_get(payload, "nonce"), (struct span){ 0 });
    int r;

    if (self->request.id[0]) {
        return; /* asked already */
    }
    pack_init(&params, 0);
    r = cli_handshake_params(&self->handshake, nonce, &params);
    r = r ? r : request_send(self, "connect", pack_span(&params));
    if (r) {
        problem_set(self, CLI_PROBLEM_FAULT, fault_text(r));
    }
    mem_wipe(params.data, params.len);
    pack_deinit(&params);
}

static void on_event_frame(struct cli_session *self, struct span raw_name, struct span raw_payload)
{
    bool is_challenge = span_is_text(raw_name, "\"connect.challenge\"");
    struct pack payload;

    if (!is_challenge && !self->opts.on_event) {
        return;
    }
    pack_init(&payload, 0);
    if (raw_to_pack(raw_payload, &payload)) {
        problem_set(self, CLI_PROBLEM_PROTOCOL, "an event whose payload is not JSON");
    } else if (is_challenge) {
        on_challenge(self, pack_span(&payload));
    } else if (raw_name.len > 2) {
        struct span name = { raw_name.ptr + 1, raw_name.len - 2 };

        self->opts.on_event(self->opts.arg, name, pack_span(&payload));
    }
    pack_deinit(&payload);
}

static void on_answer_frame(struct cli_session *self, struct span raw_ok, struct span raw_payload,
                            struct span raw_error)
{
    struct pack value;

    pack_init(&value, 0);
    if (raw_to_pack(span_is_text(raw_ok, "true") ? raw_payload : raw_error, &value)) {
        problem_set(self, CLI_PROBLEM_PROTOCOL, "an answer that is not JSON");
    } else if (!span_is_text(raw_ok, "true")) {
        problem_of_error(self, pack_span(&value));
        self->request.is_done = true;
    } else if (!self->request.expect_final ||
               !span_is_text(value_str(value_get(pack_span(&value), "status"), (struct span){ 0 }), "accepted")) {
        pack_raw(self->request.answer, pack_span(&value));
        self->request.is_done = true;
    }
    pack_deinit(&value);
}

/* One read may bring more than the answer waited for: the final one right behind "accepted". */
static bool is_awaited(const struct cli_session *self, struct span raw_id)
{
    return self->request.id[0] && !self->request.is_done && raw_id.len == CLI_UUID_LEN + 2 &&
           memcmp(raw_id.ptr + 1, self->request.id, CLI_UUID_LEN) == 0;
}

static void on_text(void *arg, struct span text)
{
    enum { TYPE, ID, OK, PAYLOAD, ERROR, EVENT, MEMBERS_N };
    struct cli_session *self = arg;
    struct json_member members[MEMBERS_N] = {
        [TYPE] = { .key = "type" },       [ID] = { .key = "id" },       [OK] = { .key = "ok" },
        [PAYLOAD] = { .key = "payload" }, [ERROR] = { .key = "error" }, [EVENT] = { .key = "event" },
    };
    struct json_error error;

    if (json_split(text, FRAME_DEPTH, members, MEMBERS_N, &error)) {
        problem_set(self, CLI_PROBLEM_PROTOCOL, "what answers there does not speak the gateway protocol");
    } else if (span_is_text(members[TYPE].raw, "\"event\"")) {
        on_event_frame(self, members[EVENT].raw, members[PAYLOAD].raw);
    } else if (span_is_text(members[TYPE].raw, "\"res\"") && is_awaited(self, members[ID].raw)) {
        on_answer_frame(self, members[OK].raw, members[PAYLOAD].raw, members[ERROR].raw);
    }
}

static void on_open(void *arg)
{
    (void)arg; /* the gateway speaks first */
}

static void on_end(void *arg, const struct ws_client_end *end)
{
    struct cli_session *self = arg;
    struct cli_problem *problem = &self->problem;

    self->has_ended = true;
    problem->was_open = end->was_open;
    problem->close_code = end->code;
    (void)snprintf(problem->close_reason, sizeof(problem->close_reason), "%s", end->was_open ? end->text : "");
    problem->is_served = end->is_served;
    problem->sys_error = end->sys_error;
    problem->http_status = end->http_status;
    problem->is_untrusted = end->is_untrusted;
    (void)snprintf(problem->fingerprint, sizeof(problem->fingerprint), "%s", end->fingerprint);
    problem_set(self, end->was_open ? CLI_PROBLEM_CLOSED : CLI_PROBLEM_UNREACHABLE,
                end->is_untrusted ? end->why : end->text);
}

static void on_timer(uv_timer_t *timer)
{
    struct cli_session *self = timer->data;

    self->is_late = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct cli_session *self = handle->data;

    self->is_interrupted = true;
    self->signal_number = number;
}

/* Runs the loop until the request is answered, or nothing will come of it. `ms` 0: no deadline. */
static void loop_run(struct cli_session *self, uint64_t ms)
{
    uv_update_time(&self->loop);
    self->is_late = false;
    if (ms) {
        (void)uv_timer_start(&self->timer, on_timer, ms, 0); /* fails only without a callback */
    }
    while (!self->request.is_done && !self->is_late && !self->is_interrupted &&
           self->problem.kind == CLI_PROBLEM_NONE) {
        uv_run(&self->loop, UV_RUN_ONCE);
    }
    (void)uv_timer_stop(&self->timer); /* cannot fail */
}

static int step_finish(struct cli_session *self, const char *what, uint64_t timeout_ms, struct cli_problem *problem)
{
    if (self->problem.kind == CLI_PROBLEM_NONE && self->request.is_done) {
        return 0;
    }
    problem_set(self, self->is_interrupted ? CLI_PROBLEM_INTERRUPTED : CLI_PROBLEM_TIMEOUT, "");
    self->problem.timeout_ms = timeout_ms;
    self->problem.signal_number = self->signal_number;
    (void)snprintf(self->problem.what, sizeof(self->problem.what), "%s", what);
    *problem = self->problem;
    return CLI_SESSION_E_PROBLEM;
}

static int session_new(const struct cli_session_opts *opts, struct cli_session **ret_session)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    struct cli_session *self = mem_new(sizeof(*self));
    int r = uv_loop_init(&self->loop);

    if (r) {
        free(self);
        return FAULT(r);
    }
    self->opts = *opts;
    pack_init(&self->hello, 0);
    self->started_ms = clock_mono_ms();
    (void)uv_timer_init(&self->loop, &self->timer); /* cannot fail */
    self->timer.data = self;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        r = r ? r : uv_signal_init(&self->loop, &self->signals[i]);
        self->signals[i].data = self;
        r = r ? r : uv_signal_start(&self->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&self->signals[i]);
    }
    if (r) {
        return FAULT(r); /* the loop is half made; the program ends on this */
    }
    *ret_session = self;
    return 0;
}

static int attempt(struct cli_session *self, uint64_t left_ms, struct cli_problem *problem)
{
    struct ws_client_opts client_opts = {
        .loop = &self->loop,
        .url = self->owner.host[0] ? &self->owner : &self->opts.target->url,
        .fingerprint =
            !self->owner.host[0] && self->opts.target->fingerprint[0] ? self->opts.target->fingerprint : NULL,
        .arg = self,
        .on_open = on_open,
        .on_text = on_text,
        .on_end = on_end,
    };
    int r;

    self->problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE };
    self->request = (struct request){ .answer = &self->hello };
    self->has_ended = false;
    pack_reset(&self->hello);
    r = ws_client_new(&client_opts, &self->client);
    if (r) {
        problem_set(self, CLI_PROBLEM_FAULT, fault_text(r));
    }
    loop_run(self, left_ms);
    r = step_finish(self, "connect", self->opts.timeout_ms, problem);
    problem->is_by_device_token = r && cli_handshake_is_by_device_token(&self->handshake);
    return r;
}

/* Waiting for what has crashed leads nowhere; its supervisor knows what happened. */
static bool is_down(struct cli_session *self, struct cli_problem *problem)
{
    char text[CLI_DOWN_TEXT_MAX];

    if (!cli_down_find(self->opts.cli, self->opts.target, NULL, text, sizeof(text))) {
        return false;
    }
    problem->kind = CLI_PROBLEM_DOWN;
    (void)snprintf(problem->message, sizeof(problem->message), "%s", text);
    return true;
}

/* --- as the owner --------------------------------------------------------------------------- */

static bool may_be_owner(const struct cli_session *self)
{
    return !self->owner.host[0] && self->opts.target->owner_path[0];
}

static bool has_credential(const struct cli_session *self)
{
    const struct cli_target *target = self->opts.target;

    return target->token[0] || target->password[0] || (target->has_config && target->config.auth == GATEWAY_AUTH_NONE);
}

static void owner_be(struct cli_session *self)
{
    self->owner = (struct ws_url){ .path = "/", .is_loopback = true };
    (void)snprintf(self->owner.host, sizeof(self->owner.host), "+%s", self->opts.target->owner_path);
    cli_handshake_owner(&self->handshake, &self->opts);
}

/* What the kernel says of us counts where what the config says does not. */
static bool is_owner_worth_a_try(const struct cli_session *self, const struct cli_problem *problem)
{
    bool is_refused = problem->kind == CLI_PROBLEM_REFUSED &&
                      (!problem->retryable || strcmp(problem->detail, "AUTH_RATE_LIMITED") == 0);

    /* Whether its address answers is what a probe wants to know. */
    bool is_cut_off = problem->kind == CLI_PROBLEM_UNREACHABLE && self->opts.role != CLI_SESSION_PROBE;

    return may_be_owner(self) && (is_refused || is_cut_off);
}

/* A gateway that is still starting says so and how long to wait; that is not worth an error yet. */
static int attempts(struct cli_session *self, struct cli_problem *problem)
{
    uint64_t deadline = clock_mono_ms() + self->opts.timeout_ms;

    for (;;) {
        uint64_t now = clock_mono_ms();
        uint64_t pause;
        int r = attempt(self, now < deadline ? deadline - now : 1, problem);

        if (r == 0) {
            *problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE }; /* of an attempt before */
            return 0;
        }
        if (problem->kind == CLI_PROBLEM_REFUSED && cli_handshake_identify(&self->handshake, problem)) {
            ws_client_destroy(&self->client);
            continue;
        }
        if (problem->kind != CLI_PROBLEM_REFUSED || !problem->retryable || is_down(self, problem)) {
            return r;
        }
        pause = problem->retry_after_ms < RETRY_LEAST_MS ? RETRY_LEAST_MS : problem->retry_after_ms;
        pause = pause > RETRY_MOST_MS ? RETRY_MOST_MS : pause;
        if (clock_mono_ms() + pause >= deadline) {
            return r;
        }
        ws_client_destroy(&self->client);
        r = cli_session_pause(self, pause, problem);
        if (r) {
            return r;
        }
    }
}

/* 0 or, with the problem as it was, CLI_SESSION_E_PROBLEM. */
static int attempts_as_owner(struct cli_session *self, struct cli_problem *problem)
{
    struct cli_problem as_owner;

    ws_client_destroy(&self->client);
    owner_be(self);
    if (attempts(self, &as_owner)) {
        return CLI_SESSION_E_PROBLEM;
    }
    if (problem->kind == CLI_PROBLEM_REFUSED) {
        cli_err("note: the gateway refused what the config has (%s); it knows you as its owner instead",
                problem->detail[0] ? problem->detail : problem->message);
    }
    *problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE };
    return 0;
}

/* The ways in, one after the other. */
static int ways_try(struct cli_session *self, struct cli_problem *problem)
{
    bool is_owner_first = may_be_owner(self) && (!has_credential(self) || self->opts.target->config_problem[0]);
    int r = 0;

    if (is_owner_first) {
        owner_be(self);
    } else {
        r = cli_handshake_init(&self->handshake, &self->opts, problem);
    }
    r = r ? r : attempts(self, problem);
    if (r && is_owner_first && problem->kind == CLI_PROBLEM_UNREACHABLE) { /* a socket that was left behind */
        ws_client_destroy(&self->client);
        self->owner = (struct ws_url){ .host = "" };
        r = cli_handshake_init(&self->handshake, &self->opts, problem);
        return r ? r : attempts(self, problem);
    }
    return r && is_owner_worth_a_try(self, problem) ? attempts_as_owner(self, problem) : r;
}

int cli_session_open(const struct cli_session_opts *opts, struct cli_session **ret_session, struct cli_problem *problem)
{
    struct cli_session *self = NULL;
    int r = session_new(opts, &self);

    *problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE };
    if (r || !self) {
        problem->kind = CLI_PROBLEM_FAULT;
        (void)snprintf(problem->what, sizeof(problem->what), "connect");
        (void)snprintf(problem->message, sizeof(problem->message), "%s", fault_text(r));
        return CLI_SESSION_E_PROBLEM;
    }
    r = ways_try(self, problem);
    if (r) {
        cli_session_destroy(&self);
        return r;
    }
    self->latency_ms = clock_mono_ms() - self->started_ms;
    cli_handshake_accept(&self->handshake, pack_span(&self->hello));
    *ret_session = self;
    return 0;
}

int cli_session_call(struct cli_session *self, const struct cli_call *call, struct pack *ret_payload,
                     struct cli_problem *problem)
{
    int r;

    if (!self->has_ended) {
        self->problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE };
    }
    self->request = (struct request){ .expect_final = call->expect_final, .answer = ret_payload };
    r = self->has_ended ? 0 : request_send(self, call->method, call->params);
    if (r) {
        problem_set(self, CLI_PROBLEM_FAULT, fault_text(r));
    }
    loop_run(self, call->timeout_ms);
    if (pack_error(ret_payload)) {
        problem_set(self, CLI_PROBLEM_FAULT, fault_text(pack_error(ret_payload)));
    }
    r = step_finish(self, call->method, call->timeout_ms, problem);
    self->request = (struct request){ .answer = NULL };
    return r;
}

int cli_session_wait(struct cli_session *self, uint64_t ms, struct cli_problem *problem)
{
    int r;

    self->request = (struct request){ .answer = NULL };
    loop_run(self, ms ? ms : 1);
    if (self->is_late && self->problem.kind == CLI_PROBLEM_NONE && !self->is_interrupted) {
        return 0;
    }
    r = step_finish(self, "watching", ms, problem);
    problem->is_unasked = r != 0;
    return r;
}

void cli_session_wake(struct cli_session *self)
{
    if (!self->request.id[0]) {
        self->request.is_done = true;
    }
}

int cli_session_pause(struct cli_session *self, uint64_t ms, struct cli_problem *problem)
{
    uint64_t deadline = clock_mono_ms() + ms;

    self->request = (struct request){ .answer = NULL };
    for (uint64_t now = clock_mono_ms(); now < deadline && !self->is_interrupted; now = clock_mono_ms()) {
        self->problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE }; /* what ends meanwhile ended before */
        loop_run(self, deadline - now);
    }
    return self->is_interrupted ? step_finish(self, "watching", ms, problem) : 0;
}

int cli_session_reopen(struct cli_session *self, struct cli_problem *problem)
{
    ws_client_destroy(&self->client);
    self->started_ms = clock_mono_ms();
    return attempts(self, problem);
}

void cli_session_resume(struct cli_session *self)
{
    self->is_interrupted = false;
    if (!self->has_ended) {
        self->problem = (struct cli_problem){ .kind = CLI_PROBLEM_NONE };
    }
}

struct span cli_session_hello(const struct cli_session *self)
{
    return pack_span(&self->hello);
}

uint64_t cli_session_latency_ms(const struct cli_session *self)
{
    return self->latency_ms;
}

void cli_session_destroy(struct cli_session **self_p)
{
    struct cli_session *self = TAKE(*self_p);

    if (!self) {
        return;
    }
    ws_client_destroy(&self->client);
    uv_close((uv_handle_t *)&self->timer, NULL);
    for (size_t i = 0; i < ARRAY_LEN(self->signals); i++) {
        uv_close((uv_handle_t *)&self->signals[i], NULL);
    }
    for (int i = 0; i < 8 && uv_loop_close(&self->loop); i++) {
        uv_run(&self->loop, UV_RUN_NOWAIT);
    }
    cli_handshake_deinit(&self->handshake);
    pack_deinit(&self->hello);
    free(self);
}
