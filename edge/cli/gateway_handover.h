/*
 * gateway_handover: what one program of a gateway leaves open for the next one in the same process
 * (bus/process_upgrade.c): listening sockets, and the locks that say whose the state is. They are told by their
 * descriptors alone; whoever looks for one of them knows it by the file, or the address, that it is of.
 */
#ifndef EDGE_CLI_GATEWAY_HANDOVER_H
#define EDGE_CLI_GATEWAY_HANDOVER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "bus/process.h"
#include "edge/cli/gateway_listen.h"

#define GATEWAY_HANDOVER_FDS_MAX PROCESS_LEFT_MAX
#define GATEWAY_HANDOVER_FAILURE_MAX 256

struct gateway_handover {
    int fds[GATEWAY_HANDOVER_FDS_MAX]; /* nobody has asked for them yet */
    size_t fds_n;
    unsigned upgrades_n;                        /* how often the program was exchanged in this process */
    unsigned failures_n;                        /* how often the new one could not be executed */
    char failure[GATEWAY_HANDOVER_FAILURE_MAX]; /* why, when that was so the last time; else empty */
    char program[PATH_MAX];                     /* where the program is found; empty: not said */
};

/* What a text such as "1 5,6,9" names; false, and nothing, when it is none. Pure. */
bool gateway_handover_parse(const char *text, struct gateway_handover *ret_self);

/* What this process was left; empty when it was started from nothing. To be called once, first of all. */
void gateway_handover_take(struct gateway_handover *self);
/* Closes what nobody has asked for. */
void gateway_handover_deinit(struct gateway_handover *self);

/* The descriptor of that file, now the caller's; -1: there is none. */
int gateway_handover_file(struct gateway_handover *self, const char *path);
/* The sockets that listen for clients of the network, now the caller's. */
void gateway_handover_listen(struct gateway_handover *self, struct gateway_listen *ret_listen);
/* The socket that listens behind that path, now the caller's; -1: there is none. */
int gateway_handover_local(struct gateway_handover *self, const char *path);

/* To be left to the next program. */
void gateway_handover_add(struct gateway_handover *self, int fd);
/* What was added, for leave of process_opts. */
size_t gateway_handover_list(const struct gateway_handover *self, int *fds, size_t max);
/* The program that is open there takes the place of this one, with those descriptors and no others; if it cannot, this
 * very one does, and is told why. Returns only when neither can. */
void gateway_handover_exec(struct gateway_handover *self, int program_fd, char *const *argv);

/* Another program waits to hear whether this one would start (bus/process.h). */
bool gateway_handover_is_trial(void);
/* When that is so: says that it would. An exit code. */
int gateway_handover_prove(void);

/* By which path this program is to be found when it has been replaced; false when that cannot be known. */
bool gateway_handover_program(const char *argv0, char ret_path[PATH_MAX]);

#endif
