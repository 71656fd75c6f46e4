/*
 * Providers as they are and as they should not be: files of others, programs that fail, hang,
 * flood, print rubbish, come late, or leave something behind.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/secret_resolve.h"

#define REFS_MAX 16

struct box {
    char dir[256];
};

static int box_open(void **state)
{
    static struct box box;

    (void)strcpy(box.dir, "/tmp/openclaw-secrets-XXXXXX");
    *state = &box;
    return mkdtemp(box.dir) ? 0 : -1;
}

static int box_close(void **state)
{
    const struct box *box = *state;
    char command[320];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", box->dir);
    return system(command);
}

static void file_put(const struct box *box, const char *name, const char *text, mode_t mode)
{
    char path[320];

    (void)snprintf(path, sizeof(path), "%s/%s", box->dir, name);
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void program_put(const struct box *box, const char *name, const char *script)
{
    char text[2048];

    (void)snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
    file_put(box, name, text, 0700);
}

/* "@" in the text is the directory. */
static void doc_make(const struct box *box, const char *json, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct json_opts opts = { .json5 = true };

    for (const char *at = json; *at; at++) {
        struct span part = *at == '@' ? span_from(box->dir) : (struct span){ at, 1 };
        assert_int_equal(text_buf_add(&text, part), 0);
    }
    assert_int_equal(json_to_pack((struct span){ text.data, text.len }, &opts, out, NULL), 0);
}

static const char *env_find(void *arg, const char *name)
{
    (void)arg;
    return !strcmp(name, "SET") ? "value of SET" : !strcmp(name, "EMPTY") ? "" : NULL;
}

/*
 * One line for each reference, "value" or "! why", of a config with these providers. `refs`
 * are texts "source:provider:id", NULL-ended.
 */
static void resolve_text(const struct box *box, const char *secrets, const char *const *refs, char out[4096])
{
    CLEANUP(pack_deinit) struct pack doc;
    struct secret_ref read[REFS_MAX];
    struct secret_resolve *resolve = NULL;
    char json[2048];
    size_t n = 0;
    size_t len = 0;

    (void)snprintf(json, sizeof(json), "{ secrets: %s, env: { vars: { OWN: 'value of OWN' } } }", secrets);
    pack_init(&doc, 0);
    doc_make(box, json, &doc);
    for (; refs[n]; n++) {
        const char *provider = strchr(refs[n], ':') + 1;
        const char *id = strchr(provider, ':') + 1;
        assert_true(secret_source_find((struct span){ refs[n], (size_t)(provider - 1 - refs[n]) }, &read[n].source));
        read[n].provider = (struct span){ provider, (size_t)(id - 1 - provider) };
        read[n].id = span_from(id);
    }
    assert_int_equal(secret_resolve_wait(
                         &(struct secret_resolve_opts){
                             .doc = pack_span(&doc), .lookup = { .find = env_find }, .refs = read, .refs_n = n },
                         &resolve),
                     0);
    assert_true(secret_resolve_is_done(resolve));
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);
        struct span value = value_str(outcome->value, SPAN_LIT("(object)"));

        assert_true(outcome->state == SECRET_FOUND || outcome->state == SECRET_FAILED);
        len +=
            (size_t)(outcome->state == SECRET_FOUND ? snprintf(out + len, 4096 - len, "%.*s\n", SPAN_FMT(value))
                                                    : snprintf(out + len, 4096 - len, "! %s\n", outcome->problem.text));
    }
    secret_resolve_destroy(&resolve);
    assert_null(resolve);
}

#define assert_resolved(box, secrets, expected, ...)                                                                   \
    do {                                                                                                               \
        char resolved_[4096];                                                                                          \
        resolve_text(box, secrets, (const char *const[]){ __VA_ARGS__, NULL }, resolved_);                             \
        assert_string_equal(resolved_, expected);                                                                      \
    } while (0)

/* --- variables --------------------------------------------------------------------------------------- */

static void variables_come_from_the_environment_and_then_from_the_config(void **state)
{
    assert_resolved(*state, "{}",
                    "value of SET\nvalue of OWN\n! environment variable EMPTY is not set or empty\n"
                    "! environment variable NONE is not set or empty\n! secrets.providers.other: no such provider is "
                    "configured\n",
                    "env:default:SET", "env:default:OWN", "env:default:EMPTY", "env:default:NONE", "env:other:SET");
}

static void an_allowlist_admits_what_it_names_and_an_empty_one_nothing(void **state)
{
    assert_resolved(*state,
                    "{ providers: { a: { source: 'env', allowlist: ['SET'] }, b: { source: 'env', allowlist: [] } } }",
                    "value of SET\n! environment variable OWN is not in secrets.providers.a.allowlist\n"
                    "! environment variable SET is not in secrets.providers.b.allowlist\n",
                    "env:a:SET", "env:a:OWN", "env:b:SET");
}

static void a_provider_of_another_source_is_refused(void **state)
{
    assert_resolved(*state, "{ providers: { a: { source: 'env' } } }",
                    "! secrets.providers.a: the provider is of another source than the reference\n", "file:a:/x");
}

/* --- files ---------------------------------------------------------------------------------------------- */

#define DISK "{ providers: { disk: { source: 'file', path: '@/s.json' } } }"

static void json_files_answer_pointers(void **state)
{
    file_put(*state, "s.json", "{\"a\":{\"b\":\"one\"},\"list\":[\"two\"],\"n\":5,\"o\":{\"x\":1},\"e\":\"\"}", 0600);
    assert_resolved(*state, DISK,
                    "one\ntwo\n! secrets.providers.disk: the file has nothing at that place\n"
                    "! secrets.providers.disk: what is there is neither a text nor an object\n(object)\n"
                    "! secrets.providers.disk: what is there is neither a text nor an object\none\n"
                    "! the reference breaks the rules: its id must be an absolute JSON pointer like "
                    "\"/providers/openai/apiKey\" (~ is written ~0, / ~1), or \"value\" for a singleValue file\n",
                    "file:disk:/a/b", "file:disk:/list/0", "file:disk:/nope", "file:disk:/n", "file:disk:/o",
                    "file:disk:/e", "file:disk:/a/b", "file:disk:a");
}

static void single_value_files_answer_to_value_alone(void **state)
{
    file_put(*state, "one", "the value\n", 0400);
    assert_resolved(*state, "{ providers: { one: { source: 'file', path: '@/one', mode: 'singleValue' } } }",
                    "the value\n! secrets.providers.one: a singleValue file answers to the id \"value\" alone\n",
                    "file:one:value", "file:one:/a");
}

static void files_that_others_may_read_or_write_are_refused(void **state)
{
    static const struct {
        mode_t mode;
        const char *expected;
    } cases[] = {
        { 0644, "! secrets.providers.disk: others may read the file: `chmod 600` it\n" },
        { 0640, "! secrets.providers.disk: others may read the file: `chmod 600` it\n" },
        { 0602, "! secrets.providers.disk: others may write to the file: `chmod go-w` it\n" },
        { 0666, "! secrets.providers.disk: others may write to the file: `chmod go-w` it\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        file_put(*state, "s.json", "{\"a\":\"one\"}", cases[i].mode);
        assert_resolved(*state, DISK, cases[i].expected, "file:disk:/a");
    }
    assert_resolved(*state, "{ providers: { disk: { source: 'file', path: '@/s.json', allowInsecurePath: true } } }",
                    "one\n", "file:disk:/a");
}

static void links_directories_pipes_and_nothing_are_no_files(void **state)
{
    const struct box *box = *state;
    char target[320];
    char link[320];

    file_put(box, "real.json", "{\"a\":\"one\"}", 0600);
    (void)snprintf(target, sizeof(target), "%s/real.json", box->dir);
    (void)snprintf(link, sizeof(link), "%s/s.json", box->dir);
    (void)unlink(link);
    assert_int_equal(symlink(target, link), 0);
    assert_resolved(box, DISK, "! secrets.providers.disk: its path is a symbolic link\n", "file:disk:/a");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(linkat(AT_FDCWD, target, AT_FDCWD, link, 0), 0);
    assert_resolved(box, DISK,
                    "! secrets.providers.disk: the file has another name as well (a hard link): put a copy in its "
                    "place\n",
                    "file:disk:/a");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(mkfifo(link, 0600), 0);
    assert_resolved(box, DISK, "! secrets.providers.disk: it is no regular file\n", "file:disk:/a");
    assert_int_equal(unlink(link), 0);
    assert_resolved(box, DISK, "! secrets.providers.disk: the file is not there\n", "file:disk:/a");
    assert_resolved(box, "{ providers: { disk: { source: 'file', path: '@' } } }",
                    "! secrets.providers.disk: it is no regular file\n", "file:disk:/a");
    assert_resolved(box, "{ providers: { disk: { source: 'file', path: 's.json' } } }",
                    "! secrets.providers.disk: its path is not absolute\n", "file:disk:/a");
}

static void files_have_a_size_and_must_be_json_objects(void **state)
{
    file_put(*state, "s.json", "{\"a\":\"0123456789\"}", 0600);
    assert_resolved(*state, "{ providers: { disk: { source: 'file', path: '@/s.json', maxBytes: 10 } } }",
                    "! secrets.providers.disk: the file is larger than 10 bytes\n", "file:disk:/a");
    file_put(*state, "s.json", "[\"a\"]", 0600);
    assert_resolved(*state, DISK, "! secrets.providers.disk: the file is no JSON object\n", "file:disk:/0");
    file_put(*state, "s.json", "{\"a\":", 0600);
    assert_resolved(*state, DISK, "! secrets.providers.disk: the file is no JSON\n", "file:disk:/a");
}

/* --- programs -------------------------------------------------------------------------------------------- */

#define VAULT(more) "{ providers: { vault: { source: 'exec', command: '@/p', timeoutMs: 3000, " more " } } }"

static void a_program_is_asked_once_for_all_ids(void **state)
{
    const struct box *box = *state;

    program_put(box, "p",
                "cat > asked\n"
                "echo run >> runs\n"
                "printf '{\"protocolVersion\":1,\"values\":{\"a/b\":\"one\",\"c\":{\"k\":\"v\"}},"
                "\"errors\":{\"d\":{\"message\":\"hush\"}}}'\n");
    assert_resolved(box, VAULT(""),
                    "one\n(object)\n! secrets.providers.vault: the program reports an error for this id\n"
                    "! secrets.providers.vault: the program's answer lacks this id\none\n",
                    "exec:vault:a/b", "exec:vault:c", "exec:vault:d", "exec:vault:e", "exec:vault:a/b");
    program_put(box, "p",
                "printf '{\"protocolVersion\":1,\"values\":{\"asked\":\"%s\",\"runs\":\"%s\"}}' "
                "\"$(sed 's/\"/\\\\\"/g' asked)\" \"$(wc -l < runs | tr -d ' ')\"\n");
    assert_resolved(box, VAULT("passEnv: ['PATH']"),
                    "{\"protocolVersion\":1,\"provider\":\"vault\",\"ids\":[\"a/b\",\"c\",\"d\",\"e\"]}\n1\n",
                    "exec:vault:asked", "exec:vault:runs");
}

static void a_program_gets_the_arguments_and_variables_it_is_given_and_no_others(void **state)
{
    program_put(
        *state, "p",
        "printf '{\"protocolVersion\":1,\"values\":{\"x\":\"%s|%s|%s|%s|%s\"}}' \"$1\" \"$2\" \"$SET\" \"$FIX\" "
        "\"${HOME:-no home}\"");
    assert_resolved(*state, VAULT("args: ['a b', '$(id); rm'], passEnv: ['SET', 'NONE'], env: { FIX: 'own' }"),
                    "a b|$(id); rm|value of SET|own|no home\n", "exec:vault:x");
}

static void plain_text_is_a_value_when_one_is_asked_for_and_jsonOnly_is_off(void **state)
{
    program_put(*state, "p", "echo plain");
    assert_resolved(*state, VAULT("jsonOnly: false"), "plain\n", "exec:vault:x");
    assert_resolved(*state, VAULT(""), "! secrets.providers.vault: the program's answer is no JSON\n", "exec:vault:x");
    assert_resolved(*state, VAULT("jsonOnly: false"),
                    "! secrets.providers.vault: the program's answer is no JSON\n"
                    "! secrets.providers.vault: the program's answer is no JSON\n",
                    "exec:vault:x", "exec:vault:y");
}

static void programs_that_fail_are_told_apart_and_what_they_print_is_not_told(void **state)
{
    static const struct {
        const char *script;
        const char *expected;
    } cases[] = {
        { "echo t0ps3cret >&2; exit 1", "! secrets.providers.vault: the program ended with code 1\n" },
        { "kill -9 $$", "! secrets.providers.vault: the program was ended by signal 9\n" },
        { "exit 0", "! secrets.providers.vault: the program said nothing\n" },
        { "echo 't0ps3cret {'", "! secrets.providers.vault: the program's answer is no JSON\n" },
        { "echo '{\"protocolVersion\":2,\"values\":{\"x\":\"t0ps3cret\"}}'",
          "! secrets.providers.vault: the program's answer is not of protocol version 1\n" },
        { "echo '{\"protocolVersion\":1,\"values\":{\"x\":5}}'",
          "! secrets.providers.vault: what is there is neither a text nor an object\n" },
        { "echo '{\"protocolVersion\":1,\"values\":{\"x\":\"\"}}'",
          "! secrets.providers.vault: what is there is neither a text nor an object\n" },
        { "exec 0<&-; echo '{\"protocolVersion\":1,\"values\":{\"x\":\"deaf\"}}'", "deaf\n" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        program_put(*state, "p", cases[i].script);
        assert_resolved(*state, VAULT("passEnv: ['PATH']"), cases[i].expected, "exec:vault:x");
    }
}

static bool is_running(const struct box *box)
{
    char path[320];
    char text[32] = "";

    (void)snprintf(path, sizeof(path), "%s/pid", box->dir);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(text, NULL, 10));
    file = fopen(path, "r");
    if (!file) {
        return false;
    }
    int pid;
    char name[64];
    char status = 'Z';
    assert_int_equal(fscanf(file, "%d %63s %c", &pid, name, &status), 3);
    assert_int_equal(fclose(file), 0);
    return status != 'Z';
}

/* Its last child is nobody's any more, so that its end is seen a moment later. */
static void assert_ends(const struct box *box)
{
    uint64_t until_ms = clock_mono_ms() + 5000;

    while (is_running(box) && clock_mono_ms() < until_ms) {
        (void)usleep(1000);
    }
    assert_false(is_running(box));
}

static void a_program_that_hangs_is_killed_with_all_it_started(void **state)
{
    const struct box *box = *state;

    program_put(box, "p", "sleep 100 & echo $! > pid; echo beginning; wait");
    assert_resolved(box,
                    "{ providers: { vault: { source: 'exec', command: '@/p', timeoutMs: 300, passEnv: ['PATH'] } } }",
                    "! secrets.providers.vault: the program was not done after 300 ms\n", "exec:vault:x");
    assert_ends(box);
}

static void a_program_that_is_quiet_for_too_long_is_killed(void **state)
{
    program_put(*state, "p", "echo beginning; sleep 100");
    assert_resolved(*state, VAULT("noOutputTimeoutMs: 200, passEnv: ['PATH']"),
                    "! secrets.providers.vault: the program wrote nothing for 200 ms\n", "exec:vault:x");
}

static void what_a_program_leaves_behind_is_killed(void **state)
{
    const struct box *box = *state;

    program_put(box, "p", "sleep 100 & echo $! > pid; echo '{\"protocolVersion\":1,\"values\":{\"x\":\"done\"}}'");
    assert_resolved(box, VAULT("passEnv: ['PATH']"), "done\n", "exec:vault:x");
    assert_ends(box);
}

/* `deep`: its parent has ended before it leaves the session, so that nobody of the program's own knows it. */
static const char *const strays[] = {
    "setsid sleep 100 & echo $! > pid;",
    "(setsid sh -c 'echo $$ > pid; exec sleep 100' &) ; while [ ! -s pid ]; do :; done;",
    ("(setsid sh -c '(setsid sh -c \"echo \\$\\$ > pid; trap : TERM HUP; sleep 100; sleep 100\" &)' &);"
     " while [ ! -s pid ]; do :; done;"),
};

static void what_left_the_session_is_killed_when_the_program_is_done(void **state)
{
    const struct box *box = *state;

    for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
        char script[512];
        uint64_t began_ms = clock_mono_ms();

        file_put(box, "pid", "", 0600);
        (void)snprintf(script, sizeof(script), "%s echo '{\"protocolVersion\":1,\"values\":{\"x\":\"done\"}}'",
                       strays[i]);
        program_put(box, "p", script);
        /* It holds our end of standard output, so this would last for the whole timeout. */
        assert_resolved(
            box, "{ providers: { vault: { source: 'exec', command: '@/p', timeoutMs: 60000, passEnv: ['PATH'] } } }",
            "done\n", "exec:vault:x");
        assert_true(clock_mono_ms() - began_ms < 30000);
        assert_false(is_running(box));
    }
}

static void what_left_the_session_is_killed_at_the_timeout(void **state)
{
    const struct box *box = *state;

    for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
        char script[512];

        file_put(box, "pid", "", 0600);
        (void)snprintf(script, sizeof(script), "%s echo beginning; sleep 100", strays[i]);
        program_put(box, "p", script);
        assert_resolved(
            box, "{ providers: { vault: { source: 'exec', command: '@/p', timeoutMs: 400, passEnv: ['PATH'] } } }",
            "! secrets.providers.vault: the program was not done after 400 ms\n", "exec:vault:x");
        assert_false(is_running(box));
    }
}

static void a_program_that_floods_is_stopped_at_the_limit(void **state)
{
    program_put(*state, "p", "yes t0ps3cret");
    assert_resolved(*state, VAULT("maxOutputBytes: 10000, passEnv: ['PATH']"),
                    "! secrets.providers.vault: the program wrote more than 10000 bytes\n", "exec:vault:x");
    program_put(*state, "p", "yes t0ps3cret >&2");
    assert_resolved(*state, VAULT("maxOutputBytes: 10000, passEnv: ['PATH']"),
                    "! secrets.providers.vault: the program wrote more than 10000 bytes\n", "exec:vault:x");
}

static void a_program_must_be_a_file_that_nobody_else_can_change(void **state)
{
    const struct box *box = *state;
    char path[320];
    char link[320];

    program_put(box, "real", "echo '{\"protocolVersion\":1,\"values\":{\"x\":\"run\"}}'");
    (void)snprintf(path, sizeof(path), "%s/real", box->dir);
    (void)snprintf(link, sizeof(link), "%s/p", box->dir);
    (void)unlink(link);
    assert_int_equal(symlink(path, link), 0);
    assert_resolved(box, VAULT(""), "! secrets.providers.vault: its path is a symbolic link\n", "exec:vault:x");
    assert_resolved(box, VAULT("allowSymlinkCommand: true"), "run\n", "exec:vault:x");
    assert_resolved(box, VAULT("allowSymlinkCommand: true, trustedDirs: ['/usr', '@']"), "run\n", "exec:vault:x");
    assert_resolved(box, VAULT("allowSymlinkCommand: true, trustedDirs: ['/usr', '@/real/x', '@x']"),
                    "! secrets.providers.vault: the file is in none of trustedDirs\n", "exec:vault:x");
    assert_int_equal(chmod(path, 0777), 0);
    assert_resolved(box, VAULT("allowSymlinkCommand: true"),
                    "! secrets.providers.vault: others may write to the file: `chmod go-w` it\n", "exec:vault:x");
    assert_resolved(box, VAULT("allowSymlinkCommand: true, allowInsecurePath: true"), "run\n", "exec:vault:x");
    assert_int_equal(chmod(path, 0600), 0);
    assert_resolved(box, VAULT("allowSymlinkCommand: true"), "! secrets.providers.vault: the program cannot be run\n",
                    "exec:vault:x");
    assert_resolved(box, "{ providers: { vault: { source: 'exec', command: 'sh' } } }",
                    "! secrets.providers.vault: its path is not absolute\n", "exec:vault:x");
}

static void a_program_must_lie_where_nobody_else_can_exchange_it(void **state)
{
    const struct box *box = *state;
    char expected[400];
    char path[320];
    char link[320];

    program_put(box, "p", "echo '{\"protocolVersion\":1,\"values\":{\"x\":\"run\"}}'");
    (void)snprintf(expected, sizeof(expected),
                   "! secrets.providers.vault: others may write to the directory %s: `chmod go-w` it\n", box->dir);
    assert_int_equal(chmod(box->dir, 0777), 0);
    assert_resolved(box, VAULT(""), expected, "exec:vault:x");
    assert_resolved(box, VAULT("allowInsecurePath: true"), "run\n", "exec:vault:x");
    assert_int_equal(chmod(box->dir, 01777), 0);
    assert_resolved(box, VAULT(""), "run\n", "exec:vault:x");

    /* The same by the link that leads there, and by a directory further up. */
    assert_int_equal(chmod(box->dir, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/open", box->dir);
    (void)snprintf(link, sizeof(link), "%s/open/way", box->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(symlink(box->dir, link), 0);
    assert_resolved(box, "{ providers: { vault: { source: 'exec', command: '@/open/way/p' } } }", "run\n",
                    "exec:vault:x");
    assert_int_equal(chmod(path, 0777), 0);
    (void)snprintf(expected, sizeof(expected),
                   "! secrets.providers.vault: others may write to the directory %s: `chmod go-w` it\n", path);
    assert_resolved(box, "{ providers: { vault: { source: 'exec', command: '@/open/way/p' } } }", expected,
                    "exec:vault:x");
}

static void limits_of_the_resolution_hold(void **state)
{
    program_put(*state, "p", "echo '{\"protocolVersion\":1,\"values\":{\"x\":\"v\",\"y\":\"v\"}}'");
    assert_resolved(
        *state, "{ providers: { vault: { source: 'exec', command: '@/p' } }, resolution: { maxRefsPerProvider: 1 } }",
        "! secrets.providers.vault: more references than secrets.resolution.maxRefsPerProvider\n"
        "! secrets.providers.vault: more references than secrets.resolution.maxRefsPerProvider\n",
        "exec:vault:x", "exec:vault:y");
    assert_resolved(
        *state, "{ providers: { vault: { source: 'exec', command: '@/p' } }, resolution: { maxBatchBytes: 20 } }",
        "! secrets.providers.vault: the request is larger than secrets.resolution.maxBatchBytes\n", "exec:vault:x");
}

static void one_that_fails_or_is_late_is_nothing_to_the_others(void **state)
{
    program_put(*state, "slow", "sleep 0.3; echo '{\"protocolVersion\":1,\"values\":{\"x\":\"late\"}}'");
    program_put(*state, "bad", "exit 3");
    program_put(*state, "good", "echo '{\"protocolVersion\":1,\"values\":{\"x\":\"good\"}}'");
    assert_resolved(*state,
                    "{ providers: { slow: { source: 'exec', command: '@/slow', passEnv: ['PATH'] },"
                    "  bad: { source: 'exec', command: '@/bad' }, good: { source: 'exec', command: '@/good' } },"
                    "  resolution: { maxProviderConcurrency: 1 } }",
                    "late\n! secrets.providers.bad: the program ended with code 3\ngood\nvalue of SET\n", "exec:slow:x",
                    "exec:bad:x", "exec:good:x", "env:default:SET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_come_from_the_environment_and_then_from_the_config),
        cmocka_unit_test(an_allowlist_admits_what_it_names_and_an_empty_one_nothing),
        cmocka_unit_test(a_provider_of_another_source_is_refused),
        cmocka_unit_test(json_files_answer_pointers),
        cmocka_unit_test(single_value_files_answer_to_value_alone),
        cmocka_unit_test(files_that_others_may_read_or_write_are_refused),
        cmocka_unit_test(links_directories_pipes_and_nothing_are_no_files),
        cmocka_unit_test(files_have_a_size_and_must_be_json_objects),
        cmocka_unit_test(a_program_is_asked_once_for_all_ids),
        cmocka_unit_test(a_program_gets_the_arguments_and_variables_it_is_given_and_no_others),
        cmocka_unit_test(plain_text_is_a_value_when_one_is_asked_for_and_jsonOnly_is_off),
        cmocka_unit_test(programs_that_fail_are_told_apart_and_what_they_print_is_not_told),
        cmocka_unit_test(a_program_that_hangs_is_killed_with_all_it_started),
        cmocka_unit_test(a_program_that_is_quiet_for_too_long_is_killed),
        cmocka_unit_test(what_a_program_leaves_behind_is_killed),
        cmocka_unit_test(what_left_the_session_is_killed_when_the_program_is_done),
        cmocka_unit_test(what_left_the_session_is_killed_at_the_timeout),
        cmocka_unit_test(a_program_that_floods_is_stopped_at_the_limit),
        cmocka_unit_test(a_program_must_be_a_file_that_nobody_else_can_change),
        cmocka_unit_test(a_program_must_lie_where_nobody_else_can_exchange_it),
        cmocka_unit_test(limits_of_the_resolution_hold),
        cmocka_unit_test(one_that_fails_or_is_late_is_nothing_to_the_others),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as every program of ours does: a write to a gone peer is an error there */
    return cmocka_run_group_tests(tests, box_open, box_close);
}
