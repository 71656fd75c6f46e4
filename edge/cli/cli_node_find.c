#include "edge/cli/cli_node_find.h"

#include <stdio.h>
#include <strings.h>

#include "bus/value.h"
#include "edge/cli/cli_out.h"

#define PREFIX_LEAST 6U

enum {
    CLI_NODE_NONE,
    CLI_NODE_FOUND,
    CLI_NODE_AMBIGUOUS,
};

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

static bool is_same(struct span a, struct span b)
{
    return a.len == b.len && a.len > 0 && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* How well a row fits: 0 for not at all. */
static unsigned fit_of(struct span row, struct span name)
{
    struct span id = text_of(row, "nodeId");

    if (span_is(id, name)) {
        return 4;
    }
    if (is_same(text_of(row, "displayName"), name)) {
        return 3;
    }
    if (span_is(text_of(row, "remoteIp"), name) && name.len) {
        return 2;
    }
    return name.len >= PREFIX_LEAST && id.len > name.len && memcmp(id.ptr, name.ptr, name.len) == 0 ? 1 : 0;
}

/* Which of the rows `name` means: of several that fit alike, the one that is connected. */
static int rows_match(struct span rows, struct span name, struct span *ret_id)
{
    struct value_iter iter = value_iter(rows);
    unsigned best = 0;
    unsigned n = 0;
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        bool is_connected = value_bool(value_get(row, "connected"), false);
        unsigned fit = fit_of(row, name);
        unsigned rank = fit ? fit * 2 + (is_connected ? 1 : 0) : 0;

        if (rank > best) {
            best = rank;
            n = 0;
            *ret_id = text_of(row, "nodeId");
        }
        n += rank && rank == best;
    }
    return n == 0 ? CLI_NODE_NONE : n == 1 ? CLI_NODE_FOUND : CLI_NODE_AMBIGUOUS;
}

static void known_tell(struct span rows)
{
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        cli_err_more("%.*s  %.*s", SPAN_FMT(text_of(row, "nodeId")), SPAN_FMT(text_of(row, "displayName")));
    }
}

int cli_node_find(struct cli_ask *ask, const char *name, char ret_id[CLI_NODE_ID_MAX])
{
    struct span rows;
    struct span id;
    int r = cli_ask_plain(ask, "node.list");

    if (r) {
        return r;
    }
    rows = value_get(cli_ask_answer(ask), "nodes");
    r = rows_match(rows, span_from(name), &id);
    if (r == CLI_NODE_FOUND) {
        (void)snprintf(ret_id, CLI_NODE_ID_MAX, "%.*s", SPAN_FMT(id)); /* ids are shorter */
        return CLI_EXIT_OK;
    }
    if (r == CLI_NODE_NONE && !value_count(rows)) {
        cli_err("no node '%s', and no other: `openclaw nodes pending` shows who asks to be one", name);
        return CLI_EXIT_FAILED;
    }
    cli_err(r == CLI_NODE_AMBIGUOUS ? "several nodes are called '%s'; say the id of one:" : "no node '%s'; known are:",
            name);
    known_tell(rows);
    return CLI_EXIT_FAILED;
}
