#include "edge/cli/cli_target.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_access.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_service.h"
#include "schema/base/config_sources.h"
#include "schema/base/secret_resolve.h"

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
    overrides.is_client = true;
    return overrides;
}

/* Only these sections say where a gateway is and how to get in; "env" serves their variables, "secrets" tells where
 * their references lead. */
static void sections_keep(struct span raw, struct pack *out)
{
    static const char *const names[] = { "env", "gateway", "logging", "secrets" };

    pack_map_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct span value = value_get(raw, names[i]);

        if (value.len) {
            pack_kv_raw(out, names[i], value);
        }
    }
    pack_map_end(out);
}

/* What is wrong with a secret matters only to who has no other. */
static bool is_of_secret(const char *problem)
{
    static const char *const places[] = { "gateway.auth.token ", "gateway.auth.password ", "gateway.remote.token ",
                                          "gateway.remote.password " };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (span_starts(span_from(problem), places[i])) {
            return true;
        }
    }
    return false;
}

static int substitute(struct span raw, struct pack *doc, struct cli_target *target, struct config_error *error)
{
    struct pack kept;
    struct config_error unset = { "" };

    pack_init(&kept, 0);
    sections_keep(raw, &kept);
    int r = pack_error(&kept);
    r = r ? r : config_env_substitute_known(pack_span(&kept), config_lookup_process(), doc, &unset);
    mem_wipe(kept.data, kept.len);
    pack_deinit(&kept);
    if (!r && is_of_secret(unset.text)) {
        (void)snprintf(target->secret_problem, sizeof(target->secret_problem), "%s", unset.text);
    } else if (!r && span_starts(span_from(unset.text), "gateway.")) {
        *error = unset;
        return CONFIG_ENV_E_REFUSED;
    }
    return r;
}

/* Reads the config into `doc`; what stands in the way goes to config_problem. */
static void config_read(const struct cli *cli, const struct gateway_overrides *overrides, struct pack *doc,
                        struct cli_target *target)
{
    CLEANUP(config_sources_deinit) struct config_sources sources = { 0 };
    struct config_error error = { "" };
    struct pack raw;

    pack_init(&raw, 0);
    int r = config_sources_load(cli->paths.config_path, config_lookup_process(), &sources, &raw, &error);
    target->has_config = r != CONFIG_SOURCES_E_ABSENT;
    if (r == 0) {
        r = substitute(pack_span(&raw), doc, target, &error);
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
    if (r > 0) { /* flags and environment say where it is all the same */
        (void)gateway_config_resolve((struct span){ 0 }, overrides, config_lookup_process(), &target->config, &error);
    }
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

/* As the gateway resolves it, but here: a program that it names is run by this command. */
static void secret_of_ref(struct span doc, const struct secret_ref *ref, const char *path, char *out,
                          struct cli_target *target)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_resolve_opts opts = { .doc = doc, .lookup = config_lookup_process(), .refs = ref, .refs_n = 1 };
    const char *problem = "out of memory";

    if (!secret_resolve_wait(&opts, &resolve)) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, 0);
        struct span text = value_str(outcome->value, (struct span){ 0 });

        problem = outcome->state != SECRET_FOUND                     ? outcome->problem.text
                  : text.len < GATEWAY_CONFIG_SECRET_MAX && text.len ? NULL
                                                                     : "it is no text, or too long";
        if (!problem) {
            (void)snprintf(out, GATEWAY_CONFIG_SECRET_MAX, "%.*s", SPAN_FMT(text));
        }
    }
    if (problem && !target->secret_problem[0]) {
        (void)snprintf(target->secret_problem, sizeof(target->secret_problem), "%s cannot be resolved here: %s", path,
                       problem);
    }
}

static void secret_of_config(struct span doc, const char *path, char *out, const char **ret_source,
                             struct cli_target *target)
{
    struct secret_ref ref;

    char buf[GATEWAY_CONFIG_SECRET_MAX];
    bool is_set = false;

    if (out[0]) {
        return;
    }
    if (secret_ref_read(value_path(doc, path), doc, &ref)) {
        secret_of_ref(doc, &ref, path, out, target);
        *ret_source = out[0] ? path : *ret_source;
        return;
    }
    secret_take(config_secret_resolve(value_path(doc, path), config_lookup_process(), buf, sizeof(buf), &is_set), path,
                out, ret_source);
    mem_wipe(buf, sizeof(buf));
    if (is_set && !out[0] && !target->secret_problem[0]) {
        (void)snprintf(target->secret_problem, sizeof(target->secret_problem), "%s cannot be used here: it is too long",
                       path);
    }
}

static bool is_secret_named(const struct cli *cli)
{
    return cli_given(cli, "token") || cli_given(cli, "password") || env_text("OPENCLAW_GATEWAY_TOKEN") ||
           env_text("OPENCLAW_GATEWAY_PASSWORD");
}

/* A port names the gateway of this state directory when that one listens there. */
static bool is_port_ours(const struct cli *cli, const struct cli_target *target)
{
    bool is_named = cli_given(cli, "port") || env_text("OPENCLAW_GATEWAY_PORT");

    return !is_named || cli_service_port(&cli->paths) == target->config.port;
}

static void owner_path_choose(const struct cli *cli, struct cli_target *target)
{
    if (!is_secret_named(cli) && !target->is_elsewhere &&
        strlen(cli->paths.clients_path) < sizeof(target->owner_path) && access(cli->paths.clients_path, W_OK) == 0 &&
        is_port_ours(cli, target)) {
        (void)strcpy(target->owner_path, cli->paths.clients_path);
    }
}

/* Without any secret the gateway would refuse us, and not know why we have none. */
static void secret_problem_judge(struct cli_target *target)
{
    if (target->owner_path[0]) {
        return;
    }
    if (!target->token[0] && !target->password[0] && !target->config_problem[0] && target->secret_problem[0] &&
        (target->is_elsewhere || target->config.auth != GATEWAY_AUTH_NONE)) {
        (void)strcpy(target->config_problem, target->secret_problem);
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

/* A gateway that was started with another port, or before its config was changed, is still the one meant. */
static const char *running_port(const struct cli *cli, const char *source, unsigned *port)
{
    unsigned running = cli_service_port(&cli->paths);

    if (!running || running == *port) {
        return source;
    }
    *port = running;
    return "the running gateway";
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

    if (!cli_given(cli, "port") && !env_text("OPENCLAW_GATEWAY_PORT")) {
        source = running_port(cli, source, &port);
    }

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

/* The gateway that gateway.remote names; false when the config means this machine. */
static bool remote_find(const struct cli *cli, struct span doc, bool is_local, struct cli_target *target,
                        struct span *ret_url)
{
    struct span mode = value_str(value_path(doc, "gateway.mode"), (struct span){ 0 });

    *ret_url = value_str(value_path(doc, "gateway.remote.url"), (struct span){ 0 });
    target->is_elsewhere = !is_local && !cli_given(cli, "port") && ret_url->len && span_is_text(mode, "remote");
    return target->is_elsewhere;
}

/* The file of this machine's gateway says what it shows. Without it an authority must vouch. */
static void fingerprint_local(struct cli_target *target)
{
    struct config_error error = { "" };

    if (target->config.tls.is_enabled &&
        !gateway_tls_fingerprint_of(&target->config.tls, target->fingerprint, &error)) {
        target->fingerprint_source = "the certificate of this machine's gateway";
    }
}

static int fingerprint_remote(struct span doc, struct cli_target *target)
{
    struct span value = value_str(value_path(doc, "gateway.remote.tlsFingerprint"), (struct span){ 0 });
    char text[128];

    if (!value.len) {
        return 0;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)(value.len < sizeof(text) ? value.len : sizeof(text) - 1),
                   value.ptr);
    if (!gateway_tls_fingerprint_parse(text, target->fingerprint)) {
        (void)snprintf(target->config_problem, sizeof(target->config_problem),
                       "gateway.remote.tlsFingerprint is no SHA-256 of a certificate (64 hexadecimal digits)");
        return CLI_TARGET_E_CONFIG;
    }
    target->fingerprint_source = "gateway.remote.tlsFingerprint";
    return 0;
}

/* What a config that cannot be used would say of the gateway that runs, its owner's socket does without. */
static bool is_broken_bearable(const struct cli *cli, const struct cli_target *target)
{
    if (!target->owner_path[0] || !cli_service_port(&cli->paths)) {
        return false;
    }
    cli_err("note: the config cannot be used (%s); the running gateway knows you as its owner instead",
            target->config_problem);
    return true;
}

static int target_of_config(const struct cli *cli, unsigned flags, struct span doc, struct cli_target *target)
{
    struct span url;
    bool is_remote = remote_find(cli, doc, flags & CLI_TARGET_LOCAL, target, &url);
    char advice[PATH_MAX + 256];
    char address[sizeof(target->address)];

    secret_of_config(doc, is_remote ? "gateway.remote.token" : "gateway.auth.token", target->token,
                     &target->token_source, target);
    secret_of_config(doc, is_remote ? "gateway.remote.password" : "gateway.auth.password", target->password,
                     &target->password_source, target);
    owner_path_choose(cli, target);
    /* A config that means another gateway says nothing of this machine's. */
    target->is_configured = is_remote || (is_port_ours(cli, target) && !(url.len && (flags & CLI_TARGET_LOCAL)));
    secret_problem_judge(target);
    if (target->config_problem[0] && !(flags & CLI_TARGET_TOLERANT) && !is_broken_bearable(cli, target)) {
        cli_err("the config cannot be used: %s", target->config_problem);
        cli_err_more("next: %s, or name the gateway with --url and --token",
                     cli_access_advice(cli->paths.config_path, advice, sizeof(advice)) ? advice : "correct it there");
        return CLI_TARGET_E_CONFIG;
    }
    if (!is_remote) {
        fingerprint_local(target);
        return address_local(cli, doc, target);
    }
    if (fingerprint_remote(doc, target) && !(flags & CLI_TARGET_TOLERANT)) {
        cli_err("%s", target->config_problem);
        cli_err_more("correct %s, or name the gateway with --url and --tls-fingerprint", cli->paths.config_path);
        return CLI_TARGET_E_CONFIG;
    }
    (void)snprintf(address, sizeof(address), "%.*s", SPAN_FMT(url));
    return address_set(target, address, "gateway.remote.url");
}

/* Where wss:// goes without an authority that vouches. */
static int fingerprint_given(const struct cli *cli, struct cli_target *target)
{
    const char *text = cli_text(cli, "tls-fingerprint");

    if (!text) {
        return 0;
    }
    if (!gateway_tls_fingerprint_parse(text, target->fingerprint)) {
        cli_err("--tls-fingerprint needs the SHA-256 of a certificate: 64 hexadecimal digits");
        return CLI_TARGET_E_USAGE;
    }
    if (!target->url.is_tls) {
        cli_err("--tls-fingerprint is for wss://, and %s has no TLS", target->address);
        return CLI_TARGET_E_USAGE;
    }
    target->fingerprint_source = "--tls-fingerprint";
    return 0;
}

/* A command may have a --url of its own, which says something else. */
static const char *url_given(const struct cli *cli)
{
    const struct cli_value *value = cli_opts_value(&cli->line, "url");

    return value && value->opt == &cli_commands_target[0] ? value->text : NULL;
}

static int target_fill(const struct cli *cli, unsigned flags, struct cli_target *target)
{
    struct gateway_overrides overrides = overrides_choose(cli);
    bool is_local = flags & CLI_TARGET_LOCAL;
    const char *url = is_local ? NULL : url_given(cli);
    struct pack doc;
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
    r = target_of_config(cli, flags, pack_span(&doc), target);
    mem_wipe(doc.data, doc.len);
    pack_deinit(&doc);
    return r;
}

int cli_target_resolve(const struct cli *cli, unsigned flags, struct cli_target *ret_target)
{
    int r;

    *ret_target = (struct cli_target){ .has_config = false };
    r = target_fill(cli, flags, ret_target);
    r = r ? r : fingerprint_given(cli, ret_target);
    if (!r && !ret_target->is_elsewhere) {
        (void)cli_paths_words(&cli->paths, ret_target->words);
    }
    if (r) {
        cli_target_deinit(ret_target);
    }
    return r;
}

void cli_target_gateway(const struct cli_target *self, char out[CLI_TARGET_GATEWAY_MAX])
{
    bool is_pinned = self->is_elsewhere && self->fingerprint[0];
    int n = snprintf(out, CLI_TARGET_GATEWAY_MAX, "%s://", self->url.is_tls ? "wss" : "ws");
    char *host = out + n;

    n +=
        snprintf(host, CLI_TARGET_GATEWAY_MAX - (size_t)n, strchr(self->url.host, ':') ? "[%s]" : "%s", self->url.host);
    for (char *at = host; *at; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    }
    (void)snprintf(out + n, CLI_TARGET_GATEWAY_MAX - (size_t)n, ":%u%s%s", self->url.port, is_pinned ? " sha256:" : "",
                   is_pinned ? self->fingerprint : "");
}

void cli_target_deinit(struct cli_target *self)
{
    mem_wipe(self->token, sizeof(self->token));
    mem_wipe(self->password, sizeof(self->password));
    gateway_config_deinit(&self->config);
}
