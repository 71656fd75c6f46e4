#include "edge/http/avatar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct avatar avatar_at(const char *source)
{
    struct avatar avatar;

    avatar_read(span_from(source), SPAN_LIT("/home/u/work/"), "/home/u", &avatar);
    return avatar;
}

static void shows_pictures_of_the_workspace_alone(void **state)
{
    static const struct {
        const char *source;
        enum avatar_kind kind;
        const char *want; /* name, or the reason */
    } rows[] = {
        { "face.png", AVATAR_LOCAL, "face.png" },
        { " ./pics/face.SVG ", AVATAR_LOCAL, "pics/face.SVG" },
        { "/home/u/work/face.webp", AVATAR_LOCAL, "face.webp" },
        { "~/work/face.gif", AVATAR_LOCAL, "face.gif" },
        { "/home/u/workshop/face.png", AVATAR_NONE, "outside_workspace" },
        { "/home/u/work/../x.png", AVATAR_NONE, "outside_workspace" },
        { "../face.png", AVATAR_NONE, "outside_workspace" },
        { "a/../../face.png", AVATAR_NONE, "outside_workspace" },
        { "~/face.png", AVATAR_NONE, "outside_workspace" },
        { "/etc/passwd", AVATAR_NONE, "outside_workspace" },
        { "face.txt", AVATAR_NONE, "unsupported_extension" },
        { "face", AVATAR_NONE, "unsupported_extension" },
        { ".hidden/face.png", AVATAR_NONE, "missing" },
        { "a//face.png", AVATAR_NONE, "missing" },
        { "", AVATAR_NONE, "missing" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct avatar avatar = avatar_at(rows[i].source);

        assert_int_equal(avatar.kind, rows[i].kind);
        assert_string_equal(avatar.kind == AVATAR_LOCAL ? avatar.name : avatar.reason, rows[i].want);
    }
    assert_int_equal(avatar_at("HTTPS://x.example/y.png").kind, AVATAR_REMOTE);
    assert_int_equal(avatar_at("data:image/png;base64,AAAA").kind, AVATAR_DATA);
}

static void expect(const char *source, int r, const char *url, const char *facts)
{
    struct avatar avatar = avatar_at(source);
    struct text_buf out = { 0 };

    if (avatar.kind == AVATAR_LOCAL) {
        avatar_note(&avatar, r);
    }
    assert_int_equal(avatar_url_write(&avatar, "/claw", SPAN_LIT("main"), &out), 0);
    assert_true(span_is_text((struct span){ out.data, out.len }, url));
    out.len = 0;
    assert_int_equal(avatar_facts_write(&avatar, "a", &out), 0);
    assert_true(span_is_text((struct span){ out.data, out.len }, facts));
    text_buf_deinit(&out);
}

static void says_no_more_of_it_than_a_page_needs(void **state)
{
    (void)state;
    expect("a/b.png", 0, "\"/claw/avatar/main\"", "\"aSource\":\"a/b.png\",\"aStatus\":\"local\",\"aReason\":null");
    expect("a/b.png", -EFBIG, "null", "\"aSource\":\"a/b.png\",\"aStatus\":\"none\",\"aReason\":\"too_large\"");
    expect("a/b.png", -ENOENT, "null", "\"aSource\":\"a/b.png\",\"aStatus\":\"none\",\"aReason\":\"missing\"");
    expect("/home/u/work/a.png", 0, "\"/claw/avatar/main\"", "\"aSource\":null,\"aStatus\":\"local\",\"aReason\":null");
    expect("/etc/x.png", 0, "null", "\"aSource\":null,\"aStatus\":\"none\",\"aReason\":\"outside_workspace\"");
    expect("https://x/y.png?key=1", 0, "\"https://x/y.png?key=1\"",
           "\"aSource\":\"remote URL\",\"aStatus\":\"remote\",\"aReason\":null");
    expect("data:image/png;base64,AAAA", 0, "\"data:image/png;base64,AAAA\"",
           "\"aSource\":\"data:image/png;base64,...\",\"aStatus\":\"data\",\"aReason\":null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_pictures_of_the_workspace_alone),
        cmocka_unit_test(says_no_more_of_it_than_a_page_needs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
