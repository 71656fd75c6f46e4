/*
 * `openclaw bus keygen|keys|allow|deny`: the keys by which the machines of one gateway know
 * each other. A secret key is written to its file and shown nowhere.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/curve.h"
#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/gateway_state.h"
#include "edge/cli/guest_check.h"

#define FINGERPRINT_MAX 64

static int dir_of(const struct cli *cli, char out[PATH_MAX])
{
    if (snprintf(out, PATH_MAX, "%s/bus", cli->paths.state_dir) >= PATH_MAX) {
        cli_err("the path of the state directory is too long: %s", cli->paths.state_dir);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

static int state_make(const struct cli *cli)
{
    struct gateway_state_error error;

    if (gateway_state_dir("state directory", cli->paths.state_dir, true, &error)) {
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    return CLI_EXIT_OK;
}

static int fault_explain(const char *what, const char *dir, int fault)
{
    cli_err("%s in %s: %s", what, dir, fault_text(fault));
    return CLI_EXIT_SOFTWARE;
}

/* As ssh shows keys: people compare it aloud. "" of what is no key. */
static void fingerprint_make(const char *public_key, char out[FINGERPRINT_MAX])
{
    uint8_t raw[CURVE_RAW_LEN];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char base64[4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1];

    out[0] = '\0';
    if (!curve_is_key(public_key)) {
        return;
    }
    (void)zmq_z85_decode(raw, public_key); /* it is one */
    (void)SHA256(raw, sizeof(raw), digest);
    (void)EVP_EncodeBlock((unsigned char *)base64, digest, sizeof(digest));
    base64[strcspn(base64, "=")] = '\0';
    (void)snprintf(out, FINGERPRINT_MAX, "SHA256:%s", base64);
}

static void peer_pack(const struct curve_peer *peer, struct pack *out)
{
    char fingerprint[FINGERPRINT_MAX];

    fingerprint_make(peer->public_key, fingerprint);
    pack_kv_text(out, "name", peer->name);
    pack_kv_text(out, "publicKey", peer->public_key);
    pack_kv_text(out, "fingerprint", fingerprint);
    pack_key(out, "actors");
    pack_array_begin(out);
    for (size_t i = 0; i < peer->actors_n; i++) {
        pack_text(out, peer->actors[i]);
    }
    pack_array_end(out);
}

/* What it may run, below the line with its name; nothing when the topology says it. */
static void actors_print(const struct curve_peer *peer)
{
    for (size_t i = 0; i < peer->actors_n; i++) {
        cli_out("%s%s", i ? ", " : "  runs ", peer->actors[i]);
    }
    if (peer->actors_n) {
        cli_out("\n");
    }
}

static int peer_report(const struct cli *cli, const char *verb, const struct curve_peer *peer)
{
    CLEANUP(pack_deinit) struct pack out;
    char fingerprint[FINGERPRINT_MAX];

    pack_init(&out, 0);
    if (cli_flag(cli, "json")) {
        pack_map_begin(&out);
        peer_pack(peer, &out);
        pack_map_end(&out);
        return cli_rpc_print_json(pack_span(&out));
    }
    fingerprint_make(peer->public_key, fingerprint);
    cli_out("%s %s  %s\n", verb, peer->name, fingerprint);
    actors_print(peer);
    return CLI_EXIT_OK;
}

/* --- our own ------------------------------------------------------------------------------- */

static int pair_report(const struct cli *cli, const struct curve_pair *pair, const char *dir, bool is_new)
{
    CLEANUP(pack_deinit) struct pack out;
    char fingerprint[FINGERPRINT_MAX];

    pack_init(&out, 0);
    fingerprint_make(pair->public_key, fingerprint);
    if (cli_flag(cli, "json")) {
        pack_map_begin(&out);
        pack_kv_bool(&out, "created", is_new);
        pack_kv_text(&out, "publicKey", pair->public_key);
        pack_kv_text(&out, "fingerprint", fingerprint);
        pack_kv_text(&out, "directory", dir);
        pack_map_end(&out);
        return cli_rpc_print_json(pack_span(&out));
    }
    cli_out("%s\n", is_new ? "A new key pair for this machine." : "This machine has a key pair already.");
    cli_out("  public key   %s\n", pair->public_key);
    cli_out("  fingerprint  %s\n", fingerprint);
    cli_out("  secret       %s/curve.cert_secret (stays on this machine)\n", dir);
    cli_out("On the gateway's machine this is `curve` of the topology. Of another one, tell the gateway:\n");
    cli_out("  openclaw bus allow NAME '%s'\n", pair->public_key);
    return CLI_EXIT_OK;
}

int cmd_bus_keygen(struct cli *cli)
{
    CLEANUP(curve_pair_deinit) struct curve_pair pair = { 0 };
    char dir[PATH_MAX];
    int r = state_make(cli);

    r = r ? r : dir_of(cli, dir);
    if (r) {
        return r;
    }
    r = curve_make(dir, cli_flag(cli, "force"), &pair);
    bool is_new = r == 0;
    r = r == CURVE_E_THERE ? curve_load(dir, &pair) : r;
    if (r == CURVE_E_BAD || r == CURVE_E_MISSING) {
        cli_err("%s/curve.cert_secret is no key pair, or others can read it", dir);
        cli_err_more("make it 0600, or make a new pair with --force: every machine must then be told the new key");
        return CLI_EXIT_CONFIG;
    }
    return r ? fault_explain("cannot make a key pair", dir, r) : pair_report(cli, &pair, dir, is_new);
}

/* --- the others ---------------------------------------------------------------------------- */

static bool name_check(const char *name)
{
    if (curve_is_name(name)) {
        return true;
    }
    cli_err("\"%s\" is no host name: use 1 to 31 of a-z, 0-9 and \"-\", as in the topology", name);
    return false;
}

/* Those of the command line; without any it keeps what it was allowed. */
static int actors_take(const struct cli *cli, const struct curve_peer *before, struct curve_peer *peer)
{
    for (size_t i = 0; i < cli->line.values_n; i++) {
        const char *pattern = cli->line.values[i].text;

        if (strcmp(cli->line.values[i].opt->name, "actors") != 0) {
            continue;
        }
        if (peer->actors_n == TOPOLOGY_GUEST_ACTORS_MAX || strlen(pattern) >= sizeof(peer->actors[0])) {
            cli_err("a host is allowed %d actors, or patterns of them, of at most %d characters",
                    TOPOLOGY_GUEST_ACTORS_MAX, TOPOLOGY_PATTERN_MAX - 1);
            return CLI_EXIT_USAGE;
        }
        (void)strcpy(peer->actors[peer->actors_n++], pattern);
    }
    if (peer->actors_n == 0) {
        memcpy(peer->actors, before->actors, sizeof(peer->actors));
        peer->actors_n = before->actors_n;
    }
    return CLI_EXIT_OK;
}

/* The gateway that runs knows whether its topology has that host; nobody knows it of one that is started later. */
static void place_missing_tell(const struct cli *cli, const char *name)
{
    switch (guest_check_place(cli, name)) {
    case GUEST_PLACE_NAMED:
        return;
    case GUEST_PLACE_MISSING:
        cli_err("it cannot join yet: the topology of the gateway that runs has no host \"%s\" with link \"tcp\"", name);
        break;
    case GUEST_PLACE_UNKNOWN:
        cli_err("it can join a gateway whose topology has a host \"%s\" with link \"tcp\"; none runs here now", name);
        break;
    }
    cli_err_more("what it is to run is in that file, or said here: openclaw bus allow %s KEY --actors 'agent/%s-*'",
                 name, name);
}

int cmd_bus_allow(struct cli *cli)
{
    struct curve_peer peer = { .name = "" };
    struct curve_peer before = { .name = "" };
    struct curve_peer other;
    const char *key = cli_arg(cli, 1);
    char dir[PATH_MAX];
    int r;

    if (!name_check(cli_arg(cli, 0))) {
        return CLI_EXIT_USAGE;
    }
    if (!curve_is_key(key)) {
        cli_err("that is no public key: `openclaw bus keygen` on the other machine prints its %d characters",
                TOPOLOGY_KEY_LEN);
        return CLI_EXIT_USAGE;
    }
    r = state_make(cli);
    r = r ? r : dir_of(cli, dir);
    if (r) {
        return r;
    }
    if (curve_find(dir, key, &other) && strcmp(other.name, cli_arg(cli, 0)) != 0) {
        cli_err("this key is that of \"%s\" already; a key has one name", other.name);
        cli_err_more("take it back with `openclaw bus deny %s` first", other.name);
        return CLI_EXIT_USAGE;
    }
    (void)snprintf(peer.name, sizeof(peer.name), "%s", cli_arg(cli, 0));
    (void)snprintf(peer.public_key, sizeof(peer.public_key), "%s", key);
    if (curve_get(dir, peer.name, &before) == 0 && !before.public_key[0]) {
        curve_kept(dir, peer.name, &before); /* it is allowed anew because its certificate cannot be read */
    }                                        /* else it had nothing, or what stands there */
    r = actors_take(cli, &before, &peer);
    if (r == 0 && cli_given(cli, "actors")) {
        r = guest_check(cli, dir, &before, &peer);
    }
    if (r) {
        return r;
    }
    r = curve_allow(dir, &peer);
    r = r ? fault_explain("cannot keep the key", dir, r) : peer_report(cli, "allowed", &peer);
    if (r == 0 && peer.actors_n == 0) {
        place_missing_tell(cli, peer.name);
    }
    return r;
}

int cmd_bus_deny(struct cli *cli)
{
    struct curve_peer peer = { .name = "" };
    const char *name = cli_arg(cli, 0);
    char dir[PATH_MAX];
    int r;

    if (!name_check(name)) {
        return CLI_EXIT_USAGE;
    }
    r = dir_of(cli, dir);
    if (r) {
        return r;
    }
    r = curve_get(dir, name, &peer);
    r = r < 0 ? r : curve_deny(dir, name);
    if (r == CURVE_E_MISSING) {
        cli_err("\"%s\" is not allowed to join anyway", name);
        return CLI_EXIT_FAILED;
    }
    return r ? fault_explain("cannot take the key back", dir, r) : peer_report(cli, "denied", &peer);
}

/* One that lets nobody join is told of, and passed over. */
static bool is_usable(const struct curve_list *list, size_t i)
{
    const struct curve_peer *peer = &list->peers[i];
    const char *twin = curve_list_twin(list, i);
    char why[256];

    if (twin) {
        curve_twin_explain(peer->name, twin, why, sizeof(why));
        cli_err("%s", why);
        return false;
    }
    if (peer->public_key[0]) {
        return true;
    }
    cli_err("allowed/%s.cert is no regular file with a public key, and actors if any: \"%s\" may not join", peer->name,
            peer->name);
    cli_err_more("allow it anew, after `openclaw bus deny %s`: openclaw bus allow %s KEY", peer->name, peer->name);
    return false;
}

static int list_json(const struct curve_list *list)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_key(&out, "allowed");
    pack_array_begin(&out);
    for (size_t i = 0; i < list->n; i++) {
        if (is_usable(list, i)) {
            pack_map_begin(&out);
            peer_pack(&list->peers[i], &out);
            pack_map_end(&out);
        }
    }
    pack_array_end(&out);
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static int list_show(const struct curve_list *list)
{
    char fingerprint[FINGERPRINT_MAX];
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct curve_peer *peer = &list->peers[i];

        if (is_usable(list, i)) {
            n++;
            fingerprint_make(peer->public_key, fingerprint);
            cli_out("%-16s %s  %s\n", peer->name, peer->public_key, fingerprint);
            actors_print(peer);
        }
    }
    if (n == 0) {
        cli_out("No other machine may join. Allow one: openclaw bus allow NAME KEY\n");
    }
    return CLI_EXIT_OK;
}

int cmd_bus_keys(struct cli *cli)
{
    CLEANUP(curve_list_deinit) struct curve_list list = { 0 };
    char dir[PATH_MAX];
    int r = dir_of(cli, dir);

    if (r) {
        return r;
    }
    r = curve_list_read(dir, &list);
    if (r) {
        return fault_explain("cannot read the keys", dir, r);
    }
    return cli_flag(cli, "json") ? list_json(&list) : list_show(&list);
}
