/*
 * gateway_found: the gateways of this user that run on this machine, whatever their state
 * directories: processes that hold the lock of one, and whose control socket answers.
 */
#ifndef EDGE_CLI_GATEWAY_FOUND_H
#define EDGE_CLI_GATEWAY_FOUND_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "bus/pack.h"

#define GATEWAY_FOUND_MAX 32U /* those beyond are not looked for */
#define GATEWAY_FOUND_PORTS_MAX 8U

struct gateway_found {
    pid_t pid;
    char state_dir[PATH_MAX];
    unsigned ports[GATEWAY_FOUND_PORTS_MAX]; /* on which it listens, each once */
    size_t ports_n;
};

/* In the order of their processes. Returns how many; free(*ret_list). */
size_t gateway_found_all(struct gateway_found **ret_list);
/* "pid 12, state directory /home/x/.openclaw-work, --profile work, port 18789" */
void gateway_found_text(const struct gateway_found *self, char *out, size_t size);
/* {pid, stateDir, profile?, ports} */
void gateway_found_pack(const struct gateway_found *self, struct pack *out);

#endif
