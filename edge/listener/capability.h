/*
 * capability: the right to read the canvas, written into an address, for clients whose pages can show nothing else for
 * themselves. It belongs to one connection: it ends with it, with the credential that the connection came with, and
 * when nobody has used it for a while. The edge that has the connection is the only one who knows it; it is never
 * logged, and no other actor sees it.
 */
#ifndef EDGE_LISTENER_CAPABILITY_H
#define EDGE_LISTENER_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/canvas.h"

#define CAPABILITY_LEN 24U /* 144 random bits in base64url */

struct conn;
struct edge;

struct capability {
    char origin[CANVAS_ORIGIN_MAX]; /* where its client finds the gateway */
    char token[CAPABILITY_LEN + 1]; /* empty: none was given out */
    uint64_t until_ms;              /* of the loop's clock; used again, it lasts longer */
};

/* One that gives out nothing yet. */
struct capability *capability_new(const char *origin);
void capability_free(struct capability *self); /* NULL-safe; wiped */

/* Makes a new token; the one before it is void. */
void capability_renew(struct capability *self, const struct edge *edge);
bool capability_is_valid(const struct capability *self, const struct edge *edge);
/* It was used: it lasts as long again. */
void capability_touch(struct capability *self, const struct edge *edge);
/* Appends the address, such as "http://host:18789/__openclaw__/cap/<token>", as JSON. 0 or -ENOMEM. */
int capability_url_write(const struct capability *self, struct text_buf *out);

/* The connection behind hello-ok that a valid token belongs to, which lasts as long again; NULL: nobody's. */
struct conn *capability_find(struct edge *edge, struct span token);

#endif
