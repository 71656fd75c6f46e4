/*
 * openclaw logs: the end of the gateway's log file, and what is added to it.
 */
#include <errno.h>
#include <string.h>

#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/log_line.h"
#include "edge/cli/log_tail.h"

#define NOTHING ((struct span){ 0 })
#define RETRIES_MAX 8
#define RETRY_FIRST_MS 250U
#define RETRY_MOST_MS 30000U

struct logs {
    const struct cli *cli;
    struct cli_rpc rpc;
    bool has_cursor;
    uint64_t cursor;
    bool has_meta; /* the first answer has been introduced */
};

static void line_show(const struct logs *self, struct span raw)
{
    struct log_line line;

    log_line_init(&line, raw);
    if (cli_flag(self->cli, "json")) {
        struct pack record;

        pack_init(&record, 0);
        log_line_pack(&line, &record);
        (void)cli_rpc_print_json_line(pack_span(&record)); /* said on standard error when it fails */
        pack_deinit(&record);
    } else {
        log_line_print(&line, cli_flag(self->cli, "plain"), cli_flag(self->cli, "local-time"));
    }
    log_line_deinit(&line);
}

static void meta_show(struct logs *self, struct span answer)
{
    struct pack record;

    if (!cli_flag(self->cli, "json") || self->has_meta) {
        return;
    }
    self->has_meta = true;
    pack_init(&record, 0);
    pack_map_begin(&record);
    pack_kv_text(&record, "type", "meta");
    pack_kv_text(&record, "sourceKind", "file");
    pack_kv_str(&record, "file", value_str(value_get(answer, "file"), NOTHING));
    pack_kv_i64(&record, "cursor", value_i64(value_get(answer, "cursor"), 0));
    pack_kv_i64(&record, "size", value_i64(value_get(answer, "size"), 0));
    pack_map_end(&record);
    (void)cli_rpc_print_json_line(pack_span(&record)); /* said on standard error when it fails */
    pack_deinit(&record);
}

/* Remarks are not log lines: people read them on standard error, programs by their type. */
static void notice_show(const struct logs *self, const char *text)
{
    struct pack record;

    if (!cli_flag(self->cli, "json")) {
        cli_err("%s", text);
        return;
    }
    pack_init(&record, 0);
    pack_map_begin(&record);
    pack_kv_text(&record, "type", "notice");
    pack_kv_text(&record, "message", text);
    pack_map_end(&record);
    (void)cli_rpc_print_json_line(pack_span(&record)); /* said on standard error when it fails */
    pack_deinit(&record);
}

static void answer_show(struct logs *self, struct span answer)
{
    struct value_iter it = value_iter(value_get(answer, "lines"));
    struct span key;
    struct span line;

    meta_show(self, answer);
    if (value_bool(value_get(answer, "reset"), false) && self->has_cursor) {
        notice_show(self, "the log file was replaced; some lines may be missing");
    } else if (value_bool(value_get(answer, "truncated"), false) && self->has_cursor) {
        notice_show(self, "more was logged than fits one answer; some lines are missing");
    }
    while (value_next(&it, &key, &line)) {
        line_show(self, value_str(line, NOTHING));
    }
    self->cursor = (uint64_t)value_i64(value_get(answer, "cursor"), 0);
    self->has_cursor = true;
    (void)cli_out_flush(); /* told at the end */
}

static int tail_once(struct logs *self, struct cli_problem *problem)
{
    struct pack params;
    struct pack answer;
    int r;

    pack_init(&params, 0);
    pack_init(&answer, 0);
    pack_map_begin(&params);
    if (self->has_cursor) {
        pack_kv_u64(&params, "cursor", self->cursor);
    }
    pack_kv_u64(&params, "limit", cli_number(self->cli, "limit"));
    pack_kv_u64(&params, "maxBytes", cli_number(self->cli, "max-bytes"));
    pack_map_end(&params);
    r = cli_session_call(self->rpc.session,
                         &(struct cli_call){ .method = "logs.tail",
                                             .params = pack_span(&params),
                                             .timeout_ms = cli_number(self->cli, "timeout") },
                         &answer, problem);
    if (r == 0) {
        answer_show(self, pack_span(&answer));
    }
    pack_deinit(&params);
    pack_deinit(&answer);
    return r;
}

static int session_open(struct logs *self, struct cli_problem *problem)
{
    struct cli_session_opts opts = {
        .cli = self->cli,
        .target = &self->rpc.target,
        .role = CLI_SESSION_COMMAND,
        .display_name = "gateway:logs.tail",
        .timeout_ms = cli_number(self->cli, "timeout"),
    };

    return cli_session_open(&opts, &self->rpc.session, problem);
}

/* A gateway that restarts is back soon. 0 when it is; else the problem of the last attempt. */
static int session_reopen(struct logs *self, struct cli_problem *problem)
{
    uint64_t pause_ms = RETRY_FIRST_MS;
    int r = CLI_SESSION_E_PROBLEM;

    notice_show(self, "the gateway is gone; connecting again");
    for (int i = 0; r && i < RETRIES_MAX && cli_problem_is_passing(problem); i++) {
        struct cli_problem waited = { .kind = CLI_PROBLEM_NONE };

        r = cli_session_pause(self->rpc.session, pause_ms, &waited);
        if (r) {
            *problem = waited;
            return r;
        }
        pause_ms = pause_ms * 2 < RETRY_MOST_MS ? pause_ms * 2 : RETRY_MOST_MS;
        r = cli_session_reopen(self->rpc.session, problem);
    }
    if (r == 0) {
        notice_show(self, "connected again");
    }
    return r;
}

static int follow(struct logs *self, struct cli_problem *problem)
{
    int r = 0;

    while (r == 0 && cli_out_is_open()) {
        r = cli_session_wait(self->rpc.session, cli_number(self->cli, "interval"), problem);
        r = r ? r : tail_once(self, problem);
        if (r && cli_problem_is_passing(problem)) {
            r = session_reopen(self, problem);
        }
    }
    return r;
}

static void on_file_line(void *arg, struct span line)
{
    line_show(arg, line);
}

static bool is_file_wanted(const struct logs *self, const struct cli_problem *problem)
{
    return !self->rpc.target.is_elsewhere &&
           (problem->kind == CLI_PROBLEM_UNREACHABLE || problem->kind == CLI_PROBLEM_CLOSED ||
            problem->kind == CLI_PROBLEM_DOWN || problem->kind == CLI_PROBLEM_TIMEOUT);
}

/* A gateway that is down is when its log matters most, and on its own machine the file can be read. */
static int file_show(struct logs *self, const struct cli_problem *problem)
{
    const char *path = self->rpc.target.log_file;
    char text[1600];
    char buf[256];
    const char *advice = cli_problem_advice(problem, &self->rpc.target, buf, sizeof(buf));
    uint64_t size = 0;

    cli_problem_text(problem, &self->rpc.target, text, sizeof(text));
    cli_err("%s", text);
    if (log_tail_read(path, cli_number(self->cli, "limit"), cli_number(self->cli, "max-bytes"), on_file_line, self,
                      &size)) {
        cli_err_more("its log file cannot be read either: %s: %s", path, strerror(errno));
        if (advice) {
            cli_err_more("next: %s", advice);
        }
        return cli_problem_exit_code(problem);
    }
    cli_err_more("shown is what it left in %s", path);
    return cli_flag(self->cli, "follow") ? cli_problem_exit_code(problem) : CLI_EXIT_OK;
}

/* The config is what is wrong, and was explained; the log may say since when. */
static int file_show_unconfigured(struct logs *self)
{
    const char *path = self->rpc.target.log_file;
    uint64_t size = 0;
    int r = CLI_EXIT_CONFIG;

    if (cli_target_resolve(self->cli, CLI_TARGET_TOLERANT | CLI_TARGET_LOCAL, &self->rpc.target)) {
        return r;
    }
    if (!log_tail_read(path, cli_number(self->cli, "limit"), cli_number(self->cli, "max-bytes"), on_file_line, self,
                       &size)) {
        cli_err_more("shown is what stands in %s", path);
        r = cli_flag(self->cli, "follow") ? r : CLI_EXIT_OK;
    }
    cli_rpc_close(&self->rpc);
    return r;
}

int cmd_logs(struct cli *cli)
{
    struct logs logs = { .cli = cli };
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };
    int r = cli_target_resolve(cli, 0, &logs.rpc.target);

    if (r) {
        return r == CLI_TARGET_E_USAGE ? CLI_EXIT_USAGE : file_show_unconfigured(&logs);
    }
    r = session_open(&logs, &problem);
    r = r ? r : tail_once(&logs, &problem);
    if (r && is_file_wanted(&logs, &problem)) {
        r = file_show(&logs, &problem);
        cli_rpc_close(&logs.rpc);
        return r;
    }
    if (r == 0 && cli_flag(cli, "follow")) {
        r = follow(&logs, &problem);
    }
    r = r ? cli_problem_explain(&problem, &logs.rpc.target) : CLI_EXIT_OK;
    cli_rpc_close(&logs.rpc);
    return r;
}
