/*
 * openclaw setup: the config and the directories that a first start needs; or, for a machine
 * that only talks to a gateway elsewhere, where that is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_profiles.h"
#include "edge/cli/config_writer.h"
#include "edge/cli/gateway_state.h"
#include "schema/base/config_create.h"
#include "schema/base/config_merge.h"

#define NOTHING ((struct span){ 0 })

struct setup {
    struct cli *cli;
    bool is_remote;
    char workspace[PATH_MAX];
    char said[256]; /* what was set */
};

/* --- what cannot be done here ------------------------------------------------------------------------- */

static int refuse_unserved(const struct cli *cli)
{
    static const char *const names[] = { "wizard", "import-from", "import-source", "import-secrets" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (cli_given(cli, names[i])) {
            cli_err("--%s: this version has no guided setup and no import", names[i]);
            cli_err_more("openclaw setup --non-interactive makes a config; openclaw config set changes it");
            return CLI_EXIT_USAGE;
        }
    }
    return CLI_EXIT_OK;
}

static int mode_check(struct setup *self)
{
    const char *mode = cli_text(self->cli, "mode");
    const char *url = cli_text(self->cli, "remote-url");

    self->is_remote = mode ? !strcmp(mode, "remote") : url != NULL;
    if (self->is_remote && (!url || (strncmp(url, "ws://", 5) != 0 && strncmp(url, "wss://", 6) != 0))) {
        cli_err("--mode remote needs --remote-url, an address that begins with ws:// or wss://");
        return CLI_EXIT_USAGE;
    }
    if (!self->is_remote && (url || cli_given(self->cli, "remote-token"))) {
        cli_err("--remote-url and --remote-token are for --mode remote");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

/* --- the config --------------------------------------------------------------------------------------------- */

static void said_add(struct setup *self, const char *what)
{
    size_t len = strlen(self->said);

    (void)snprintf(self->said + len, sizeof(self->said) - len, "%s%s", len ? ", " : "", what); /* cut */
}

static void remote_pack(struct setup *self, struct pack *out)
{
    pack_kv_text(out, "mode", "remote");
    pack_key(out, "remote");
    pack_map_begin(out);
    pack_kv_text(out, "url", cli_text(self->cli, "remote-url"));
    if (cli_given(self->cli, "remote-token")) {
        pack_kv_text(out, "token", cli_text(self->cli, "remote-token"));
    }
    pack_map_end(out);
    said_add(self, "gateway.mode, gateway.remote");
}

/* What is missing for a start; what is there stays, whatever it is. */
static int local_pack(struct setup *self, struct span now, struct pack *out)
{
    struct span auth = value_path(now, "gateway.auth");
    char token[CONFIG_TOKEN_LEN];

    if (!value_path(now, "gateway.mode").len || cli_given(self->cli, "mode")) {
        pack_kv_text(out, "mode", "local");
        said_add(self, "gateway.mode");
    }
    if (value_count(auth)) {
        return 0;
    }
    int r = config_token_generate(token);
    if (!r) {
        pack_key(out, "auth");
        pack_map_begin(out);
        pack_kv_text(out, "mode", "token");
        pack_kv_text(out, "token", token);
        pack_map_end(out);
        said_add(self, "gateway.auth.token");
    }
    mem_wipe(token, sizeof(token));
    return r;
}

/* The workspace that is asked for, else the one that is set, else the default one. */
static int workspace_choose(struct setup *self, struct span now)
{
    struct span set = value_str(value_path(now, "agents.defaults.workspace"), NOTHING);
    const char *asked = cli_text(self->cli, "workspace");
    int len;

    if (asked) {
        char *absolute = asked[0] == '/' || asked[0] == '~' ? NULL : realpath(".", NULL);
        len = snprintf(self->workspace, sizeof(self->workspace), "%s%s%s", absolute ? absolute : "",
                       absolute ? "/" : "", asked);
        free(absolute);
    } else if (set.len) {
        len = snprintf(self->workspace, sizeof(self->workspace), "%.*s", SPAN_FMT(set));
    } else {
        len = snprintf(self->workspace, sizeof(self->workspace), "%s/workspace", self->cli->paths.state_dir);
    }
    if (len < 0 || len >= (int)sizeof(self->workspace)) {
        cli_err("the path of the workspace is too long");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

static int patch_pack(struct setup *self, struct span now, struct pack *out)
{
    struct span set = value_str(value_path(now, "agents.defaults.workspace"), NOTHING);
    int r = 0;

    pack_map_begin(out);
    pack_key(out, "gateway");
    pack_map_begin(out);
    if (self->is_remote) {
        remote_pack(self, out);
    } else {
        r = local_pack(self, now, out);
    }
    pack_map_end(out);
    if (!self->is_remote && !span_is_text(set, self->workspace)) {
        pack_key(out, "agents");
        pack_map_begin(out);
        pack_key(out, "defaults");
        pack_map_begin(out);
        pack_kv_text(out, "workspace", self->workspace);
        pack_map_end(out);
        pack_map_end(out);
        said_add(self, "agents.defaults.workspace");
    }
    pack_map_end(out);
    return r ? r : pack_error(out);
}

static int config_write(struct setup *self, struct config_writer *writer)
{
    CLEANUP(pack_deinit) struct pack patch;
    CLEANUP(pack_deinit) struct pack wanted;
    struct span now = pack_span(&writer->document.source);

    pack_init_secret(&patch, 0);
    pack_init_secret(&wanted, 0);
    int r = patch_pack(self, now, &patch);
    if (!r && !self->said[0]) {
        cli_out("Config: %s, nothing is missing\n", self->cli->paths.config_path);
        return CLI_EXIT_OK;
    }
    config_merge(now, pack_span(&patch), &wanted);
    r = r ? r : pack_error(&wanted);
    r = r ? r : json_from_value(pack_span(&wanted), &writer->raw);
    if (r) {
        return config_writer_refuse(writer, fault_text(r));
    }
    r = config_writer_write(writer);
    if (!r) {
        cli_out("Config: %s, set %s\n", self->cli->paths.config_path, self->said);
    }
    return r;
}

/* --- directories ---------------------------------------------------------------------------------------------------
 */

static int directory_make(const char *name, const char *path, bool may_link)
{
    struct gateway_state_error error = { "", "" };

    if (gateway_state_dir(name, path, may_link, &error)) {
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

static int workspace_make(const struct setup *self)
{
    char path[PATH_MAX];
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */
    bool is_home = self->workspace[0] == '~' && self->workspace[1] == '/' && home;
    struct stat st;

    if (snprintf(path, sizeof(path), "%s%s", is_home ? home : "", self->workspace + is_home) >= (int)sizeof(path)) {
        cli_err("the path of the workspace is too long");
        return CLI_EXIT_USAGE;
    }
    if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
        cli_out("Workspace: %s\n", path); /* the user's own; its mode is not ours to change */
        return CLI_EXIT_OK;
    }
    int r = directory_make("workspace", path, true);
    if (!r) {
        cli_out("Workspace: %s, made\n", path);
    }
    return r;
}

/* One that no other profile's gateway wants; the usual one when it is free. */
static uint16_t port_choose(const struct setup *self)
{
    const struct cli_paths *paths = &self->cli->paths;
    CLEANUP(mem_free) struct cli_profile *others = mem_new(CLI_PROFILES_MAX * sizeof(*others));
    size_t n = cli_profiles_find(paths, others);
    unsigned usual = paths->is_dev ? CLI_PORT_DEV : CLI_PORT_DEFAULT;
    const struct cli_profile *first = cli_profiles_near(others, n, usual, CLI_PROFILES_APART);
    unsigned port = usual;

    while (cli_profiles_near(others, n, port, CLI_PROFILES_APART) && port + CLI_PROFILES_APART <= UINT16_MAX) {
        port += CLI_PROFILES_APART;
    }
    if (first && port != usual) {
        cli_out("Port: %u, since the profile \"%s\" has %u\n", port, first->name, first->port);
    }
    return (uint16_t)port;
}

/* A first config is one that people can read; what it lacks is added like anywhere else. */
static int first_config(struct setup *self, struct config_writer *writer, struct config_again *again)
{
    const char *path = self->cli->paths.config_path;
    struct config_error error = { "" };
    char token[CONFIG_TOKEN_LEN];

    if (self->is_remote || writer->document.is_present || !config_writer_is_alone(writer)) {
        return CLI_EXIT_OK;
    }
    int r = config_token_generate(token);
    r = r ? r : config_create(path, port_choose(self), token, &error);
    mem_wipe(token, sizeof(token));
    if (r && r != CONFIG_CREATE_E_EXISTS) {
        return config_writer_refuse(writer, r < 0 ? fault_text(r) : error.text);
    }
    config_writer_deinit(writer);
    config_writer_init(writer, self->cli);
    writer->again = again;
    r = config_writer_open(writer);
    if (!r) {
        cli_out("Config: %s, made\n", path);
    }
    return r;
}

static int config_try(struct setup *self, struct config_again *again)
{
    CLEANUP(config_writer_deinit) struct config_writer writer;

    config_writer_init(&writer, self->cli);
    writer.again = again;
    self->said[0] = '\0';
    int r = config_writer_open(&writer);
    r = r ? r : first_config(self, &writer, again);
    r = r ? r : workspace_choose(self, pack_span(&writer.document.source));
    return r ? r : config_write(self, &writer);
}

int cmd_setup(struct cli *cli)
{
    struct setup self = { .cli = cli };
    struct config_again again = { 0 };
    int r = refuse_unserved(cli);

    r = r ? r : mode_check(&self);
    r = r ? r : directory_make("state directory", cli->paths.state_dir, true);
    if (r) {
        return r;
    }
    do {
        r = config_try(&self, &again);
    } while (config_again_due(&again, r));
    if (r || self.is_remote) {
        return r;
    }
    r = workspace_make(&self);
    if (!r) {
        char words[CLI_PROFILE_MAX + 16];

        cli_out("Ready: openclaw%s gateway starts it\n", cli_paths_words(&cli->paths, words));
    }
    return r;
}
