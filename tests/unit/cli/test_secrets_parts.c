/* The parts of `openclaw secrets` that need no disk: what is known, what is found, what is scrubbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_known.h"
#include "edge/cli/secrets_place.h"
#include "edge/cli/secrets_profiles.h"
#include "edge/cli/secrets_residue.h"
#include "edge/cli/secrets_scrub.h"
#include "schema/base/provider_id.h"

static void tells_secrets_from_what_only_looks_like_them(void **state)
{
    char out[PROVIDER_ID_LEN];

    (void)state;
    assert_true(secrets_known_is_variable(SPAN_LIT("OPENAI_API_KEY")));
    assert_true(secrets_known_is_variable(SPAN_LIT("GITHUB_TOKEN")));
    assert_false(secrets_known_is_variable(SPAN_LIT("AZURE_SPEECH_REGION")));
    assert_false(secrets_known_is_variable(SPAN_LIT("OPENAI")));
    assert_false(secrets_known_is_variable(SPAN_LIT("")));
    assert_true(span_is_text(secrets_known_variable_of(SPAN_LIT("anthropic")), "ANTHROPIC_OAUTH_TOKEN"));
    assert_int_equal(secrets_known_variable_of(SPAN_LIT("nobody")).len, 0);
    assert_string_equal(provider_id_normalize(SPAN_LIT(" Z.AI "), out), "zai");
    assert_string_equal(provider_id_normalize(SPAN_LIT("OpenAI"), out), "openai");
    assert_true(secrets_known_is_marker(SPAN_LIT("ollama-local")));
    assert_true(secrets_known_is_marker(SPAN_LIT("oauth:x")));
    assert_true(secrets_known_is_marker(SPAN_LIT("GROQ_API_KEY")));
    assert_false(secrets_known_is_marker(SPAN_LIT("sk-1")));
    assert_true(secrets_known_is_header_marker(SPAN_LIT("secretref-env:X")));
    assert_false(secrets_known_is_header_marker(SPAN_LIT("Bearer x")));
    assert_true(secrets_known_is_secret_header(SPAN_LIT("Authorization")));
    assert_true(secrets_known_is_secret_header(SPAN_LIT("X-My-Token")));
    assert_false(secrets_known_is_secret_header(SPAN_LIT("X-Team")));
    assert_false(secrets_known_is_secret_header(SPAN_LIT("Authorization-Kind")));
}

static void finds_residues(void **state)
{
    CLEANUP(secrets_report_deinit) struct secrets_report report;
    CLEANUP(secrets_edit_wipe) struct pack doc;
    static const char text[] =
        "{\"providers\":{\"a\":{\"apiKey\":\"sk-1\",\"headers\":{\"Authorization\":\"x\",\"X-Team\":\"y\"}},"
        "\"b\":{\"apiKey\":\"ollama-local\"},\"c\":{\"apiKey\":{\"source\":\"env\",\"id\":\"A\"}},\"d\":7}}";

    (void)state;
    secrets_report_init(&report);
    pack_init(&doc, 0);
    assert_string_equal(secrets_report_status(&report), "clean");
    secrets_residue_env(&report, "/x/.env", SPAN_LIT("OPENAI_API_KEY=\nGROQ_API_KEY=\"a\nb\"\nOTHER=1\n"));
    assert_int_equal(report.counts[SECRETS_PLAINTEXT_FOUND], 1);
    assert_string_equal(secrets_report_status(&report), "findings");
    assert_int_equal(secrets_edit_read(SPAN_LIT(text), &doc), 0);
    secrets_residue_models(&report, "/x/models.json", pack_span(&doc));
    assert_int_equal(report.counts[SECRETS_PLAINTEXT_FOUND], 3);
    assert_int_equal(report.counts[SECRETS_REF_UNRESOLVED], 1);
    assert_string_equal(secrets_report_status(&report), "unresolved");
    pack_reset(&doc);
    assert_int_equal(
        secrets_edit_read(SPAN_LIT("{a:{type:'api_key',key:'k'},b:{type:'oauth'},c:{type:'api_key'}}"), &doc), 0);
    secrets_residue_legacy(&report, "/x/auth.json", pack_span(&doc));
    assert_int_equal(report.counts[SECRETS_LEGACY_RESIDUE], 1);
    assert_int_equal(secrets_report_end(&report), 0);
    assert_int_equal(value_count(pack_span(&report.findings)), report.findings_n);
}

static bool is_gone(void *arg, const struct dotenv_item *item)
{
    return secrets_values_has(arg, span_from(item->value));
}

static void takes_values_out_of_env_files_and_nothing_else(void **state)
{
    static const char before[] = "# head\r\nA='two\nlines' # why\nB=keep\nexport C = secret \nD=\"secret\"\nnone";
    CLEANUP(secrets_values_deinit) struct secrets_values gone = { .n = 0 };
    CLEANUP(secrets_text_wipe) struct text_buf out = { 0 };
    size_t removed_n = 0;

    (void)state;
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT(" secret ")), 0);
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT("secret")), 0);
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT("  ")), 0);
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT("two\nlines")), 0);
    assert_int_equal(gone.n, 2);
    assert_int_equal(secrets_scrub_env(SPAN_LIT(before), is_gone, &gone, &out, &removed_n), 0);
    assert_int_equal(removed_n, 3);
    assert_true(span_is((struct span){ out.data, out.len }, SPAN_LIT("# head\r\nB=keep\nnone")));
}

static void finds_values_as_they_are_and_as_json_writes_them(void **state)
{
    CLEANUP(secrets_values_deinit) struct secrets_values gone = { .n = 0 };

    (void)state;
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT("short")), 0);
    assert_false(secrets_values_are_in(&gone, SPAN_LIT("a short one")));
    assert_int_equal(secrets_values_add(&gone, SPAN_LIT("first \"line\"\nsecond")), 0);
    assert_true(secrets_values_are_in(&gone, SPAN_LIT("x first \"line\"\nsecond y")));
    assert_true(secrets_values_are_in(&gone, SPAN_LIT("{\"k\": \"first \\\"line\\\"\\nsecond\"}")));
    assert_false(secrets_values_are_in(&gone, SPAN_LIT("first line second")));
    assert_false(secrets_values_are_in(&gone, SPAN_LIT("")));
}

static void on_place(void *arg, const struct secrets_place *place)
{
    char path[SECRETS_PLACE_LEN];
    char *seen = arg;
    size_t len = strlen(seen);

    if (!strncmp(place->row->path, "models.", 7) || !strncmp(place->row->path, "agents.list", 11)) {
        (void)snprintf(seen + len, 1024 - len, "%s ", secrets_place_text(place, path));
    }
}

static void walks_to_places_that_hold_nothing_yet(void **state)
{
    CLEANUP(secrets_edit_wipe) struct pack doc;
    char seen[1024] = "";

    (void)state;
    pack_init(&doc, 0);
    assert_int_equal(secrets_edit_read(SPAN_LIT("{models:{providers:{a:{headers:{x:'1'}},b:7}},agents:{list:[{},"
                                                "{memorySearch:{remote:{apiKey:'k'}}}]}}"),
                                       &doc),
                     0);
    secrets_places_walk(pack_span(&doc), "openclaw.json", on_place, seen);
    assert_string_equal(seen, "agents.list.1.memorySearch.remote.apiKey models.providers.a.apiKey "
                              "models.providers.a.headers.x ");
}

static void tells_values_apart_whatever_the_order_of_their_keys(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool is_same;
    } cases[] = {
        { "{a:1,b:{c:[1,2]}}", "{b:{c:[1,2]},a:1}", true },
        { "{a:[1,2]}", "{a:[2,1]}", false },
        { "{a:1}", "{a:1,b:2}", false },
        { "{a:1}", "{b:1}", false },
        { "{a:'1'}", "{a:1}", false },
        { "{}", "{}", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(secrets_edit_wipe) struct pack a;
        CLEANUP(secrets_edit_wipe) struct pack b;

        pack_init(&a, 0);
        pack_init(&b, 0);
        assert_int_equal(secrets_edit_read(span_from(cases[i].a), &a), 0);
        assert_int_equal(secrets_edit_read(span_from(cases[i].b), &b), 0);
        assert_int_equal(secrets_edit_is_same(pack_span(&a), pack_span(&b)), cases[i].is_same);
    }
    assert_true(secrets_edit_is_same((struct span){ 0 }, (struct span){ 0 }));
}

/* A file in memory alone. */
static struct secrets_file *file_of(const char *text)
{
    struct secrets_file *file = calloc(1, sizeof(*file));

    assert_non_null(file);
    (void)snprintf(file->path, sizeof(file->path), "/nowhere");
    file->is_there = text != NULL;
    assert_int_equal(text_buf_add(&file->before, text ? span_from(text) : SPAN_LIT("")), 0);
    return file;
}

static void file_drop(struct secrets_file **file)
{
    secrets_text_wipe(&(*file)->before);
    secrets_text_wipe(&(*file)->after);
    free(*file);
}

static void scrubs_profiles_of_one_provider(void **state)
{
    CLEANUP(secrets_values_deinit) struct secrets_values gone = { .n = 0 };
    CLEANUP(file_drop)
    struct secrets_file *file =
        file_of("{\"profiles\":{\"a\":{\"type\":\"api_key\",\"provider\":\"Z.AI\",\"key\":\"k1\","
                "\"keyRef\":7},\"b\":{\"type\":\"token\",\"provider\":\"other\",\"token\":\"k2\"},"
                "\"c\":{\"type\":\"oauth\",\"provider\":\"zai\",\"refresh\":\"r\"}}}");
    bool has_oauth = false;

    (void)state;
    assert_int_equal(secrets_profiles_scrub(file, "zai", &gone, &has_oauth), 0);
    assert_true(has_oauth && file->is_changed && secrets_values_has(&gone, SPAN_LIT("k1")));
    assert_false(secrets_values_has(&gone, SPAN_LIT("k2")));
    struct span text = secrets_file_text(file);
    assert_null(memmem(text.ptr, text.len, "k1", 2));
    assert_null(memmem(text.ptr, text.len, "keyRef", 6));
    assert_non_null(memmem(text.ptr, text.len, "\"k2\"", 4));
    assert_non_null(memmem(text.ptr, text.len, "\"refresh\": \"r\"", 14));
}

static void leaves_what_it_cannot_read(void **state)
{
    CLEANUP(secrets_values_deinit) struct secrets_values gone = { .n = 0 };
    CLEANUP(file_drop) struct secrets_file *file = file_of("[1, 2");
    bool has_oauth = false;

    (void)state;
    assert_int_equal(secrets_profiles_scrub(file, "zai", &gone, &has_oauth), 0);
    assert_int_equal(secrets_profiles_scrub_legacy(file), 0);
    assert_false(file->is_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_secrets_from_what_only_looks_like_them),
        cmocka_unit_test(finds_residues),
        cmocka_unit_test(takes_values_out_of_env_files_and_nothing_else),
        cmocka_unit_test(finds_values_as_they_are_and_as_json_writes_them),
        cmocka_unit_test(walks_to_places_that_hold_nothing_yet),
        cmocka_unit_test(tells_values_apart_whatever_the_order_of_their_keys),
        cmocka_unit_test(scrubs_profiles_of_one_provider),
        cmocka_unit_test(leaves_what_it_cannot_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
