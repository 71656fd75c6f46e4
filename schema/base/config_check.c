#include "schema/base/config_check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/nearest.h"
#include "bus/value.h"
#include "schema/base/agent_id.h"
#include "schema/base/config_rules.h"
#include "schema/base/duration.h"
#include "schema/base/hooks_config.h"

#define NOTHING ((struct span){ 0 })
#define PLACE_MAX 256
#define TEXT_MAX 768
#define PUBLIC_ORIGIN_MAX 300 /* bytes */
#define WORD_MAX 64           /* of a value that is quoted */

struct check {
    void (*on)(void *arg, const char *place, const char *text);
    void *arg;
    unsigned problems;
    char place[PLACE_MAX];
    size_t place_len;
};

/* --- saying what is wrong -------------------------------------------------------------------- */

static void problem(struct check *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* At the place in hand, with which the text begins. */
static void problem(struct check *self, const char *fmt, ...)
{
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%s ", self->place);
    va_list args;

    self->problems++;
    va_start(args, fmt);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args); /* cut; a place is shorter */
    va_end(args);
    self->on(self->arg, self->place, text);
}

static size_t place_push(struct check *self, struct span key)
{
    size_t before = self->place_len;
    size_t room = PLACE_MAX - before;
    int n = snprintf(self->place + before, room, "%s%.*s", before ? "." : "", SPAN_FMT(key));

    self->place_len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

static void place_pop(struct check *self, size_t before)
{
    self->place_len = before;
    self->place[before] = '\0';
}

/* A text that can be shown on one line: cut, and without what a terminal would act upon. */
static void word_show(struct span text, char ret_word[WORD_MAX])
{
    size_t n = 0;

    while (n < text.len && n < WORD_MAX - 1) {
        unsigned char byte = (unsigned char)text.ptr[n];

        ret_word[n++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    ret_word[n] = '\0';
}

/* What stands there, in words; the text of a secret is never among them. */
static void found_show(struct span value, bool is_secret, char *out, size_t size)
{
    char word[WORD_MAX];

    switch (value_kind_of(value)) {
    case VALUE_STR:
        word_show(value_str(value, NOTHING), word);
        (void)snprintf(out, size, is_secret ? "a text" : "\"%s\"", word);
        break;
    case VALUE_INT:
        (void)snprintf(out, size, is_secret ? "a number" : "%" PRId64, value_i64(value, 0));
        break;
    case VALUE_FLOAT:
        (void)snprintf(out, size, is_secret ? "a number" : "%g", value_f64(value, 0));
        break;
    case VALUE_BOOL:
        (void)snprintf(out, size, "%s", value_bool(value, false) ? "true" : "false");
        break;
    case VALUE_MAP:
        (void)snprintf(out, size, "an object");
        break;
    case VALUE_ARRAY:
        (void)snprintf(out, size, "a list");
        break;
    case VALUE_NIL:
        (void)snprintf(out, size, "null");
        break;
    default:
        (void)snprintf(out, size, "a number too large");
        break;
    }
}

/* --- the nearest value that would do ------------------------------------------------------------ */

static void choices_show(const char *const *choices, char *out, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; choices[i] && at < size; i++) {
        at += (size_t)snprintf(out + at, size - at, "%s\"%s\"", i ? ", " : "", choices[i]);
    }
}

/* An address where a choice is expected is the choice that listens there; anything else is itself. */
static const char *address_choice(const char *word)
{
    static const char *const meant[][2] = {
        { "0.0.0.0", "lan" },
        { "*", "lan" },
        { "::", "lan" },
        { "[::]", "lan" },
        { "127.0.0.1", "loopback" },
        { "localhost", "loopback" },
        { "::1", "loopback" },
        { "[::1]", "loopback" },
    };

    for (size_t i = 0; i < ARRAY_LEN(meant); i++) {
        if (strcmp(word, meant[i][0]) == 0) {
            return meant[i][1];
        }
    }
    return word;
}

static const char *choice_nearest(const struct config_rule *rule, struct span value)
{
    char word[WORD_MAX];
    struct nearest nearest = { .typed = word };

    word_show(value_str(value, NOTHING), word);
    for (char *at = word; *at; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    }
    for (size_t i = 0; rule->choices[i]; i++) {
        if (strcmp(address_choice(word), rule->choices[i]) == 0) {
            return rule->choices[i];
        }
        nearest_offer(&nearest, rule->choices[i]);
    }
    return nearest.best ? nearest.best : rule->choices[0];
}

/* What is no number is near none. */
static bool number_read(struct span value, double *ret_number)
{
    enum value_kind kind = value_kind_of(value);
    char word[WORD_MAX];
    char *end = word;

    if (kind == VALUE_STR) {
        word_show(value_str(value, NOTHING), word);
        *ret_number = strtod(word, &end);
        return end != word && !*end && *ret_number - *ret_number == 0; /* "nan" and "inf" are words */
    }
    *ret_number = kind == VALUE_UINT ? (double)INT64_MAX : value_f64(value, (double)value_i64(value, 0));
    return kind == VALUE_INT || kind == VALUE_UINT || kind == VALUE_FLOAT;
}

static int64_t int_nearest(const struct config_rule *rule, double number)
{
    if (!(number > (double)rule->min)) {
        return rule->min;
    }
    return number >= (double)rule->max ? rule->max : (int64_t)number;
}

/* False when no value is nearer than another. */
static bool use_show(const struct config_rule *rule, struct span value, char *out, size_t size)
{
    char word[WORD_MAX];
    double number;

    switch (rule->kind) {
    case CONFIG_RULE_CHOICE:
        (void)snprintf(out, size, "\"%s\"", choice_nearest(rule, value));
        return true;
    case CONFIG_RULE_INT:
        if (!number_read(value, &number)) {
            return false;
        }
        (void)snprintf(out, size, "%" PRId64, int_nearest(rule, number));
        return true;
    case CONFIG_RULE_BOOL:
        word_show(value_str(value, SPAN_LIT("")), word);
        (void)snprintf(out, size, "%s",
                       value_i64(value, 0) || !strcmp(word, "true") || !strcmp(word, "yes") || !strcmp(word, "on")
                           ? "true"
                           : "false");
        return true;
    case CONFIG_RULE_OBJECT:
        (void)snprintf(out, size, "{}");
        return true;
    case CONFIG_RULE_LIST:
        (void)snprintf(out, size, "[]");
        return true;
    default:
        break;
    }
    if (!rule->example && !rule->is_secret && rule->kind == CONFIG_RULE_TEXT &&
        (value_kind_of(value) == VALUE_INT || value_kind_of(value) == VALUE_BOOL)) {
        char plain[WORD_MAX];

        found_show(value, false, plain, sizeof(plain));
        (void)snprintf(out, size, "\"%s\"", plain);
        return true;
    }
    (void)snprintf(out, size, "%s", rule->example ? rule->example : "\"text\"");
    return true;
}

static void expected_show(const struct config_rule *rule, char *out, size_t size)
{
    char choices[256];

    switch (rule->kind) {
    case CONFIG_RULE_OBJECT:
        (void)snprintf(out, size, "an object");
        break;
    case CONFIG_RULE_LIST:
        (void)snprintf(out, size, "a list");
        break;
    case CONFIG_RULE_TEXT:
        (void)snprintf(out, size, rule->min ? "a text that is not empty" : "a text");
        break;
    case CONFIG_RULE_BOOL:
        (void)snprintf(out, size, "true or false");
        break;
    case CONFIG_RULE_INT:
        (void)snprintf(out, size, "a whole number from %" PRId64 " to %" PRId64, rule->min, rule->max);
        break;
    case CONFIG_RULE_CHOICE:
        choices_show(rule->choices, choices, sizeof(choices));
        (void)snprintf(out, size, "one of %s", choices);
        break;
    case CONFIG_RULE_SECRET:
        (void)snprintf(out, size,
                       "a text or a reference like { source: \"env\", provider: \"default\", id: \"NAME\" }");
        break;
    case CONFIG_RULE_MODEL:
        (void)snprintf(out, size, "a text like \"provider/model\", or an object with it as \"primary\"");
        break;
    case CONFIG_RULE_EVERY:
        (void)snprintf(out, size, "a length of time like \"30m\", \"1h30m\" or \"0m\" for never");
        break;
    case CONFIG_RULE_CLOCK:
        (void)snprintf(out, size, "a time of day from \"00:00\" to \"%s\"", rule->max ? "24:00" : "23:59");
        break;
    }
}

static void refuse(struct check *self, const struct config_rule *rule, struct span value)
{
    bool is_secret = rule->is_secret || rule->kind == CONFIG_RULE_SECRET;
    char found[WORD_MAX + 8];
    char expected[512];
    char use[WORD_MAX + 8];

    expected_show(rule, expected, sizeof(expected));
    if (!value.len) {
        problem(self, "is missing, expected %s, for example %s", expected, rule->example ? rule->example : "\"text\"");
        return;
    }
    found_show(value, is_secret, found, sizeof(found));
    if (use_show(rule, value, use, sizeof(use))) {
        problem(self, "is %s, expected %s; the nearest is %s", found, expected, use);
    } else {
        problem(self, "is %s, expected %s", found, expected);
    }
}

/* --- judging one value --------------------------------------------------------------------------- */

static bool choice_is_known(const struct config_rule *rule, struct span text)
{
    for (size_t i = 0; rule->choices[i]; i++) {
        if (span_is_text(text, rule->choices[i])) {
            return true;
        }
    }
    return false;
}

static bool is_fit(const struct config_rule *rule, struct span value)
{
    enum value_kind kind = value_kind_of(value);
    int64_t number = value_i64(value, 0);
    int minutes;

    switch (rule->kind) {
    case CONFIG_RULE_OBJECT:
        return kind == VALUE_MAP;
    case CONFIG_RULE_LIST:
        return kind == VALUE_ARRAY;
    case CONFIG_RULE_TEXT:
        return kind == VALUE_STR && value_str(value, NOTHING).len >= (size_t)rule->min;
    case CONFIG_RULE_BOOL:
        return kind == VALUE_BOOL;
    case CONFIG_RULE_INT:
        return kind == VALUE_INT && number >= rule->min && number <= rule->max;
    case CONFIG_RULE_CHOICE:
        return kind == VALUE_STR && choice_is_known(rule, value_str(value, NOTHING));
    case CONFIG_RULE_SECRET:
        return kind == VALUE_STR || (value_str(value_get(value, "source"), NOTHING).len > 0 &&
                                     value_str(value_get(value, "id"), NOTHING).len > 0);
    case CONFIG_RULE_MODEL:
        return kind == VALUE_STR || (kind == VALUE_MAP && (!value_get(value, "primary").len ||
                                                           value_kind_of(value_get(value, "primary")) == VALUE_STR));
    case CONFIG_RULE_EVERY:
        return kind != VALUE_STR || duration_parse(value_str(value, NOTHING), 60000, &number);
    case CONFIG_RULE_CLOCK:
        return kind != VALUE_STR || duration_parse_clock(value_str(value, NOTHING), rule->max != 0, &minutes);
    }
    return false;
}

static void judge(struct check *self, const struct config_rule *rule, struct span value)
{
    if (!is_fit(rule, value)) {
        refuse(self, rule, value);
    } else if ((rule->kind == CONFIG_RULE_OBJECT || rule->kind == CONFIG_RULE_LIST) && rule->max &&
               value_count(value) > (uint64_t)rule->max) {
        problem(self, "has %" PRIu32 " entries, expected at most %" PRId64 "; remove %" PRId64, value_count(value),
                rule->max, (int64_t)value_count(value) - rule->max);
    }
}

/* What does not have the kind for its part of the path was told of by the row of its own. */
static void rule_apply(struct check *self, const struct config_rule *rule, struct span value, const char *rest)
{
    size_t len = strcspn(rest, ".");
    struct span name = { rest, len };
    bool is_last = !rest[len];
    bool is_element = span_is_text(name, "[]");
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    if (value_kind_of(value) != (is_element ? VALUE_ARRAY : VALUE_MAP)) {
        return;
    }
    for (unsigned i = 0; value_next(&it, &key, &item); i++) {
        char number[16];
        int digits = snprintf(number, sizeof(number), "%u", i);

        if (is_element || span_is_text(name, "*") || span_is(name, key)) {
            size_t before = place_push(self, is_element ? (struct span){ number, (size_t)digits } : key);

            if (is_last) {
                judge(self, rule, item);
            } else {
                rule_apply(self, rule, item, rest + len + 1);
            }
            place_pop(self, before);
        }
    }
    if (is_last && rule->is_required && !is_element) {
        char word[WORD_MAX];

        word_show(name, word);
        if (!value_get(value, word).len) {
            size_t before = place_push(self, name);

            refuse(self, rule, NOTHING);
            place_pop(self, before);
        }
    }
}

/* --- what holds between values --------------------------------------------------------------------- */

/* The place of the first entry with this id, or `at` when it is that one. */
static unsigned agent_first(struct span list, const char *id, unsigned at)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;
    char other[AGENT_ID_MAX + 1];

    for (unsigned i = 0; i < at && value_next(&it, &key, &entry); i++) {
        if (agent_id_normalize(value_str(value_get(entry, "id"), NOTHING), other) && strcmp(other, id) == 0) {
            return i;
        }
    }
    return at;
}

static void agent_check(struct check *self, struct span list, unsigned at, struct span text)
{
    char id[AGENT_ID_MAX + 1];
    char word[WORD_MAX];

    word_show(text, word);
    if (!agent_id_normalize(text, id) || text.len > AGENT_ID_MAX) {
        problem(self, "is \"%s\", expected 1 to %d letters, digits, \"-\" and \"_\"; the nearest is \"%s\"", word,
                AGENT_ID_MAX, agent_id_normalize(text, id) ? id : "main");
        return;
    }
    unsigned first = agent_first(list, id, at);
    if (first != at) {
        problem(self,
                "is \"%s\", which means \"%s\", and so does agents.list.%u.id; expected an id of its own, the nearest "
                "is \"%.56s-%u\"",
                word, id, first, id, at + 1);
    }
}

static void agents_check(struct check *self, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;

    for (unsigned i = 0; i < CONFIG_CHECK_AGENTS_MAX && value_next(&it, &key, &entry); i++) {
        struct span id = value_str(value_get(entry, "id"), NOTHING);

        if (id.len) {
            char place[32];
            int len = snprintf(place, sizeof(place), "agents.list.%u.id", i);
            size_t before = place_push(self, (struct span){ place, (size_t)len });

            agent_check(self, list, i, id);
            place_pop(self, before);
        }
    }
}

/* Those that speak as OpenAI does. */
static void provider_url_check(struct check *self, struct span url)
{
    struct span text = value_str(url, NOTHING);
    size_t before = place_push(self, SPAN_LIT("baseUrl"));
    char word[WORD_MAX];

    word_show(text, word);
    if (!url.len) {
        problem(self, "is missing, expected an address that begins with http:// or https://, for example "
                      "\"https://api.openai.com/v1\"");
    } else if (value_kind_of(url) == VALUE_STR && !span_starts(text, "http://") && !span_starts(text, "https://")) {
        problem(self,
                "is \"%s\", expected an address that begins with http:// or https://; the nearest is \"https://%s\"",
                word, word[0] ? word : "api.openai.com/v1");
    }
    place_pop(self, before);
}

static void provider_check(struct check *self, struct span id, struct span provider)
{
    struct span api = value_str(value_get(provider, "api"), SPAN_LIT("openai-completions"));

    if (!id.len || id.len > CONFIG_CHECK_PROVIDER_ID_MAX || memchr(id.ptr, '/', id.len)) {
        problem(self, "is the name of a provider, expected 1 to %d bytes without \"/\"", CONFIG_CHECK_PROVIDER_ID_MAX);
    }
    if (span_is_text(id, "builtin")) {
        problem(self, "is the name of the built-in provider, expected another; the nearest is \"builtin-2\"");
    }
    if (span_is_text(api, "openai-completions") && value_kind_of(provider) == VALUE_MAP) {
        provider_url_check(self, value_get(provider, "baseUrl"));
    }
}

static void providers_check(struct check *self, struct span providers)
{
    struct value_iter it = value_iter(providers);
    size_t all = place_push(self, SPAN_LIT("models.providers"));
    struct span id;
    struct span provider;

    while (value_kind_of(providers) == VALUE_MAP && value_next(&it, &id, &provider)) {
        char name[WORD_MAX];

        word_show(id, name);
        size_t one = place_push(self, span_from(name));
        provider_check(self, id, provider);
        place_pop(self, one);
    }
    place_pop(self, all);
}

/* "host" or "host:port" of these letters; a host of IPv6 stands in brackets. */
static bool is_authority(struct span text)
{
    bool has_host = text.len && text.ptr[0] != ':';

    for (size_t i = 0; i < text.len; i++) {
        has_host = has_host && (isalnum((unsigned char)text.ptr[i]) || strchr("-.:[]_", text.ptr[i]));
    }
    return has_host;
}

/* Addresses of this gateway for others begin with it. Without TLS there is none but for a developer's own machine. */
static void public_origin_check(struct check *self, struct span value)
{
    struct span text = value_str(value, NOTHING);
    bool is_plain = span_starts(text, "http://");
    size_t scheme = is_plain ? 7 : 8;
    char word[WORD_MAX];

    if (value_kind_of(value) != VALUE_STR) {
        return; /* the shape's to say */
    }
    struct span rest = text.len > scheme ? (struct span){ text.ptr + scheme, text.len - scheme } : NOTHING;
    rest.len -= rest.len && rest.ptr[rest.len - 1] == '/';
    bool is_here = span_starts(rest, "localhost") || span_starts(rest, "127.0.0.1") || span_starts(rest, "[::1]");
    size_t here = span_starts(rest, "[::1]") ? 5 : 9;
    is_here = is_here && (rest.len == here || rest.ptr[here] == ':');
    if (text.len < PUBLIC_ORIGIN_MAX && is_authority(rest) && (is_plain ? is_here : span_starts(text, "https://"))) {
        return;
    }
    size_t before = place_push(self, SPAN_LIT("gateway.publicOrigin"));
    word_show(text, word);
    problem(
        self,
        "is \"%s\", expected https:// and a host, without a path; for example \"https://gateway.example.com\" (http:// "
        "for localhost alone)",
        word);
    place_pop(self, before);
}

static void on_hooks_problem(void *arg, const char *text)
{
    struct check *self = arg;
    size_t len = strcspn(text, " ");
    size_t before = place_push(self, (struct span){ text, len });

    problem(self, "%s", text + len + (text[len] == ' '));
    place_pop(self, before);
}

unsigned config_check(struct span doc, void (*on)(void *arg, const char *place, const char *text), void *arg)
{
    struct check self = { .on = on, .arg = arg };

    for (size_t i = 0; i < config_rules_n; i++) {
        rule_apply(&self, &config_rules[i], doc, config_rules[i].path);
    }
    providers_check(&self, value_path(doc, "models.providers"));
    agents_check(&self, value_path(doc, "agents.list"));
    public_origin_check(&self, value_path(doc, "gateway.publicOrigin"));
    hooks_config_check(value_get(doc, "hooks"), on_hooks_problem, &self);
    return self.problems;
}
