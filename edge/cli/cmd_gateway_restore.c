/*
 * openclaw gateway restore: for a gateway that does not start, or works on an old config, as
 * the file is broken. The last config that was good is put back, and with --start a gateway
 * that does not run is started: by its service where one is installed, else by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/child.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/control_client.h"
#include "edge/cli/doctor.h"

#define LOOK_MS 100L
#define ASK_MS 1000

/* --- the config ----------------------------------------------------------------------------- */

/* Whether something was put back. */
static int config_restore(struct cli *cli, bool *ret_is_done)
{
    CLEANUP(doctor_deinit) struct doctor self;
    struct doctor_finding *finding;

    doctor_init(&self, cli);
    doctor_lock_look(&self);
    doctor_config_look(&self);
    if (self.is_usable && !cli_flag(cli, "force")) {
        cli_out("%s is a config that a gateway starts with; it was left as it is.\n", cli->paths.config_path);
        return CLI_EXIT_OK;
    }
    finding = doctor_add(&self, "config", DOCTOR_PROBLEM, "the config is to be replaced");
    doctor_config_spare(&self, finding);
    if (!finding->repair) {
        cli_err("%s cannot be restored: %s", cli->paths.config_path, finding->fix);
        return CLI_EXIT_FAILED;
    }
    int r = finding->repair(&self, finding);
    if (!r) {
        cli_out("done: %s\n", finding->fix);
        if (self.kept[0]) {
            cli_out("kept: %s\n", self.kept);
        }
        *ret_is_done = true;
    }
    return r;
}

/* --- the start --------------------------------------------------------------------------------- */

static int run_wait(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return CLI_EXIT_SOFTWARE;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int service_start(const struct cli_service *service)
{
    char unit[PATH_MAX];
    char program[] = "systemctl";
    char whose[] = "--system";
    char word[] = "start";
    char *argv[] = { program, whose, word, unit, NULL };

    (void)snprintf(unit, sizeof(unit), "%s", strrchr(service->unit_path, '/') + 1);
    if (service->is_user_unit) {
        (void)strcpy(whose, "--user"); /* the shorter of the two */
    }
    pid_t pid = fork();

    if (pid == 0) {
        (void)execvp(argv[0], argv); /* returns only when it failed */
        _exit(CLI_EXIT_UNAVAILABLE);
    }
    if (pid < 0 || run_wait(pid)) {
        cli_err("systemctl could not start %s", unit);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* In the child, which becomes a gateway that belongs to no terminal. What it has to say stands in its log. */
static void gateway_exec(void)
{
    char program[] = "openclaw";
    char word[] = "gateway";
    char what[] = "run";
    char *argv[] = { program, word, what, NULL };
    int nowhere = open("/dev/null", O_RDWR);

    if (setsid() < 0 || nowhere < 0) {
        _exit(CLI_EXIT_SOFTWARE);
    }
    for (int fd = 0; fd <= 2; fd++) {
        (void)dup2(nowhere, fd); /* cannot fail for these */
    }
    child_signals_reset();
    (void)execv("/proc/self/exe", argv); /* returns only when it failed */
    _exit(CLI_EXIT_SOFTWARE);
}

static bool is_serving(const struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack answer;

    pack_init(&answer, 0);
    return control_client_status(cli->paths.control_path, ASK_MS, &answer) &&
           span_is_text(value_str(value_get(pack_span(&answer), "state"), (struct span){ "", 0 }), "running");
}

/* `pid`: our child, which may have ended instead; 0: none. */
static int serving_wait(const struct cli *cli, pid_t pid)
{
    uint64_t until_ms = clock_mono_ms() + cli_number(cli, "timeout");
    struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
    int status;

    while (!is_serving(cli)) {
        if (pid && waitpid(pid, &status, WNOHANG) == pid) {
            cli_err("the gateway ended at its start; `openclaw gateway` in the foreground says why");
            return CLI_EXIT_FAILED;
        }
        if (clock_mono_ms() > until_ms) {
            cli_err("the gateway was started, and does not serve yet: `openclaw gateway status` shows more");
            return CLI_EXIT_TRY_LATER;
        }
        (void)nanosleep(&pause, NULL); /* cut short: looked at again */
    }
    return CLI_EXIT_OK;
}

static int start(struct cli *cli, const struct cli_service *service)
{
    pid_t pid = 0;
    int r = CLI_EXIT_OK;

    if (service->unit_path[0]) {
        r = service_start(service);
    } else {
        pid = fork();
        if (pid == 0) {
            gateway_exec();
        }
        r = pid < 0 ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
    }
    return r ? r : serving_wait(cli, pid);
}

int cmd_gateway_restore(struct cli *cli)
{
    struct cli_service service;
    bool is_done = false;
    int r = config_restore(cli, &is_done);

    if (r || !cli_flag(cli, "start")) {
        return r;
    }
    cli_service_look(&cli->paths, &service);
    if (service.is_running) {
        cli_out("The gateway (pid %d) runs%s.\n", (int)service.pid, is_done ? ", and takes what was put back" : "");
        return CLI_EXIT_OK;
    }
    r = start(cli, &service);
    if (!r) {
        cli_service_look(&cli->paths, &service);
        cli_out("The gateway (pid %d) runs.\n", (int)service.pid);
    }
    return r;
}
