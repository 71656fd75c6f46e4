#include "edge/cli/cli_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"

static const char *env_text(const char *name)
{
    const char *text = getenv(name);

    return text && text[0] ? text : NULL;
}

static struct gateway_overrides overrides_choose(const struct cli *cli)
{
    struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());

    overrides.port = cli_given(cli, "port") ? cli_text(cli, "port") : overrides.port;
    overrides.token = cli_given(cli, "token") ? cli_text(cli, "token") : overrides.token;
    overrides.password = cli_given(cli, "password") ? cli_text(cli, "password") : overrides.password;
    overrides.is_dev = cli->paths.is_dev;
    overrides.is_unconfigured_allowed = true; /* this is a client; nothing is started */
    return overrides;
}

/* Reads the config into `doc`; what stands in the way goes to config_problem. */
static void config_read(const struct cli *cli, const struct gateway_overrides *overrides, struct pack *doc,
                        struct cli_target *target)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    struct pack raw;
    int r = config_file_read(cli->paths.config_path, &text, &error);

    pack_init(&raw, 0);
    target->has_config = r != CONFIG_FILE_E_ABSENT;
    if (r == 0) {
        r = config_file_parse((struct span){ text.data, text.len }, cli->paths.config_path, &raw, &error);
    }
    if (r == 0) {
        r = config_env_substitute(pack_span(&raw), config_lookup_process(), doc, &error);
    }
    if (r && target->has_config) {
        (void)snprintf(target->config_problem, sizeof(target->config_problem), "%s",
                       error.text[0] ? error.text : "cannot be read");
        pack_reset(doc);
    }
    error.text[0] = '\0';
    r = gateway_config_resolve(pack_span(doc), overrides, config_lookup_process(), &target->config, &error);
    if (r > 0 && !target->config_problem[0]) {
        (void)snprintf(target->config_problem, sizeof(target->config_problem), "%s", error.text);
    }
    mem_wipe(text.data, text.len);
    mem_wipe(raw.data, raw.len);
    pack_deinit(&raw);
}

static void secret_take(const char *text, const char *source, char *out, const char **ret_source)
{
    if (text && text[0] && strlen(text) < GATEWAY_CONFIG_SECRET_MAX) {
        (void)strcpy(out, text);
        *ret_source = source;
    }
}

/* Flags first; the environment speaks for every gateway but one named by --url. */
static void secrets_given(const struct cli *cli, bool with_env, struct cli_target *target)
{
    if (with_env) {
        secret_take(env_text("OPENCLAW_GATEWAY_TOKEN"), "OPENCLAW_GATEWAY_TOKEN", target->token, &target->token_source);
        secret_take(env_text("OPENCLAW_GATEWAY_PASSWORD"), "OPENCLAW_GATEWAY_PASSWORD", target->password,
                    &target->password_source);
    }
    secret_take(cli_text(cli, "token"), "--token", target->token, &target->token_source);
    secret_take(cli_text(cli, "password"), "--password", target->password, &target->password_source);
}

static void secret_of_config(struct span doc, const char *path, const char *name, char *out, const char **ret_source)
{
    char buf[GATEWAY_CONFIG_SECRET_MAX];
    bool is_set = false;

    if (!out[0]) {
        secret_take(config_secret_resolve(value_path(doc, path), config_lookup_process(), buf, sizeof(buf), &is_set),
                    name, out, ret_source);
        mem_wipe(buf, sizeof(buf));
    }
}

static int address_set(struct cli_target *target, const char *address, const char *source)
{
    const char *why = "";

    (void)snprintf(target->source, sizeof(target->source), "%s", source);
    if (strlen(address) >= sizeof(target->address) || ws_url_parse(address, &target->url, &why)) {
        cli_err("%s is no address of a gateway: %s", source, why[0] ? why : "too long");
        cli_err_more("one looks like ws://127.0.0.1:%d", CLI_PORT_DEFAULT);
        return CLI_TARGET_E_USAGE;
    }
    (void)strcpy(target->address, address);
    return 0;
}

static int address_local(const struct cli *cli, struct span doc, struct cli_target *target)
{
    bool is_tls = value_bool(value_path(doc, "gateway.tls.enabled"), false);
    /* A gateway bound to one address of its own does not answer on loopback. */
    bool is_custom = target->config.bind == GATEWAY_BIND_CUSTOM && target->config.host[0] &&
                     strcmp(target->config.host, "0.0.0.0") != 0;
    unsigned port = target->config.port ? target->config.port : cli->paths.is_dev ? CLI_PORT_DEV : CLI_PORT_DEFAULT;
    char address[160];
    const char *source = cli_given(cli, "port")                                       ? "--port"
                         : env_text("OPENCLAW_GATEWAY_PORT")                          ? "OPENCLAW_GATEWAY_PORT"
                         : value_kind_of(value_path(doc, "gateway.port")) > VALUE_NIL ? "gateway.port"
                                                                                      : "the default port";

    (void)snprintf(address, sizeof(address), "%s://%s:%u", is_tls ? "wss" : "ws",
                   is_custom ? target->config.host : "127.0.0.1", port);
    return address_set(target, address, source);
}

/* logging.file, a leading "~" for the home directory; else logs/openclaw.log in the state directory. */
static void log_file_choose(const struct cli *cli, struct span doc, struct cli_target *target)
{
    struct span file = value_str(value_path(doc, "logging.file"), (struct span){ 0 });
    const char *home = env_text("HOME");
    bool is_home = file.len && file.ptr[0] == '~' && home;

    if (file.len && file.len < sizeof(target->log_file)) {
        (void)snprintf(target->log_file, sizeof(target->log_file), "%s%.*s", is_home ? home : "",
                       (int)file.len - is_home, file.ptr + is_home);
    } else {
        (void)snprintf(target->log_file, sizeof(target->log_file), "%.*s/logs/openclaw.log", PATH_MAX - 32,
                       cli->paths.state_dir);
    }
}

static int target_fill(const struct cli *cli, unsigned flags, struct cli_target *target)
{
    struct gateway_overrides overrides = overrides_choose(cli);
    bool is_local = flags & CLI_TARGET_LOCAL;
    const char *url = is_local ? NULL : cli_text(cli, "url");
    struct pack doc;
    struct span remote;
    int r;

    if (url || (env_text("OPENCLAW_GATEWAY_URL") && !is_local && !cli_given(cli, "port"))) {
        target->is_elsewhere = true;
        secrets_given(cli, !url, target);
        return address_set(target, url ? url : env_text("OPENCLAW_GATEWAY_URL"),
                           url ? "--url" : "OPENCLAW_GATEWAY_URL");
    }
    pack_init(&doc, 0);
    config_read(cli, &overrides, &doc, target);
    secrets_given(cli, true, target);
    log_file_choose(cli, pack_span(&doc), target);
    remote = value_str(value_path(pack_span(&doc), "gateway.remote.url"), (struct span){ 0 });
    if (target->config_problem[0] && !(flags & CLI_TARGET_TOLERANT)) {
        cli_err("the config cannot be used: %s", target->config_problem);
        cli_err_more("correct %s, or name the gateway with --url and --token", cli->paths.config_path);
        r = CLI_TARGET_E_CONFIG;
    } else if (!is_local && !cli_given(cli, "port") && remote.len &&
               span_is_text(value_str(value_path(pack_span(&doc), "gateway.mode"), (struct span){ 0 }), "remote")) {
        char address[sizeof(target->address)];

        target->is_elsewhere = true;
        (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(remote));
        secret_of_config(pack_span(&doc), "gateway.remote.token", "gateway.remote.token", target->token,
                         &target->token_source);
        secret_of_config(pack_span(&doc), "gateway.remote.password", "gateway.remote.password", target->password,
                         &target->password_source);
        r = address_set(target, address, "gateway.remote.url");
    } else {
        if (!target->token[0]) {
            secret_take(target->config.token, "gateway.auth.token", target->token, &target->token_source);
        }
        if (!target->password[0]) {
            secret_take(target->config.password, "gateway.auth.password", target->password, &target->password_source);
        }
        r = address_local(cli, pack_span(&doc), target);
    }
    mem_wipe(doc.data, doc.len);
    pack_deinit(&doc);
    return r;
}

int cli_target_resolve(const struct cli *cli, unsigned flags, struct cli_target *ret_target)
{
    int r;

    *ret_target = (struct cli_target){ .has_config = false };
    r = target_fill(cli, flags, ret_target);
    if (r) {
        cli_target_deinit(ret_target);
    }
    return r;
}

void cli_target_deinit(struct cli_target *self)
{
    mem_wipe(self->token, sizeof(self->token));
    mem_wipe(self->password, sizeof(self->password));
    gateway_config_deinit(&self->config);
}
