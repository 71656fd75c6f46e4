/*
 * edge_rig: the real edge on the real bus, before stand-ins for everyone else. Binds a free
 * port of 127.0.0.1 (of all addresses with EDGE_RIG_ANY), prints it, and serves until SIGTERM.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bus/host.h"
#include "edge/listener/listener.h"
#include "schema_gen.h"
#include "tests/integration/edge/owners.h"

static const struct actor_def *const defs[] = { &edge_actor,   &owner_auth, &owner_config, &owner_health,
                                                &owner_router, &owner_idle, NULL };

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    if (strcmp(address, "edge/0") == 0) {
        return "edge";
    }
    return strcmp(address, "log") == 0 || strncmp(address, "agent/", 6) == 0 ? "idle" : address;
}

static int listen_any(int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr = { htonl(getenv("EDGE_RIG_ANY") ? INADDR_ANY : INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 512) ||
        getsockname(fd, (struct sockaddr *)&address, &len)) {
        perror("edge_rig: listen");
        exit(1);
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void on_ready(void *arg)
{
    (void)printf("port %d\n", *(int *)arg);
    (void)fflush(stdout);
}

int main(void)
{
    static const char text[] = "{ hosts: { main: { actors: ['config', 'log', 'auth', 'health', 'router', "
                               "'agent/main', 'edge/0'] } } }";
    struct topology topology;
    struct topology_error error;
    char fds[16];
    int port = 0;
    int r;

    (void)snprintf(fds, sizeof(fds), "%d", listen_any(&port));
    (void)setenv("OPENCLAW_LISTEN_FDS", fds, 1);
    if (topology_parse((struct span){ text, sizeof(text) - 1 }, &topology, &error)) {
        (void)fprintf(stderr, "edge_rig: %s\n", error.text);
        return 1;
    }
    r = host_run(&(struct host_opts){ .name = "main",
                                      .topology = &topology,
                                      .defs = defs,
                                      .registry = &schema_registry,
                                      .def_of = def_of,
                                      .on_ready = on_ready,
                                      .arg = &port });
    topology_deinit(&topology);
    return r ? 1 : 0;
}
