/*
 * openclaw doctor: looks at config, state directory and gateway, proposes, and mends what
 * it is told to mend.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_turn.h"
#include "edge/cli/doctor.h"
#include "edge/cli/doctor_write.h"

static const struct {
    const char *name;
    enum cli_style style;
} levels[] = {
    [DOCTOR_NOTE] = { "note", CLI_STYLE_DIM },
    [DOCTOR_WARNING] = { "warning", CLI_STYLE_WARN },
    [DOCTOR_PROBLEM] = { "problem", CLI_STYLE_BAD },
};

static void look(struct doctor *self, struct cli *cli, bool is_token_alone)
{
    doctor_init(self, cli);
    self->is_deep = cli_flag(cli, "deep");
    self->wants_token = cli_flag(cli, "generate-gateway-token");
    self->wants_suggestions = !cli_flag(cli, "no-workspace-suggestions");
    self->is_token_alone = is_token_alone;
    doctor_lock_look(self);
    doctor_config_look(self);
    if (!is_token_alone) {
        doctor_state_look(self);
        doctor_history_look(self);
        doctor_gateway_look(self);
    }
}

static size_t count(const struct doctor *self, enum doctor_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < self->n; i++) {
        n += self->findings[i].level == level;
    }
    return n;
}

static size_t repairs_count(const struct doctor *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->n; i++) {
        n += self->findings[i].repair != NULL;
    }
    return n;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void report(const struct doctor *self)
{
    for (size_t i = 0; i < self->n; i++) {
        const struct doctor_finding *finding = &self->findings[i];

        cli_out_styled(levels[finding->level].style, levels[finding->level].name);
        cli_out(" (%s): ", finding->topic);
        cli_out_safe(span_from(finding->text), false);
        cli_out("\n");
        if (finding->fix[0]) {
            cli_out("  %s ", finding->repair ? "repair:" : finding->is_held ? "held back:" : "you can:");
            cli_out_safe(span_from(finding->fix), false);
            cli_out("\n");
        }
    }
    if (self->left_out) {
        cli_out("and %zu more\n", self->left_out);
    }
    size_t problems = count(self, DOCTOR_PROBLEM);
    size_t warnings = count(self, DOCTOR_WARNING);
    size_t notes = count(self, DOCTOR_NOTE);
    cli_out("%zu problem%s, %zu warning%s, %zu note%s; %zu can be repaired here\n", problems, plural(problems),
            warnings, plural(warnings), notes, plural(notes), repairs_count(self));
}

static bool is_agreed(void)
{
    char line[16] = "";

    cli_out("Make these repairs? [y/N] ");
    (void)cli_out_flush(); /* a question nobody sees is answered with no */
    return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static void repair_tell(const struct doctor_finding *finding, bool is_done, struct pack *told)
{
    if (told) {
        pack_map_begin(told);
        pack_kv_text(told, "message", finding->fix);
        pack_kv_bool(told, "done", is_done);
        pack_map_end(told);
        return;
    }
    cli_out("%s: ", is_done ? "done" : "not done");
    cli_out_safe(span_from(finding->fix), false);
    cli_out("\n");
}

/* Goes on after one that failed: the others stand for themselves. `told`, an open array, gets what came of each instead
 * of standard output. */
static int repair_all(struct doctor *self, struct pack *told)
{
    int worst = CLI_EXIT_OK;

    for (size_t i = 0; i < self->n; i++) {
        const struct doctor_finding *finding = &self->findings[i];

        if (finding->repair) {
            int r = finding->repair(self, finding);

            repair_tell(finding, r == 0, told);
            worst = worst ? worst : r;
        }
    }
    if (self->kept[0] && !told) {
        cli_out("kept: %s\n", self->kept);
    }
    return worst;
}

static size_t left_count(const struct doctor *self)
{
    size_t left = 0;

    for (size_t i = 0; i < self->n; i++) {
        const struct doctor_finding *finding = &self->findings[i];
        bool is_wish = self->wants_token && finding->level == DOCTOR_NOTE;

        left += finding->level == DOCTOR_PROBLEM || (finding->repair && !is_wish);
    }
    return left;
}

/* What is left when all is done, by looking again. */
static int again(struct cli *cli, bool is_token_alone)
{
    struct doctor self;

    look(&self, cli, is_token_alone);
    size_t left = left_count(&self);
    doctor_deinit(&self);
    if (left) {
        cli_out("%zu finding%s left: openclaw doctor shows %s\n", left, left == 1 ? " is" : "s are",
                left == 1 ? "it" : "them");
    }
    return left ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

static int doctor_work(struct doctor *self, struct cli *cli, bool is_told, bool is_token_alone)
{
    bool may_ask = !cli_flag(cli, "non-interactive") && isatty(STDIN_FILENO) && cli_out_is_tty();

    report(self);
    if (!repairs_count(self)) {
        return is_told && count(self, DOCTOR_PROBLEM) ? CLI_EXIT_FAILED : CLI_EXIT_OK;
    }
    if (!is_told && !may_ask) {
        cli_out("openclaw doctor --fix makes the repairs\n");
        return CLI_EXIT_OK;
    }
    if (!is_told && !is_agreed()) {
        return CLI_EXIT_OK;
    }
    int r = repair_all(self, NULL);
    return r ? r : again(cli, is_token_alone);
}

/* The same for programs: nothing is asked, and one object says it all. */
static int doctor_work_json(struct doctor *self, struct cli *cli, bool is_told, bool is_token_alone)
{
    CLEANUP(pack_deinit) struct pack out;
    struct doctor left;
    int r = CLI_EXIT_OK;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_u64(&out, "schemaVersion", 1);
    if (is_told) {
        pack_key(&out, "repairs");
        pack_array_begin(&out);
        r = repair_all(self, &out);
        pack_array_end(&out);
        look(&left, cli, is_token_alone);
        doctor_findings_pack(&left, &out);
        r = !r && left_count(&left) ? CLI_EXIT_FAILED : r;
        doctor_deinit(&left);
    } else {
        doctor_findings_pack(self, &out);
    }
    pack_map_end(&out);
    int printed = cli_rpc_print_json_line(pack_span(&out));
    return r ? r : printed;
}

/* From the look to the last repair no other command changes the config; where no state directory is, none can. */
static int turn_take(const struct cli *cli, int *ret_fd)
{
    struct stat st;

    return stat(cli->paths.state_dir, &st) ? CLI_EXIT_OK : config_turn_take(cli, ret_fd);
}

int cmd_doctor(struct cli *cli)
{
    CLEANUP(fd_close) int turn_fd = -1;
    bool is_fix = cli_flag(cli, "fix") || cli_flag(cli, "repair") || cli_flag(cli, "yes") || cli_flag(cli, "force");
    bool is_token = cli_flag(cli, "generate-gateway-token");
    const char *nix = getenv("OPENCLAW_NIX_MODE"); /* NOLINT(concurrency-mt-unsafe): one thread */
    struct doctor self;

    if ((is_fix || is_token) && nix && !strcmp(nix, "1")) {
        cli_err("the config belongs to Nix (OPENCLAW_NIX_MODE=1), so nothing is changed here");
        cli_err_more("change its source; openclaw doctor without options only looks");
        return CLI_EXIT_FAILED;
    }
    int r = is_fix || is_token ? turn_take(cli, &turn_fd) : CLI_EXIT_OK;
    if (r) {
        return r;
    }
    look(&self, cli, is_token && !is_fix);
    r = cli_flag(cli, "json") ? doctor_work_json(&self, cli, is_fix || is_token, is_token && !is_fix)
                              : doctor_work(&self, cli, is_fix || is_token, is_token && !is_fix);
    doctor_deinit(&self);
    return r;
}
