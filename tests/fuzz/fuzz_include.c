/*
 * A config file that includes others: whatever it says, reading ends, stays in its directory, and
 * what is accepted is whole; what is refused is told.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/value.h"
#include "schema/base/config_document.h"
#include "schema/base/config_valid.h"
#include "tests/fuzz/fuzz.h"

static char dir[64];
static char config[96];

static void put(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "we");
    FUZZ_HOLD(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void place_make(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/openclaw-fuzz-include-XXXXXX");
    FUZZ_HOLD(mkdtemp(dir) != NULL);
    (void)snprintf(config, sizeof(config), "%s/openclaw.json", dir);
    put("a", "{ x: 1, list: [1] }");
    put("b", "{ $include: 'a', y: { $include: ['a', './a'] } }");
    put("c", "{ $include: 'c' }");
    put("d", "[1, 2]");
    put("e", "{ broken: ");
}

static const char *find(void *arg, const char *name)
{
    (void)arg;
    return !strcmp(name, "A") ? "value of A" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_document document;
    struct config_error error = { "" };
    struct text_buf text = { 0 };

    if (!dir[0]) {
        place_make();
    }
    config_document_init(&document);
    FUZZ_HOLD(text_buf_add(&text, (struct span){ (const char *)data, size }) == 0);
    int r = config_document_build(&document, config, &text, (struct config_lookup){ .find = find }, &error);
    FUZZ_HOLD(r == 0 || r == CONFIG_DOCUMENT_E_REFUSED);
    FUZZ_HOLD(r == 0 || error.text[0]);
    for (size_t i = 1; i < document.sources.n; i++) {
        FUZZ_HOLD(!strncmp(document.sources.items[i]->path, dir, strlen(dir)));
    }
    if (!r) {
        FUZZ_HOLD(wire_check(document.resolved.data, document.resolved.len, PACK_DEPTH_MAX));
        struct config_issues *issues = config_issues_new();
        int refused = config_valid(&document, &error, issues);
        FUZZ_HOLD(!refused || error.text[0]);
        FUZZ_HOLD((config_issues_count(issues) != 0) == (refused != 0));
        FUZZ_HOLD(!config_issues_is_mend(issues, issues));
        config_issues_destroy(&issues);
    }
    text_buf_deinit(&text);
    config_document_deinit(&document);
    return 0;
}
