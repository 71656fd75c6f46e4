#include "edge/cli/cli_problem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_target.h"

#define DEVICE_TOKEN_VOID "the token stored for this device is no longer valid; give --token once"

struct advice {
    const char *detail; /* error.details.code */
    const char *text;
};

static const struct advice handshake_advice[] = {
    { "AUTH_TOKEN_MISSING",
      "give the gateway's token with --token, OPENCLAW_GATEWAY_TOKEN, or gateway.auth.token in the config" },
    { "AUTH_TOKEN_MISMATCH", "compare the token used here with gateway.auth.token of the gateway" },
    { "AUTH_TOKEN_NOT_CONFIGURED", "set gateway.auth.token on the gateway and start it again" },
    { "AUTH_PASSWORD_MISSING", "give the gateway's password with --password, OPENCLAW_GATEWAY_PASSWORD, or "
                               "gateway.auth.password in the config" },
    { "AUTH_PASSWORD_MISMATCH", "compare the password used here with gateway.auth.password of the gateway" },
    { "AUTH_PASSWORD_NOT_CONFIGURED", "set gateway.auth.password on the gateway and start it again" },
    { "AUTH_DEVICE_TOKEN_MISMATCH", DEVICE_TOKEN_VOID },
    { "PAIRING_REQUIRED", "`openclaw health` asks for it; what to run on the gateway then is what it says" },
    { "AUTH_RATE_LIMITED", "too many wrong attempts; wait a minute, then use the right credentials" },
    { "DEVICE_AUTH_SIGNATURE_EXPIRED", "the clocks of the two machines differ by more than two minutes; set them" },
};

/* A gateway that has forgotten the device takes its token for the shared one. */
static const char *detail_advice(const struct cli_problem *self)
{
    const char *detail = self->detail;

    if (self->is_by_device_token && strcmp(detail, "AUTH_TOKEN_MISMATCH") == 0) {
        return DEVICE_TOKEN_VOID;
    }
    for (size_t i = 0; i < ARRAY_LEN(handshake_advice); i++) {
        if (strcmp(handshake_advice[i].detail, detail) == 0) {
            return handshake_advice[i].text;
        }
    }
    return NULL;
}

static void closed_text(const struct cli_problem *self, char *out, size_t out_size)
{
    const char *meaning = self->close_code == 1000   ? "closed in order"
                          : self->close_code == 1001 ? "the gateway is going away"
                          : self->close_code == 1005 ? "no reason given"
                          : self->close_code == 1006 ? "connection lost"
                          : self->close_code == 1008 ? "against the gateway's policy"
                          : self->close_code == 1009 ? "message too large"
                          : self->close_code == 1011 ? "error inside the gateway"
                          : self->close_code == 1012 ? "the gateway restarts"
                          : self->close_code == 1013 ? "the gateway cannot serve now"
                                                     : "closed";

    (void)snprintf(out, out_size, "%s%sthe gateway closed the connection%s (%u, %s%s%s)",
                   self->is_unasked ? "" : self->what, self->is_unasked ? "" : ": ",
                   self->is_unasked ? "" : " before it answered", self->close_code,
                   self->close_reason[0] ? self->close_reason : meaning, self->close_reason[0] ? ": " : "",
                   self->close_reason[0] ? meaning : "");
}

static void unreachable_text(const struct cli_problem *self, const struct cli_target *target, char *out,
                             size_t out_size)
{
    if (self->is_untrusted && self->message[0]) {
        (void)snprintf(out, out_size, "the certificate at %s is not trusted: %s (its fingerprint is sha256:%s)",
                       target->address, self->message, self->fingerprint);
    } else if (self->is_untrusted) {
        (void)snprintf(out, out_size,
                       "the certificate at %s is not the one that %s names: its fingerprint is sha256:%s",
                       target->address, target->fingerprint_source, self->fingerprint);
    } else if (self->sys_error) {
        (void)snprintf(out, out_size, "no gateway answers at %s: %s", target->address, strerror(self->sys_error));
    } else if (self->http_status) {
        (void)snprintf(out, out_size, "what answers at %s is no gateway: HTTP status %d to a WebSocket upgrade",
                       target->address, self->http_status);
    } else if (self->is_served) {
        (void)snprintf(out, out_size, "what answers at %s is no gateway: the WebSocket upgrade failed (%s)",
                       target->address, self->message);
    } else {
        (void)snprintf(out, out_size, "no gateway answers at %s: %s", target->address,
                       self->message[0] ? self->message : "connection failed");
    }
}

void cli_problem_text(const struct cli_problem *self, const struct cli_target *target, char *out, size_t out_size)
{
    switch (self->kind) {
    case CLI_PROBLEM_UNREACHABLE:
        unreachable_text(self, target, out, out_size);
        return;
    case CLI_PROBLEM_REFUSED:
        (void)snprintf(out, out_size, "the gateway at %s refused the connection: %s", target->address, self->message);
        return;
    case CLI_PROBLEM_DOWN:
        (void)snprintf(out, out_size, "the gateway at %s cannot serve: %s", target->address, self->message);
        return;
    case CLI_PROBLEM_CLOSED:
        closed_text(self, out, out_size);
        return;
    case CLI_PROBLEM_TIMEOUT:
        (void)snprintf(out, out_size, "%s: no answer from %s within %llu ms", self->what, target->address,
                       (unsigned long long)self->timeout_ms);
        return;
    case CLI_PROBLEM_ANSWER:
        (void)snprintf(out, out_size, "%s: %s (%s)", self->what, self->message, self->code);
        return;
    case CLI_PROBLEM_INTERRUPTED:
        (void)snprintf(out, out_size, "%s: interrupted", self->what);
        return;
    case CLI_PROBLEM_NONE:
    case CLI_PROBLEM_PROTOCOL:
    case CLI_PROBLEM_FAULT:
        (void)snprintf(out, out_size, "%s: %s", self->what, self->message);
        return;
    }
}

static const char *unreachable_advice(const struct cli_problem *self, const struct cli_target *target, char *buf,
                                      size_t buf_size)
{
    if (self->is_untrusted && self->message[0]) {
        (void)snprintf(buf, buf_size,
                       "where `openclaw gateway status` on its machine shows the same fingerprint, pin it "
                       "with --tls-fingerprint or gateway.remote.tlsFingerprint");
    } else if (self->is_untrusted) {
        (void)snprintf(buf, buf_size,
                       "unless its certificate was replaced, somebody else answers there: compare with "
                       "`openclaw gateway status` on its machine");
    } else if (self->sys_error == ECONNREFUSED && target->url.is_loopback) {
        (void)snprintf(buf, buf_size, "start one with `openclaw%s gateway`, or name another with --port or --url",
                       target->words);
    } else if (self->http_status == 400 && !target->url.is_tls) {
        /* As a gateway with TLS answers who speaks plainly. */
        (void)snprintf(buf, buf_size, "this port may speak TLS: use wss://; else check host and port of the address");
    } else if (!self->sys_error && !self->http_status) {
        (void)snprintf(buf, buf_size, "check host and port, and whether it wants %s",
                       target->url.is_tls ? "ws:// (no TLS)" : "wss:// (TLS)");
    } else {
        (void)snprintf(buf, buf_size, "check host and port of the address");
    }
    return buf;
}

const char *cli_problem_advice(const struct cli_problem *self, const struct cli_target *target, char *buf,
                               size_t buf_size)
{
    if (self->kind == CLI_PROBLEM_UNREACHABLE) {
        return unreachable_advice(self, target, buf, buf_size);
    }
    if (self->kind == CLI_PROBLEM_DOWN) {
        (void)snprintf(buf, buf_size, "mend that, then start the gateway again; `openclaw%s logs` has more",
                       target->words);
        return buf;
    }
    if (self->kind == CLI_PROBLEM_REFUSED && self->request_id[0]) {
        (void)snprintf(buf, buf_size, "run `openclaw%s devices approve %s` on the gateway, then try again",
                       target->words, self->request_id);
        return buf;
    }
    if (self->kind == CLI_PROBLEM_REFUSED && self->detail[0]) {
        return detail_advice(self);
    }
    if (self->kind == CLI_PROBLEM_CLOSED && self->is_unasked && self->close_code == 1012) {
        return "it starts again, or makes way for its new program; run this again in a moment";
    }
    if (self->kind == CLI_PROBLEM_TIMEOUT) {
        (void)snprintf(
            buf, buf_size,
            "a longer --timeout may help; `openclaw%s gateway status --deep` shows what the gateway is doing",
            target->words);
        return buf;
    }
    if (self->retryable && self->retry_after_ms) {
        (void)snprintf(buf, buf_size, "try again in %u ms", self->retry_after_ms);
        return buf;
    }
    return self->retryable ? "try again in a moment" : NULL;
}

int cli_problem_exit_code(const struct cli_problem *self)
{
    switch (self->kind) {
    case CLI_PROBLEM_NONE:
        return CLI_EXIT_OK;
    case CLI_PROBLEM_UNREACHABLE:
    case CLI_PROBLEM_CLOSED:
    case CLI_PROBLEM_DOWN:
        return CLI_EXIT_UNAVAILABLE;
    case CLI_PROBLEM_REFUSED:
        return self->retryable || strcmp(self->detail, "AUTH_RATE_LIMITED") == 0 ? CLI_EXIT_TRY_LATER
                                                                                 : CLI_EXIT_REFUSED;
    case CLI_PROBLEM_TIMEOUT:
        return CLI_EXIT_TRY_LATER;
    case CLI_PROBLEM_ANSWER:
        return CLI_EXIT_FAILED;
    case CLI_PROBLEM_INTERRUPTED:
        return self->signal_number ? 128 + self->signal_number : CLI_EXIT_INTERRUPTED;
    case CLI_PROBLEM_PROTOCOL:
    case CLI_PROBLEM_FAULT:
        break;
    }
    return CLI_EXIT_SOFTWARE;
}

static bool is_wrong_secret(const struct cli_problem *self)
{
    return strcmp(self->detail, "AUTH_TOKEN_MISMATCH") == 0 || strcmp(self->detail, "AUTH_PASSWORD_MISMATCH") == 0;
}

bool cli_problem_is_passing(const struct cli_problem *self)
{
    return self->kind == CLI_PROBLEM_CLOSED || self->kind == CLI_PROBLEM_UNREACHABLE ||
           self->kind == CLI_PROBLEM_TIMEOUT || self->retryable;
}

bool cli_problem_may_be_stranger(const struct cli_problem *self, const struct cli_target *target)
{
    return is_wrong_secret(self) && target->url.is_loopback && !target->is_elsewhere;
}

/* Where the secret came from matters most when it is the wrong one. */
static void credentials_explain(const struct cli_problem *self, const struct cli_target *target)
{
    if (strncmp(self->detail, "AUTH_", 5) != 0) {
        return;
    }
    if (self->is_by_device_token) {
        cli_err_more("used: the device token that this gateway issued (identity/device-auth.json)");
    } else if (target->token_source || target->password_source) {
        cli_err_more("used: %s%s%s", target->token_source ? target->token_source : "",
                     target->token_source && target->password_source ? ", " : "",
                     target->password_source ? target->password_source : "");
    } else {
        cli_err_more("used: no credentials");
    }
}

/* The program has one outcome, so there is one last problem. */
static struct cli_problem last;

static const char *type_of(const struct cli_problem *problem)
{
    switch (problem->kind) {
    case CLI_PROBLEM_ANSWER:
    case CLI_PROBLEM_REFUSED:
        return "gateway_request_error";
    case CLI_PROBLEM_UNREACHABLE:
    case CLI_PROBLEM_CLOSED:
    case CLI_PROBLEM_DOWN:
    case CLI_PROBLEM_TIMEOUT:
        return "gateway_transport_error";
    case CLI_PROBLEM_NONE:
    case CLI_PROBLEM_INTERRUPTED:
    case CLI_PROBLEM_PROTOCOL:
    case CLI_PROBLEM_FAULT:
        break;
    }
    return "cli_error";
}

bool cli_problem_pack_last(struct pack *out)
{
    bool is_answer = last.kind == CLI_PROBLEM_ANSWER || last.kind == CLI_PROBLEM_REFUSED;

    if (last.kind == CLI_PROBLEM_NONE) {
        return false;
    }
    pack_kv_text(out, "type", type_of(&last));
    if (is_answer && last.code[0]) {
        pack_kv_text(out, "code", last.code);
    }
    pack_kv_text(out, "message", last.message[0] ? last.message : cli_err_first());
    if (is_answer) {
        pack_kv_bool(out, "retryable", last.retryable);
    }
    return true;
}

int cli_problem_explain(const struct cli_problem *self, const struct cli_target *target)
{
    char text[1600];
    char buf[256];
    const char *advice = cli_problem_advice(self, target, buf, sizeof(buf));

    last = *self;
    if (self->kind != CLI_PROBLEM_INTERRUPTED) {
        cli_problem_text(self, target, text, sizeof(text));
        cli_err("%s", text);
        if (self->kind == CLI_PROBLEM_UNREACHABLE || self->kind == CLI_PROBLEM_REFUSED) {
            cli_err_more("address: %s, from %s", target->address, target->source);
        }
        credentials_explain(self, target);
        if (target->config_problem[0]) {
            cli_err_more("the config was not used: %s", target->config_problem);
        }
        if (advice) {
            cli_err_more("next: %s", advice);
        }
    }
    return cli_problem_exit_code(self);
}
