#include "edge/http/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct site_target route(const struct site *site, const char *path, const char *headers)
{
    static char head[8192];
    struct request request;
    struct site_target target;
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);

    assert_int_equal(request_parse((struct span){ head, (size_t)len }, &request), 0);
    site_route(site, &request, &target);
    return target;
}

static const char navigates[] = "Accept: text/html,application/xhtml+xml\r\n";
static const char fetches[] = "Accept: */*\r\nSec-Fetch-Dest: empty\r\n";

static void gives_the_page_to_who_navigates_and_nothing_else_to_who_fetches(void **state)
{
    struct site site = { 0 };
    struct site_target target;

    (void)state;
    site_configure(&site, (struct span){ NULL, 0 }, "/home/u");
    target = route(&site, "/", fetches);
    assert_int_equal(target.kind, SITE_FILE);
    assert_string_equal(target.name, "index.html");
    target = route(&site, "/chat?session=main", navigates);
    assert_true(target.kind == SITE_FILE && target.falls_back);
    assert_string_equal(target.name, "chat");
    assert_false(route(&site, "/chat", fetches).falls_back);
    assert_true(route(&site, "/chat", "").falls_back);
    assert_false(route(&site, "/chat", "Accept: text/html\r\nSec-Fetch-Dest: iframe\r\n").falls_back);
    assert_false(route(&site, "/gone.js", navigates).falls_back);
    assert_int_equal(route(&site, "/deep/in/the/page/", navigates).kind, SITE_ABSENT); /* the start page has no depth */
    (void)snprintf(site.root, sizeof(site.root), "/srv");
    target = route(&site, "/deep/in/the/page/", navigates);
    assert_int_equal(target.kind, SITE_FILE);
    assert_string_equal(target.name, "index.html");
    assert_string_equal(route(&site, "/chat/assets/x.js", fetches).name, "assets/x.js");
    assert_int_equal(route(&site, "/__openclaw/control-ui-config.json", fetches).kind, SITE_SETTINGS);
}

static void leaves_to_programs_what_is_theirs(void **state)
{
    static const char *const paths[] = { "/v1/nope", "/v1",      "/api/x",     "/tools/invoke",          "/hooks/wake",
                                         "/healthz", "/metrics", "/plugins/x", "/__openclaw__/canvas/x", "/avatar/main",
                                         "/ui" };
    struct site site = { 0 };

    (void)state;
    site_configure(&site, (struct span){ NULL, 0 }, "");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(route(&site, paths[i], navigates).kind, SITE_NONE);
    }
    assert_int_equal(route(&site, "/v1x", navigates).kind, SITE_FILE);
    site.is_on = false;
    assert_int_equal(route(&site, "/", navigates).kind, SITE_NONE);
}

static void names_nothing_outside_and_nothing_hidden(void **state)
{
    static const char *const paths[] = { "/../etc/passwd",
                                         "/%2e%2e/etc/passwd",
                                         "/a/%2e%2e%2f%2e%2e/x",
                                         "/..%2f..%2fetc",
                                         "/.git/config",
                                         "/a/.env",
                                         "/a//b",
                                         "/%5c..%5cx",
                                         "/a%00.js",
                                         "/%zz",
                                         "/a%2",
                                         "//etc/passwd",
                                         "/a/../",
                                         "/%2e%2e/" };
    struct site site = { 0 };

    (void)state;
    site_configure(&site, (struct span){ NULL, 0 }, "");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(route(&site, paths[i], fetches).kind, SITE_ABSENT);
    }
}

static void lives_below_its_base(void **state)
{
    struct site site = { 0 };

    (void)state;
    site_configure(&site, (struct span){ NULL, 0 }, "");
    (void)snprintf(site.base, sizeof(site.base), "/claw");
    assert_int_equal(route(&site, "/", navigates).kind, SITE_NONE);
    assert_int_equal(route(&site, "/claws", navigates).kind, SITE_NONE);
    assert_int_equal(route(&site, "/claw", navigates).kind, SITE_REDIRECT);
    assert_string_equal(route(&site, "/claw/", navigates).name, "index.html");
    assert_string_equal(route(&site, "/claw/assets/a.css", fetches).name, "assets/a.css");
    assert_int_equal(route(&site, "/claw/__openclaw/control-ui-config.json", fetches).kind, SITE_SETTINGS);
    assert_int_equal(route(&site, "/claw/v1/x", navigates).kind, SITE_ABSENT);
}

static void allows_the_inline_scripts_of_a_page_and_no_others(void **state)
{
    struct site site = { .is_on = true, .root = "/srv" };
    struct text_buf out = { 0 };
    struct span page = SPAN_LIT("<script src=\"a.js\"></script><script>alert(1)</script><script type=\"module\" "
                                "src=\"b.js\"></script><script>open");

    (void)state;
    assert_int_equal(site_guard_write(&site, page, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    /* printf 'alert(1)' | openssl dgst -sha256 -binary | base64 */
    assert_non_null(strstr(out.data, "script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; "));
    assert_non_null(strstr(out.data, "frame-ancestors 'none'"));
    assert_non_null(strstr(out.data, "X-Frame-Options: DENY\r\n"));
    text_buf_deinit(&out);
    site.root[0] = '\0';
    assert_int_equal(site_guard_write(&site, page, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_null(strstr(out.data, "sha256-"));
    assert_null(strstr(out.data, "unsafe"));
    text_buf_deinit(&out);
}

static void knows_types_and_how_long_they_last(void **state)
{
    (void)state;
    assert_string_equal(site_type("a/b.JS"), "application/javascript; charset=utf-8");
    assert_string_equal(site_type("b.tar.gz"), "application/octet-stream");
    assert_string_equal(site_type("a.d/b"), "application/octet-stream");
    assert_string_equal(site_cache("assets/index-NYVkUQrq.js"), "public, max-age=31536000, immutable");
    assert_string_equal(site_cache("assets/index-1.js"), "no-cache");
    assert_string_equal(site_cache("assets/push-t-HLAALR.js"), "public, max-age=31536000, immutable");
    assert_string_equal(site_cache("index-NYVkUQrq.js"), "no-cache");
    assert_string_equal(site_cache("assets/date-formatter.js"), "no-cache");
    assert_string_equal(site_cache("assets/my-calendar.js"), "no-cache");
    assert_true(site_is_page("x.html"));
    assert_true(site_is_page("x.htm"));
    assert_false(site_is_page("x.html.txt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_page_to_who_navigates_and_nothing_else_to_who_fetches),
        cmocka_unit_test(leaves_to_programs_what_is_theirs),
        cmocka_unit_test(names_nothing_outside_and_nothing_hidden),
        cmocka_unit_test(lives_below_its_base),
        cmocka_unit_test(allows_the_inline_scripts_of_a_page_and_no_others),
        cmocka_unit_test(knows_types_and_how_long_they_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
