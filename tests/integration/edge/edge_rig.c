/*
 * edge_rig: the real edge on the real bus, before stand-ins for everyone else. Binds a free
 * port of 127.0.0.1 (of all addresses with EDGE_RIG_ANY), prints it, and serves until SIGTERM.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bus/host.h"
#include "bus/sockets.h"
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

/* As the supervising process would, for every life of the edge. */
struct holder {
    int channel;
    int listening;
};

static void *holder_run(void *arg)
{
    const struct holder *self = arg;
    struct pollfd poll_fd = { .fd = self->channel, .events = POLLIN };

    while (poll(&poll_fd, 1, -1) == 1 && sockets_answer(self->channel, &self->listening, 1) != SOCKETS_E_CLOSED) {
    }
    return NULL;
}

static void holder_start(struct holder *self, int *ret_port)
{
    char text[16];
    pthread_t thread;
    int ends[2];

    self->listening = listen_any(ret_port);
    if (sockets_channel(ends)) {
        perror("edge_rig: sockets");
        exit(1);
    }
    self->channel = ends[0];
    if (pthread_create(&thread, NULL, holder_run, self)) {
        exit(1);
    }
    (void)pthread_detach(thread);
    (void)snprintf(text, sizeof(text), "%d", ends[1]);
    (void)setenv(SOCKETS_ENV, text, 1);
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
    static struct holder holder;
    int port = 0;
    int r;

    holder_start(&holder, &port);
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
