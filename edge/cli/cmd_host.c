/*
 * `openclaw host NAME`: one host of the topology on another machine than the gateway's. A
 * small supervising process as the gateway has one; its child joins the gateway, and starts
 * its actors when it is let in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/descriptors.h"
#include "bus/base/fault.h"
#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/gateway_ground.h"
#include "edge/cli/gateway_topology.h"
#include "edge/cli/topology_fit.h"
#include "schema/base/secret_memory.h"

#define DESCRIPTORS_WANTED 65536U

struct join {
    struct cli *cli;
    struct text_buf topology_text;
    struct topology topology;
    struct curve_pair pair;
    char keys_dir[PATH_MAX];
    struct gateway_handover left; /* by the program before this one */
    int lock_fd;
    int topology_fd;
};

static void join_deinit(struct join *self)
{
    text_buf_deinit(&self->topology_text);
    topology_deinit(&self->topology);
    curve_pair_deinit(&self->pair);
    gateway_handover_deinit(&self->left);
    if (self->topology_fd >= 0) {
        (void)close(self->topology_fd); /* of memory alone */
    }
    if (self->lock_fd >= 0) {
        (void)close(self->lock_fd); /* the kernel gives the lock back */
    }
}

static int host_check(const struct join *self)
{
    const char *name = cli_arg(self->cli, 0);
    const struct topology_host *host = topology_host_find(&self->topology, name);

    if (host && host->is_remote) {
        return CLI_EXIT_OK;
    }
    if (host) {
        cli_err("host \"%s\" has no link \"tcp\": `openclaw gateway` starts it on its own machine", name);
    } else {
        cli_err("the topology has no host \"%s\"", name);
    }
    for (size_t i = 0; i < self->topology.hosts_n; i++) {
        if (self->topology.hosts[i].is_remote) {
            cli_err_more("it can join as: %s", self->topology.hosts[i].name);
        }
    }
    return CLI_EXIT_CONFIG;
}

static void text_kv(struct pack *out, const char *key, const char *text)
{
    pack_key(out, key);
    pack_text(out, text ? text : "");
}

/* The file that these words stand for; what is wrong with them shows as in one. */
static int words_load(struct join *self, struct topology_error *error)
{
    const struct cli_line *line = &self->cli->line;
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_key(&out, "gateway");
    pack_map_begin(&out);
    text_kv(&out, "endpoint", cli_text(self->cli, "join"));
    text_kv(&out, "curve", cli_text(self->cli, "curve"));
    pack_map_end(&out);
    pack_key(&out, "hosts");
    pack_map_begin(&out);
    pack_key(&out, cli_arg(self->cli, 0));
    pack_map_begin(&out);
    text_kv(&out, "link", "tcp");
    pack_key(&out, "actors");
    pack_array_begin(&out);
    for (size_t i = 0; i < line->values_n; i++) {
        if (strcmp(line->values[i].opt->name, "actors") == 0) {
            pack_text(&out, line->values[i].text);
        }
    }
    pack_array_end(&out);
    pack_map_end(&out);
    pack_map_end(&out);
    pack_map_end(&out);
    int r = pack_error(&out) ? FAULT(-ENOMEM) : json_from_value(pack_span(&out), &self->topology_text);
    return r ? r
             : topology_parse((struct span){ self->topology_text.data, self->topology_text.len }, &self->topology,
                              error);
}

/* What stands there has to be a whole file for those who wrote one, and whole words for the others. */
static bool words_check(const struct cli *cli)
{
    bool is_join = cli_given(cli, "join");

    if (is_join && (!cli_given(cli, "curve") || !cli_given(cli, "actors"))) {
        cli_err("--join needs --curve KEY, the public key of the gateway, and --actors, what it has allowed this host");
        return false;
    }
    if (!is_join && (cli_given(cli, "curve") || cli_given(cli, "actors"))) {
        cli_err("--curve and --actors go with --join; with a file they stand in there");
        return false;
    }
    return true;
}

static int topology_load(struct join *self)
{
    const char *path = cli_text(self->cli, "topology");
    struct topology_error error = { "" };
    int r;

    if (!words_check(self->cli)) {
        return CLI_EXIT_USAGE;
    }
    if (!path == !cli_given(self->cli, "join")) {
        cli_err("say where to join: --topology FILE, with `gateway` and this host in it, as in the gateway's own");
        cli_err_more(
            "or, without a file: --join tcp://HOST:PORT --curve KEY --actors PATTERN, as that gateway allows it");
        return CLI_EXIT_USAGE;
    }
    r = path ? gateway_topology_load(path, &self->topology_text, &self->topology, &error) : words_load(self, &error);
    r = r ? r : topology_fit_host(&self->topology, &error);
    if (r < 0) {
        cli_err("cannot load the topology: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    if (r) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    return host_check(self);
}

static void on_ready(void *arg)
{
    const struct join *self = arg;

    cli_out("OpenClaw host %s has joined %s\n", cli_arg(self->cli, 0), self->topology.tcp.endpoint);
    cli_out("  state    %s\n", self->cli->paths.state_dir);
    cli_out("  pid      %d\n", (int)getpid());
    (void)cli_out_flush(); /* a closed standard output is no reason to stop */
}

static size_t leave(void *arg, int *fds, size_t max)
{
    const struct join *self = arg;
    struct gateway_handover next = { .fds_n = 0 };

    gateway_handover_add(&next, self->lock_fd);
    return gateway_handover_list(&next, fds, max);
}

static int run(struct join *self)
{
    struct process_opts opts = { .topology = &self->topology,
                                 .only_host = cli_arg(self->cli, 0),
                                 .leave = leave,
                                 .on_ready = on_ready,
                                 .arg = self };

    return gateway_ground_run(self->cli, &self->left, &self->topology_fd, &opts);
}

int cmd_host(struct cli *cli)
{
    CLEANUP(join_deinit) struct join self = { .cli = cli, .lock_fd = -1, .topology_fd = -1 };
    struct trunk_range speaks;
    int r;

    gateway_handover_take(&self.left);
    umask(0077);                                 /* of this process and its child: what they make is for nobody else */
    secret_memory_guard();                       /* of both likewise */
    (void)descriptors_raise(DESCRIPTORS_WANTED); /* an agent that finds none left says so */
    r = topology_load(&self);
    r = r ? r : gateway_ground_wire(&speaks); /* for its child, which reads it again */
    r = r ? r : gateway_ground_keys(&cli->paths, self.keys_dir, &self.pair);
    if (r || cli_flag(cli, "check")) {
        return r ? r : gateway_handover_prove();
    }
    r = gateway_ground_take(&cli->paths, &self.left, &self.lock_fd);
    r = r ? r : gateway_ground_topology(&self.topology_text, &self.topology_fd);
    return r ? r : run(&self);
}
