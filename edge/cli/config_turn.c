#include "edge/cli/config_turn.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/lock.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/gateway_state.h"
#include "schema/base/config_change.h"

#define TURN_MS 30000U /* how long a command waits for others */
#define LOOK_MS 10U
#define AGAIN_MS 10000U /* how long a change is tried again */
#define AGAIN_PAUSE_MS 200U
#define SPREAD_MS 200U /* those who wait for each other do not come back together */
#define CLOSE_RESTART 1012

static void pause_ms(uint64_t ms, uint64_t spread_ms)
{
    (void)usleep((useconds_t)((ms + (uint64_t)getpid() % spread_ms) * 1000));
}

/* 0, LOCK_E_HELD or a fault. */
static int lock_try(const struct cli *cli, const char *name, int *ret_fd, pid_t *ret_holder, char path[PATH_MAX + 16])
{
    (void)snprintf(path, PATH_MAX + 16, "%s/%s", cli->paths.state_dir, name);
    return lock_take(path, ret_fd, ret_holder);
}

int config_turn_take(const struct cli *cli, int *ret_fd)
{
    uint64_t until_ms = clock_mono_ms() + TURN_MS;
    char path[PATH_MAX + 16];
    pid_t holder = 0;
    int r = lock_try(cli, "config.lock", ret_fd, &holder, path);

    while (r == LOCK_E_HELD && clock_mono_ms() < until_ms) {
        pause_ms(LOOK_MS, LOOK_MS);
        r = lock_try(cli, "config.lock", ret_fd, &holder, path);
    }
    if (r == LOCK_E_HELD) {
        *ret_fd = -1;
        cli_err("another command has been changing the config for %u seconds (process %ld)", TURN_MS / 1000U,
                (long)holder);
        cli_err_more("nothing was written: try again when it is done");
        return CLI_EXIT_TRY_LATER;
    }
    if (r) {
        struct gateway_state_error error;

        gateway_state_lock_explain(path, r, &error);
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

/* --- once more ------------------------------------------------------------------------------------------ */

bool config_again_take(struct config_again *self)
{
    uint64_t now = clock_mono_ms();

    if (!self->until_ms) {
        self->until_ms = now + AGAIN_MS;
    }
    self->is_due = now < self->until_ms;
    return self->is_due;
}

/* Nobody listens, and the lock that said so is free: a command that looked at it held it just then. */
static bool is_nobody_there(const struct cli *cli)
{
    char path[PATH_MAX + 16];
    pid_t holder = 0;
    int fd = -1;
    int r = lock_try(cli, "gateway.lock", &fd, &holder, path);

    if (!r) {
        (void)close(fd); /* the kernel gives the lock back */
    }
    return !r;
}

static bool is_passing(const struct cli *cli, const struct cli_problem *problem)
{
    switch (problem->kind) {
    case CLI_PROBLEM_ANSWER:
        return problem->retryable || !strcmp(problem->detail, CONFIG_CHANGE_CONFLICT);
    case CLI_PROBLEM_CLOSED:
        return problem->close_code == CLOSE_RESTART;
    case CLI_PROBLEM_UNREACHABLE:
        return is_nobody_there(cli);
    default:
        return false;
    }
}

bool config_again_take_problem(struct config_again *self, const struct cli *cli, const struct cli_problem *problem)
{
    return is_passing(cli, problem) && config_again_take(self);
}

bool config_again_due(struct config_again *self, int r)
{
    bool is_due = r && self->is_due;

    self->is_due = false;
    if (is_due) {
        pause_ms(AGAIN_PAUSE_MS, SPREAD_MS);
    }
    return is_due;
}
