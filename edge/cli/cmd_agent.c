/*
 * openclaw agent: one turn of an agent, its words shown as they come.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_uuid.h"
#include "edge/cli/compose.h"

#define NOTHING ((struct span){ 0 })
#define CONNECT_MS 10000U
#define GRACE_MS 30000U /* the gateway ends the turn itself; we only wait a little longer */
#define ABORT_MS 1000U
#define MESSAGE_MAX 4194304U

struct turn {
    char run_id[CLI_UUID_LEN + 1];
    char session_key[512]; /* learned from the first event of the run */
    struct span message;
    bool is_live; /* show words as they come */
    bool has_shown;
};

/* Events of the run: { runId, sessionKey, stream: "assistant", data: { delta } } */
static void on_event(void *arg, struct span name, struct span payload)
{
    struct turn *turn = arg;
    struct span key = value_str(value_get(payload, "sessionKey"), NOTHING);
    struct span delta = value_str(value_path(payload, "data.delta"), NOTHING);

    if (!span_is_text(name, "agent") || !span_is_text(value_str(value_get(payload, "runId"), NOTHING), turn->run_id)) {
        return;
    }
    if (!turn->session_key[0] && key.len < sizeof(turn->session_key)) {
        (void)snprintf(turn->session_key, sizeof(turn->session_key), "%.*s", SPAN_FMT(key));
    }
    if (turn->is_live && delta.len && span_is_text(value_str(value_get(payload, "stream"), NOTHING), "assistant")) {
        cli_out_safe(delta, true);
        (void)cli_out_flush(); /* a closed or full output is told at the end */
        turn->has_shown = true;
    }
}

static void option_pack(const struct cli *cli, const char *option, const char *key, struct pack *out)
{
    if (cli_given(cli, option)) {
        pack_kv_text(out, key, cli_text(cli, option));
    }
}

static void params_pack(const struct cli *cli, const struct turn *turn, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "message", turn->message);
    option_pack(cli, "agent", "agentId", out);
    option_pack(cli, "session-id", "sessionId", out);
    option_pack(cli, "session-key", "sessionKey", out);
    option_pack(cli, "to", "to", out);
    option_pack(cli, "model", "model", out);
    option_pack(cli, "thinking", "thinking", out);
    option_pack(cli, "channel", "channel", out);
    option_pack(cli, "reply-to", "replyTo", out);
    option_pack(cli, "reply-channel", "replyChannel", out);
    option_pack(cli, "reply-account", "replyAccountId", out);
    pack_kv_bool(out, "deliver", cli_flag(cli, "deliver"));
    pack_kv_u64(out, "timeout", cli_number(cli, "timeout"));
    pack_kv_text(out, "idempotencyKey", turn->run_id);
    pack_map_end(out);
}

/* Whoever presses Ctrl-C does not want the agent to go on working. */
static void turn_abort(struct cli_rpc *rpc, const struct turn *turn)
{
    struct cli_problem problem;
    struct pack params;
    struct pack answer;

    if (!turn->session_key[0]) {
        return;
    }
    pack_init(&params, 0);
    pack_init(&answer, 0);
    pack_map_begin(&params);
    pack_kv_text(&params, "sessionKey", turn->session_key);
    pack_kv_text(&params, "runId", turn->run_id);
    pack_map_end(&params);
    cli_session_resume(rpc->session);
    /* Best effort: the program ends either way. */
    (void)cli_session_call(
        rpc->session,
        &(struct cli_call){ .method = "chat.abort", .params = pack_span(&params), .timeout_ms = ABORT_MS }, &answer,
        &problem);
    pack_deinit(&params);
    pack_deinit(&answer);
}

static void reply_print(struct span answer, const struct turn *turn)
{
    struct value_iter it = value_iter(value_path(answer, "result.payloads"));
    struct span key;
    struct span payload;

    if (turn->has_shown) {
        cli_out("\n");
    }
    while (value_next(&it, &key, &payload)) {
        struct span text = value_str(value_get(payload, "text"), NOTHING);
        struct span media = value_str(value_get(payload, "mediaUrl"), NOTHING);

        if (text.len && !turn->has_shown) {
            cli_out_safe(text, true);
            cli_out("\n");
        }
        if (media.len) {
            cli_out("media: ");
            cli_out_safe(media, false);
            cli_out("\n");
        }
    }
}

static int turn_finish(const struct cli *cli, const struct turn *turn, struct span answer)
{
    struct span status = value_str(value_get(answer, "status"), NOTHING);
    struct span summary = value_str(value_get(answer, "summary"), NOTHING);
    int r = CLI_EXIT_OK;

    if (cli_flag(cli, "json")) {
        r = cli_rpc_print_json(answer);
    } else {
        reply_print(answer, turn);
    }
    if (r == CLI_EXIT_OK && !span_is_text(status, "ok")) {
        cli_err("the turn did not complete: %.*s%s%.*s", SPAN_FMT(status), summary.len ? ", " : "", SPAN_FMT(summary));
        r = CLI_EXIT_FAILED;
    }
    return r;
}

/* What nobody carries must not look as if it had been sent. */
static bool is_carried(const struct cli *cli)
{
    const char *channel = cli_given(cli, "reply-channel") ? cli_text(cli, "reply-channel") : cli_text(cli, "channel");
    const char *arg;

    if (!cli_flag(cli, "deliver") || !channel || strcmp(channel, "last") == 0 || compose_def_of(channel, &arg)) {
        return true;
    }
    cli_err("--deliver: this version has no channel '%s'", channel);
    cli_err_more("next: leave --deliver out, and take the reply from here");
    return false;
}

static int turn_run(const struct cli *cli, struct cli_rpc *rpc, struct turn *turn)
{
    uint64_t seconds = cli_number(cli, "timeout");
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };
    struct pack params;
    struct pack answer;
    int r;

    if (!is_carried(cli)) {
        return CLI_EXIT_USAGE;
    }
    pack_init(&params, 0);
    pack_init(&answer, 0);
    params_pack(cli, turn, &params);
    r = cli_session_call(rpc->session,
                         &(struct cli_call){ .method = "agent",
                                             .params = pack_span(&params),
                                             .timeout_ms = seconds ? seconds * 1000 + GRACE_MS : 0,
                                             .expect_final = true },
                         &answer, &problem);
    if (r && turn->has_shown) {
        cli_out("\n");
    }
    if (r && problem.kind == CLI_PROBLEM_INTERRUPTED) {
        turn_abort(rpc, turn);
    }
    r = r ? cli_problem_explain(&problem, &rpc->target) : turn_finish(cli, turn, pack_span(&answer));
    pack_deinit(&params);
    pack_deinit(&answer);
    return r;
}

static int file_read(const char *path, struct text_buf *out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char chunk[8192];
    size_t n = 0;

    if (!file) {
        cli_err("cannot read %s: %s", path, strerror(errno));
        return CLI_EXIT_FAILED;
    }
    while (out->len <= MESSAGE_MAX && (n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        if (text_buf_add(out, (struct span){ chunk, n })) {
            break;
        }
    }
    bool is_whole = n == 0 && !ferror(file) && out->len <= MESSAGE_MAX;
    if (file != stdin) {
        (void)fclose(file); /* only read */
    }
    if (!is_whole || !out->len) {
        cli_err(is_whole ? "%s is empty" : "%s cannot be read, or is longer than 4 MiB", path);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* What to say, from wherever it comes; it lives in the options or in `buf`. */
static int message_take(const struct cli *cli, struct text_buf *buf, struct span *ret_message)
{
    int r = CLI_EXIT_OK;

    if (cli_given(cli, "message") == cli_given(cli, "message-file")) {
        cli_err("say what to tell the agent: --message <text> or --message-file <path>");
        return CLI_EXIT_USAGE;
    }
    if (cli_given(cli, "message")) {
        *ret_message = span_from(cli_text(cli, "message"));
    } else {
        r = file_read(cli_text(cli, "message-file"), buf);
        *ret_message = (struct span){ buf->data, buf->len };
    }
    return r;
}

int cmd_agent(struct cli *cli)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct turn turn = { .is_live = !cli_flag(cli, "json") && cli_out_is_tty() };
    struct cli_rpc_opts opts = {
        .display_name = "agent", .timeout_ms = CONNECT_MS, .arg = &turn, .on_event = on_event
    };
    struct cli_rpc rpc;
    int r;

    r = message_take(cli, &text, &turn.message);
    if (r) {
        return r;
    }
    if (cli_uuid_new(turn.run_id)) {
        cli_err("the system gives no random numbers");
        return CLI_EXIT_SOFTWARE;
    }
    r = cli_rpc_open(cli, &opts, &rpc);
    if (r) {
        return r;
    }
    r = turn_run(cli, &rpc, &turn);
    cli_rpc_close(&rpc);
    return r;
}
