#include "edge/cli/gateway_ground.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/lock.h"
#include "bus/run_dir.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/compose.h"
#include "edge/cli/gateway_state.h"
#include "edge/cli/gateway_topology.h"
#include "schema_gen.h"

#define WIRE_ENV "OPENCLAW_BUS_WIRE"

static int fault_explain(const char *what, int fault)
{
    cli_err("%s: %s", what, fault_text(fault));
    return CLI_EXIT_SOFTWARE;
}

static int dir_take(const char *name, const char *path, bool may_link)
{
    struct gateway_state_error error;

    if (gateway_state_dir(name, path, may_link, &error)) {
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

/* Of an earlier life: under the lock nobody can be behind them, but for the one that is handed on. */
static void run_dir_clean(const struct cli_paths *paths, bool is_handed_on)
{
    if (is_handed_on) {
        run_dir_sweep_but(paths->run_dir, strrchr(paths->clients_path, '/') + 1);
    } else {
        run_dir_sweep(paths->run_dir, "");
    }
}

/* For the hosts: a database is opened only where no symbolic link can lead it elsewhere. */
static int state_export(const struct cli_paths *paths)
{
    char path[PATH_MAX];

    if (!realpath(paths->state_dir, path) || setenv("OPENCLAW_STATE_DIR", path, 1)) {
        return fault_explain("cannot set up the environment", -errno);
    }
    return 0;
}

int gateway_ground_take(const struct cli_paths *paths, struct gateway_handover *left, int *ret_lock_fd)
{
    bool is_handed_on = left->fds_n > 0;
    char path[PATH_MAX + 16];
    pid_t holder = 0;
    int r = dir_take("state directory", paths->state_dir, true);

    (void)snprintf(path, sizeof(path), "%s/db", paths->state_dir);
    r = r ? r : dir_take("database directory", path, false);
    r = r ? r : state_export(paths);
    if (r) {
        return r;
    }
    (void)snprintf(path, sizeof(path), "%s/gateway.lock", paths->state_dir);
    *ret_lock_fd = gateway_handover_file(left, path);
    r = *ret_lock_fd >= 0 ? 0 : lock_take(path, ret_lock_fd, &holder);
    if (r == LOCK_E_HELD) {
        cli_err("another gateway (pid %d) runs on the state directory %s", (int)holder, paths->state_dir);
        cli_err_more("stop it, or give this one a state of its own with --profile or OPENCLAW_STATE_DIR");
        return CLI_EXIT_CONFIG;
    }
    if (r) {
        struct gateway_state_error error;

        gateway_state_lock_explain(path, r, &error);
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    r = dir_take("run directory", paths->run_dir, false);
    if (r == 0) {
        run_dir_clean(paths, is_handed_on);
    }
    return r;
}

/* What hosts inherit. */
int gateway_ground_topology(const struct text_buf *topology, int *ret_fd)
{
    struct span text = { topology->data, topology->len };
    char number[16];
    int r = gateway_topology_publish(text, ret_fd);

    if (r) {
        return fault_explain("cannot keep the topology", r);
    }
    (void)snprintf(number, sizeof(number), "%d", *ret_fd);
    return setenv("OPENCLAW_TOPOLOGY_FD", number, 1) ? fault_explain("cannot set up the environment", -errno) : 0;
}

int gateway_ground_keys(const struct cli_paths *paths, char keys_dir[PATH_MAX], struct curve_pair *ret_pair)
{
    int r;

    if (snprintf(keys_dir, PATH_MAX, "%s/bus", paths->state_dir) >= PATH_MAX) {
        cli_err("the path of the state directory is too long: %s", paths->state_dir);
        return CLI_EXIT_CONFIG;
    }
    r = curve_load(keys_dir, ret_pair);
    if (r == CURVE_E_MISSING) {
        cli_err("this machine has no key to be known by: %s/curve.cert_secret is missing", keys_dir);
        cli_err_more("make one with `openclaw bus keygen`");
        return CLI_EXIT_CONFIG;
    }
    if (r == CURVE_E_BAD) {
        cli_err("%s/curve.cert_secret is no key pair, or others can read it", keys_dir);
        cli_err_more("make it 0600, or make a new one with `openclaw bus keygen --force`");
        return CLI_EXIT_CONFIG;
    }
    return r ? fault_explain("cannot read the key of this machine", r) : CLI_EXIT_OK;
}

int gateway_ground_wire(struct trunk_range *ret_range)
{
    const char *text = getenv(WIRE_ENV);

    if (!text || !text[0]) {
        *ret_range = trunk_range_all;
    } else if (!trunk_range_read(text, ret_range)) {
        cli_err(WIRE_ENV "=%s is no version of the bus between machines that this release speaks", text);
        cli_err_more("write one, or two with - between them, of %u to %u; without it all are offered",
                     trunk_range_all.least, trunk_range_all.most);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

/* The words of this command line, and that it is only to be seen whether it would start. */
static char **trial_words(const struct cli *cli)
{
    static char word[] = "--check";
    char **words = mem_new(((size_t)cli->argc + 2) * sizeof(*words));

    memcpy(words, cli->argv, (size_t)cli->argc * sizeof(*words));
    words[cli->argc] = word;
    return words;
}

static void upgrade(const struct cli *cli, const struct process_opts *opts)
{
    struct gateway_handover next = { .upgrades_n = opts->upgrades_n, .failures_n = opts->upgrades_failed_n };

    (void)snprintf(next.program, sizeof(next.program), "%s", opts->program);
    next.fds_n = opts->leave(opts->arg, next.fds, GATEWAY_HANDOVER_FDS_MAX);
    (void)cli_out_flush(); /* a closed standard output is no reason to stop */
    gateway_handover_exec(&next, *opts->ret_program_fd, cli->argv);
}

/* As the first program of this process was started, which knew it best: a file that was replaced since has no path. */
static bool program_find(const struct cli *cli, const struct gateway_handover *left, char ret_path[PATH_MAX])
{
    if (left->program[0]) {
        (void)strcpy(ret_path, left->program);
        return true;
    }
    return gateway_handover_program(cli->argv[0], ret_path);
}

int gateway_ground_run(struct cli *cli, const struct gateway_handover *left, const int *topology_fd,
                       struct process_opts *opts)
{
    static char name[] = "openclaw";
    static char word[] = "host-child";
    char *child_argv[] = { name, word, NULL };
    CLEANUP(mem_free) char **trial_argv = trial_words(cli);
    char program[PATH_MAX];
    int program_fd = -1;
    int r;

    compose_log_install("supervisor");
    opts->run_dir = cli->paths.run_dir;
    opts->control_path = cli->paths.control_path;
    opts->registry = &schema_registry;
    opts->child_argv = child_argv;
    opts->program = program_find(cli, left, program) ? program : NULL;
    opts->trial_argv = trial_argv;
    opts->ret_program_fd = &program_fd;
    opts->upgrades_n = left->upgrades_n;
    opts->upgrades_failed_n = left->failures_n;
    opts->upgrade_failure = left->failure;
    opts->keep_fds = topology_fd;
    opts->keep_fds_n = 1;
    opts->on_actor = compose_log_on_actor;
    opts->release = OPENCLAW_VERSION;
    r = process_run(opts);
    run_dir_clean(&cli->paths, r == PROCESS_UPGRADE);
    if (r == PROCESS_UPGRADE) {
        upgrade(cli, opts); /* returns only when it failed */
        r = CLI_EXIT_SOFTWARE;
    }
    return r;
}
