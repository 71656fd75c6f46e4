#include "edge/http/canvas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bus/pack.h"

#define TOKEN "abcdefghijklmnopqrstuvwx"
#define SCOPED "/__openclaw__/cap/" TOKEN

static struct request request_of(const char *path, const char *headers)
{
    static char head[8192];
    struct request request;
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n%s\r\n", path, headers);

    assert_int_equal(request_parse((struct span){ head, (size_t)len }, &request), 0);
    return request;
}

static struct canvas_target route(const struct canvas *canvas, const char *path)
{
    struct request request = request_of(path, "Host: x\r\n");
    struct canvas_target target;

    canvas_route(canvas, &request, &target);
    return target;
}

static struct canvas plain(void)
{
    struct canvas canvas = { 0 };

    canvas_configure(&canvas, (struct span){ NULL, 0 }, "/home/u", "/state");
    return canvas;
}

static void takes_what_is_below_its_paths_and_nothing_else(void **state)
{
    static const char *const foreign[] = {
        "/",           "/v1/models",    "/__openclaw__/canvasx", "/__openclaw__/x",
        "/canvas/x",   "/__openclaw__", "/__openclaw__/wsx",     "/__openclaw__/a2uix/",
        "/__openclaw/"
    };
    struct canvas canvas = plain();

    (void)state;
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        assert_int_equal(route(&canvas, foreign[i]).kind, CANVAS_NONE);
    }
    assert_string_equal(route(&canvas, "/__openclaw__/canvas/").name, "index.html");
    assert_string_equal(route(&canvas, "/__openclaw__/canvas/a/b/").name, "a/b/index.html");
    assert_string_equal(route(&canvas, "/__openclaw__/canvas/a%20b.js").name, "a b.js");
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/x.js").kind, CANVAS_FILE);
    assert_int_equal(route(&canvas, "/__openclaw__/canvas").kind, CANVAS_REDIRECT);
    assert_string_equal(route(&canvas, "/__openclaw__/a2ui/?platform=ios").name, "index.html");
    assert_int_equal(route(&canvas, "/__openclaw__/a2ui/x.js").kind, CANVAS_A2UI);
    assert_int_equal(route(&canvas, "/__openclaw__/ws").kind, CANVAS_LIVE);
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/../x").kind, CANVAS_ABSENT);
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/%2e%2e/x").kind, CANVAS_ABSENT);
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/.git/x").kind, CANVAS_ABSENT);
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/a//b").kind, CANVAS_ABSENT);
}

static void finds_the_capability_in_the_path_or_the_query(void **state)
{
    static const char *const broken[] = { "/__openclaw__/cap", "/__openclaw__/cap/", "/__openclaw__/cap//x", SCOPED };
    struct canvas canvas = plain();
    struct canvas_target target = route(&canvas, SCOPED "/__openclaw__/canvas/x.js");

    (void)state;
    assert_true(target.has_token && span_is_text(target.token, TOKEN));
    assert_int_equal(target.kind, CANVAS_FILE);
    assert_string_equal(target.name, "x.js");
    target = route(&canvas, "/__openclaw__/canvas/x.js?a=b&oc_cap=" TOKEN);
    assert_true(target.has_token && span_is_text(target.token, TOKEN));
    target = route(&canvas, SCOPED "/__openclaw__/ws?oc_cap=other");
    assert_true(span_is_text(target.token, TOKEN));
    assert_int_equal(target.kind, CANVAS_LIVE);
    assert_int_equal(route(&canvas, SCOPED "/v1/models").kind, CANVAS_ABSENT);
    assert_int_equal(route(&canvas, SCOPED "/__openclaw__/cap/x/__openclaw__/canvas/").kind, CANVAS_ABSENT);
    assert_false(route(&canvas, "/__openclaw__/canvas/x.js?a=oc_cap").has_token);
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_true(route(&canvas, broken[i]).kind == CANVAS_DENIED || !route(&canvas, broken[i]).has_token);
        assert_int_not_equal(route(&canvas, broken[i]).kind, CANVAS_FILE);
    }
}

static void follows_its_settings(void **state)
{
    struct canvas canvas = plain();
    struct pack pack;

    (void)state;
    assert_true(canvas.is_on && canvas.is_live && canvas.is_root_default && !canvas.is_same_origin);
    assert_string_equal(canvas.root, "/state/canvas");
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_key(&pack, "canvasHost");
    pack_map_begin(&pack);
    pack_kv_text(&pack, "root", "~/pages");
    pack_kv_bool(&pack, "liveReload", false);
    pack_map_end(&pack);
    pack_map_end(&pack);
    canvas_configure(&canvas, pack_span(&pack), "/home/u", "/state");
    assert_string_equal(canvas.root, "/home/u/pages");
    assert_false(canvas.is_root_default || canvas.is_live);
    assert_int_equal(route(&canvas, "/__openclaw__/ws").kind, CANVAS_ABSENT);
    pack_reset(&pack);
    pack_map_begin(&pack);
    pack_key(&pack, "canvasHost");
    pack_map_begin(&pack);
    pack_kv_bool(&pack, "enabled", false);
    pack_map_end(&pack);
    pack_map_end(&pack);
    canvas_configure(&canvas, pack_span(&pack), "/home/u", "/state");
    assert_int_equal(route(&canvas, "/__openclaw__/canvas/").kind, CANVAS_NONE);
    pack_deinit(&pack);
}

static void puts_a_script_at_the_end_of_the_body(void **state)
{
    static const struct {
        const char *page;
        const char *want;
    } rows[] = {
        { "<body>x</body></html>", "<body>x\n<script>\nS</script>\n</body></html>" },
        { "a</BODY>b</Body>", "a</BODY>b\n<script>\nS</script>\n</Body>" },
        { "", "\n<script>\nS</script>\n" },
        { "</body", "</body\n<script>\nS</script>\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text_buf out = { 0 };

        assert_int_equal(canvas_page_write(span_from(rows[i].page), SPAN_LIT("S"), &out), 0);
        assert_true(span_is_text((struct span){ out.data, out.len }, rows[i].want));
        text_buf_deinit(&out);
    }
}

static void believes_a_client_where_it_finds_the_gateway(void **state)
{
    static const struct {
        const char *headers;
        bool is_sealed;
        const char *want; /* NULL: no address */
    } rows[] = {
        { "Host: a.example:18789\r\n", false, "http://a.example:18789" },
        { "Host: a.example\r\n", true, "https://a.example" },
        { "Host: [::1]:1\r\nX-Forwarded-Proto: https, http\r\n", false, "https://[::1]:1" },
        { "Host: inner\r\nX-Forwarded-Host: out.example , x\r\n", false, "http://out.example" },
        { "Host: a/b\r\n", false, NULL },
        { "Host: a@b\r\n", false, NULL },
        { "Host: :1\r\n", false, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct request request = request_of("/", rows[i].headers);
        char origin[CANVAS_ORIGIN_MAX];
        bool has_one = canvas_origin_read(&request, rows[i].is_sealed, origin);

        assert_int_equal(has_one, rows[i].want != NULL);
        if (has_one) {
            assert_string_equal(origin, rows[i].want);
        }
    }
}

static void encodes_a_segment(void **state)
{
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(canvas_segment_write("a b/\r\n\xc3\xa4~", &out), 0);
    assert_true(span_is_text((struct span){ out.data, out.len }, "a%20b%2F%0D%0A%C3%A4~"));
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_below_its_paths_and_nothing_else),
        cmocka_unit_test(finds_the_capability_in_the_path_or_the_query),
        cmocka_unit_test(follows_its_settings),
        cmocka_unit_test(puts_a_script_at_the_end_of_the_body),
        cmocka_unit_test(believes_a_client_where_it_finds_the_gateway),
        cmocka_unit_test(encodes_a_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
