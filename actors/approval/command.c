#include "actors/approval/command.h"

#include <errno.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define WORDS_MAX 256U
#define WORD_MAX 256U

/* --- showing --------------------------------------------------------------------------------- */

static uint32_t char_code(const char *at, size_t len)
{
    const unsigned char *b = (const unsigned char *)at;
    uint32_t code = len == 1 ? b[0] : len == 2 ? b[0] & 0x1fU : len == 3 ? b[0] & 0x0fU : b[0] & 0x07U;

    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (b[i] & 0x3fU);
    }
    return code;
}

/* Categories Cc, Cf, Zl, Zp of Unicode, the spaces beside U+0020, and the Hangul fillers. */
static bool is_hidden(uint32_t code)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } ranges[] = {
        { 0x00, 0x1f },       { 0x7f, 0xa0 },       { 0xad, 0xad },       { 0x600, 0x605 },     { 0x61c, 0x61c },
        { 0x6dd, 0x6dd },     { 0x70f, 0x70f },     { 0x890, 0x891 },     { 0x8e2, 0x8e2 },     { 0x115f, 0x1160 },
        { 0x1680, 0x1680 },   { 0x180e, 0x180e },   { 0x2000, 0x200f },   { 0x2028, 0x202f },   { 0x205f, 0x206f },
        { 0x3000, 0x3000 },   { 0x3164, 0x3164 },   { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },   { 0xfff9, 0xfffb },
        { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
        { 0xe0001, 0xe007f },
    };

    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

int command_show(struct span text, bool keeps_lines, struct text_buf *out)
{
    size_t start = out->len;
    int r = 0;

    while (!r && text.len) {
        size_t len = utf8_char_len(text.ptr, text.len);
        uint32_t code = len ? char_code(text.ptr, len) : 0xfffd;
        char escape[16];

        if (out->len - start > COMMAND_SHOWN_MAX) {
            return text_buf_add(out, SPAN_LIT("…[truncated]"));
        }
        len = len ? len : 1;
        if (!is_hidden(code) && code != 0xfffd) {
            r = text_buf_add(out, (struct span){ text.ptr, len });
        } else if (code == '\n' && keeps_lines) {
            r = text_buf_add(out, SPAN_LIT("\n"));
        } else {
            (void)snprintf(escape, sizeof(escape), "\\u{%X}", code); /* fits */
            r = text_buf_add(out, span_from(escape));
        }
        text.ptr += len;
        text.len -= len;
    }
    return r;
}

/* --- lines ------------------------------------------------------------------------------------- */

static bool needs_quotes(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (strchr(" \t\r\n\v\f\"", word.ptr[i])) {
            return true;
        }
    }
    return word.len == 0;
}

static int word_quote(struct span word, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("\""));

    for (size_t i = 0; !r && i < word.len; i++) {
        r = word.ptr[i] == '"' ? text_buf_add(out, SPAN_LIT("\\\""))
                               : text_buf_add(out, (struct span){ word.ptr + i, 1 });
    }
    return r ? r : text_buf_add(out, SPAN_LIT("\""));
}

/* Appends a packed list of arguments as one line: those with spaces or quotes in quotes. */
static int line_add(struct span argv, struct text_buf *out)
{
    struct value_iter iter = value_iter(argv);
    struct span key;
    struct span item;
    bool is_first = true;
    int r = 0;

    while (!r && value_next(&iter, &key, &item)) {
        struct span word = value_str(item, (struct span){ 0 });

        r = is_first ? 0 : text_buf_add(out, SPAN_LIT(" "));
        r = r ? r : needs_quotes(word) ? word_quote(word, out) : text_buf_add(out, word);
        is_first = false;
    }
    return r;
}

static struct span last_part(struct span path)
{
    for (size_t i = path.len; i > 0; i--) {
        if (path.ptr[i - 1] == '/') {
            return (struct span){ path.ptr + i, path.len - i };
        }
    }
    return path;
}

/* The text of `sh -c TEXT`, or nothing. */
static struct span shell_text(struct span argv)
{
    static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "fish" };
    struct span words[3] = { { 0 } };
    struct value_iter iter = value_iter(argv);
    struct span key;
    struct span item;

    if (value_count(argv) != 3) {
        return words[0];
    }
    for (size_t i = 0; i < 3 && value_next(&iter, &key, &item); i++) {
        words[i] = value_str(item, (struct span){ 0 });
    }
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        if (span_is_text(last_part(words[0]), shells[i]) &&
            (span_is(words[1], SPAN_LIT("-c")) || span_is(words[1], SPAN_LIT("-lc")))) {
            return span_trim(words[2]);
        }
    }
    return (struct span){ 0 };
}

bool command_is_line(struct span argv, struct span raw)
{
    CLEANUP(text_buf_deinit) struct text_buf line = { 0 };
    struct span inner = shell_text(argv);

    if (inner.len && span_is(inner, span_trim(raw))) {
        return true;
    }
    return !line_add(argv, &line) && span_is((struct span){ line.data, line.len }, span_trim(raw));
}

/* --- variables ------------------------------------------------------------------------------------ */

struct variable {
    struct span key;
    struct span value; /* packed */
};

static int variable_compare(const void *a, const void *b)
{
    const struct span *left = &((const struct variable *)a)->key;
    const struct span *right = &((const struct variable *)b)->key;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = len ? memcmp(left->ptr, right->ptr, len) : 0;

    return order ? order : (left->len > right->len) - (left->len < right->len);
}

int command_digest(struct span value, char ret_hash[COMMAND_HASH_LEN])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    if (crypto_hash_sha256(digest, (const unsigned char *)value.ptr, value.len)) {
        return FAULT(-ENOMEM);
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(ret_hash + 2 * i, 3, "%02x", digest[i]);
    }
    return 0;
}

/* A value that is no text is told by its JSON, so that none can pass for another. */
static int lines_hash(const struct variable *variables, size_t n, char hash[COMMAND_HASH_LEN])
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = 0;

    for (size_t i = 0; !r && i < n; i++) {
        r = json_from_text(variables[i].key, &text);
        r = r ? r : json_from_value(variables[i].value, &text);
    }
    return r ? r : command_digest((struct span){ text.data, text.len }, hash);
}

int command_env_hash(struct span env, char ret_hash[COMMAND_HASH_LEN])
{
    struct value_iter iter = value_iter(env);
    size_t count = value_count(env);
    CLEANUP(mem_free) struct variable *variables = count ? calloc(count, sizeof(*variables)) : NULL;
    size_t n = 0;

    ret_hash[0] = '\0';
    if (count == 0) {
        return 0;
    }
    if (!variables) {
        return FAULT(-ENOMEM);
    }
    while (n < count && value_next(&iter, &variables[n].key, &variables[n].value)) {
        n += variables[n].key.len > 0;
    }
    if (n == 0) {
        return 0;
    }
    qsort(variables, n, sizeof(*variables), variable_compare);
    return lines_hash(variables, n, ret_hash);
}

/* --- what it consists of ---------------------------------------------------------------------------- */

/* The words of one simple command, cut to what tells commands apart. */
struct simple {
    char words[WORDS_MAX][WORD_MAX];
    size_t words_n;
};

struct findings {
    unsigned commands_n;
    bool is_inline;  /* a program text on the command line */
    bool is_carrier; /* a command that runs others */
    char lines[8][96];
    size_t lines_n;
};

static void finding_note(struct findings *self, const char *kind, const char *command, const char *flag)
{
    char line[96];

    (void)snprintf(line, sizeof(line), "Contains %s: %.40s%s%.20s", kind, command, flag[0] ? " " : "", flag);
    for (size_t i = 0; i < self->lines_n; i++) {
        if (strcmp(self->lines[i], line) == 0) {
            return;
        }
    }
    if (self->lines_n < ARRAY_LEN(self->lines)) {
        memcpy(self->lines[self->lines_n++], line, sizeof(line));
    }
}

static const char *word_find(const struct simple *self, const char *const *any)
{
    for (size_t i = 1; i < self->words_n; i++) {
        for (const char *const *at = any; *at; at++) {
            if (strcmp(self->words[i], *at) == 0) {
                return *at;
            }
        }
    }
    return NULL;
}

static void simple_judge(const struct simple *self, struct findings *findings)
{
    static const char *const evals[] = { "-c", "-e", "-p", "-r", "--eval", "--print", "--command", NULL };
    static const char *const execs[] = { "-exec", "-execdir", "-ok", "-okdir", NULL };
    static const char *const splits[] = { "-S", "-s", "--split-string", NULL };
    static const char *const interpreters[] = { "python", "python2",   "python3", "node", "nodejs",
                                                "deno",   "bun",       "ruby",    "perl", "php",
                                                "lua",    "osascript", "awk",     "gawk", NULL };
    struct span base = last_part(span_from(self->words[0]));
    const char *flag;

    findings->commands_n++;
    for (const char *const *at = interpreters; *at; at++) {
        flag = span_is_text(base, *at) ? word_find(self, evals) : NULL;
        if (flag) {
            findings->is_inline = true;
            finding_note(findings, "inline-eval", *at, flag);
        }
    }
    flag = span_is(base, SPAN_LIT("find"))  ? word_find(self, execs)
           : span_is(base, SPAN_LIT("env")) ? word_find(self, splits)
                                            : NULL;
    if (flag || span_is(base, SPAN_LIT("xargs"))) {
        findings->is_carrier = true;
        finding_note(findings, "command-carrier", base.ptr, flag ? flag : "");
    }
}

static void findings_pack(const struct findings *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_u64(out, "commandCount", self->commands_n);
    pack_kv_u64(out, "nestedCommandCount", 0);
    pack_key(out, "riskKinds");
    pack_array_begin(out);
    if (self->is_inline) {
        pack_text(out, "inline-eval");
    }
    if (self->is_carrier) {
        pack_text(out, "command-carrier");
    }
    pack_array_end(out);
    pack_key(out, "warningLines");
    pack_array_begin(out);
    for (size_t i = 0; i < self->lines_n; i++) {
        pack_text(out, self->lines[i]);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* Reads a word with its quotes; false for what only a shell can expand or close. */
static bool word_read(struct span *text, char word[WORD_MAX])
{
    size_t n = 0;
    char quote = '\0';

    while (text->len && (quote || !strchr(" \t\r\n|&;", *text->ptr))) {
        char c = *text->ptr;

        if (quote != '\'' && (c == '`' || (c == '$' && text->len > 1 && text->ptr[1] == '('))) {
            return false;
        }
        if (!quote && strchr("<>()", c)) {
            return false;
        }
        if (c == '\\' && quote != '\'' && text->len > 1) {
            text->ptr++;
            text->len--;
            c = *text->ptr;
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? '\0' : c;
            c = '\0';
        }
        if (c && n + 1 < WORD_MAX) {
            word[n++] = c;
        }
        text->ptr++;
        text->len--;
    }
    word[n] = '\0';
    return !quote;
}

static void separator_skip(struct span *text, bool *is_end)
{
    *is_end = false;
    while (text->len && strchr(" \t\r\n|&;", *text->ptr)) {
        *is_end = *is_end || !strchr(" \t\r", *text->ptr);
        text->ptr++;
        text->len--;
    }
}

void command_analyse(struct span text, struct pack *out)
{
    CLEANUP(mem_free) struct simple *simple = mem_new(sizeof(*simple));
    struct findings findings = { 0 };
    bool is_end;

    separator_skip(&text, &is_end);
    while (text.len) {
        if (simple->words_n == WORDS_MAX || !word_read(&text, simple->words[simple->words_n])) {
            pack_nil(out);
            return;
        }
        simple->words_n++;
        separator_skip(&text, &is_end);
        if (is_end || !text.len) {
            simple_judge(simple, &findings);
            simple->words_n = 0;
        }
    }
    findings_pack(&findings, out);
}

void command_analyse_argv(struct span argv, struct pack *out)
{
    CLEANUP(mem_free) struct simple *simple = mem_new(sizeof(*simple));
    struct findings findings = { 0 };
    struct value_iter iter = value_iter(argv);
    struct span key;
    struct span item;

    while (simple->words_n < WORDS_MAX && value_next(&iter, &key, &item)) {
        (void)snprintf(simple->words[simple->words_n++], WORD_MAX, "%.*s",
                       SPAN_FMT(value_str(item, (struct span){ 0 }))); /* may be cut */
    }
    if (!simple->words_n) {
        pack_nil(out);
        return;
    }
    simple_judge(simple, &findings);
    findings_pack(&findings, out);
}
