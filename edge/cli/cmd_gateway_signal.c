/*
 * openclaw gateway stop, openclaw gateway restart: what a signal to the supervising process
 * does, for whoever does not know its pid. The control socket says which process that is.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/control_client.h"

/* The descriptor stays this process's, whoever gets its number later. An exit code that is not 0: explained. */
static int supervisor_open(const struct cli *cli, struct cli_service *service, int *ret_fd)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    struct cli_service again;
    int fd = -1;

    cli_service_look(&cli->paths, service);
    if (service->is_running) {
        fd = pidfd_open(service->pid, 0);
        cli_service_look(&cli->paths, &again);
        if (fd >= 0 && again.is_running && again.pid == service->pid) {
            *ret_fd = fd;
            return CLI_EXIT_OK;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    int r = control_client_open(cli->paths.control_path, &client); /* tells why it cannot be asked */
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

int cmd_gateway_restart(struct cli *cli)
{
    struct cli_service service;
    int fd = -1;
    int r = supervisor_open(cli, &service, &fd);

    if (r) {
        return r;
    }
    r = signal_send(fd, SIGUSR1, &service);
    (void)close(fd);
    return r ? r : done_tell(cli, &service, "restart", "was told to give every host a fresh process");
}
