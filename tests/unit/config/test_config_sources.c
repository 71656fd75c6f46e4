#include "tests/unit/config/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/config_document.h"
#include "schema/base/dotenv.h"

struct place {
    char dir[128];
    char config[160];
};

static int place_make(void **state)
{
    static struct place place;

    snprintf(place.dir, sizeof(place.dir), "/tmp/openclaw-sources-XXXXXX");
    if (!mkdtemp(place.dir)) {
        return -1;
    }
    snprintf(place.config, sizeof(place.config), "%s/home/openclaw.json", place.dir);
    char home[160];
    snprintf(home, sizeof(home), "%s/home", place.dir);
    *state = &place;
    return mkdir(home, 0700);
}

static int place_remove(void **state)
{
    const struct place *place = *state;
    char line[200];

    snprintf(line, sizeof(line), "rm -rf '%s'", place->dir);
    return system(line); /* NOLINT(cert-env33-c): a test of its own directory */
}

static void put(const struct place *place, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", place->dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static int load(const struct place *place, const char *const *env, struct config_document *document,
                struct config_error *error)
{
    config_document_init(document);
    return config_document_load(document, place->config, env_of(env), error);
}

static void assert_loads(const struct place *place, const char *expected)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };

    int r = load(place, NULL, &document, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(r, 0);
    assert_json(pack_span(&document.resolved), expected);
}

static void assert_refused(const struct place *place, const char *const *env, const char *where, const char *why)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };

    assert_int_equal(load(place, env, &document, &error), CONFIG_DOCUMENT_E_REFUSED);
    if (!strstr(error.text, why) || !strstr(error.text, where)) {
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error.text, where, why);
    }
}

static void puts_a_file_where_it_is_included(void **state)
{
    const struct place *place = *state;

    put(place, "home/openclaw.json",
        "{ gateway: {port: 1}, agents: { $include: './agents.json5' }, b: {$include:'l'} }");
    put(place, "home/agents.json5", "{ list: [ {id: 'one'} ] } // mine");
    put(place, "home/l", "[1, 2]");
    assert_loads(place, "{\"gateway\":{\"port\":1},\"agents\":{\"list\":[{\"id\":\"one\"}]},\"b\":[1,2]}");
}

static void merges_several_files_in_order_and_what_stands_beside_them_last(void **state)
{
    const struct place *place = *state;

    put(place, "home/openclaw.json", "{ agents: { $include: ['a', 'b'], defaults: { skipBootstrap: true } } }");
    put(place, "home/a", "{ list: [{id: 'one'}], defaults: { workspace: '/a', maxConcurrent: 2 } }");
    put(place, "home/b", "{ list: [{id: 'two'}], defaults: { workspace: '/b' } }");
    assert_loads(place, "{\"agents\":{\"list\":[{\"id\":\"one\"},{\"id\":\"two\"}],\"defaults\":{\"workspace\":\"/b\","
                        "\"maxConcurrent\":2,\"skipBootstrap\":true}}}");
}

static void names_the_file_that_is_at_fault(void **state)
{
    const struct place *place = *state;

    put(place, "home/a", "[1]");
    put(place, "home/openclaw.json", "{\n $include: 'a', b: 1 }");
    assert_refused(place, NULL, "/home/a: must hold an object", "included at");
    put(place, "home/openclaw.json", "{ $include: 'a' }");
    assert_refused(place, NULL, "/home/a: must hold an object", "the whole config");
    put(place, "home/openclaw.json", "{ $include: 5 }");
    assert_refused(place, NULL, "openclaw.json:1:1", "$include must be a path");
}

static void follows_ten_files_and_no_more(void **state)
{
    const struct place *place = *state;
    char name[32];
    char text[64];

    put(place, "home/openclaw.json", "{ $include: '1' }");
    for (int i = 1; i <= 11; i++) {
        snprintf(name, sizeof(name), "home/%d", i);
        snprintf(text, sizeof(text), i == 10 ? "{ a: %d }" : "{ $include: '%d' }", i + 1);
        put(place, name, text);
    }
    assert_loads(place, "{\"a\":11}");
    put(place, "home/10", "{ $include: '11' }");
    put(place, "home/11", "{}");
    assert_refused(place, NULL, "/10:1:1", "nested deeper than 10");
    put(place, "home/10", "{ $include: '1' }");
    assert_refused(place, NULL, "/10:1:1", "is circular: 1 includes 2, 2 includes 3, ");
}

static void stays_in_its_directory(void **state)
{
    const struct place *place = *state;
    char link_path[256];
    char roots[256];

    put(place, "outside", "{ a: 1 }");
    put(place, "home/openclaw.json", "{\n  x: { $include: '../outside' } }");
    assert_refused(place, NULL, "openclaw.json:2:3", "leads out of the directory");
    put(place, "home/openclaw.json", "{ x: { $include: '/etc/passwd' } }");
    assert_refused(place, NULL, "openclaw.json:1:3", "leads out of the directory");
    put(place, "home/openclaw.json", "{ x: { $include: 'link' } }");
    snprintf(link_path, sizeof(link_path), "%s/home/link", place->dir);
    assert_int_equal(symlink("../outside", link_path), 0);
    assert_refused(place, NULL, "openclaw.json:1:3", "leads out of the directory");
    snprintf(roots, sizeof(roots), "OPENCLAW_INCLUDE_ROOTS=/nonexistent:%s", place->dir);
    const char *const env[] = { roots, NULL };
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };
    assert_int_equal(load(place, env, &document, &error), 0);
    assert_json(pack_span(&document.resolved), "{\"x\":{\"a\":1}}");
    assert_int_equal(unlink(link_path), 0);
}

static void tells_what_is_wrong_with_an_include(void **state)
{
    const struct place *place = *state;

    put(place, "home/openclaw.json", "{\n a: 1,\n b: { $include: 'gone' } }");
    assert_refused(place, NULL, "openclaw.json:3:2", "does not exist");
    put(place, "home/openclaw.json", "{ b: { $include: 7 } }");
    assert_refused(place, NULL, "openclaw.json:1:3", "a path or a list of paths");
    put(place, "home/openclaw.json", "{ b: { $include: [] } }");
    assert_refused(place, NULL, "openclaw.json:1:3", "a path or a list of paths");
    put(place, "home/openclaw.json", "{ b: { $include: 'c' } }");
    put(place, "home/c", "{\n  d: { $include: './c' } }");
    assert_refused(place, NULL, "/c:2:3", "is circular: c includes itself");
    put(place, "home/c", "{ $include: 'openclaw.json' }");
    assert_refused(place, NULL, "/c:1:1", "is circular: openclaw.json includes c, c includes openclaw.json");
    put(place, "home/c", "{\n  d: \n}");
    assert_refused(place, NULL, "/c:3:1", "expected");
    put(place, "home/openclaw.json", "{ b: { $include: 'c', x: 1 } }");
    put(place, "home/c", "[]");
    assert_refused(place, NULL, "openclaw.json:1:3", "must hold an object");
    put(place, "home/openclaw.json", "{ $include: 'c' }");
    assert_refused(place, NULL, "/home/c", "must hold an object");
}

static void names_the_line_of_a_variable_that_is_not_set(void **state)
{
    const struct place *place = *state;
    static const char *const env[] = { "SET=value", NULL };
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };

    put(place, "home/openclaw.json", "{ m: { $include: 'm' } }");
    put(place, "home/m", "{\n  a: '${SET}',\n  b: ['$${SET}', '${NOT_SET}'] }");
    assert_refused(place, env, "/m:3:18", "${NOT_SET}");
    put(place, "home/m", "{\n  a: '${SET}/v1',\n  b: '$${SET}' }");
    assert_int_equal(load(place, env, &document, &error), 0);
    assert_json(pack_span(&document.resolved), "{\"m\":{\"a\":\"value/v1\",\"b\":\"${SET}\"}}");
    assert_string_not_equal(document.hash, "");
}

struct seen {
    char text[512];
    struct span file;
    size_t end; /* of the assignment before */
};

static void on_seen(void *arg, const struct dotenv_item *item)
{
    struct seen *seen = arg;
    size_t len = strlen(seen->text);

    snprintf(seen->text + len, sizeof(seen->text) - len, "%s=%s;", item->name, item->value);
    assert_true(item->at >= seen->end && item->at < item->end && item->end <= seen->file.len);
    assert_true(item->end == seen->file.len || seen->file.ptr[item->end - 1] == '\n');
    seen->end = item->end;
}

static void reads_env_files(void **state)
{
    struct seen seen = {
        "",
        SPAN_LIT("\xef\xbb\xbf# comment\nA=1\n  export B = two words # rest\r\nC='it''s\nD=\"a\\nb\" # x\nE=`q\"`\n"
                 "no assignment\nF='two\nlines'\nG=\n=x\nH=a=b"),
        0,
    };

    (void)state;
    dotenv_walk(seen.file, on_seen, &seen);
    assert_string_equal(seen.text, "A=1;B=two words;C=it;D=a\nb;E=q\";F=two\nlines;G=;H=a=b;");
    assert_false(dotenv_is_harmless("OPENCLAW_GATEWAY_TOKEN"));
    assert_false(dotenv_is_harmless("openclaw_config_path"));
    assert_false(dotenv_is_harmless("LD_PRELOAD"));
    assert_false(dotenv_is_harmless("https_proxy"));
    assert_true(dotenv_is_harmless("OPENAI_API_KEY"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_a_file_where_it_is_included),
        cmocka_unit_test(merges_several_files_in_order_and_what_stands_beside_them_last),
        cmocka_unit_test(names_the_file_that_is_at_fault),
        cmocka_unit_test(follows_ten_files_and_no_more),
        cmocka_unit_test(stays_in_its_directory),
        cmocka_unit_test(tells_what_is_wrong_with_an_include),
        cmocka_unit_test(names_the_line_of_a_variable_that_is_not_set),
        cmocka_unit_test(reads_env_files),
    };

    return cmocka_run_group_tests(tests, place_make, place_remove);
}
