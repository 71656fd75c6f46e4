#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "edge/listener/peer.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in *v4 = (void *)&storage;
    struct sockaddr_in6 *v6 = (void *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        v6->sin6_family = AF_INET6;
    }
    return storage;
}

static struct peer *take(struct peer_table *table, const char *text)
{
    struct sockaddr_storage storage = address_of(text);
    struct peer *peer = peer_take(table, (const struct sockaddr *)&storage);

    assert_non_null(peer);
    return peer;
}

static void a_network_of_64_bits_counts_as_one(void **state)
{
    struct peer_table table = { 0 };

    (void)state;
    assert_ptr_equal(take(&table, "2001:db8:1:2::1"), take(&table, "2001:db8:1:2:ffff::9"));
    assert_ptr_not_equal(take(&table, "2001:db8:1:2::1"), take(&table, "2001:db8:1:3::1"));
    assert_ptr_not_equal(take(&table, "192.0.2.1"), take(&table, "192.0.2.2"));
    assert_ptr_equal(take(&table, "192.0.2.1"), take(&table, "::ffff:192.0.2.1"));
    peer_table_deinit(&table);
}

static void loopback_is_not_its_neighbours(void **state)
{
    struct peer_table table = { 0 };
    struct sockaddr_un local = { .sun_family = AF_UNIX };

    (void)state;
    assert_true(take(&table, "::1")->is_loopback);
    assert_true(take(&table, "127.0.0.9")->is_loopback);
    assert_true(take(&table, "::ffff:127.0.0.1")->is_loopback);
    assert_false(take(&table, "::2")->is_loopback);
    assert_ptr_not_equal(take(&table, "::1"), take(&table, "::2"));
    assert_ptr_equal(take(&table, "::1"), peer_take(&table, (const struct sockaddr *)&local));
    peer_table_deinit(&table);
}

static void a_row_goes_with_its_last_count(void **state)
{
    struct peer_table table = { 0 };
    struct peer *peer = take(&table, "2001:db8::1");

    (void)state;
    peer->connections_n = 1;
    peer_release(&table, peer);
    assert_ptr_equal(take(&table, "2001:db8::2"), peer);
    peer->connections_n = 0;
    peer_release(&table, peer);
    for (size_t i = 0; i < PEER_BUCKETS; i++) {
        assert_null(table.buckets[i]);
    }
}

static void the_text_is_the_whole_address(void **state)
{
    static const char *const texts[][2] = { { "2001:db8:1:2::9", "2001:db8:1:2::9" },
                                            { "192.0.2.1", "192.0.2.1" },
                                            { "::ffff:192.0.2.1", "192.0.2.1" },
                                            { "::1", "::1" } };
    char text[PEER_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct sockaddr_storage storage = address_of(texts[i][0]);

        peer_text((const struct sockaddr *)&storage, text);
        assert_string_equal(text, texts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_of_64_bits_counts_as_one),
        cmocka_unit_test(loopback_is_not_its_neighbours),
        cmocka_unit_test(a_row_goes_with_its_last_count),
        cmocka_unit_test(the_text_is_the_whole_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
