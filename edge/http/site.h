/*
 * site: what a GET means to the web content of the gateway (the control UI): which file, page or redirect, and the
 * headers that go with it. Pure: knows paths and texts, opens nothing.
 */
#ifndef EDGE_HTTP_SITE_H
#define EDGE_HTTP_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/request.h"

#define SITE_BASE_MAX 128U   /* bytes of gateway.controlUi.basePath, with terminator */
#define SITE_ORIGIN_MAX 320U /* of gateway.publicOrigin, with terminator */
#define SITE_ROOT_MAX 4096U  /* of gateway.controlUi.root, with terminator */
#define SITE_NAME_MAX 1024U  /* of the path of a file below the root, with terminator */

struct site {
    bool is_on;
    char base[SITE_BASE_MAX];     /* "" or "/name": no slash behind it */
    char origin[SITE_ORIGIN_MAX]; /* gateway.publicOrigin without a slash behind it; empty: nobody says */
    char root[SITE_ROOT_MAX];     /* directory, "~" resolved; empty: the start page that the program carries */
    char assistant[128];          /* ui.assistant.name, or empty */
    char *avatar;                 /* ui.assistant.avatar, or NULL */
    char embed_sandbox[16];
    char message_width[64]; /* gateway.controlUi.chatMessageMaxWidth, or empty */
    bool allows_external_embeds;
    bool is_told; /* that the root cannot be read; until the next configuration */
};

enum site_kind {
    SITE_NONE,     /* not ours: another part of the gateway decides */
    SITE_ABSENT,   /* ours, and there is nothing */
    SITE_REDIRECT, /* to the base path with a slash */
    SITE_SETTINGS, /* what the page asks for before it connects */
    SITE_FILE,     /* `name` below the root */
};

struct site_target {
    enum site_kind kind;
    char name[SITE_NAME_MAX];
    bool falls_back; /* to the page, when there is no such file: somebody navigates */
};

/* `self` is zero before the first time. `config` is the packed config (empty: the defaults), `home` is what "~" means.
 * What cannot be used is as if it were not there; the schema of the config has refused it before. */
void site_configure(struct site *self, struct span config, const char *home);

void site_deinit(struct site *self);

/* What `request` (GET or HEAD, or anything) asks of the site. */
void site_route(const struct site *self, const struct request *request, struct site_target *ret_target);

/* Percent-decodes the path of a file, which then has no slash in front; false for what no file of ours is called. */
bool site_name_read(struct span path, char name[SITE_NAME_MAX]);
/* Every segment is a plain name: no empty one, none that begins with a dot (".." and hidden files alike). */
bool site_name_is_plain(const char *name);
/* A directory as it stands in the config; "~" is `home`. False when it is too long, and `root` is empty then. */
bool site_root_read(struct span path, const char *home, char root[SITE_ROOT_MAX]);

/* Content-Type by the ending; bytes of no known kind for what is unknown. */
const char *site_type(const char *name);
/* Cache-Control: for ever when a build tool has put the content's hash into the name, else asked for again. */
const char *site_cache(const char *name);
bool site_is_page(const char *name);

#define SITE_INLINE_SCRIPTS_MAX 16U
/* The header lines that keep the page to itself (CSP level 3, RFC 7034): no framing, scripts from here alone.
 * `page` is the HTML whose inline scripts are allowed by their hash (the first SITE_INLINE_SCRIPTS_MAX of them), or
 * empty. 0 or -ENOMEM. */
int site_guard_write(const struct site *self, struct span page, struct text_buf *out);

#endif
