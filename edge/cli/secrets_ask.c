#include "edge/cli/secrets_ask.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_opts.h"
#include "edge/cli/secrets_known.h"

#define NOTHING ((struct span){ 0 })
#define TIMEOUT_MAX_MS 120000U
#define BYTES_MAX 20971520U
#define NUMBER_LEN 24

static const char *const words[SECRET_SOURCES_N] = { "env", "file", "exec" };

/* --- lists with commas between the parts ------------------------------------------------------------- */

static bool part_next(const char **rest, struct span *ret_part)
{
    while (**rest) {
        size_t len = strcspn(*rest, ",");
        struct span part = secrets_known_trimmed((struct span){ *rest, len });

        *rest += len + ((*rest)[len] == ',');
        if (part.len) {
            *ret_part = part;
            return true;
        }
    }
    return false;
}

static void list_join(struct span list, char *out, size_t out_size)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;
    size_t len = 0;

    out[0] = '\0';
    while (value_next(&it, &key, &item) && len < out_size) {
        struct span text = value_str(item, NOTHING);
        int n = snprintf(out + len, out_size - len, "%s%.*s", len ? "," : "", SPAN_FMT(text));
        len += n > 0 ? (size_t)n : 0;
    }
}

static void list_put(struct pack *out, const char *key, const char *answer)
{
    struct span part;

    if (!answer[0]) {
        return;
    }
    pack_key(out, key);
    pack_array_begin(out);
    while (part_next(&answer, &part)) {
        pack_str(out, part);
    }
    pack_array_end(out);
}

/* --- what may be answered ------------------------------------------------------------------------------ */

static const char *variables_check(void *arg, const char *answer)
{
    struct span part;

    (void)arg;
    while (part_next(&answer, &part)) {
        if (!secret_id_is_fit(SECRET_SOURCE_ENV, part)) {
            return "Names of variables are of A-Z, 0-9 and _, and begin with a letter.";
        }
    }
    return NULL;
}

static const char *directories_check(void *arg, const char *answer)
{
    struct span part;

    (void)arg;
    while (part_next(&answer, &part)) {
        if (part.ptr[0] != '/') {
            return "Each directory must begin with /.";
        }
    }
    return NULL;
}

static const char *path_check(void *arg, const char *answer)
{
    (void)arg;
    return answer[0] == '/' ? NULL : "The path must begin with /.";
}

static const char *command_check(void *arg, const char *answer)
{
    (void)arg;
    if (answer[0] != '/') {
        return "The path must begin with /.";
    }
    return strpbrk(answer, ";&|`$<>\"'") ? "No shell runs it: ; & | ` $ < > and quotes cannot be part of the path."
                                         : NULL;
}

static int arguments_read(const char *answer, struct pack *out)
{
    struct json_opts opts = { .json5 = true };
    int r = json_to_pack(span_from(answer), &opts, out, NULL);
    struct value_iter it = value_iter(pack_span(out));
    struct span key;
    struct span item;

    if (r || value_kind_of(pack_span(out)) != VALUE_ARRAY) {
        return r ? r : JSON_E_SYNTAX;
    }
    while (value_next(&it, &key, &item)) {
        if (value_kind_of(item) != VALUE_STR) {
            return JSON_E_SYNTAX;
        }
    }
    return 0;
}

static const char *arguments_check(void *arg, const char *answer)
{
    CLEANUP(pack_deinit) struct pack ignored;

    (void)arg;
    pack_init(&ignored, 0);
    return !answer[0] || !arguments_read(answer, &ignored) ? NULL
                                                           : "Write a list of texts, as [\"read\", \"op://x/y\"].";
}

static const char *number_check(void *arg, const char *answer)
{
    const uint64_t *max = arg;
    uint64_t number;

    if (!answer[0] || cli_opts_number(answer, 1, *max, &number)) {
        return NULL;
    }
    return *max == TIMEOUT_MAX_MS ? "Write a whole number from 1 to 120000."
                                  : "Write a whole number from 1 to 20971520.";
}

/* --- one question each ------------------------------------------------------------------------------------ */

static int number_ask(const char *text, const char *key, uint64_t max, struct span now, struct pack *out)
{
    char preset[NUMBER_LEN] = "";
    char answer[CLI_PROMPT_ANSWER_MAX];
    uint64_t number = 0;
    int64_t value = value_i64(value_get(now, key), 0);

    if (value > 0) {
        (void)snprintf(preset, sizeof(preset), "%lld", (long long)value);
    }
    int r = cli_prompt_text(&(struct cli_question){ text, preset, number_check, &max }, answer);
    if (!r && cli_opts_number(answer, 1, max, &number)) {
        pack_kv_u64(out, key, number);
    }
    return r;
}

static int list_ask(const char *text, const char *key, const char *(*check)(void *, const char *), struct span now,
                    struct pack *out)
{
    char preset[CLI_PROMPT_ANSWER_MAX];
    char answer[CLI_PROMPT_ANSWER_MAX];

    list_join(value_get(now, key), preset, sizeof(preset));
    int r = cli_prompt_text(&(struct cli_question){ text, preset, check, NULL }, answer);
    if (!r) {
        list_put(out, key, answer);
    }
    return r;
}

static int text_ask(const char *text, const char *key, const char *(*check)(void *, const char *), struct span now,
                    struct pack *out)
{
    char preset[CLI_PROMPT_ANSWER_MAX];
    char answer[CLI_PROMPT_ANSWER_MAX];
    struct span said = value_str(value_get(now, key), NOTHING);

    (void)snprintf(preset, sizeof(preset), "%.*s", SPAN_FMT(said));
    int r = cli_prompt_text(&(struct cli_question){ text, preset, check, NULL }, answer);
    if (!r) {
        pack_kv_text(out, key, answer);
    }
    return r;
}

/* `usual` is what counts when nobody says so, and is then left out. */
static int flag_ask(const char *text, const char *key, bool usual, struct span now, struct pack *out)
{
    bool answer = usual;
    int r = cli_prompt_confirm(text, value_bool(value_get(now, key), usual), &answer);

    if (!r && answer != usual) {
        pack_kv_bool(out, key, answer);
    }
    return r;
}

static int arguments_ask(struct span now, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf preset = { 0 };
    CLEANUP(pack_deinit) struct pack list;
    char answer[CLI_PROMPT_ANSWER_MAX];
    struct span said = value_get(now, "args");

    pack_init(&list, 0);
    if (value_count(said) && (json_from_value(said, &preset) || text_buf_add(&preset, (struct span){ "", 1 }))) {
        return CLI_PROMPT_E_ENDED; /* out of memory: there is no way on */
    }
    int r = cli_prompt_text(
        &(struct cli_question){ "Arguments, as a JSON list (empty: none)", preset.data, arguments_check, NULL },
        answer);
    if (!r && answer[0] && !arguments_read(answer, &list) && value_count(pack_span(&list))) {
        pack_kv_raw(out, "args", pack_span(&list));
    }
    return r;
}

/* --- providers ------------------------------------------------------------------------------------------------ */

static int file_ask(struct span now, struct pack *out)
{
    static const struct cli_choice modes[] = { { "json", "an object; references point into it" },
                                               { "singleValue", "the whole file is one secret" } };
    size_t mode = span_is_text(value_str(value_get(now, "mode"), NOTHING), "singleValue");
    int r = text_ask("Path of the file", "path", path_check, now, out);

    r = r ? r : cli_prompt_choose("What is in it?", modes, ARRAY_LEN(modes), mode, &mode);
    pack_kv_text(out, "mode", modes[mode].value);
    r = r ? r : number_ask("Most time in ms (empty: 5000)", "timeoutMs", TIMEOUT_MAX_MS, now, out);
    r = r ? r : number_ask("Most bytes (empty: 1048576)", "maxBytes", BYTES_MAX, now, out);
    return r ? r : flag_ask("Use it even when others could read or change it?", "allowInsecurePath", false, now, out);
}

static int exec_ask(struct span now, struct pack *out)
{
    int r = text_ask("Path of the program", "command", command_check, now, out);

    r = r ? r : arguments_ask(now, out);
    r = r ? r : number_ask("Most time in ms (empty: 5000)", "timeoutMs", TIMEOUT_MAX_MS, now, out);
    r = r ? r : number_ask("Most ms without output (empty: as above)", "noOutputTimeoutMs", TIMEOUT_MAX_MS, now, out);
    r = r ? r : number_ask("Most bytes of output (empty: 1048576)", "maxOutputBytes", BYTES_MAX, now, out);
    r = r ? r : flag_ask("Must its answer be JSON?", "jsonOnly", true, now, out);
    r = r ? r : list_ask("Variables it gets, with commas (empty: none)", "passEnv", variables_check, now, out);
    r = r ? r
          : list_ask("Directories it may be in, with commas (empty: any)", "trustedDirs", directories_check, now, out);
    r = r ? r : flag_ask("Run it even when others could change it?", "allowInsecurePath", false, now, out);
    r = r ? r : flag_ask("May its path be a symbolic link?", "allowSymlinkCommand", false, now, out);
    if (!r && value_get(now, "env").len) {
        pack_kv_raw(out, "env", value_get(now, "env")); /* nothing that a line could ask for */
    }
    return r;
}

int secrets_ask_source(unsigned now, enum secret_source *ret_source)
{
    static const struct cli_choice sources[] = { { "env", "environment variables" },
                                                 { "file", "a file of this machine" },
                                                 { "exec", "a program that is run" } };
    size_t chosen = 0;
    int r = cli_prompt_choose("Where are its secrets?", sources, ARRAY_LEN(sources), now, &chosen);

    *ret_source = (enum secret_source)chosen;
    return r;
}

int secrets_ask_provider(enum secret_source source, struct span now, struct pack *out)
{
    int r;

    if (!span_is_text(value_str(value_get(now, "source"), NOTHING), words[source])) {
        now = NOTHING;
    }
    pack_map_begin(out);
    pack_kv_text(out, "source", words[source]);
    switch (source) {
    case SECRET_SOURCE_ENV:
        r = list_ask("Variables it may read, with commas (empty: any)", "allowlist", variables_check, now, out);
        break;
    case SECRET_SOURCE_FILE:
        r = file_ask(now, out);
        break;
    default:
        r = exec_ask(now, out);
        break;
    }
    pack_map_end(out);
    return r;
}

const char *secrets_ask_hint(struct span entry, char *out, size_t out_size)
{
    struct span source = value_str(value_get(entry, "source"), NOTHING);
    uint32_t allowed_n = value_count(value_get(entry, "allowlist"));

    if (span_is_text(source, "file")) {
        (void)snprintf(out, out_size, "file, %.*s", SPAN_FMT(value_str(value_get(entry, "mode"), SPAN_LIT("json"))));
    } else if (span_is_text(source, "exec")) {
        (void)snprintf(out, out_size, "exec, %s",
                       value_bool(value_get(entry, "jsonOnly"), true) ? "json" : "json or text");
    } else if (allowed_n) {
        (void)snprintf(out, out_size, "env, %u variables", allowed_n);
    } else {
        (void)snprintf(out, out_size, "env");
    }
    return out;
}
