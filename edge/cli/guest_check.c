#include "edge/cli/guest_check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"
#include "edge/cli/topology_fit.h"

#define ASK_MS 5000

static bool has(const struct curve_peer *peer, const char *pattern)
{
    for (size_t i = 0; i < peer->actors_n; i++) {
        if (strcmp(peer->actors[i], pattern) == 0) {
            return true;
        }
    }
    return false;
}

/* --- each for itself --------------------------------------------------------------------- */

static int patterns_check(const struct curve_peer *wanted)
{
    struct topology_error error;

    for (size_t i = 0; i < wanted->actors_n; i++) {
        if (topology_guest_pattern(wanted->actors[i], &error)) {
            cli_err("%s", error.text);
            return CLI_EXIT_USAGE;
        }
        if (!topology_fit_may_leave(wanted->actors[i])) {
            cli_err("\"%s\" has its place on the gateway's own machine", wanted->actors[i]);
            cli_err_more("agents and channels may be elsewhere: --actors 'agent/NAME', --actors 'channel/NAME'");
            return CLI_EXIT_USAGE;
        }
    }
    return CLI_EXIT_OK;
}

/* --- what is kept here --------------------------------------------------------------------- */

/* "agent-ops.sqlite" is what agent/ops keeps. False for other files. */
static bool agent_of_file(const char *file, char out[TOPOLOGY_PATTERN_MAX])
{
    static const char prefix[] = "agent-";
    static const char suffix[] = ".sqlite";
    size_t len = strlen(file);
    size_t around = sizeof(prefix) + sizeof(suffix) - 2;

    if (len <= around || strncmp(file, prefix, sizeof(prefix) - 1) != 0 ||
        strcmp(file + len - (sizeof(suffix) - 1), suffix) != 0) {
        return false;
    }
    return snprintf(out, TOPOLOGY_PATTERN_MAX, "agent/%.*s", (int)(len - around), file + sizeof(prefix) - 1) <
           TOPOLOGY_PATTERN_MAX;
}

/* An agent that begins elsewhere while its conversations lie here would have them twice. */
static int conversations_check(const struct cli *cli, const struct curve_peer *before, const struct curve_peer *wanted)
{
    char path[PATH_MAX];
    char address[TOPOLOGY_PATTERN_MAX];
    bool is_kept = false;

    (void)snprintf(path, sizeof(path), "%.*s/db", (int)sizeof(path) - 8, cli->paths.state_dir);
    DIR *files = opendir(path);
    for (struct dirent *file = files ? readdir(files) : NULL; file && !is_kept; file = readdir(files)) {
        for (size_t i = 0; i < wanted->actors_n && !is_kept && agent_of_file(file->d_name, address); i++) {
            if (topology_fits(wanted->actors[i], address) && !has(before, wanted->actors[i])) {
                is_kept = true;
                cli_err("%s has its conversations on this machine: %s/%s", address, path, file->d_name);
                cli_err_more(
                    "to move it: take it out of the config, or stop the gateway; move that file to db/ of the state "
                    "directory there, and its workspace; then allow it again");
            }
        }
    }
    if (files) {
        (void)closedir(files); /* only read from */
    }
    return is_kept ? CLI_EXIT_CONFIG : CLI_EXIT_OK;
}

struct rival {
    const struct curve_peer *wanted;
    bool is_found;
};

static bool on_rival(void *arg, const struct curve_peer *peer)
{
    struct rival *rival = arg;

    for (size_t i = 0; i < peer->actors_n && strcmp(peer->name, rival->wanted->name) != 0; i++) {
        if (has(rival->wanted, peer->actors[i])) {
            cli_err("\"%s\" was allowed to host \"%s\"; an address has one place", peer->actors[i], peer->name);
            cli_err_more("take it back first: openclaw bus deny %s", peer->name);
            rival->is_found = true;
            return false;
        }
    }
    return true;
}

/* --- the gateway that runs ------------------------------------------------------------------- */

static int running_ask(const struct cli *cli, const struct curve_peer *wanted)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack answer;

    pack_init(&request, 0);
    pack_init(&answer, 0);
    if (control_client_open_quiet(cli->paths.control_path, &client)) {
        return CLI_EXIT_OK; /* none runs: it finds out when it starts */
    }
    client.is_quiet = false;
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "guest");
    pack_kv_text(&request, "name", wanted->name);
    pack_key(&request, "actors");
    pack_array_begin(&request);
    for (size_t i = 0; i < wanted->actors_n; i++) {
        pack_text(&request, wanted->actors[i]);
    }
    pack_array_end(&request);
    pack_map_end(&request);
    return control_client_ask(&client, pack_span(&request), ASK_MS, &answer);
}

enum guest_place guest_check_place(const struct cli *cli, const char *name)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack answer;
    struct value_iter hosts;
    struct span key;
    struct span host;

    pack_init(&request, 0);
    pack_init(&answer, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "status");
    pack_map_end(&request);
    if (control_client_open_quiet(cli->paths.control_path, &client) ||
        control_client_ask(&client, pack_span(&request), ASK_MS, &answer)) {
        return GUEST_PLACE_UNKNOWN;
    }
    hosts = value_iter(value_get(pack_span(&answer), "hosts"));
    while (value_next(&hosts, &key, &host)) {
        if (span_is_text(value_str(value_get(host, "name"), (struct span){ "", 0 }), name) &&
            span_is_text(value_str(value_get(host, "link"), (struct span){ "", 0 }), "tcp")) {
            return GUEST_PLACE_NAMED;
        }
    }
    return GUEST_PLACE_MISSING;
}

int guest_check(const struct cli *cli, const char *dir, const struct curve_peer *before,
                const struct curve_peer *wanted)
{
    struct rival rival = { .wanted = wanted };
    int r = patterns_check(wanted);

    if (r == 0 && curve_each(dir, on_rival, &rival) < 0) {
        cli_err("cannot read the keys in %s", dir);
        return CLI_EXIT_SOFTWARE;
    }
    r = r || !rival.is_found ? r : CLI_EXIT_CONFIG;
    r = r ? r : running_ask(cli, wanted);
    return r ? r : conversations_check(cli, before, wanted);
}

/* --- a topology ------------------------------------------------------------------------------ */

/* Of a host that stands in the topology, that says what it runs. */
static bool is_named(const struct topology *topology, const char *name)
{
    const struct topology_host *host = topology_host_find(topology, name);

    return host && host->is_remote && !host->is_guest;
}

/* As the gateway does. */
int guest_check_topology(const char *dir, struct topology *topology,
                         void (*on_no)(const char *name, const char *why, void *arg), void *arg)
{
    CLEANUP(curve_list_deinit) struct curve_list list = { 0 };
    int r = curve_list_read(dir, &list);

    for (size_t i = 0; i < list.n && r == 0; i++) {
        struct curve_peer *peer = &list.peers[i];
        struct topology_guest guest = { peer->name, peer->actors, peer->actors_n };
        const char *twin = curve_list_twin(&list, i);
        struct topology_error error;

        if (twin) {
            curve_twin_explain(peer->name, twin, error.text, sizeof(error.text));
            on_no(guest.name, error.text, arg);
        } else if (!guest.actors_n || is_named(topology, guest.name)) {
            continue;
        } else if (!topology->tcp.endpoint[0]) {
            on_no(guest.name, "the topology does not say where hosts join: it has no gateway: { endpoint, curve }",
                  arg);
        } else if (topology_guest_check(topology, &guest, &error)) {
            on_no(guest.name, error.text, arg);
        } else {
            (void)topology_guest_set(topology, &guest);
        }
    }
    return r;
}
