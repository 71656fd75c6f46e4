#include "actors/log/mask.h"

#include <ctype.h>
#include <strings.h>

#include "bus/base/cleanup.h"

#define KEEP_HEAD 6
#define KEEP_TAIL 4
#define KEEP_FROM 18 /* shorter ones are hidden whole */

struct scan {
    struct span text;
    size_t at;
    struct text_buf *out;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '+' || c == '/' || c == '=' ||
           c == '~' || c == '%';
}

static size_t word_len(struct span text, size_t at)
{
    size_t end = at;

    while (end < text.len && is_word(text.ptr[end])) {
        end++;
    }
    return end - at;
}

static int put(struct scan *scan, size_t len)
{
    int r = len ? text_buf_add(scan->out, (struct span){ scan->text.ptr + scan->at, len }) : 0;

    scan->at += len;
    return r;
}

/* Only such a text can be cut anywhere. */
static bool is_ascii(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] > 0x7f) {
            return false;
        }
    }
    return true;
}

static int put_masked(struct scan *scan, size_t len)
{
    struct span word = { scan->text.ptr + scan->at, len };
    int r;

    scan->at += len;
    if (len < KEEP_FROM || !is_ascii(word)) {
        return text_buf_add(scan->out, SPAN_LIT("***"));
    }
    r = text_buf_add(scan->out, (struct span){ word.ptr, KEEP_HEAD });
    r = r ? r : text_buf_add(scan->out, SPAN_LIT("***"));
    return r ? r : text_buf_add(scan->out, (struct span){ word.ptr + len - KEEP_TAIL, KEEP_TAIL });
}

static bool ends_with(struct span name, const char *end)
{
    size_t len = strlen(end);

    return name.len >= len && strncasecmp(name.ptr + name.len - len, end, len) == 0;
}

static bool is_secret_name(struct span name)
{
    static const char *const ends[] = {
        "token",  "password", "passwd",     "secret",     "apikey",        "api_key",   "api-key",
        "bearer", "cookie",   "privatekey", "passphrase", "authorization", "signature", "private_key",
    };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_with(name, ends[i])) {
            return true;
        }
    }
    return false;
}

static bool is_known_format(struct span word)
{
    static const struct {
        const char *head;
        size_t least;
    } formats[] = {
        { "sk-", 16 },   { "sk_", 16 },    { "pk_live_", 16 }, { "ghp_", 20 },        { "gho_", 20 },
        { "ghs_", 20 },  { "xoxb-", 16 },  { "xoxp-", 16 },    { "xoxa-", 16 },       { "xapp-", 16 },
        { "AIza", 30 },  { "AKIA", 16 },   { "hf_", 20 },      { "gsk_", 20 },        { "eyJ", 40 },
        { "ya29.", 20 }, { "glpat-", 20 }, { "npm_", 20 },     { "github_pat_", 24 },
    };

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (word.len >= formats[i].least && span_starts(word, formats[i].head)) {
            return true;
        }
    }
    return false;
}

/* Behind a secret's name: separators, quotes and a scheme, then the value itself. */
static size_t value_gap(struct span text, size_t at)
{
    size_t i = at;
    bool has_separator = false;

    while (i < text.len && strchr("\"' \t:=\\", text.ptr[i])) {
        has_separator |= text.ptr[i] == ':' || text.ptr[i] == '=';
        i++;
    }
    if (!has_separator) {
        return 0;
    }
    struct span rest = { text.ptr + i, text.len - i };
    if (rest.len > 7 && strncasecmp(rest.ptr, "bearer ", 7) == 0) {
        i += 7;
    } else if (rest.len > 6 && strncasecmp(rest.ptr, "basic ", 6) == 0) {
        i += 6;
    }
    return i - at;
}

/* Up to what ends a value in key=value text and in JSON. */
static size_t value_len(struct span text, size_t at)
{
    size_t end = at;

    while (end < text.len && !strchr("\"' \t\r\n,;&}])\\", text.ptr[end])) {
        end++;
    }
    return end - at;
}

static bool is_one_of(struct span word, const char *const *words, size_t words_n)
{
    for (size_t i = 0; i < words_n; i++) {
        if (word.len == strlen(words[i]) && strncasecmp(word.ptr, words[i], word.len) == 0) {
            return true;
        }
    }
    return false;
}

/* "token=null": that there is none. */
static bool is_nothing(struct span value)
{
    static const char *const words[] = { "true", "false", "null", "none", "undefined" };

    return is_one_of(value, words, ARRAY_LEN(words));
}

/*
 * "models.providers.x.apiKey: the file is not there" tells of the place of a secret; "password: hunter2" tells one.
 * Only words that begin what is said about a place, with more behind them, are told from values.
 */
static bool is_told_of(struct span text, size_t at, size_t len)
{
    static const char *const words[] = {
        "a",      "an",  "and",  "are",  "as",      "at",   "cannot", "environment", "for", "from", "has",  "in",
        "is",     "it",  "its",  "must", "neither", "no",   "not",    "nothing",     "of",  "on",   "only", "or",
        "others", "out", "that", "the",  "there",   "this", "to",     "unresolved",  "was", "what", "when", "which",
    };
    struct span value = { text.ptr + at, len };
    bool has_more =
        at + len + 1 < text.len && text.ptr[at + len] == ' ' && isalpha((unsigned char)text.ptr[at + len + 1]);

    return at > 1 && text.ptr[at - 1] == ' ' && text.ptr[at - 2] == ':' &&
           ((has_more && is_one_of(value, words, ARRAY_LEN(words))) || span_starts(value, "secrets.providers."));
}

/* "key=value" is one word here; the name ends at its separator. */
static size_t name_len(struct span word)
{
    const char *sign = memchr(word.ptr, '=', word.len);

    return sign ? (size_t)(sign - word.ptr) : word.len;
}

static int pem_hide(struct scan *scan)
{
    static const char mark[] = "-----END ";
    struct span rest = { scan->text.ptr + scan->at, scan->text.len - scan->at };
    const char *end = memmem(rest.ptr, rest.len, mark, sizeof(mark) - 1);
    size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

    scan->at += len;
    return text_buf_add(scan->out, SPAN_LIT("-----BEGIN PRIVATE KEY-----***"));
}

static bool is_pem(const struct scan *scan)
{
    struct span rest = { scan->text.ptr + scan->at, scan->text.len - scan->at };
    size_t head = rest.len < 64 ? rest.len : 64;

    return span_starts(rest, "-----BEGIN ") && memmem(rest.ptr, head, "PRIVATE KEY", 11);
}

/* "://user:password@": the part between colon and at sign. */
static int url_step(struct scan *scan, bool *ret_is_done)
{
    struct span rest = { scan->text.ptr + scan->at, scan->text.len - scan->at };
    size_t i = 3;
    size_t colon = 0;

    *ret_is_done = false;
    while (i < rest.len && !strchr("/ \t\"'@\r\n", rest.ptr[i])) {
        colon = rest.ptr[i] == ':' && !colon ? i : colon;
        i++;
    }
    if (!colon || i >= rest.len || rest.ptr[i] != '@') {
        return 0;
    }
    *ret_is_done = true;
    int r = put(scan, colon + 1);
    return r ? r : put_masked(scan, i - colon - 1);
}

static int word_step(struct scan *scan, size_t len)
{
    struct span word = { scan->text.ptr + scan->at, len };
    size_t name = name_len(word);

    if (is_known_format(word)) {
        return put_masked(scan, len);
    }
    if (!is_secret_name((struct span){ word.ptr, name })) {
        return put(scan, name < len ? name + 1 : len);
    }
    size_t gap = value_gap(scan->text, scan->at + name);
    int r = put(scan, name + gap);
    if (r || !gap) {
        return r;
    }
    size_t value = value_len(scan->text, scan->at);
    if (is_nothing((struct span){ scan->text.ptr + scan->at, value }) || is_told_of(scan->text, scan->at, value)) {
        return put(scan, value);
    }
    return value ? put_masked(scan, value) : 0;
}

int mask_text(struct span text, struct text_buf *out)
{
    struct scan scan = { .text = text, .out = out };

    while (scan.at < text.len) {
        size_t len = word_len(text, scan.at);
        bool is_done = false;
        int r = 0;

        if (is_pem(&scan)) {
            r = pem_hide(&scan);
            is_done = true;
        } else if (span_starts((struct span){ text.ptr + scan.at, text.len - scan.at }, "://")) {
            r = url_step(&scan, &is_done);
        }
        if (!r && !is_done) {
            r = len ? word_step(&scan, len) : put(&scan, 1);
        }
        if (r) {
            return r;
        }
    }
    return 0;
}
