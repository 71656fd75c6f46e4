/*
 * gateway_claim: what two gateways of one machine must not share, besides the state
 * directory and the port: the config file, which each would write, and a workspace. Each is
 * held by a lock of the kernel's, which goes with the process. Who holds it is named.
 */
#ifndef EDGE_CLI_GATEWAY_CLAIM_H
#define EDGE_CLI_GATEWAY_CLAIM_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#define GATEWAY_CLAIMS_MAX 260 /* the config, and a workspace of every agent */
#define GATEWAY_CLAIM_TEXT (3 * PATH_MAX)

struct gateway_handover;

struct gateway_claims {
    int fds[GATEWAY_CLAIMS_MAX];
    size_t fds_n;
};

struct gateway_claim_error {
    char what[GATEWAY_CLAIM_TEXT];
    char fix[256];
};

enum {
    GATEWAY_CLAIM_E_HELD = 1,
};

/*
 * Claims the config file and every workspace that exists now. A file that nobody can write
 * may be shared. 0, a fault, or GATEWAY_CLAIM_E_HELD with an explanation; what was claimed
 * until then is in `self` all the same.
 */
int gateway_claim_all(struct gateway_claims *self, const char *config_path, struct gateway_handover *left,
                      struct gateway_claim_error *error);
void gateway_claims_deinit(struct gateway_claims *self);

/* Who holds the lock that lies on this file; 0: nobody, or the kernel does not say. */
pid_t gateway_claim_holder(const char *path);
/* The state directory of the gateway that this process is; "" when it is none, or not to be looked into. */
void gateway_claim_state_of(pid_t pid, char ret_path[PATH_MAX]);
/* The profile that such a directory belongs to; NULL for none. */
const char *gateway_claim_profile_of(const char *state_dir);
/* "pid 12, state directory /home/x/.openclaw-work (--profile work)"; of anything else the pid alone. */
void gateway_claim_owner_text(pid_t pid, char *out, size_t size);

#endif
