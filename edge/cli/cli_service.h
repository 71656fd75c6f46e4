/*
 * cli_service: does a gateway of this state directory run on this machine, and is it
 * installed as a service. Looks only at files and the control socket.
 */
#ifndef EDGE_CLI_CLI_SERVICE_H
#define EDGE_CLI_CLI_SERVICE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bus/pack.h"
#include "edge/cli/cli_paths.h"

struct cli_service {
    bool is_running;
    bool is_hidden;           /* this user may not look, so nobody knows whether one runs */
    pid_t pid;                /* of the supervising process */
    char unit_path[PATH_MAX]; /* of the systemd unit; empty: not installed */
    bool is_user_unit;
};

void cli_service_look(const struct cli_paths *paths, struct cli_service *ret_service);

/* Where the gateway of this state directory listens now, whatever its config says; 0: none runs. */
unsigned cli_service_port(const struct cli_paths *paths);

/* Is what runs a host alone, which joins the gateway of another machine (`openclaw host`)? Then its name is in
 * `ret_name`. */
bool cli_service_is_host(const struct cli_paths *paths, char *ret_name, size_t name_size);

/* The number behind the last colon of "127.0.0.1:80"; 0: there is none. */
unsigned cli_service_port_of(struct span address);

/* Does what answers on `port` of this machine belong to something else than this state directory? Then says so: its
 * secrets are others. */
bool cli_service_stranger_text(const struct cli_paths *paths, unsigned port, char *out, size_t out_size);

/* "running, pid 12" or "not running" */
void cli_service_text(const struct cli_service *self, char *out, size_t out_size);

/* Appends the object that `gateway status --json` calls "service". */
void cli_service_pack(const struct cli_service *self, struct pack *out);
/* Appends paths of further gateway units on this machine, as an array. */
void cli_service_pack_extra(const struct cli_service *self, struct pack *out);

#endif
