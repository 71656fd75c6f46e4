#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "actors/auth/setup_url.h"

static const struct setup_url_ask nothing_special;

static const char *chosen(struct setup_url_facts facts, struct setup_url_ask ask, const char **ret_source)
{
    static struct setup_url url;
    static char why[SETUP_URL_WHY_MAX];

    facts.port = 18789;
    if (setup_url_choose(&facts, &ask, &url, why)) {
        *ret_source = NULL;
        return why;
    }
    *ret_source = url.source;
    return url.url;
}

static void takes_the_address_it_is_told(void **state)
{
    const char *source;
    struct setup_url_facts facts = { .remote_url = SPAN_LIT("wss://far.example"),
                                     .bind = SPAN_LIT("lan"),
                                     .public_url = SPAN_LIT("https://house.example/ws"),
                                     .lan_address = "192.168.1.7" };

    (void)state;
    assert_string_equal(
        chosen(facts, (struct setup_url_ask){ .public_url = SPAN_LIT("ws://127.0.0.1:19001/") }, &source),
        "ws://127.0.0.1:19001");
    assert_string_equal(source, "request.publicUrl");
    assert_string_equal(chosen(facts, nothing_special, &source), "wss://house.example/ws");
    assert_string_equal(source, "plugins.entries.device-pair.config.publicUrl");
    assert_string_equal(chosen(facts, (struct setup_url_ask){ .prefers_remote = true }, &source), "wss://far.example");
    assert_string_equal(source, "gateway.remote.url");
}

static void names_where_it_is_bound(void **state)
{
    const char *source;
    struct setup_url_facts facts = { .bind = SPAN_LIT("lan"), .lan_address = "192.168.1.7" };

    (void)state;
    assert_string_equal(chosen(facts, nothing_special, &source), "ws://192.168.1.7:18789");
    assert_string_equal(source, "gateway.bind=lan");
    facts.is_tls = true;
    assert_string_equal(chosen(facts, nothing_special, &source), "wss://192.168.1.7:18789");
    facts.bind = SPAN_LIT("custom");
    facts.custom_host = SPAN_LIT("fd00::1");
    assert_string_equal(chosen(facts, nothing_special, &source), "wss://[fd00::1]:18789");
    facts.bind = SPAN_LIT("tailnet");
    facts.tailnet_address = "100.100.1.2";
    assert_string_equal(chosen(facts, nothing_special, &source), "wss://100.100.1.2:18789");
}

static void says_why_there_is_no_address(void **state)
{
    const char *source;
    struct setup_url_facts facts = { .bind = SPAN_LIT("loopback") };

    (void)state;
    assert_non_null(strstr(chosen(facts, nothing_special, &source), "only bound to loopback"));
    facts.bind = SPAN_LIT("lan");
    assert_non_null(strstr(chosen(facts, nothing_special, &source), "no private LAN IP"));
    facts.bind = SPAN_LIT("tailnet");
    facts.tailnet_address = "100.100.1.2"; /* others are on the way there */
    assert_non_null(strstr(chosen(facts, nothing_special, &source), "require a secure gateway URL"));
    facts.tailscale_mode = SPAN_LIT("serve");
    assert_non_null(strstr(chosen(facts, nothing_special, &source), "--public-url wss://"));
    assert_non_null(strstr(chosen(facts, (struct setup_url_ask){ .public_url = SPAN_LIT("not an address") }, &source),
                           "no address"));
    assert_null(source);
}

/* Over plain WebSocket everybody on the way could take the code. */
static void lets_nobody_listen_in(void **state)
{
    static const char *const fine[] = { "ws://localhost:1",     "ws://10.1.2.3",  "ws://172.31.0.1:80",
                                        "ws://attic.local:123", "ws://[fe80::1]", "wss://anywhere.example" };
    static const char *const open[] = { "ws://gateway.example", "http://8.8.8.8:80", "ws://100.64.0.1",
                                        "ws://[2001:db8::1]" };
    const char *source;

    (void)state;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        struct setup_url_ask ask = { .public_url = span_from(fine[i]) };
        assert_string_equal(chosen((struct setup_url_facts){ .port = 0 }, ask, &source), fine[i]);
    }
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        struct setup_url_ask ask = { .public_url = span_from(open[i]) };
        assert_non_null(strstr(chosen((struct setup_url_facts){ .port = 0 }, ask, &source), "secure"));
    }
}

static void reads_addresses_as_people_write_them(void **state)
{
    static const char *const pairs[][2] = {
        { "gateway.example", "wss://gateway.example" },
        { " HTTPS://a.example:8443/ ", "wss://a.example:8443" },
        { "ws://a/b?c=d", "ws://a/b" },
        { "[::1]:80", "wss://[::1]:80" },
        { "a:65535", "wss://a:65535" },
        { "wss://a.example/x/y#z", "wss://a.example/x/y" },
    };
    static const char *const bad[] = { "",          "ws://",        "ws://user@host", "ws://a b",  "ws://a:port",
                                       "ws://[::1", "ws://:8080",   "ws://a:1234567", "ws://a\\b", "ftp://a/\n",
                                       "ws://a:0",  "ws://a:99999", "ws://a:" };
    char out[SETUP_URL_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(setup_url_normalize(span_from(pairs[i][0]), "wss", out));
        assert_string_equal(out, pairs[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(setup_url_normalize(span_from(bad[i]), "wss", out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_address_it_is_told),         cmocka_unit_test(names_where_it_is_bound),
        cmocka_unit_test(says_why_there_is_no_address),         cmocka_unit_test(lets_nobody_listen_in),
        cmocka_unit_test(reads_addresses_as_people_write_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
