/*
 * control_client: asks the supervising process of a gateway on this machine, over its
 * control socket. One request at a time; the connection may then be kept, because some
 * things last as long as it does (a tap).
 */
#ifndef EDGE_CLI_CONTROL_CLIENT_H
#define EDGE_CLI_CONTROL_CLIENT_H

#include <stdbool.h>

#include "bus/json.h"
#include "bus/pack.h"
#include "edge/cli/cli_paths.h"

struct control_client {
    int fd; /* -1: not connected */
    struct text_buf in;
    bool is_quiet; /* explains nothing */
};

/* Zeroed memory is not enough: fd 0 is someone's. */
#define CONTROL_CLIENT_INIT                                                                                            \
    {                                                                                                                  \
        .fd = -1                                                                                                       \
    }

/*
 * Both return an exit code and have explained themselves when it is not CLI_EXIT_OK.
 * `request` is one packed map with "op"; the result is appended to `ret_result`.
 */
int control_client_open(const struct cli_paths *paths, struct control_client *self);
/* The same without a word: for a look at what may not be there. */
int control_client_open_quiet(const char *path, struct control_client *self);
int control_client_ask(struct control_client *self, struct span request, int timeout_ms, struct pack *ret_result);

/*
 * For several requests at once, which bear an "id" each: sends one; and takes the next answer
 * that has come, whole, with its "id". CLI_EXIT_TRY_LATER, without a word, when there is none.
 */
int control_client_send(struct control_client *self, struct span request);
int control_client_take(struct control_client *self, struct pack *ret_answer);

/* Opens, asks for an operation that needs no more than its name, and closes. */
int control_client_op(const struct cli_paths *paths, const char *op, struct pack *ret_result);

/* What the process behind that socket says of itself, without a word of ours; false while it cannot be asked. */
bool control_client_status(const char *path, int timeout_ms, struct pack *ret_status);

void control_client_close(struct control_client *self);

#endif
