/* What the headers of proxies are worth, and what tailscaled says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actors/auth/proxy.h"
#include "actors/auth/whois.h"
#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/pack.h"

struct rig {
    struct pack headers;
    struct pack list;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    pack_init(&rig->headers, 0);
    pack_init(&rig->list, 0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    pack_deinit(&rig->headers);
    pack_deinit(&rig->list);
    free(rig);
    return 0;
}

static struct span packed(struct pack *pack, const char *json)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;

    pack_reset(pack);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, &error), 0);
    return pack_span(pack);
}

static void knows_networks_of_both_families(void **state)
{
    static const struct {
        const char *net;
        const char *inside;
        const char *outside;
    } cases[] = {
        { "10.0.0.1", "10.0.0.1", "10.0.0.2" },
        { "10.0.0.0/8", "10.255.1.2", "11.0.0.1" },
        { "10.0.0.0/9", "10.127.1.2", "10.128.0.1" },
        { " 10.0.0.0/8 ", "::ffff:10.1.1.1", "::10.1.1.1" },
        { "fd00::/8", "fd12::1", "fe00::1" },
        { "2001:db8::1", "2001:db8::1", "2001:db8::2" },
        { "2001:db8::/33", "[2001:db8::9]:443", "2001:db8:8000::" },
        { "0.0.0.0/0", "203.0.113.9:80", "2001:db8::1" },
        { "::/0", "203.0.113.9", "no address" },
    };
    static const char *const bad[] = { "",      "10.0.0",      "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/", "fd00::/129",
                                       "proxy", "10.0.0.1/8x", "1.2.3.4.5",   "/8",          "::1/1000" };
    struct proxy_nets nets = { .n = 1 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(proxy_net_parse(span_from(cases[i].net), &nets.at[0]));
        assert_true(proxy_nets_hold(&nets, span_from(cases[i].inside)));
        assert_false(proxy_nets_hold(&nets, span_from(cases[i].outside)));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(proxy_net_parse(span_from(bad[i]), &nets.at[0]));
    }
    assert_true(proxy_is_loopback(SPAN_LIT("127.8.9.1")) && proxy_is_loopback(SPAN_LIT("::1")));
    assert_false(proxy_is_loopback(SPAN_LIT("128.0.0.1")) || proxy_is_loopback(SPAN_LIT("::2")));
}

static void counts_entries_that_are_no_network(void **state)
{
    struct rig *rig = *state;
    struct proxy_nets nets;
    uint32_t bad = 0;

    proxy_nets_read(packed(&rig->list, "['10.0.0.1',7,'nonsense','fd00::/8']"), &nets, &bad);
    assert_int_equal(nets.n, 2);
    assert_int_equal(bad, 2);
    proxy_nets_read(packed(&rig->list, "{a:'10.0.0.1'}"), &nets, &bad);
    assert_int_equal(nets.n + bad, 0);
}

static void takes_the_address_from_a_trusted_chain_alone(void **state)
{
    static const struct {
        const char *remote;
        const char *headers;
        bool is_real_ip;
        const char *expected;
    } cases[] = {
        { "198.51.100.1", "{'x-forwarded-for':'203.0.113.7'}", false, "198.51.100.1" },
        { "10.0.0.1", "{'x-forwarded-for':'203.0.113.7'}", false, "203.0.113.7" },
        { "10.0.0.1", "{'x-forwarded-for':'1.1.1.1, 203.0.113.7, 10.0.0.2'}", false, "203.0.113.7" },
        { "10.0.0.1", "{'x-forwarded-for':'10.0.0.3, 10.0.0.2'}", false, "10.0.0.3" },
        { "10.0.0.1", "{'x-forwarded-for':'[2001:db8::1]:443'}", false, "2001:db8::1" },
        { "10.0.0.1", "{'x-forwarded-for':'unknown'}", false, "10.0.0.1" },
        { "10.0.0.1", "{'x-forwarded-for':'203.0.113.7, , 10.0.0.2'}", false, "10.0.0.1" },
        { "10.0.0.1", "{'x-real-ip':'203.0.113.7'}", false, "10.0.0.1" },
        { "10.0.0.1", "{'x-real-ip':'203.0.113.7'}", true, "203.0.113.7" },
        { "10.0.0.1", "{'x-real-ip':'nobody'}", true, "10.0.0.1" },
        { "10.0.0.1", "{}", true, "10.0.0.1" },
    };
    struct rig *rig = *state;
    struct proxy_nets trusted = { .n = 1 };

    assert_true(proxy_net_parse(SPAN_LIT("10.0.0.0/24"), &trusted.at[0]));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span got = proxy_client_address(&trusted, span_from(cases[i].remote),
                                               packed(&rig->headers, cases[i].headers), cases[i].is_real_ip);
        assert_true(span_is_text(got, cases[i].expected));
    }
}

static void believes_a_proxy_only_when_everything_fits(void **state)
{
    static const struct {
        const char *remote;
        const char *headers;
        enum refusal expected;
    } cases[] = {
        { "10.0.0.1", "{'x-user':'ann','x-check':'1'}", REFUSAL_NONE },
        { "10.0.0.1", "{'x-user':' ann ','x-check':'1'}", REFUSAL_NONE },
        { "10.0.0.1", "{'x-user':'Ann','x-check':'1'}", REFUSAL_PROXY_USER },
        { "10.0.0.1", "{'x-user':'','x-check':'1'}", REFUSAL_PROXY_USER_MISSING },
        { "10.0.0.1", "{'x-check':'1'}", REFUSAL_PROXY_USER_MISSING },
        { "10.0.0.1", "{'x-user':'ann','x-check':' '}", REFUSAL_PROXY_HEADER },
        { "10.0.0.2", "{'x-user':'ann','x-check':'1'}", REFUSAL_PROXY_SOURCE },
        { "127.0.0.1", "{'x-user':'ann','x-check':'1'}", REFUSAL_PROXY_LOOPBACK },
    };
    struct rig *rig = *state;
    struct proxy_rules rules = { .user_header = "x-user", .required_n = 1, .required = { "x-check" } };
    struct proxy_nets trusted = { .n = 2 };
    struct proxy_verdict verdict;

    rules.users = packed(&rig->list, "['ann']");
    assert_true(proxy_net_parse(SPAN_LIT("10.0.0.1"), &trusted.at[0]));
    assert_true(proxy_net_parse(SPAN_LIT("127.0.0.1"), &trusted.at[1]));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        proxy_judge(&rules, &trusted, span_from(cases[i].remote), packed(&rig->headers, cases[i].headers), &verdict);
        assert_int_equal(verdict.refusal, cases[i].expected);
    }
    rules.is_loopback_allowed = true;
    proxy_judge(&rules, &trusted, SPAN_LIT("127.0.0.1"), packed(&rig->headers, cases[0].headers), &verdict);
    assert_int_equal(verdict.refusal, REFUSAL_NONE);
    assert_string_equal(verdict.user, "ann");
    trusted.n = 0;
    proxy_judge(&rules, &trusted, SPAN_LIT("10.0.0.1"), pack_span(&rig->headers), &verdict);
    assert_int_equal(verdict.refusal, REFUSAL_PROXY_NONE);
    rules.user_header[0] = '\0';
    proxy_judge(&rules, &trusted, SPAN_LIT("10.0.0.1"), pack_span(&rig->headers), &verdict);
    assert_int_equal(verdict.refusal, REFUSAL_PROXY_UNCONFIGURED);
}

#define SERVED                                                                                                         \
    "'tailscale-user-login':'ann@example.com','x-forwarded-for':'100.64.0.7','x-forwarded-proto':'https',"             \
    "'x-forwarded-host':'box'"

static void takes_for_tailscale_serve_only_what_looks_all_like_it(void **state)
{
    struct rig *rig = *state;
    struct proxy_tailscale claim;

    assert_int_equal(proxy_tailscale_claim(true, packed(&rig->headers, "{" SERVED "}"), &claim), REFUSAL_NONE);
    assert_string_equal(claim.login, "ann@example.com");
    assert_string_equal(claim.address, "100.64.0.7");
    assert_int_equal(proxy_tailscale_claim(false, pack_span(&rig->headers), &claim), REFUSAL_TAILSCALE_PROXY_MISSING);
    assert_int_equal(
        proxy_tailscale_claim(true, packed(&rig->headers, "{'tailscale-user-login':'ann@example.com'}"), &claim),
        REFUSAL_TAILSCALE_PROXY_MISSING);
    assert_int_equal(proxy_tailscale_claim(true, packed(&rig->headers, "{'x-forwarded-for':'100.64.0.7'}"), &claim),
                     REFUSAL_TAILSCALE_USER_MISSING);
    assert_int_equal(proxy_tailscale_claim(
                         true, packed(&rig->headers, "{" SERVED ",'x-forwarded-for':'100.64.0.7, 127.0.0.1'}"), &claim),
                     REFUSAL_TAILSCALE_PROXY_MISSING);
    assert_int_equal(
        proxy_tailscale_claim(true, packed(&rig->headers, "{" SERVED ",'x-forwarded-for':'127.0.0.1'}"), &claim),
        REFUSAL_TAILSCALE_PROXY_MISSING);
}

static void reads_a_login_from_a_plain_yes_alone(void **state)
{
    static const char *const bad[] = {
        "",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.0 404 Not Found\r\n\r\n{\"UserProfile\":{\"LoginName\":\"eve\"}}",
        "HTTP/1.0 200 OK\r\n\r\n{\"UserProfile\":{}}",
        "HTTP/1.0 200 OK\r\n\r\n{\"UserProfile\":{\"LoginName\":7}}",
        "HTTP/1.0 200 OK\r\n\r\n{\"UserProfile\":{\"LoginName\":\"eve\"}",
        "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{\"UserProfile\":{\"LoginName\":\"eve\"}}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{\"UserProfile\":{\"LoginName\":\"eve\"}}",
        "SSH-2.0 200 OK\r\n\r\n{\"UserProfile\":{\"LoginName\":\"eve\"}}",
    };
    char login[PROXY_USER_MAX];

    (void)state;
    assert_true(whois_read(
        SPAN_LIT("HTTP/1.0 200 OK\r\ncontent-length: 37\r\n\r\n{\"UserProfile\":{\"LoginName\":\"ann@x\"}}"), login));
    assert_string_equal(login, "ann@x");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(whois_read(span_from(bad[i]), login));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_networks_of_both_families),
        cmocka_unit_test_setup_teardown(counts_entries_that_are_no_network, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_the_address_from_a_trusted_chain_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(believes_a_proxy_only_when_everything_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_for_tailscale_serve_only_what_looks_all_like_it, setup, teardown),
        cmocka_unit_test(reads_a_login_from_a_plain_yes_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
