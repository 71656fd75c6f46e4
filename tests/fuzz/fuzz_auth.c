/* What a stranger says in its first request: never a crash, never a way in. */
#include <string.h>

#include "actors/auth/connect.h"
#include "actors/auth/device.h"
#include "actors/auth/proxy.h"
#include "actors/auth/scopes.h"
#include "actors/auth/whois.h"
#include "bus/json.h"
#include "bus/value.h"
#include "tests/fuzz/fuzz.h"

static void judge(struct span params)
{
    struct connect_request request;
    struct connect_peer peer = { .remote = SPAN_LIT("203.0.113.9") };
    enum connect_role role;
    struct pack scopes;
    struct proxy_net net;
    struct proxy_tailscale claim;
    char login[PROXY_USER_MAX];
    struct proxy_nets nets = { 0 };

    if (connect_parse(params, &request)) {
        return;
    }
    peer.origin = request.platform;
    peer.host = request.device_family;
    (void)connect_role_of(&request, &role);
    (void)connect_origin_check(&request, &peer, &(struct connect_origins){ .allowed = request.scopes });
    FUZZ_HOLD(!connect_is_local(&peer)); /* its socket is not loopback, whatever it says */
    /* The nonce is not one that a corpus could have signed. */
    FUZZ_HOLD(!request.device.is_present ||
              device_verify(&request, SPAN_LIT("a nonce of this run"), request.device.signed_at_ms) != REFUSAL_NONE);
    FUZZ_HOLD(!proxy_net_parse(request.platform, &net) || net.bits <= 128);
    (void)proxy_tailscale_claim(true, params, &claim);
    (void)proxy_client_address(&nets, request.platform, params, true);
    nets.n = 1;
    (void)proxy_client_address(&nets, SPAN_LIT("::1"), params, true); /* ::/0: everybody is a proxy */
    (void)whois_read(request.display_name, login);
    (void)scopes_from_header(request.platform);
    pack_init(&scopes, 0);
    scopes_pack_asked(request.scopes, &scopes);
    FUZZ_HOLD(pack_error(&scopes) == 0);
    FUZZ_HOLD((scopes_from_list(pack_span(&scopes)) & ~SCOPES_ALL) == 0);
    FUZZ_HOLD(scopes_from_list(pack_span(&scopes)) == scopes_from_list(request.scopes));
    pack_deinit(&scopes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;
    struct pack params;

    pack_init(&params, 0);
    if (json_to_pack((struct span){ (const char *)data, size }, &opts, &params, &error) == 0) {
        judge(pack_span(&params));
    }
    pack_deinit(&params);
    return 0;
}
