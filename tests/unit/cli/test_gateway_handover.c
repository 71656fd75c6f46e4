/* What one program of a gateway leaves to the next: read, found by what it is, closed when nobody asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "edge/cli/gateway_handover.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void what_was_left_is_read_or_nothing_is(void **state)
{
    static const char *const bad[] = { "",    " ",    "1",     "x 5",  "1 2",  "1 5,",    "1 5,,6",
                                       "1,5", "1 5 ", "1 5;6", "-1 5", "1 +5", "1 65536", "99999999 5" };
    struct gateway_handover left;
    char many[4096] = "1 5";

    (void)state;
    assert_true(gateway_handover_parse("3 5,6,700", &left));
    assert_int_equal(left.upgrades_n, 3);
    assert_int_equal(left.fds_n, 3);
    assert_int_equal(left.fds[2], 700);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(gateway_handover_parse(bad[i], &left));
        assert_int_equal(left.fds_n, 0);
    }
    for (size_t i = 1; i < GATEWAY_HANDOVER_FDS_MAX; i++) {
        (void)strcat(many, ",5");
    }
    assert_true(gateway_handover_parse(many, &left));
    (void)strcat(many, ",5"); /* one too many */
    assert_false(gateway_handover_parse(many, &left));
}

static void a_file_is_known_by_what_it_is_and_not_by_its_number(void **state)
{
    char path[] = "/tmp/openclaw-handover-XXXXXX";
    struct gateway_handover left = { .fds_n = 0 };
    int fd = mkstemp(path);
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd > 2 && other > 2);
    gateway_handover_add(&left, other);
    gateway_handover_add(&left, fd);
    assert_int_equal(gateway_handover_file(&left, "/tmp"), -1);
    assert_int_equal(gateway_handover_file(&left, path), fd);
    assert_int_equal(gateway_handover_file(&left, path), -1); /* it has been taken */
    assert_int_equal(unlink(path), 0);
    gateway_handover_deinit(&left);
    assert_false(is_open(other)); /* nobody has asked for it */
    assert_true(is_open(fd));
    assert_int_equal(close(fd), 0);
}

static void sockets_are_known_by_where_they_listen(void **state)
{
    char dir[] = "/tmp/openclaw-handover-XXXXXX";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct gateway_listen_error error;
    struct gateway_handover left = { .fds_n = 0 };
    struct gateway_listen listen = { .n = 0 };
    struct gateway_listen found;
    int local = -1;
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/clients.sock", dir);
    assert_int_equal(gateway_listen_local(address.sun_path, &local, &error), 0);
    assert_int_equal(gateway_listen_open("127.0.0.1", 0, NULL, &listen, &error), 0);
    gateway_handover_add(&left, silent); /* it does not listen */
    gateway_handover_add(&left, local);
    for (size_t i = 0; i < listen.n; i++) {
        gateway_handover_add(&left, listen.fds[i]);
    }
    gateway_handover_listen(&left, &found);
    assert_int_equal(found.n, listen.n);
    assert_int_equal(found.port, listen.port);
    assert_string_equal(found.hosts[0], "127.0.0.1");
    assert_int_equal(gateway_handover_local(&left, dir), -1);
    assert_int_equal(gateway_handover_local(&left, address.sun_path), local);
    gateway_handover_add(&left, local);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(gateway_handover_local(&left, address.sun_path), -1); /* nobody could connect there */
    gateway_handover_deinit(&left);
    gateway_listen_close(&found);
    assert_int_equal(rmdir(dir), 0);
}

static void a_program_is_found_by_the_path_that_was_given(void **state)
{
    char path[PATH_MAX];
    char self[PATH_MAX] = "";

    (void)state;
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    assert_true(gateway_handover_program(self, path));
    assert_string_equal(path, self);
    assert_true(gateway_handover_program("/bin/true", path)); /* which is not this program */
    assert_string_equal(path, self);
    assert_true(gateway_handover_program("no-such-word", path));
    assert_string_equal(path, self);
}

static void a_link_to_the_program_is_kept_as_one(void **state)
{
    char dir[] = "/tmp/openclaw-handover-XXXXXX";
    char link[PATH_MAX];
    char path[PATH_MAX];
    char self[PATH_MAX] = "";

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(link, sizeof(link), "%s/openclaw-now", dir);
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    assert_int_equal(symlink(self, link), 0);
    assert_true(gateway_handover_program(link, path));
    assert_string_equal(path, link);
    assert_int_equal(setenv("PATH", dir, 1), 0);
    assert_true(gateway_handover_program("openclaw-now", path));
    assert_string_equal(path, link);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_left_is_read_or_nothing_is),
        cmocka_unit_test(a_file_is_known_by_what_it_is_and_not_by_its_number),
        cmocka_unit_test(sockets_are_known_by_where_they_listen),
        cmocka_unit_test(a_program_is_found_by_the_path_that_was_given),
        cmocka_unit_test(a_link_to_the_program_is_kept_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
