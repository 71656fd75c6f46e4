/*
 * avatar: what the config says of an agent's picture, and what a control page is told of it. Pure.
 */
#ifndef EDGE_HTTP_AVATAR_H
#define EDGE_HTTP_AVATAR_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/site.h"

#define AVATAR_BYTES_MAX 2097152U

enum avatar_kind {
    AVATAR_NONE,   /* there is none that can be shown: `reason` */
    AVATAR_LOCAL,  /* the file `name` below the workspace, if it is there */
    AVATAR_REMOTE, /* an address elsewhere */
    AVATAR_DATA,   /* a data: URL */
};

struct avatar {
    enum avatar_kind kind;
    const char *reason;
    struct span source; /* as it stands in the config */
    char name[SITE_NAME_MAX];
};

/* Only what lies in `workspace` is shown, and only pictures. */
void avatar_read(struct span source, struct span workspace, const char *home, struct avatar *ret_avatar);
/* There is a file of that name, or not: 0 or a negative errno. */
void avatar_note(struct avatar *self, int r);

/* Appends `"<prefix>Source":…,"<prefix>Status":…,"<prefix>Reason":…`. The source never says where on this machine
 * something lies outside of the workspace, and of data no more than its kind. 0 or -ENOMEM. */
int avatar_facts_write(const struct avatar *self, const char *prefix, struct text_buf *out);
/* Appends where a page finds it, as JSON; `base` and `agent_id` make the address of a local one. 0 or -ENOMEM. */
int avatar_url_write(const struct avatar *self, const char *base, struct span agent_id, struct text_buf *out);

#endif
