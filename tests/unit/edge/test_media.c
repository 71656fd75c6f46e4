#include "edge/http/media.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const unsigned char key[MEDIA_KEY_LEN] = { 1, 2, 3 };

static void reads_which_file_is_asked_for(void **state)
{
    static const struct {
        const char *query;
        const char *path; /* NULL: none */
    } rows[] = {
        { "source=/a/b.png", "/a/b.png" },
        { "source=%2Fa%2Fb+c.png&meta=1", "/a/b c.png" },
        { "source=~/b.png", "/home/u/b.png" },
        { "source=file:///a/b%2520c.png", "/a/b c.png" },
        { "source=file://localhost/a/b.png", "/a/b.png" },
        { "source=file://elsewhere/a/b.png", NULL },
        { "source=file://", NULL },
        { "source=a/b.png", "a/b.png" },
        { "source=%00", NULL },
        { "source=%ff", NULL },
        { "source=+", NULL },
        { "source=", NULL },
        { "meta=1", NULL },
        { "", NULL },
    };
    struct media_ask ask;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool has_one = media_ask_read(span_from(rows[i].query), "/home/u", &ask);

        assert_int_equal(has_one, rows[i].path != NULL);
        if (has_one) {
            assert_string_equal(ask.path, rows[i].path);
        }
    }
    assert_true(media_ask_read(SPAN_LIT("source=/a&meta=1&agentId=ops&mediaTicket=v1.x"), "", &ask));
    assert_true(ask.is_meta && ask.has_ticket);
    assert_string_equal(ask.agent_id, "ops");
    assert_true(media_ask_read(SPAN_LIT("source=/a&meta=10"), "", &ask));
    assert_false(ask.is_meta || ask.has_ticket);
}

static void knows_what_lies_below_a_directory(void **state)
{
    const char *name = NULL;

    (void)state;
    assert_true(media_below("/srv/media/a/b.png", "/srv/media", &name));
    assert_string_equal(name, "a/b.png");
    assert_true(media_below("/srv/media/a", "/srv/media/", &name));
    assert_false(media_below("/srv/media", "/srv/media", &name));
    assert_false(media_below("/srv/mediaX/a", "/srv/media", &name));
    assert_false(media_below("srv/media/a", "srv/media", &name)); /* a root is a whole path */
    assert_false(media_below("/a", "", &name));
}

static struct media_ask ask_of(const char *query, const char *ticket)
{
    struct media_ask ask;

    assert_true(media_ask_read(span_from(query), "", &ask));
    ask.has_ticket = ticket[0] != '\0';
    (void)snprintf(ask.ticket, sizeof(ask.ticket), "%s", ticket);
    return ask;
}

static void a_ticket_is_for_one_file_and_one_time(void **state)
{
    static const unsigned char other_key[MEDIA_KEY_LEN] = { 9 };
    struct media_ask ask = ask_of("source=/a/b.png", "");
    char ticket[MEDIA_TICKET_MAX];
    char forged[MEDIA_TICKET_MAX + 2];

    (void)state;
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    media_ticket_make(key, &ask, 7, 1000 + MEDIA_TICKET_MS, ticket);
    ask = ask_of("source=/a/b.png", ticket);
    assert_true(media_ticket_is_good(key, &ask, 7, 1000));
    assert_true(media_ticket_is_good(key, &ask, 7, 1000 + MEDIA_TICKET_MS));
    assert_false(media_ticket_is_good(key, &ask, 7, 1001 + MEDIA_TICKET_MS));
    assert_false(media_ticket_is_good(key, &ask, 8, 1000));
    assert_false(media_ticket_is_good(other_key, &ask, 7, 1000));
    ask = ask_of("source=/a/c.png", ticket);
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    ask = ask_of("source=/a/b.png&agentId=ops", ticket);
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    (void)snprintf(forged, sizeof(forged), "%s", ticket);
    forged[strlen(forged) - 2] ^= 1;
    ask = ask_of("source=/a/b.png", forged);
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    (void)snprintf(forged, sizeof(forged), "%sA", ticket);
    ask = ask_of("source=/a/b.png", forged);
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    /* The time is signed, too, and no ticket is made for later than that. */
    (void)snprintf(forged, sizeof(forged), "v1.%lld%s", 1500LL + MEDIA_TICKET_MS, strrchr(ticket, '.'));
    ask = ask_of("source=/a/b.png", forged);
    assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    for (const char *const *bad = (const char *const[]){ "v1.", "v1.5", "v1..x", "v2.5.x", "x", NULL }; *bad; bad++) {
        ask = ask_of("source=/a/b.png", *bad);
        assert_false(media_ticket_is_good(key, &ask, 7, 1000));
    }
}

static void names_why_a_file_is_not_given_out(void **state)
{
    struct text_buf out = { 0 };

    (void)state;
    assert_string_equal(media_refusal_of(-ENOENT)->code, "file-not-found");
    assert_string_equal(media_refusal_of(-EISDIR)->code, "not-a-file");
    assert_string_equal(media_refusal_of(-EACCES)->code, "attachment-unavailable");
    assert_int_equal(media_refusal_write(&media_outside, &out), 0);
    assert_true(span_is_text((struct span){ out.data, out.len },
                             "{\"available\":false,\"code\":\"outside-allowed-folders\","
                             "\"reason\":\"Outside allowed folders\"}"));
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_which_file_is_asked_for),
        cmocka_unit_test(knows_what_lies_below_a_directory),
        cmocka_unit_test(a_ticket_is_for_one_file_and_one_time),
        cmocka_unit_test(names_why_a_file_is_not_given_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
