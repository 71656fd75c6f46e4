/*
 * docs/bus-wire.md: the bytes that it shows are those of the code. An example is a line
 * "header field=value …" (or, between machines, "head field=value …"), the bytes of that header, a line "body JSON",
 * and its bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/envelope.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/trunk.h"
#include "bus/value.h"

#define PAGE TEST_DATA "/../../docs/bus-wire.md"
#define EXAMPLES_LEAST 15U
#define TRUNK_EXAMPLES_LEAST 5U
#define BYTES_MAX 1024U

struct page {
    char line[4096];
    bool has_line; /* `line` has been read, and not used */
    FILE *file;
};

static bool line_next(struct page *page)
{
    if (!page->has_line) {
        page->has_line = fgets(page->line, sizeof(page->line), page->file) != NULL;
        page->line[strcspn(page->line, "\n")] = '\0';
    }
    return page->has_line;
}

/* The rest of a line that begins so; NULL when it does not. */
static const char *line_is(const struct page *page, const char *word)
{
    size_t len = strlen(word);

    return strncmp(page->line, "    ", 4) == 0 && strncmp(page->line + 4, word, len) == 0 ? page->line + 4 + len : NULL;
}

/* The bytes of the lines that follow; the first that has none is left. */
static size_t bytes_read(struct page *page, uint8_t out[BYTES_MAX])
{
    size_t n = 0;

    for (page->has_line = false; line_next(page) && line_is(page, "") && !line_is(page, "body ");
         page->has_line = false) {
        const char *at = page->line;
        char *end;

        for (unsigned long byte = strtoul(at, &end, 16); end != at && n < BYTES_MAX; byte = strtoul(at, &end, 16)) {
            out[n++] = (uint8_t)byte;
            at = end;
        }
        assert_int_equal(*at, '\0');
    }
    return n;
}

/* What stands behind " name=" up to the next blank. */
static struct span field(const char *fields, const char *name)
{
    char key[32];
    const char *at;

    (void)snprintf(key, sizeof(key), " %s=", name);
    at = strstr(fields, key);
    if (!at) {
        fail_msg("no field %s in: %s", name, fields);
        abort();
    }
    at += strlen(key);
    return (struct span){ at, strcspn(at, " ") };
}

static uint64_t number(const char *fields, const char *name)
{
    return strtoull(field(fields, name).ptr, NULL, 10);
}

static struct trace_id trace(const char *fields)
{
    struct trace_id trace = { 0 };

    assert_int_equal(sscanf(field(fields, "trace").ptr, "%16llx%16llx", (unsigned long long *)&trace.hi,
                            (unsigned long long *)&trace.lo),
                     2);
    return trace;
}

static void header_check(const char *fields, const uint8_t *bytes, size_t bytes_n)
{
    struct envelope env = { .kind = (enum envelope_kind)number(fields, "kind"),
                            .id = number(fields, "id"),
                            .corr = number(fields, "corr"),
                            .from = field(fields, "from"),
                            .to = field(fields, "to"),
                            .name = field(fields, "name"),
                            .left_ms = (uint32_t)number(fields, "left_ms"),
                            .trace = trace(fields),
                            .flags = (uint32_t)number(fields, "flags"),
                            .principal = field(fields, "principal"),
                            .incarnation = (uint32_t)number(fields, "incarnation"),
                            .via = field(fields, "via"),
                            .asker = (uint32_t)number(fields, "asker") };
    uint8_t made[ENVELOPE_HEADER_MAX];
    struct envelope seen;

    assert_int_equal(envelope_encode(&env, made), bytes_n);
    assert_memory_equal(made, bytes, bytes_n);
    assert_true(envelope_decode((struct span){ (const char *)bytes, bytes_n }, &seen));
    assert_int_equal(seen.corr, env.corr);
    assert_true(span_is(seen.via, env.via));
    /* One byte less, and it is none. */
    assert_false(envelope_decode((struct span){ (const char *)bytes, bytes_n - 1 }, &seen));
}

static void body_check(const char *text, const uint8_t *bytes, size_t bytes_n)
{
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(text), &(struct json_opts){ 0 }, &pack, NULL), 0);
    assert_int_equal(pack.len, bytes_n);
    assert_memory_equal(pack.data, bytes, bytes_n);
    assert_true(wire_check(bytes, bytes_n, PACK_DEPTH_MAX));
}

static void head_check(const char *fields, const uint8_t *bytes, size_t bytes_n)
{
    struct trunk_head head = { .kind = (enum trunk_kind)number(fields, "kind"),
                               .number = number(fields, "number"),
                               .seen = number(fields, "seen") };
    uint8_t made[TRUNK_HEAD_LEN];

    trunk_head_encode(&head, made);
    assert_int_equal(bytes_n, sizeof(made));
    assert_memory_equal(made, bytes, bytes_n);
}

/* What of such a body is read makes the same bytes again. */
static void trunk_body_check(enum trunk_kind kind, const uint8_t *bytes, size_t bytes_n)
{
    struct span body = { (const char *)bytes, bytes_n };
    CLEANUP(pack_deinit) struct pack pack;
    struct trunk_hello hello;
    struct trunk_welcome welcome;
    struct trunk_refused refused;
    struct trunk_hangs hangs;

    pack_init(&pack, TRUNK_BODY_MAX);
    if (kind == TRUNK_HELLO) {
        assert_true(trunk_hello_read(body, &hello));
        trunk_hello_pack(&hello, &pack);
    } else if (kind == TRUNK_WELCOME) {
        assert_true(trunk_welcome_read(body, &welcome));
        trunk_welcome_pack(&welcome, &pack);
    } else if (kind == TRUNK_HANGS) {
        assert_true(trunk_hangs_read(body, &hangs));
        trunk_hangs_pack(&hangs, &pack);
    } else {
        assert_int_equal(kind, TRUNK_REFUSED);
        assert_true(trunk_refused_read(body, &refused));
        trunk_refused_pack(&refused, &pack);
    }
    assert_int_equal(pack.len, bytes_n);
    assert_memory_equal(pack.data, bytes, bytes_n);
}

static void every_example_is_what_the_code_sends(void **state)
{
    struct page page = { .file = fopen(PAGE, "r") };
    uint8_t bytes[BYTES_MAX];
    char text[4096];
    unsigned n = 0;
    unsigned trunks_n = 0;

    (void)state;
    assert_non_null(page.file);
    while (line_next(&page)) {
        const char *trunk = line_is(&page, "head ");
        const char *fields = trunk ? trunk - 1 : line_is(&page, "header");

        if (!fields) {
            page.has_line = false;
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s", fields);
        enum trunk_kind kind = (enum trunk_kind)number(text, "kind");
        size_t bytes_n = bytes_read(&page, bytes);
        (trunk ? head_check : header_check)(text, bytes, bytes_n);
        const char *body = line_is(&page, "body ");
        assert_non_null(body);
        (void)snprintf(text, sizeof(text), "%s", body);
        bytes_n = bytes_read(&page, bytes);
        body_check(text, bytes, bytes_n);
        if (trunk) {
            trunk_body_check(kind, bytes, bytes_n);
            trunks_n++;
        }
        n++;
    }
    (void)fclose(page.file); /* only read from */
    assert_true(n >= EXAMPLES_LEAST);
    assert_true(trunks_n >= TRUNK_EXAMPLES_LEAST);
}

static void the_numbers_of_the_page_are_those_of_the_code(void **state)
{
    (void)state;
    assert_int_equal(ENVELOPE_VERSION, 1);
    assert_int_equal(ENVELOPE_FIELDS, 14);
    assert_int_equal(ENVELOPE_KIND_MAX, 10);
    assert_int_equal(ACTOR_ADDRESS_MAX, 128);
    assert_int_equal(ENVELOPE_NAME_MAX, 96);
    assert_int_equal(ACTOR_PRINCIPAL_MAX, 64);
    assert_int_equal(PACK_DEPTH_MAX, 64);
    assert_int_equal(ACTOR_LIFE_UNRESPONSIVE, 6);
    assert_int_equal(FAIL_UNKNOWN_METHOD, 6);
    assert_int_equal(TRUNK_WIRE_LEAST, 1);
    assert_int_equal(TRUNK_WIRE, 2);
    assert_int_equal(TRUNK_WIRE_NAMED, 2);
    assert_int_equal(TRUNK_WIRE_HANGS, 2);
    assert_int_equal(TRUNK_BODY_MAX, 4096);
    assert_int_equal(TRUNK_KIND_MAX, 8);
    assert_int_equal(TRUNK_DEAD_MS, 1500);
    assert_int_equal(TRUNK_BEAT_MS, 500);
    assert_int_equal(TRUNK_REASON_MAX, 192);
    assert_int_equal(TRUNK_NO_UNREADABLE, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_is_what_the_code_sends),
        cmocka_unit_test(the_numbers_of_the_page_are_those_of_the_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
