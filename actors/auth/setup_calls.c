/*
 * setup_calls: device.pair.setupCode and setupStatus: codes with which a phone pairs itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/auth/auth_state.h"
#include "actors/auth/joins.h"
#include "actors/auth/setup_url.h"
#include "actors/auth/setups.h"
#include "bus/base/clock.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/base64.h"
#include "schema/base/gateway_config.h"
#include "schema/base/qr.h"
#include "schema_gen.h"

#define CODE_MAX 2048U
#define PICTURE_PREFIX "data:image/png;base64,"
#define PICTURE_MAX 16384U /* the protocol's limit, prefix included */
#define SCALE_MAX 6U

/* --- what the config says of the address ------------------------------------------------------------ */

static void part_keep(struct pack *out, const char *key, struct span value)
{
    if (value.len) {
        pack_kv_raw(out, key, value);
    }
}

int setup_calls_configure(struct auth *self, struct span config)
{
    struct span gateway = value_get(config, "gateway");

    pack_reset(&self->place);
    pack_map_begin(&self->place);
    part_keep(&self->place, "mode", value_get(gateway, "mode"));
    part_keep(&self->place, "port", value_get(gateway, "port"));
    part_keep(&self->place, "bind", value_get(gateway, "bind"));
    part_keep(&self->place, "customBindHost", value_get(gateway, "customBindHost"));
    part_keep(&self->place, "tls", value_get(gateway, "tls"));
    part_keep(&self->place, "tailscale", value_get(gateway, "tailscale"));
    part_keep(&self->place, "remoteUrl", value_path(gateway, "remote.url"));
    part_keep(&self->place, "remoteFingerprint", value_path(gateway, "remote.tlsFingerprint"));
    part_keep(&self->place, "publicUrl", value_path(config, "plugins.entries.device-pair.config.publicUrl"));
    pack_map_end(&self->place);
    return pack_error(&self->place);
}

static struct span place_text(const struct auth *self, const char *path)
{
    return value_str(value_path(pack_span(&self->place), path), (struct span){ 0 });
}

static int url_choose(const struct auth *self, const struct msg_device_pair_setup_code *in, struct setup_url *ret_url,
                      char why[SETUP_URL_WHY_MAX])
{
    char lan[SETUP_URL_ADDRESS_MAX];
    char tailnet[SETUP_URL_ADDRESS_MAX];
    struct setup_url_ask ask = { .public_url = in->public_url, .prefers_remote = in->prefer_remote_url };
    struct setup_url_facts facts = {
        .is_tls = value_bool(value_path(pack_span(&self->place), "tls.enabled"), false),
        .is_remote_mode = span_is_text(place_text(self, "mode"), "remote"),
        .port = (uint16_t)value_i64(value_get(pack_span(&self->place), "port"), GATEWAY_CONFIG_PORT),
        .bind = place_text(self, "bind"),
        .custom_host = place_text(self, "customBindHost"),
        .remote_url = place_text(self, "remoteUrl"),
        .public_url = place_text(self, "publicUrl"),
        .tailscale_mode = place_text(self, "tailscale.mode"),
    };

    setup_url_local(lan, tailnet);
    facts.lan_address = lan[0] ? lan : NULL;
    facts.tailnet_address = tailnet[0] ? tailnet : NULL;
    return setup_url_choose(&facts, &ask, ret_url, why);
}

/* Of the certificate that whoever uses the address will meet, when it is known; else empty. */
static void fingerprint_find(const struct auth *self, const struct setup_url *url,
                             char ret_fingerprint[GATEWAY_TLS_FINGERPRINT_MAX])
{
    struct span remote = place_text(self, "remoteFingerprint");
    struct gateway_tls_files files;
    struct config_error error = { "" };
    char text[256];

    ret_fingerprint[0] = '\0';
    if (strncmp(url->url, "wss://", 6) != 0) {
        return;
    }
    if (url->is_own && !gateway_tls_resolve(pack_span(&self->place), config_lookup_process(), &files, &error)) {
        (void)gateway_tls_fingerprint_of(&files, ret_fingerprint, &error); /* without it an authority must vouch */
    } else if (strcmp(url->source, "gateway.remote.url") == 0 && remote.len && remote.len < sizeof(text)) {
        (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(remote));
        (void)gateway_tls_fingerprint_parse(text, ret_fingerprint); /* the config was checked */
    }
}

/* Why no code can be made whatever the address, or NULL. */
static const char *auth_lacks(const struct settings *settings)
{
    switch (settings->mode) {
    case SETTINGS_NONE:
        return "Pairing setup requires gateway.auth.mode \"token\" or \"password\"; current mode is \"none\".";
    case SETTINGS_TOKEN:
        return settings->token[0] ? NULL : "Gateway auth is set to token, but no token is configured.";
    case SETTINGS_PASSWORD:
        return settings->password[0] ? NULL : "Gateway auth is set to password, but no password is configured.";
    case SETTINGS_TRUSTED_PROXY:
        break;
    }
    return NULL;
}

/* --- the code -------------------------------------------------------------------------------------------- */

/* {url, bootstrapToken, expiresAtMs, tlsFingerprint?} */
static int payload_write(const char *url, const char *token, int64_t expires_ms, const char *fingerprint,
                         struct text_buf *out)
{
    struct pack payload;

    pack_init_secret(&payload, CODE_MAX);
    pack_map_begin(&payload);
    pack_kv_text(&payload, "url", url);
    pack_kv_text(&payload, "bootstrapToken", token);
    pack_kv_i64(&payload, "expiresAtMs", expires_ms);
    if (fingerprint[0]) {
        pack_kv_text(&payload, "tlsFingerprint", fingerprint);
    }
    pack_map_end(&payload);
    int r = pack_error(&payload);
    r = r ? r : json_from_value(pack_span(&payload), out);
    pack_deinit(&payload);
    return r;
}

/* The same as base64url without padding. */
static int code_write(const char *url, const char *token, int64_t expires_ms, const char *fingerprint,
                      struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf json = { .is_secret = true };
    int r = payload_write(url, token, expires_ms, fingerprint, &json);

    r = r ? r : base64_encode((struct span){ json.data, json.len }, out);
    for (size_t i = 0; !r && i < out->len; i++) {
        out->data[i] = (char)(out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i]);
    }
    while (!r && out->len && out->data[out->len - 1] == '=') {
        out->len--;
    }
    return r;
}

/* The largest picture that the protocol has room for; none when even the smallest is too large. */
static int picture_write(struct span code, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf png = { 0 };
    struct qr *qr = mem_new(sizeof(*qr));
    int r = qr_encode(code, qr);

    for (unsigned scale = SCALE_MAX; !r && scale; scale--) {
        png.len = 0;
        r = qr_png(qr, scale, &png);
        if (!r && strlen(PICTURE_PREFIX) + (png.len + 2) / 3 * 4 <= PICTURE_MAX) {
            r = text_buf_add(out, SPAN_LIT(PICTURE_PREFIX));
            r = r ? r : base64_encode((struct span){ png.data, png.len }, out);
            break;
        }
    }
    free(qr);
    return r < 0 ? r : 0;
}

struct made {
    char id[SETUPS_ID_LEN];
    char link[SETUP_URL_MAX]; /* empty: none was asked for */
    struct text_buf code;
    struct text_buf picture;
    int64_t expires_ms;
};

static void made_deinit(struct made *self)
{
    text_buf_deinit(&self->code);
    text_buf_deinit(&self->picture);
    mem_wipe(self->link, sizeof(self->link));
}

/* What the caller wants made. */
struct wanted {
    const struct setup_profile *profile;
    struct setup_url url;
    bool has_picture;
    bool has_link;
};

/* The code, and the link that leads to it, are kept together or not at all. */
static int keep(struct auth *self, const struct wanted *wanted, const struct join *join, const char *code,
                struct made *out)
{
    struct store *store = self->judge.store;
    int64_t now_ms = clock_wall_ms();
    int r = store_begin(store);

    r = r ? r : setups_put(store, wanted->profile, join->token, now_ms, out->id);
    r = r || !wanted->has_link ? r : joins_put(store, code, join, now_ms);
    return store_finish(store, r);
}

static int make(struct auth *self, const struct wanted *wanted, struct made *out)
{
    struct join join = { .expires_ms = clock_wall_ms() + BOOTSTRAP_TTL_MS };
    char code[JOINS_CODE_LEN] = "";
    int r = wanted->has_link ? joins_code(self->judge.store, code, join.token) : secret_token_generate(join.token);

    memcpy(join.url, wanted->url.url, sizeof(join.url));
    fingerprint_find(self, &wanted->url, join.fingerprint);
    out->expires_ms = join.expires_ms;
    r = r ? r : keep(self, wanted, &join, code, out);
    r = r ? r : code_write(join.url, join.token, join.expires_ms, join.fingerprint, &out->code);
    if (wanted->has_link && joins_page(join.url, out->link)) {
        (void)strncat(out->link, code, JOINS_CODE_LEN); /* there is room */
    }
    mem_wipe(&join, sizeof(join));
    mem_wipe(code, sizeof(code));
    return r || !wanted->has_picture ? r : picture_write((struct span){ out->code.data, out->code.len }, &out->picture);
}

static int made_reply(struct auth *self, struct actor_ctx *ctx, const struct made *made, const struct wanted *wanted)
{
    struct pack *out = &self->scratch;

    pack_reset(out);
    pack_map_begin(out);
    pack_kv_text(out, "setupId", made->id);
    pack_kv_i64(out, "expiresAtMs", made->expires_ms);
    pack_kv_str(out, "setupCode", (struct span){ made->code.data, made->code.len });
    if (made->picture.len) {
        pack_kv_str(out, "qrDataUrl", (struct span){ made->picture.data, made->picture.len });
    }
    if (made->link[0]) {
        pack_kv_text(out, "joinUrl", made->link);
    }
    pack_kv_text(out, "gatewayUrl", wanted->url.url);
    pack_kv_text(out, "auth", settings_mode_name(self->judge.settings.mode));
    pack_kv_text(out, "urlSource", wanted->url.source);
    pack_kv_text(out, "access", wanted->profile->access);
    if (!wanted->profile->name[0]) {
        pack_kv_bool(out, "accessDowngraded", true);
    }
    pack_map_end(out);
    int r = pack_error(out);
    r = r ? r : actor_reply_span(ctx, pack_span(out));
    mem_wipe(out->data, out->len);
    return r;
}

/* Why what is asked for cannot be made, or NULL. `why` has room for the words. */
static const char *wanted_read(const struct auth *self, const struct msg_device_pair_setup_code *in,
                               struct wanted *ret_wanted, char why[SETUP_URL_WHY_MAX])
{
    bool is_plain = !in->has_bootstrap_profile;
    char page[SETUP_URL_MAX];

    *ret_wanted = (struct wanted){
        .has_link = in->join_url,
        .has_picture = !in->has_include_qr || in->include_qr,
        .profile = setups_profile(in->join_url && is_plain ? SPAN_LIT("node") : in->bootstrap_profile),
    };
    if (!ret_wanted->profile) {
        return "no such bootstrapProfile";
    }
    if (in->join_url && !span_is_text(span_from(ret_wanted->profile->name), "node")) {
        return "Join URLs require bootstrapProfile=node.";
    }
    if (auth_lacks(&self->judge.settings)) {
        return auth_lacks(&self->judge.settings);
    }
    if (url_choose(self, in, &ret_wanted->url, why)) {
        return why;
    }
    if (in->join_url && !joins_page(ret_wanted->url.url, page)) {
        return "Join URLs require a TLS gateway endpoint, except for loopback. Use the setup code directly for "
               "plaintext "
               "LAN pairing.";
    }
    return NULL;
}

int on_setup_code(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_setup_code *in = msg;
    struct made made = { .code.is_secret = true, .picture.is_secret = true };
    char why[SETUP_URL_WHY_MAX];
    struct wanted wanted;
    const char *lacks = wanted_read(self, in, &wanted, why);

    if (lacks) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", lacks);
    }
    int r = auth_disk_note(self, make(self, &wanted, &made));
    if (!r) {
        log_info("setup_code_made", "setup=%s access=%s url=%s link=%d by=%.*s", made.id, wanted.profile->access,
                 wanted.url.url, wanted.has_link, SPAN_FMT(in->client.principal));
        r = made_reply(self, ctx, &made, &wanted);
    } else if (r > 0) {
        r = actor_fail(ctx, FAIL_STORAGE, "no code was made: disk full or failing");
    }
    made_deinit(&made);
    return r;
}

/* --- links -------------------------------------------------------------------------------------------------- */

/* 0 with the verdict, STORE_E_FULL or a fault. */
static int join_judge(struct auth *self, const struct connect_peer *peer, struct span code, struct join *join,
                      struct judge_bearer_verdict *verdict)
{
    struct guard guard;
    bool is_right = false;
    int r = 0;

    guard_join_init(&guard, &self->judge.guards, peer, clock_mono_ms());
    *verdict = (struct judge_bearer_verdict){ .wait_ms = guard_wait_ms(&guard), .refusal = REFUSAL_RATE };
    if (verdict->wait_ms) {
        return 0;
    }
    r = store_begin(self->judge.store);
    r = r ? r : joins_redeem(self->judge.store, code, clock_wall_ms(), &is_right, join);
    r = store_finish(self->judge.store, r);
    if (!r) {
        guard_note(&guard, is_right);
        verdict->refusal = is_right ? REFUSAL_NONE : REFUSAL_TOKEN;
    }
    return r;
}

int setup_calls_join(struct auth *self, const struct answer_to *to, const struct connect_peer *peer, struct span code)
{
    CLEANUP(text_buf_deinit) struct text_buf setup = { .is_secret = true };
    struct judge_bearer_verdict verdict;
    struct join join;
    int r = auth_disk_note(self, join_judge(self, peer, code, &join, &verdict));

    if (r) {
        return r > 0 ? answer_no_room(to) : r;
    }
    if (verdict.refusal != REFUSAL_NONE) {
        return answer_http_refuse(to, &verdict);
    }
    r = payload_write(join.url, join.token, join.expires_ms, join.fingerprint, &setup);
    mem_wipe(&join, sizeof(join));
    log_info("join_link_used", "remote=%.*s", SPAN_FMT(peer->client));
    return r ? r : answer_join(to, peer, (struct span){ setup.data, setup.len }, self->generation);
}

/* --- what became of it --------------------------------------------------------------------------------------- */

int on_setup_status(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_setup_status *in = msg;
    struct setup setup = { .id = "" };
    char id[SETUPS_ID_LEN];
    bool is_found = false;
    int r = 0;

    if (in->setup_id.len < sizeof(id)) {
        (void)snprintf(id, sizeof(id), "%.*s", SPAN_FMT(in->setup_id));
        r = setups_find(self->judge.store, id, clock_wall_ms(), &is_found, &setup);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    if (is_found && setup.device_id[0]) {
        pack_key(&self->scratch, "completion");
        setups_pack(&setup, &self->scratch);
    }
    pack_map_end(&self->scratch);
    r = r ? r : pack_error(&self->scratch);
    return r ? r : actor_reply_span(ctx, pack_span(&self->scratch));
}

int setup_calls_completed(struct auth *self, const struct setup *setup)
{
    pack_reset(&self->scratch);
    setups_pack(setup, &self->scratch);
    log_info("setup_code_used", "setup=%s device=%.32s", setup->id, setup->device_id);
    return actor_publish_span(self->actor, EVENT_DEVICE_PAIR_SETUP_COMPLETED, pack_span(&self->scratch), NULL);
}
