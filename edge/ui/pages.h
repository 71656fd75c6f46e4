/*
 * pages: the start page and the page for A2UI with their parts, carried inside of the program. Made from edge/ui/pages
 * and edge/ui/a2ui at build time.
 */
#ifndef EDGE_UI_PAGES_H
#define EDGE_UI_PAGES_H

#include <stddef.h>
#include <stdint.h>

struct ui_page {
    const char *name; /* "index.html" */
    const char *etag; /* with its quotes; another content has another one */
    const uint8_t *data;
    size_t len;
};

/* The page for A2UI, its parts, and what pages of the canvas get added; NULL when there is none of that name. */
const struct ui_page *ui_a2ui_find(const char *name);
/* The start page and its parts; likewise. */
const struct ui_page *ui_page_find(const char *name);

#endif
