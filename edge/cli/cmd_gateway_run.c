/*
 * `openclaw gateway [run]`: everything that has to be right before the first process of
 * the gateway starts, then the supervising process itself.
 *
 * Nothing is written before the port is ours: a gateway that cannot start leaves no trace
 * (but for the config of a fresh dev profile, which is what was asked for).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/descriptors.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/curve.h"
#include "bus/process.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_uuid.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/config_advice.h"
#include "edge/cli/gateway_claim.h"
#include "edge/cli/gateway_ground.h"
#include "edge/cli/gateway_handover.h"
#include "edge/cli/gateway_port.h"
#include "edge/cli/gateway_secrets.h"
#include "edge/cli/gateway_sockets.h"
#include "edge/cli/gateway_topology.h"
#include "edge/cli/guest_check.h"
#include "edge/cli/topology_fit.h"
#include "edge/cli/topology_key.h"
#include "schema/base/config_create.h"
#include "schema/base/gateway_check.h"
#include "schema/base/secret_memory.h"

#define FORCE_TERM_MS 3000
#define DESCRIPTORS_BASE 236U     /* of the actors every gateway has, a few clients, and the reserve of the edge */
#define DESCRIPTORS_PER_AGENT 20U /* sockets, a loop, a database */
#define DESCRIPTORS_WANTED 65536U

struct start {
    struct cli *cli;
    struct curve_pair pair; /* by which other machines know this one; empty: there are none */
    char keys_dir[PATH_MAX];
    struct trunk_range speaks; /* with them */
    struct gateway_config config;
    struct gateway_sockets sockets;
    struct text_buf topology_text;
    struct topology topology;
    struct gateway_claims claims;
    struct gateway_handover left; /* by the program before this one */
    int lock_fd;
    int topology_fd;
    bool is_port_given;                            /* by flag or environment, so the config does not count */
    bool is_config_new;                            /* the dev profile's config was made just now */
    bool is_token_made_up;                         /* for this run alone; nobody can look it up */
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX]; /* of the certificate; empty without TLS */
};

static void start_deinit(struct start *self)
{
    gateway_config_deinit(&self->config);
    curve_pair_deinit(&self->pair);
    gateway_sockets_deinit(&self->sockets);
    text_buf_deinit(&self->topology_text);
    topology_deinit(&self->topology);
    gateway_claims_deinit(&self->claims);
    gateway_handover_deinit(&self->left);
    if (self->topology_fd >= 0) {
        (void)close(self->topology_fd); /* of memory alone */
    }
    if (self->lock_fd >= 0) {
        (void)close(self->lock_fd); /* the kernel gives the lock back */
    }
}

static int fault_explain(const char *what, int fault)
{
    cli_err("%s: %s", what, fault_text(fault));
    return CLI_EXIT_SOFTWARE;
}

/* --- the config -------------------------------------------------------------------------- */

/* The first line of a file, into the environment; the value is not kept. */
static int password_file_export(const char *path)
{
    char line[GATEWAY_CONFIG_SECRET_MAX + 2] = "";
    FILE *file = fopen(path, "re");
    bool is_read = file && fgets(line, sizeof(line), file);
    int r;

    if (file) {
        (void)fclose(file); /* only read from */
    }
    line[strcspn(line, "\r\n")] = '\0';
    if (!is_read || !line[0]) {
        cli_err("cannot read a password from %s", path);
        return CLI_EXIT_CONFIG;
    }
    r = setenv("OPENCLAW_GATEWAY_PASSWORD", line, 1) ? CLI_EXIT_SOFTWARE : 0;
    mem_wipe(line, sizeof(line));
    return r;
}

/* Flags reach the hosts as the environment that stands for them. */
static int flags_export(const struct cli *cli)
{
    static const struct {
        const char *flag;
        const char *name;
    } texts[] = {
        { "port", "OPENCLAW_GATEWAY_PORT" },         { "bind", "OPENCLAW_GATEWAY_BIND" },
        { "auth", "OPENCLAW_GATEWAY_AUTH" },         { "token", "OPENCLAW_GATEWAY_TOKEN" },
        { "password", "OPENCLAW_GATEWAY_PASSWORD" },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (cli_given(cli, texts[i].flag) && setenv(texts[i].name, cli_text(cli, texts[i].flag), 1)) {
            return fault_explain("cannot set up the environment", -errno);
        }
    }
    if ((cli_flag(cli, "allow-unconfigured") && setenv("OPENCLAW_ALLOW_UNCONFIGURED", "1", 1)) ||
        (cli_flag(cli, "verbose") && setenv("OPENCLAW_LOG_LEVEL", "debug", 1))) {
        return fault_explain("cannot set up the environment", -errno);
    }
    return cli_given(cli, "password-file") ? password_file_export(cli_text(cli, "password-file")) : 0;
}

/* The dev profile starts from nothing: a config with a token of its own, once. */
static int dev_config_create(struct start *self, const struct gateway_overrides *overrides)
{
    const char *path = self->cli->paths.config_path;
    char token[CONFIG_TOKEN_LEN] = "";
    struct config_error error = { "" };
    int r;

    if (!overrides->is_dev || access(path, F_OK) == 0) {
        return 0;
    }
    r = config_token_generate(token);
    r = r ? r : config_create(path, GATEWAY_CONFIG_PORT_DEV, token, &error);
    mem_wipe(token, sizeof(token));
    if (r < 0) {
        return fault_explain("cannot make the dev config", r);
    }
    if (r == CONFIG_CREATE_E_REFUSED) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    self->is_config_new = r == 0;
    return 0;
}

/* A trial without any config gets a token for this run, if there is someone to read it. */
static int token_make_up(struct start *self, struct gateway_overrides *overrides, const struct config_error *error)
{
    int r;

    if (self->config.auth != GATEWAY_AUTH_TOKEN) {
        cli_err("%s", error->text);
        config_advice_give(&self->cli->paths);
        return CLI_EXIT_CONFIG;
    }
    if (!overrides->is_unconfigured_allowed || !cli_out_is_tty()) {
        cli_err("%s", error->text);
        config_advice_token(&self->cli->paths);
        return CLI_EXIT_CONFIG;
    }
    r = config_token_generate(self->config.token);
    if (r || setenv("OPENCLAW_GATEWAY_TOKEN", self->config.token, 1)) {
        return fault_explain("cannot make a token", r ? r : -errno);
    }
    self->is_token_made_up = true;
    return 0;
}

static int config_load(struct start *self)
{
    struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());
    struct config_error error = { "" };
    int r = dev_config_create(self, &overrides);

    self->is_port_given = overrides.port != NULL;
    if (r) {
        return r;
    }
    r = gateway_check_load(self->cli->paths.config_path, &overrides, &self->config, &error);
    if (r < 0) {
        return fault_explain("cannot load the config", r);
    }
    if (r == GATEWAY_CHECK_E_REFUSED || r == GATEWAY_CHECK_E_ELSEWHERE) {
        cli_err("%s", error.text);
        cli_err_more("config: %s", self->cli->paths.config_path);
        config_advice_give(&self->cli->paths);
        return CLI_EXIT_CONFIG;
    }
    if (r == GATEWAY_CHECK_E_NO_SECRET) {
        return token_make_up(self, &overrides, &error);
    }
    return self->config.is_token_ref || self->config.is_password_ref
               ? gateway_secrets_check(self->cli->paths.config_path)
               : 0;
}

static int topology_load(struct start *self)
{
    struct topology_error error = { "" };
    int r = gateway_topology_load(cli_text(self->cli, "topology"), &self->topology_text, &self->topology, &error);

    if (r < 0) {
        return fault_explain("cannot load the topology", r);
    }
    if (r) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    if (topology_fit(&self->topology, &error)) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

/* Clients need one each, and get what is over. */
static int descriptors_take(const struct start *self)
{
    unsigned needed = DESCRIPTORS_BASE + self->config.agents_n * DESCRIPTORS_PER_AGENT;
    unsigned have = descriptors_raise(DESCRIPTORS_WANTED);

    if (have < needed) {
        cli_err("a gateway with %u agent%s needs %u open files, and only %u are allowed here", self->config.agents_n,
                self->config.agents_n == 1 ? "" : "s", needed, have);
        cli_err_more("raise the limit: `ulimit -n 4096`, LimitNOFILE= of its service, or nofile in "
                     "/etc/security/limits.conf");
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

/* --- port, state directory, run directory --------------------------------------------------- */

static int port_force(const struct start *self)
{
    size_t ended_n = 0;

    if (!cli_flag(self->cli, "force")) {
        return 0;
    }
    if (!gateway_port_force(self->config.port, FORCE_TERM_MS, &ended_n)) {
        cli_err("port %u is held by a process that could not be ended", self->config.port);
        return CLI_EXIT_CONFIG;
    }
    if (ended_n) {
        cli_err("ended %zu process%s that held port %u", ended_n, ended_n == 1 ? "" : "es", self->config.port);
    }
    return 0;
}

/* Port 0 stands for the one that was found, in the hosts too. A port of the config they read there. */
static int port_export(const struct start *self)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", self->sockets.now.port);
    if (self->is_port_given && setenv("OPENCLAW_GATEWAY_PORT", text, 1)) {
        return fault_explain("cannot set up the environment", -errno);
    }
    return 0;
}

/* What clients know one start of a gateway from another by. It stays when a host of it is started again. */
static int boot_export(void)
{
    char id[CLI_UUID_LEN + 1];
    int r = cli_uuid_new(id);

    if (r || setenv("OPENCLAW_BOOT_ID", id, 1)) {
        return fault_explain("cannot set up the environment", r ? r : -errno);
    }
    return 0;
}

/* Who starts it twice wants to hear that, and not of a port. */
static bool is_own_port(const struct start *self)
{
    struct cli_service service;

    cli_service_look(&self->cli->paths, &service);
    if (!service.is_running || cli_service_port(&self->cli->paths) != self->config.port) {
        return false;
    }
    cli_err("the gateway of this state directory already runs on port %u (pid %d)", self->config.port,
            (int)service.pid);
    cli_err_more("stop it with `openclaw gateway stop`, or take its place with --force");
    return true;
}

/* The sockets of the program before this one, when they are where this one is to listen: who waits there goes on
 * waiting. */
static bool port_inherit(struct start *self, const struct gateway_listen *left)
{
    if (left->n == 0 || strcmp(left->hosts[0], self->config.host) != 0 ||
        (self->config.port != 0 && self->config.port != left->port)) {
        return false;
    }
    self->sockets.now = *left;
    return true;
}

static int port_open(struct start *self, const struct gateway_listen *left)
{
    struct gateway_listen_error error = { "", "" };

    if (gateway_listen_open(self->config.host, self->config.port, left->n ? left : NULL, &self->sockets.now, &error)) {
        if (!is_own_port(self)) {
            cli_err("%s%s%s", error.text, error.fix[0] ? "; " : "", error.fix);
        }
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

static int port_take(struct start *self)
{
    struct gateway_listen left;
    int r;

    gateway_handover_listen(&self->left, &left);
    if (port_inherit(self, &left)) {
        return port_export(self);
    }
    r = left.n || cli_flag(self->cli, "check") ? 0 : port_force(self); /* else it would be we who hold it */
    r = r ? r : port_open(self, &left);
    gateway_listen_close(&left);
    return r ? r : port_export(self);
}

/* What another gateway of this machine works with, this one must not. */
static int claims_take(struct start *self)
{
    struct gateway_claim_error error;

    if (gateway_claim_all(&self->claims, self->cli->paths.config_path, &self->left, &error)) {
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

static bool is_tls_to_be_made(const struct gateway_tls_files *files)
{
    return files->may_be_made && access(files->cert, F_OK) && (files->is_own || access(files->key, F_OK));
}

/* With a certificate that cannot be used nobody could connect, so nothing starts. */
static int tls_take(struct start *self)
{
    CLEANUP(gateway_tls_pair_deinit) struct gateway_tls_pair pair = { 0 };
    const struct gateway_tls_files *files = &self->config.tls;
    struct config_error error = { "" };
    bool is_made = false;
    int r;

    if (!files->is_enabled || (cli_flag(self->cli, "check") && is_tls_to_be_made(files))) {
        return 0;
    }
    r = gateway_tls_ensure(files, &is_made, &error);
    if (r < 0) {
        return fault_explain("cannot make a certificate", r);
    }
    if (r || gateway_tls_load(files, &pair, &error)) {
        cli_err("%s", error.text);
        cli_err_more("%s", files->is_own
                               ? "gateway.tls.certPath and keyPath name a pair of your own; without them, and "
                                 "with autoGenerate, one is made where there is none"
                               : "with gateway.tls.autoGenerate: true a pair is made where both are missing");
        return CLI_EXIT_CONFIG;
    }
    memcpy(self->fingerprint, pair.fingerprint, sizeof(pair.fingerprint));
    return 0;
}

/* Hosts of other machines know this one by its key, which stands in their topology. */
static void on_guest_refused(const char *name, const char *why, void *arg)
{
    (void)arg;
    cli_err("host \"%s\" was allowed actors, and cannot join this gateway: %s", name, why);
}

static int trunk_take(struct start *self)
{
    struct topology_error error = { "" };
    int r;

    if (!self->topology.tcp.endpoint[0]) {
        (void)snprintf(self->keys_dir, sizeof(self->keys_dir), "%.*s/bus", (int)sizeof(self->keys_dir) - 8,
                       self->cli->paths.state_dir);
        (void)guest_check_topology(self->keys_dir, &self->topology, on_guest_refused,
                                   NULL); /* unread: nobody is told */
        return 0;
    }
    r = gateway_ground_wire(&self->speaks);
    r = r ? r : gateway_ground_keys(&self->cli->paths, self->keys_dir, &self->pair);
    if (r == 0 && topology_key_fit(&self->topology, self->pair.public_key, &error)) {
        cli_err("%s", error.text);
        cli_err_more(TOPOLOGY_KEY_ADVICE);
        return CLI_EXIT_CONFIG;
    }
    return r;
}

/* The owner's own way in, which needs no secret: after the lock, since it replaces what stands there. */
static int local_take(struct start *self)
{
    struct gateway_listen_error error = { "", "" };

    self->sockets.local_fd = gateway_handover_local(&self->left, self->cli->paths.clients_path);
    if (self->sockets.local_fd < 0 &&
        gateway_listen_local(self->cli->paths.clients_path, &self->sockets.local_fd, &error)) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    return 0;
}

/* --- running ------------------------------------------------------------------------------- */

/* A token goes to a terminal when it was made just now, and nowhere else ever. */
static void token_tell(const struct start *self)
{
    const char *what = self->config.auth == GATEWAY_AUTH_PASSWORD ? "password" : "token";

    if (self->config.auth == GATEWAY_AUTH_NONE) {
        cli_out("  auth     none: every local program may use it\n");
    } else if (self->config.auth == GATEWAY_AUTH_TRUSTED_PROXY) {
        cli_out("  auth     what the proxy in gateway.trustedProxies says\n");
    } else if ((self->is_config_new || self->is_token_made_up) && cli_out_is_tty()) {
        cli_out("  token    %s\n", self->config.token);
    } else if (getenv(self->config.auth == GATEWAY_AUTH_PASSWORD ? "OPENCLAW_GATEWAY_PASSWORD"
                                                                 : "OPENCLAW_GATEWAY_TOKEN")) {
        cli_out("  %-8s the one given by option or environment\n", what);
    } else {
        cli_out("  %-8s gateway.auth.%s in %s\n", what, what, self->cli->paths.config_path);
    }
}

static void on_ready(void *arg)
{
    const struct start *self = arg;
    const struct gateway_listen *listen = &self->sockets.now;

    cli_out("OpenClaw gateway %s is ready\n", OPENCLAW_VERSION);
    for (size_t i = 0; i < listen->n; i++) {
        bool is_v6 = strchr(listen->hosts[i], ':') != NULL;

        cli_out("  %-8s http%s://%s%s%s:%u\n", i ? "" : "url", self->fingerprint[0] ? "s" : "", is_v6 ? "[" : "",
                listen->hosts[i], is_v6 ? "]" : "", listen->port);
    }
    if (self->fingerprint[0]) {
        cli_out("  tls      sha256:%s\n", self->fingerprint);
    }
    token_tell(self);
    cli_out("  state    %s\n", self->cli->paths.state_dir);
    cli_out("  pid      %d\n", (int)getpid());
    (void)cli_out_flush(); /* a closed standard output is no reason to stop */
}

static size_t leave(void *arg, int *fds, size_t max)
{
    const struct start *self = arg;
    struct gateway_handover next = { .fds_n = 0 };

    for (size_t i = 0; i < self->sockets.now.n; i++) {
        gateway_handover_add(&next, self->sockets.now.fds[i]);
    }
    gateway_handover_add(&next, self->sockets.local_fd);
    gateway_handover_add(&next, self->lock_fd);
    for (size_t i = 0; i < self->claims.fds_n; i++) {
        gateway_handover_add(&next, self->claims.fds[i]);
    }
    return gateway_handover_list(&next, fds, max);
}

static int run(struct start *self)
{
    struct process_opts opts = { .topology = &self->topology,
                                 .trunk_pair = self->pair.public_key[0] ? &self->pair : NULL,
                                 .keys_dir = self->keys_dir,
                                 .may_leave = topology_fit_may_leave,
                                 .trunk_speaks = self->speaks,
                                 .sockets = gateway_sockets_serve(&self->sockets),
                                 .clients_path = self->cli->paths.clients_path,
                                 .leave = leave,
                                 .on_ready = on_ready,
                                 .arg = self };

    return gateway_ground_run(self->cli, &self->left, &self->topology_fd, &opts);
}

/* What it would be left is here already, so all that it would ask for besides can be asked for: nothing of it stays. A
 * check by hand has nothing of the gateway that may run. */
static int check(struct start *self)
{
    int r = 0;

    if (gateway_handover_is_trial()) {
        r = port_take(self);
        r = r ? r : claims_take(self);
        r = r ? r : tls_take(self);
    }
    return r ? r : gateway_handover_prove();
}

int cmd_gateway_run(struct cli *cli)
{
    CLEANUP(start_deinit) struct start self = { .cli = cli, .lock_fd = -1, .topology_fd = -1 };
    int r;

    gateway_handover_take(&self.left);
    gateway_sockets_init(&self.sockets);
    umask(0077);           /* of this process and its hosts: what they make is for nobody else */
    secret_memory_guard(); /* of both likewise */
    r = flags_export(cli);
    r = r ? r : config_load(&self);
    r = r ? r : topology_load(&self);
    r = r ? r : descriptors_take(&self);
    r = r ? r : trunk_take(&self);
    if (r || cli_flag(cli, "check")) {
        return r ? r : check(&self);
    }
    r = port_take(&self);
    r = r ? r : gateway_ground_take(&cli->paths, &self.left, &self.lock_fd);
    r = r ? r : claims_take(&self);
    r = r ? r : tls_take(&self);
    r = r ? r : local_take(&self);
    r = r ? r : boot_export();
    r = r ? r : gateway_ground_topology(&self.topology_text, &self.topology_fd);
    return r ? r : run(&self);
}
