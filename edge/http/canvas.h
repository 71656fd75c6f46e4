/*
 * canvas: what of the requests is for the canvas host: files that agents make, the page that shows A2UI, and the socket
 * that says when a file has changed. Pure.
 */
#ifndef EDGE_HTTP_CANVAS_H
#define EDGE_HTTP_CANVAS_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/request.h"
#include "edge/http/site.h"

/* Kept when the config changes in the part that the edge is shown. */
struct canvas {
    bool is_on;
    bool is_live;         /* pages load themselves again when a file changes */
    bool is_same_origin;  /* gateway.controlUi.embedSandbox is "trusted" */
    bool is_root_default; /* <state>/canvas, which is made when somebody looks */
    bool is_told;         /* that the root cannot be read; until the next configuration */
    char root[SITE_ROOT_MAX];
};

enum canvas_kind {
    CANVAS_NONE,     /* not ours: another part of the gateway decides */
    CANVAS_DENIED,   /* a path with a capability that is none */
    CANVAS_ABSENT,   /* ours, and there is nothing */
    CANVAS_REDIRECT, /* to the same with a slash behind it: `name` is the last segment */
    CANVAS_FILE,     /* `name` below the root */
    CANVAS_A2UI,     /* `name` of the pages that the program carries */
    CANVAS_LIVE,     /* the socket that tells of changes */
};

struct canvas_target {
    enum canvas_kind kind;
    bool has_token; /* a capability stands in the target: it alone decides */
    struct span token;
    char name[SITE_NAME_MAX];
};

/* As site_configure; `state` is the state directory. */
void canvas_configure(struct canvas *self, struct span config, const char *home, const char *state);

/* What `request`, of any method, asks of the canvas host. The token points into it. */
void canvas_route(const struct canvas *self, const struct request *request, struct canvas_target *ret_target);

/* The header lines of an answer from the root: what agents write runs in an origin of its own. `has_token`: the page
 * may read its own parts, as whoever has the token may. 0 or -ENOMEM. */
int canvas_guard_write(const struct canvas *self, bool has_token, struct text_buf *out);
/* Those of the pages that the program carries. */
int canvas_own_guard_write(struct text_buf *out);

/* `page` with `script` in it, as late as may be. 0 or -ENOMEM. */
int canvas_page_write(struct span page, struct span script, struct text_buf *out);

/* Appends a segment of a path, percent-encoded. 0 or -ENOMEM. */
int canvas_segment_write(const char *segment, struct text_buf *out);

#define CANVAS_ORIGIN_MAX 300U
/*
 * Where the client that sent `request` finds this gateway, such as "https://gate.example:8443": what it said itself, as
 * Host or, through a proxy, X-Forwarded-Host and -Proto. The answer goes to nobody else, so a lie is told to the liar.
 * False when it said nothing of use.
 */
bool canvas_origin_read(const struct request *request, bool is_sealed, char origin[CANVAS_ORIGIN_MAX]);

#endif
