/*
 * openclaw gateway stop, openclaw gateway restart: what a signal to the supervising process
 * does, for whoever does not know its pid. The control socket says which process that is, and
 * takes the word for what has no signal: an upgrade.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/control_client.h"
#include "edge/cli/gateway_claim.h"

#define STATUS_MS 1000
#define LOOK_MS 50
#define COMING_MS 10000 /* so long a gateway may take until it can be asked */

/* The descriptor stays this process's, whoever gets its number later. */
static bool supervisor_find(const struct cli *cli, struct cli_service *service, int *ret_fd)
{
    struct cli_service again;
    int fd = -1;

    cli_service_look(&cli->paths, service);
    if (!service->is_running) {
        return false;
    }
    fd = pidfd_open(service->pid, 0);
    cli_service_look(&cli->paths, &again);
    if (fd >= 0 && again.is_running && again.pid == service->pid) {
        *ret_fd = fd;
        return true;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return false;
}

/* One that starts, or exchanges its program, has the lock and no control socket yet. */
static bool is_coming(const struct cli *cli)
{
    char path[PATH_MAX + 16];

    (void)snprintf(path, sizeof(path), "%s/gateway.lock", cli->paths.state_dir);
    return gateway_claim_holder(path) > 0;
}

/* An exit code that is not 0: explained. */
static int supervisor_open(const struct cli *cli, struct cli_service *service, int *ret_fd)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    uint64_t until_ms = clock_mono_ms() + COMING_MS;
    bool is_found = supervisor_find(cli, service, ret_fd);

    while (!is_found && is_coming(cli) && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, LOOK_MS); /* sooner is as good */
        is_found = supervisor_find(cli, service, ret_fd);
    }
    if (is_found) {
        return CLI_EXIT_OK;
    }
    int r = control_client_open(&cli->paths, &client); /* tells why it cannot be asked */
    if (r == CLI_EXIT_OK) {
        cli_err("the gateway of the state directory %s comes or goes just now", cli->paths.state_dir);
        r = CLI_EXIT_TRY_LATER;
    }
    return r;
}

static int signal_send(int fd, int number, const struct cli_service *service)
{
    if (pidfd_send_signal(fd, number, NULL, 0) == 0) {
        return CLI_EXIT_OK;
    }
    cli_err("the gateway (pid %d) cannot be told: %s", (int)service->pid, strerror(errno));
    return errno == EPERM ? CLI_EXIT_REFUSED : CLI_EXIT_UNAVAILABLE;
}

static int done_tell(const struct cli *cli, const struct cli_service *service, const char *action, const char *text)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    if (!cli_flag(cli, "json")) {
        cli_out("The gateway (pid %d) %s.\n", (int)service->pid, text);
        return CLI_EXIT_OK;
    }
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", true);
    pack_kv_text(&out, "action", action);
    pack_kv_i64(&out, "pid", service->pid);
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static int end_wait(const struct cli *cli, int fd, const struct cli_service *service)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int n = poll(&wait, 1, (int)cli_number(cli, "timeout"));

    if (n > 0) {
        return CLI_EXIT_OK;
    }
    if (n < 0 && errno == EINTR) {
        return CLI_EXIT_INTERRUPTED;
    }
    cli_err("the gateway (pid %d) was told to end, and has not yet", (int)service->pid);
    return CLI_EXIT_TRY_LATER;
}

int cmd_gateway_stop(struct cli *cli)
{
    struct cli_service service;
    int fd = -1;
    int r = supervisor_open(cli, &service, &fd);

    if (r) {
        return r;
    }
    r = signal_send(fd, SIGTERM, &service);
    r = r ? r : end_wait(cli, fd, &service);
    (void)close(fd);
    if (!r && service.unit_path[0]) {
        cli_err("note: %s is installed, and may start it again", service.unit_path);
    }
    return r ? r : done_tell(cli, &service, "stop", "has ended");
}

/* --- another program in the same process ------------------------------------------------------- */

/* False while it cannot be asked. */
static bool status_read(const struct cli *cli, struct pack *ret_status)
{
    pack_reset(ret_status);
    return control_client_status(cli->paths.control_path, STATUS_MS, ret_status);
}

/* How often in this process. */
struct exchanges {
    int64_t done;
    int64_t failed; /* the new program could not be executed, and the old one went on */
};

static struct exchanges exchanges_read(struct span status)
{
    return (struct exchanges){ .done = value_i64(value_get(status, "upgrades"), 0),
                               .failed = value_i64(value_get(status, "upgradesFailed"), 0) };
}

static bool is_over(struct span status, struct exchanges before)
{
    struct exchanges now = exchanges_read(status);

    return (now.done > before.done || now.failed > before.failed) &&
           span_is_text(value_str(value_get(status, "state"), (struct span){ "", 0 }), "running");
}

/* Until the next program serves, in the process `fd`. */
static int upgrade_wait(const struct cli *cli, int fd, struct exchanges before, struct pack *ret_status)
{
    uint64_t until_ms = clock_mono_ms() + cli_number(cli, "timeout");
    struct pollfd end = { .fd = fd, .events = POLLIN };

    while (!status_read(cli, ret_status) || !is_over(pack_span(ret_status), before)) {
        if (poll(&end, 1, LOOK_MS) > 0) {
            cli_err("the gateway ended at the start of its new program: its output, or the journal of its service, "
                    "says why");
            return CLI_EXIT_FAILED;
        }
        if (clock_mono_ms() > until_ms) {
            cli_err("the gateway's new program does not serve yet, %llu ms after it was asked for",
                    (unsigned long long)cli_number(cli, "timeout"));
            cli_err_more("next: `openclaw gateway status` shows more; a longer --timeout waits longer");
            return CLI_EXIT_TRY_LATER;
        }
    }
    if (exchanges_read(pack_span(ret_status)).failed > before.failed) {
        struct span why = value_str(value_get(pack_span(ret_status), "upgradeError"), SPAN_LIT("no reason given"));

        cli_err("the new program could not be executed, so the one that ran was started again: %.*s", SPAN_FMT(why));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static int upgrade_tell(const struct cli *cli, const struct cli_service *service, struct span status)
{
    struct span release = value_str(value_get(status, "release"), SPAN_LIT("?"));
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    if (!cli_flag(cli, "json")) {
        cli_out("The gateway (pid %d) runs release %.*s.\n", (int)service->pid, SPAN_FMT(release));
        return CLI_EXIT_OK;
    }
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", true);
    pack_kv_text(&out, "action", "upgrade");
    pack_kv_i64(&out, "pid", service->pid);
    pack_kv_str(&out, "release", release);
    pack_kv_raw(&out, "upgrades", value_get(status, "upgrades"));
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static int upgrade(struct cli *cli, int fd, const struct cli_service *service)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack answer;
    struct exchanges before = { 0 };
    int r;

    pack_init(&request, 0);
    pack_init(&answer, 0);
    if (status_read(cli, &answer)) {
        before = exchanges_read(pack_span(&answer));
    }
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "upgrade");
    pack_map_end(&request);
    r = control_client_open(&cli->paths, &client);
    r = r ? r : control_client_ask(&client, pack_span(&request), (int)cli_number(cli, "timeout"), &answer);
    if (r == CLI_EXIT_CONFIG) {
        cli_err_more("next: correct that, then run this again; `openclaw doctor` looks at the config as well");
    }
    r = r ? r : upgrade_wait(cli, fd, before, &answer);
    return r ? r : upgrade_tell(cli, service, pack_span(&answer));
}

/* --- the same program again ---------------------------------------------------------------------- */

int cmd_gateway_restart(struct cli *cli)
{
    struct cli_service service;
    int fd = -1;
    int r = supervisor_open(cli, &service, &fd);

    if (r) {
        return r;
    }
    if (cli_flag(cli, "upgrade")) {
        r = upgrade(cli, fd, &service);
        (void)close(fd);
        return r;
    }
    r = signal_send(fd, SIGUSR1, &service);
    (void)close(fd);
    return r ? r : done_tell(cli, &service, "restart", "was told to give every host a fresh process");
}
