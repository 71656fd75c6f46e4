#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/auth/connect.h"
#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/pack.h"

static int parse(const char *json, struct pack *params, struct connect_request *request)
{
    struct json_opts opts = { 0 };
    struct json_error error;

    pack_reset(params);
    assert_int_equal(json_to_pack(span_from(json), &opts, params, &error), 0);
    return connect_parse(pack_span(params), request);
}

static void refuses_params_of_another_shape(void **state)
{
    static const char *const bad[] = {
        "null",
        "[]",
        "{}",
        "{\"minProtocol\":3,\"maxProtocol\":3}",
        "{\"minProtocol\":\"3\",\"maxProtocol\":3,\"client\":{\"id\":\"cli\",\"mode\":\"cli\"}}",
        "{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":7,\"mode\":\"cli\"}}",
        "{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":\"cli\",\"mode\":\"cli\"},\"role\":[]}",
        "{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":\"cli\",\"mode\":\"cli\"},\"auth\":{\"token\":1}}",
        "{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":\"cli\",\"mode\":\"cli\"},\"device\":\"x\"}",
        ("{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":\"cli\",\"mode\":\"cli\"},"
         "\"device\":{\"id\":\"a\",\"signedAt\":\"now\"}}"),
    };
    struct pack params;
    struct connect_request request;

    (void)state;
    pack_init(&params, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(parse(bad[i], &params, &request), CONNECT_E_MALFORMED);
    }
    pack_deinit(&params);
}

static void is_an_operator_unless_it_says_otherwise(void **state)
{
    struct connect_request request = { 0 };
    enum connect_role role;

    (void)state;
    assert_int_equal(connect_role_of(&request, &role), REFUSAL_NONE);
    assert_int_equal(role, CONNECT_ROLE_OPERATOR);
    request.role = SPAN_LIT("node");
    assert_int_equal(connect_role_of(&request, &role), REFUSAL_NONE);
    assert_int_equal(role, CONNECT_ROLE_NODE);
    request.role = SPAN_LIT("admin");
    assert_int_equal(connect_role_of(&request, &role), REFUSAL_ROLE);
}

static struct connect_peer peer(bool is_loopback, const char *host, const char *origin)
{
    return (struct connect_peer){
        .remote = is_loopback ? SPAN_LIT("127.0.0.1") : SPAN_LIT("203.0.113.9"),
        .is_loopback = is_loopback,
        .host = span_from(host),
        .origin = span_from(origin),
    };
}

static void takes_locality_from_the_socket_alone(void **state)
{
    struct connect_peer here = peer(true, "127.0.0.1:18789", "");
    struct connect_peer far = peer(false, "localhost:18789", "");
    struct connect_peer named = peer(true, "gateway.example.com", "");
    struct connect_peer proxied = peer(true, "localhost", "");

    (void)state;
    assert_true(connect_is_local(&here));
    assert_false(connect_is_local(&far));
    assert_false(connect_is_local(&named));
    proxied.has_proxy_header = true;
    assert_false(connect_is_local(&proxied));
    here.host = SPAN_LIT("[::1]:18789");
    assert_true(connect_is_local(&here));
    here.host = SPAN_LIT("");
    assert_true(connect_is_local(&here));
}

struct origin_case {
    bool is_loopback;
    const char *host;
    const char *origin;
    const char *client;
    enum refusal expected;
};

static void lets_pages_in_by_where_they_come_from(void **state)
{
    static const struct origin_case cases[] = {
        { true, "127.0.0.1:1", "", "cli", REFUSAL_NONE },
        { true, "127.0.0.1:1", "", "openclaw-control-ui", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "null", "openclaw-control-ui", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:99", "openclaw-control-ui", REFUSAL_NONE },
        { true, "127.0.0.1:1", "http://localhost:99", "openclaw-control-ui", REFUSAL_NONE },
        { true, "127.0.0.1:1", "http://evil.example", "openclaw-control-ui", REFUSAL_ORIGIN },
        { true, "127.0.0.1:1", "http://evil.example", "cli", REFUSAL_ORIGIN },
        /* a name that was rebound to this machine */
        { true, "evil.example:1", "http://evil.example:1", "openclaw-control-ui", REFUSAL_ORIGIN },
        /* more than a scheme, a host and a port is no origin */
        { true, "127.0.0.1:1", "http://127.0.0.1:99@evil.example", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://me@127.0.0.1:99", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:99/", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:99?q", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:99#f", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:99\\evil.example", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://127.0.0.1:evil", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://[::1].evil.example", "cli", REFUSAL_ORIGIN_MISSING },
        { true, "127.0.0.1:1", "http://[::1]:99", "cli", REFUSAL_NONE },
        { true, "127.0.0.1:1", "http://[::1]", "cli", REFUSAL_NONE },
        { false, "192.168.1.5:1", "http://192.168.1.5:1", "openclaw-control-ui", REFUSAL_NONE },
        { false, "192.168.1.5:1", "http://192.168.1.5:2", "openclaw-control-ui", REFUSAL_ORIGIN },
        { false, "192.168.1.5:1", "http://127.0.0.1:1", "openclaw-control-ui", REFUSAL_ORIGIN },
        { false, "x", "https://ui.example.com", "openclaw-control-ui", REFUSAL_NONE },
        { false, "x", "https://UI.example.com", "openclaw-control-ui", REFUSAL_NONE },
        { false, "x", "http://ui.example.com", "openclaw-control-ui", REFUSAL_ORIGIN },
        { false, "x", "https://ui.example.com.evil.example", "openclaw-control-ui", REFUSAL_ORIGIN },
    };
    struct pack allowed;

    (void)state;
    pack_init(&allowed, 0);
    pack_array_begin(&allowed);
    pack_text(&allowed, "https://ui.example.com/");
    pack_array_end(&allowed);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct connect_request request = { .client_id = span_from(cases[i].client), .client_mode = SPAN_LIT("ui") };
        struct connect_peer from = peer(cases[i].is_loopback, cases[i].host, cases[i].origin);
        struct connect_origins origins = { .allowed = pack_span(&allowed) };
        assert_int_equal(connect_origin_check(&request, &from, &origins), cases[i].expected);
    }
    pack_deinit(&allowed);
}

static void believes_the_host_header_only_when_the_config_dares(void **state)
{
    struct connect_request request = { .client_id = SPAN_LIT("openclaw-control-ui"), .client_mode = SPAN_LIT("ui") };
    struct connect_peer from = peer(false, "ui.example:1", "http://ui.example:1");
    struct connect_origins origins = { 0 };

    (void)state;
    assert_int_equal(connect_origin_check(&request, &from, &origins), REFUSAL_ORIGIN);
    origins.is_host_header_fine = true;
    assert_int_equal(connect_origin_check(&request, &from, &origins), REFUSAL_NONE);
    from.origin = SPAN_LIT("http://evil.example:1");
    assert_int_equal(connect_origin_check(&request, &from, &origins), REFUSAL_ORIGIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_params_of_another_shape),
        cmocka_unit_test(is_an_operator_unless_it_says_otherwise),
        cmocka_unit_test(takes_locality_from_the_socket_alone),
        cmocka_unit_test(lets_pages_in_by_where_they_come_from),
        cmocka_unit_test(believes_the_host_header_only_when_the_config_dares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
