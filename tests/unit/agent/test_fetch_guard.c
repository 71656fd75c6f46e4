#include "actors/agent/fetch_guard.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"

static bool is_public(const char *text)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return fetch_guard_address((const struct sockaddr *)&in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return fetch_guard_address((const struct sockaddr *)&in6);
}

static void addresses_of_the_public_network_are_allowed(void **state)
{
    static const char *const cases[] = { "8.8.8.8",          "1.1.1.1",        "172.15.255.255",       "172.32.0.1",
                                         "100.63.255.255",   "11.0.0.0",       "2606:4700:4700::1111", "::ffff:8.8.8.8",
                                         "64:ff9b::808:808", "169.253.255.255" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (!is_public(cases[i])) {
            fail_msg("%s", cases[i]);
        }
    }
}

static void all_others_are_not(void **state)
{
    static const char *const cases[] = {
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    };
    struct sockaddr local = { .sa_family = AF_UNIX };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (is_public(cases[i])) {
            fail_msg("%s", cases[i]);
        }
    }
    assert_false(fetch_guard_address(&local));
}

static void urls_are_http_and_name_no_local_host(void **state)
{
    static const struct {
        const char *url;
        int outcome;
    } cases[] = {
        { "https://example.com/x", 0 },
        { "HTTP://EXAMPLE.com", 0 },
        { "http://example.com:8080?x@y", 0 },
        { "http://[2606:4700::1]/x", 0 },
        { "ftp://example.com/", FETCH_GUARD_E_URL },
        { "http:///x", FETCH_GUARD_E_URL },
        { "http://", FETCH_GUARD_E_URL },
        { "http://u@example.com/", FETCH_GUARD_E_URL },
        { "http://u:p@example.com/", FETCH_GUARD_E_URL },
        { "http://example.com\\@evil.example/", FETCH_GUARD_E_URL },
        { "http://exa%6dple.com/", FETCH_GUARD_E_URL },
        { "http://localhost/", FETCH_GUARD_E_LOCAL },
        { "http://LocalHost./", FETCH_GUARD_E_LOCAL },
        { "http://a.localhost:80/", FETCH_GUARD_E_LOCAL },
        { "http://metadata.google.internal/", FETCH_GUARD_E_LOCAL },
        { "http://printer.local/", FETCH_GUARD_E_LOCAL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (fetch_guard_url(span_from(cases[i].url), (struct span){ 0 }) != cases[i].outcome) {
            fail_msg("%s", cases[i].url);
        }
    }
}

static void a_list_of_hosts_is_the_only_ones(void **state)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack hosts;

    (void)state;
    pack_init(&hosts, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("[\"cdn.example\",\"*.Assets.example\"]"), &opts, &hosts, NULL), 0);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://cdn.example/x"), pack_span(&hosts)), 0);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://a.assets.example/x"), pack_span(&hosts)), 0);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://assets.example/x"), pack_span(&hosts)), FETCH_GUARD_E_HOST);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://xassets.example/"), pack_span(&hosts)), FETCH_GUARD_E_HOST);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://x.cdn.example/"), pack_span(&hosts)), FETCH_GUARD_E_HOST);
    assert_int_equal(fetch_guard_url(SPAN_LIT("https://cdn.example@evil/"), pack_span(&hosts)), FETCH_GUARD_E_URL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_the_public_network_are_allowed),
        cmocka_unit_test(all_others_are_not),
        cmocka_unit_test(urls_are_http_and_name_no_local_host),
        cmocka_unit_test(a_list_of_hosts_is_the_only_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
