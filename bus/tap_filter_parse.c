#include "bus/tap_filter.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/envelope.h"
#include "bus/tap_filter_ops.h"

struct parser {
    struct span text;
    size_t at;
    unsigned depth;
    struct tap_filter *filter;
    struct tap_filter_error *error;
};

static const struct {
    const char *name;
    enum tap_filter_field field;
} field_names[] = {
    { "to", TAP_FILTER_TO },
    { "from", TAP_FILTER_FROM },
    { "address", TAP_FILTER_ADDRESS },
    { "kind", TAP_FILTER_KIND },
    { "name", TAP_FILTER_NAME },
    { "method", TAP_FILTER_METHOD },
    { "topic", TAP_FILTER_TOPIC },
    { "trace", TAP_FILTER_TRACE },
    { "session", TAP_FILTER_SESSION },
    { "principal", TAP_FILTER_PRINCIPAL },
    { "undelivered", TAP_FILTER_UNDELIVERED },
    { "bytes", TAP_FILTER_BYTES },
    { "size", TAP_FILTER_BYTES },
    { "latency", TAP_FILTER_LATENCY_MS },
    { "ms", TAP_FILTER_LATENCY_MS },
    { "ts", TAP_FILTER_TS_MS },
};

/* The longer spelling stands before its own beginning. */
static const struct {
    const char *text;
    enum node_op op;
} comparisons[] = {
    { "==", OP_EQ }, { "!=", OP_NE }, { "!~", OP_NOT_GLOB }, { "<=", OP_LE },
    { ">=", OP_GE }, { "<", OP_LT },  { ">", OP_GT },        { "~", OP_GLOB },
};

static const struct {
    const char *text;
    enum tap_filter_field field;
    double factor;
} units[] = {
    { "", TAP_FILTER_BYTES, 1 },        { "B", TAP_FILTER_BYTES, 1 },          { "k", TAP_FILTER_BYTES, 1000 },
    { "kB", TAP_FILTER_BYTES, 1000 },   { "KiB", TAP_FILTER_BYTES, 1024 },     { "M", TAP_FILTER_BYTES, 1e6 },
    { "MB", TAP_FILTER_BYTES, 1e6 },    { "MiB", TAP_FILTER_BYTES, 1048576 },  { "", TAP_FILTER_LATENCY_MS, 1 },
    { "ms", TAP_FILTER_LATENCY_MS, 1 }, { "us", TAP_FILTER_LATENCY_MS, 1e-3 }, { "s", TAP_FILTER_LATENCY_MS, 1000 },
    { "", TAP_FILTER_TS_MS, 1 },
};

__attribute__((format(printf, 3, 4))) static int refuse(struct parser *self, size_t at, const char *fmt, ...)
{
    va_list args;

    self->error->column = (unsigned)at + 1;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    (void)vsnprintf(self->error->text, sizeof(self->error->text), fmt, args); /* a cut text still helps */
    va_end(args);
    return TAP_FILTER_E_SYNTAX;
}

static void blanks_skip(struct parser *self)
{
    while (self->at < self->text.len && strchr(" \t\r\n", self->text.ptr[self->at]) && self->text.ptr[self->at]) {
        self->at++;
    }
}

static bool symbol_take(struct parser *self, const char *symbol)
{
    struct span rest;

    blanks_skip(self);
    rest = (struct span){ self->text.ptr + self->at, self->text.len - self->at };
    if (!span_starts(rest, symbol)) {
        return false;
    }
    self->at += strlen(symbol);
    return true;
}

static bool is_word_char(char c)
{
    return c > ' ' && c != 0x7f && !strchr("()!&|=<>~\"'", c);
}

/* A run of plain characters; bytes above ASCII are plain. */
static struct span word_take(struct parser *self)
{
    size_t start;

    blanks_skip(self);
    start = self->at;
    while (self->at < self->text.len &&
           (is_word_char(self->text.ptr[self->at]) || (unsigned char)self->text.ptr[self->at] >= 0x80)) {
        self->at++;
    }
    return (struct span){ self->text.ptr + start, self->at - start };
}

static int node_add(struct parser *self, size_t at, struct tap_filter_node node, uint8_t *ret_index)
{
    struct tap_filter *filter = self->filter;

    if (filter->nodes_n == TAP_FILTER_NODES_MAX) {
        return refuse(self, at, "the expression has more than %u parts", TAP_FILTER_NODES_MAX);
    }
    *ret_index = (uint8_t)filter->nodes_n;
    filter->nodes[filter->nodes_n++] = node;
    return 0;
}

/* --- a comparison ------------------------------------------------------------------------ */

static int field_read(struct parser *self, uint8_t *ret_field)
{
    struct span word = word_take(self);
    size_t at = self->at - word.len;

    for (size_t i = 0; i < ARRAY_LEN(field_names); i++) {
        if (span_is_text(word, field_names[i].name)) {
            *ret_field = (uint8_t)field_names[i].field;
            return 0;
        }
    }
    if (word.len == 0) {
        return refuse(self, at, "expected a field, \"!\" or \"(\"");
    }
    return refuse(self, at,
                  "unknown field \"%.*s\"; there are to, from, address, kind, name, method, topic, trace, session, "
                  "principal, undelivered, bytes (or size), latency (or ms), ts",
                  (int)(word.len < 32 ? word.len : 32), word.ptr);
}

static int comparison_read(struct parser *self, uint8_t field, uint8_t *ret_op)
{
    blanks_skip(self);
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        size_t at = self->at;
        bool is_number = field >= TAP_FILTER_TEXTS_N;
        enum node_op op = comparisons[i].op;

        if (!symbol_take(self, comparisons[i].text)) {
            continue;
        }
        if (is_number && (op == OP_GLOB || op == OP_NOT_GLOB)) {
            return refuse(self, at, "a number cannot be matched by a pattern; use == != < <= > >=");
        }
        if (!is_number && op >= OP_LT) {
            return refuse(self, at, "text has no order; use == != ~ !~");
        }
        *ret_op = (uint8_t)op;
        return 0;
    }
    if (symbol_take(self, "=")) {
        return refuse(self, self->at - 1, "a single \"=\" compares nothing; write ==");
    }
    return refuse(self, self->at,
                  field >= TAP_FILTER_TEXTS_N ? "expected one of == != < <= > >=" : "expected one of == != ~ !~");
}

static void value_byte_add(struct tap_filter *filter, char c)
{
    filter->values[filter->values_len++] = c; /* never longer than the text it comes from */
}

static int quoted_read(struct parser *self, char quote)
{
    size_t start = self->at++;

    while (self->at < self->text.len && self->text.ptr[self->at] != quote) {
        if (self->text.ptr[self->at] == '\\' && self->at + 1 < self->text.len) {
            self->at++;
        }
        value_byte_add(self->filter, self->text.ptr[self->at++]);
    }
    if (self->at == self->text.len) {
        return refuse(self, start, "the quote is not closed");
    }
    self->at++;
    return 0;
}

static int text_read(struct parser *self, struct tap_filter_node *node)
{
    struct tap_filter *filter = self->filter;
    struct span word;
    int r = 0;

    blanks_skip(self);
    node->value_at = (uint16_t)filter->values_len;
    if (self->at < self->text.len && strchr("\"'", self->text.ptr[self->at]) && self->text.ptr[self->at]) {
        r = quoted_read(self, self->text.ptr[self->at]);
    } else {
        word = word_take(self);
        if (word.len == 0) {
            return refuse(self, self->at, "expected a value");
        }
        memcpy(filter->values + filter->values_len, word.ptr, word.len);
        filter->values_len += (unsigned)word.len;
    }
    node->value_len = (uint16_t)(filter->values_len - node->value_at);
    return r;
}

/* What follows the digits; 0 when it is no unit of this field. */
static double unit_factor(uint8_t field, const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].field == field && strcmp(units[i].text, text) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

/* Of a decimal number at the beginning: strtod would take hexadecimal ones and words, too. */
static size_t decimal_len(const char *text)
{
    size_t sign = strspn(text, "+-") == 1;
    size_t len = sign + strspn(text + sign, "0123456789");
    size_t digits = len - sign;

    if (text[len] == '.') {
        size_t behind = strspn(text + len + 1, "0123456789");

        digits += behind;
        len += 1 + behind;
    }
    if (digits && (text[len] == 'e' || text[len] == 'E')) {
        size_t exponent = 1 + (strspn(text + len + 1, "+-") == 1);
        size_t behind = strspn(text + len + exponent, "0123456789");

        len += behind ? exponent + behind : 0;
    }
    return digits ? len : 0;
}

static int number_read(struct parser *self, struct tap_filter_node *node)
{
    struct span word = word_take(self);
    size_t at = self->at - word.len;
    char text[32];
    char digits[32];
    const char *end;

    if (word.len == 0 || word.len >= sizeof(text)) {
        return refuse(self, at, "expected a number");
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    end = text + decimal_len(text);
    memcpy(digits, text, (size_t)(end - text));
    digits[end - text] = '\0';
    node->number = strtod(digits, NULL);
    if (end == text || !isfinite(node->number)) {
        return refuse(self, at, "\"%s\" is no number", text);
    }
    double factor = unit_factor(node->field, end);
    if (factor <= 0) {
        return refuse(self, at + (size_t)(end - text), "\"%s\" is no unit here; there are %s", end,
                      node->field == TAP_FILTER_BYTES        ? "B, k, kB, KiB, M, MB, MiB"
                      : node->field == TAP_FILTER_LATENCY_MS ? "us, ms, s"
                                                             : "none: milliseconds since 1970");
    }
    node->number *= factor;
    return 0;
}

/* A kind that does not exist would fit nothing for ever, without a word. */
static int kind_check(struct parser *self, size_t at, const struct tap_filter_node *node)
{
    struct span value = { self->filter->values + node->value_at, node->value_len };

    for (int kind = ENVELOPE_CALL; kind <= ENVELOPE_KIND_MAX; kind++) {
        if (span_is_text(value, envelope_kind_name((enum envelope_kind)kind))) {
            return 0;
        }
    }
    return refuse(self, at,
                  "there is no kind \"%.*s\"; there are call, reply, fail, cast, publish, chunk, grant, cancel, "
                  "forwarded, credit",
                  (int)(value.len < 32 ? value.len : 32), value.ptr);
}

/* Hex digits of a trace may have been written either way. */
static void lower_make(struct parser *self, const struct tap_filter_node *node)
{
    for (char *at = self->filter->values + node->value_at, *end = at + node->value_len; at < end; at++) {
        *at = *at >= 'A' && *at <= 'F' ? (char)(*at - 'A' + 'a') : *at;
    }
}

static int value_parse(struct parser *self, struct tap_filter_node *node)
{
    size_t at;
    int r;

    if (node->field >= TAP_FILTER_TEXTS_N) {
        return number_read(self, node);
    }
    blanks_skip(self);
    at = self->at;
    r = text_read(self, node);
    if (node->field == TAP_FILTER_TRACE) {
        lower_make(self, node);
    }
    return r == 0 && node->field == TAP_FILTER_KIND && (node->op == OP_EQ || node->op == OP_NE)
               ? kind_check(self, at, node)
               : r;
}

static int comparison_parse(struct parser *self, uint8_t *ret_index)
{
    struct tap_filter_node node = { 0 };
    size_t at;
    int r;

    blanks_skip(self);
    at = self->at;
    r = field_read(self, &node.field);
    r = r ? r : comparison_read(self, node.field, &node.op);
    r = r ? r : value_parse(self, &node);
    if (r) {
        return r;
    }
    self->filter->fields |= 1U << node.field;
    return node_add(self, at, node, ret_index);
}

/* --- the expression ------------------------------------------------------------------------ */

static int or_parse(struct parser *self, uint8_t *ret_index);

static int unary_parse(struct parser *self, uint8_t *ret_index)
{
    struct tap_filter_node node = { .op = OP_NOT };
    size_t at;
    int r;

    blanks_skip(self);
    at = self->at;
    if (++self->depth > TAP_FILTER_DEPTH_MAX) {
        return refuse(self, at, "nested deeper than %u", TAP_FILTER_DEPTH_MAX);
    }
    if (symbol_take(self, "!")) {
        r = unary_parse(self, &node.left);
        r = r ? r : node_add(self, at, node, ret_index);
    } else if (symbol_take(self, "(")) {
        r = or_parse(self, ret_index);
        if (r == 0 && !symbol_take(self, ")")) {
            r = refuse(self, self->at, "expected \")\" for the \"(\" at column %zu", at + 1);
        }
    } else {
        r = comparison_parse(self, ret_index);
    }
    self->depth--;
    return r;
}

static int and_parse(struct parser *self, uint8_t *ret_index)
{
    int r = unary_parse(self, ret_index);

    while (r == 0 && symbol_take(self, "&&")) {
        struct tap_filter_node node = { .op = OP_AND, .left = *ret_index };

        r = unary_parse(self, &node.right);
        r = r ? r : node_add(self, self->at, node, ret_index);
    }
    return r;
}

static int or_parse(struct parser *self, uint8_t *ret_index)
{
    int r = and_parse(self, ret_index);

    while (r == 0 && symbol_take(self, "||")) {
        struct tap_filter_node node = { .op = OP_OR, .left = *ret_index };

        r = and_parse(self, &node.right);
        r = r ? r : node_add(self, self->at, node, ret_index);
    }
    return r;
}

/* Something stands behind a whole expression. */
static int rest_refuse(struct parser *self)
{
    size_t at = self->at;
    char c = self->text.ptr[at];
    struct span word = word_take(self);

    if (c == '&' || c == '|') {
        return refuse(self, at, "a single \"%c\" joins nothing; write %c%c", c, c, c);
    }
    if (span_is_text(word, "and") || span_is_text(word, "or")) {
        return refuse(self, at, "write %s instead of \"%.*s\"", word.len == 3 ? "&&" : "||", SPAN_FMT(word));
    }
    if (c == ')') {
        return refuse(self, at, "there is no \"(\" for this \")\"");
    }
    return refuse(self, at, "expected && or || or the end%s", word.len ? "; a value with spaces stands in quotes" : "");
}

int tap_filter_parse(struct span text, struct tap_filter *ret_filter, struct tap_filter_error *error)
{
    struct tap_filter filter = { 0 };
    struct parser parser = { .text = text, .filter = &filter, .error = error };
    uint8_t root;
    int r;

    *error = (struct tap_filter_error){ 0 };
    if (text.len > TAP_FILTER_TEXT_MAX) {
        return refuse(&parser, TAP_FILTER_TEXT_MAX, "longer than %u bytes", TAP_FILTER_TEXT_MAX);
    }
    r = or_parse(&parser, &root);
    if (r) {
        return r;
    }
    blanks_skip(&parser);
    if (parser.at < text.len) {
        return rest_refuse(&parser);
    }
    *ret_filter = filter;
    return 0;
}
