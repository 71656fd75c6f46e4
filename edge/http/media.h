/*
 * media: files of agents that a conversation shows: which one is asked for, where such files may lie, and the ticket by
 * which a browser's own elements get it without a credential in their address. Pure but for the key.
 */
#ifndef EDGE_HTTP_MEDIA_H
#define EDGE_HTTP_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define MEDIA_PATH_MAX 4096U
#define MEDIA_TICKET_MS 300000 /* that one lasts */
#define MEDIA_TICKET_MAX 96U
#define MEDIA_KEY_LEN 32U

struct media_ask {
    bool is_meta; /* is it there? */
    bool has_ticket;
    char path[MEDIA_PATH_MAX];
    char agent_id[65]; /* empty: the default agent */
    char ticket[MEDIA_TICKET_MAX];
};

/* Reads a query such as "source=/x/y.png&meta=1"; "~" is `home`. False when it names no file. */
bool media_ask_read(struct span query, const char *home, struct media_ask *ret_ask);

/* Why it is not given out; NULL when it is. Codes are those that control pages know. */
struct media_refusal {
    const char *code;
    const char *reason;
};
extern const struct media_refusal media_outside;
extern const struct media_refusal media_blocked;
/* That of a file that could not be opened, by its negative errno. */
const struct media_refusal *media_refusal_of(int r);
int media_refusal_write(const struct media_refusal *self, struct text_buf *out);

/* Is the path below that directory? Then what is behind it; only a plain name is a file's (site_name_is_plain). */
bool media_below(const char *path, const char *root, const char **ret_name);

/* A ticket for that file alone, up to `expires_ms` of the wall clock and while credentials are of `generation`. */
void media_ticket_make(const unsigned char key[MEDIA_KEY_LEN], const struct media_ask *ask, uint64_t generation,
                       int64_t expires_ms, char ticket[MEDIA_TICKET_MAX]);
bool media_ticket_is_good(const unsigned char key[MEDIA_KEY_LEN], const struct media_ask *ask, uint64_t generation,
                          int64_t now_ms);

/* The header lines of the file: nothing in it runs or loads anything. 0 or -ENOMEM. */
int media_guard_write(struct text_buf *out);

#endif
