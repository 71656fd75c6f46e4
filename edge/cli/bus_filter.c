#include "edge/cli/bus_filter.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"

enum node_op {
    OP_AND,
    OP_OR,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_GLOB,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
};

struct parser {
    struct span text;
    size_t at;
    unsigned depth;
    struct bus_filter *filter;
    struct bus_filter_error *error;
};

static const struct {
    const char *name;
    enum bus_filter_field field;
} field_names[] = {
    { "to", BUS_FILTER_TO },         { "from", BUS_FILTER_FROM },
    { "kind", BUS_FILTER_KIND },     { "name", BUS_FILTER_NAME },
    { "method", BUS_FILTER_METHOD }, { "topic", BUS_FILTER_TOPIC },
    { "trace", BUS_FILTER_TRACE },   { "session", BUS_FILTER_SESSION },
    { "bytes", BUS_FILTER_BYTES },   { "latency", BUS_FILTER_LATENCY_MS },
    { "ms", BUS_FILTER_LATENCY_MS },
};

/* The longer spelling stands before its own beginning. */
static const struct {
    const char *text;
    enum node_op op;
} comparisons[] = {
    { "==", OP_EQ }, { "!=", OP_NE }, { "<=", OP_LE },  { ">=", OP_GE },
    { "<", OP_LT },  { ">", OP_GT },  { "~", OP_GLOB },
};

__attribute__((format(printf, 3, 4))) static int refuse(struct parser *self, size_t at, const char *fmt, ...)
{
    va_list args;

    self->error->column = (unsigned)at + 1;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    (void)vsnprintf(self->error->text, sizeof(self->error->text), fmt, args); /* a cut text still helps */
    va_end(args);
    return BUS_FILTER_E_SYNTAX;
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

static int node_add(struct parser *self, size_t at, struct bus_filter_node node, uint8_t *ret_index)
{
    struct bus_filter *filter = self->filter;

    if (filter->nodes_n == BUS_FILTER_NODES_MAX) {
        return refuse(self, at, "the expression has more than %u parts", BUS_FILTER_NODES_MAX);
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
                  "unknown field \"%.*s\"; there are to, from, kind, name, method, topic, trace, session, bytes, "
                  "latency (or ms)",
                  (int)(word.len < 32 ? word.len : 32), word.ptr);
}

static int comparison_read(struct parser *self, uint8_t field, uint8_t *ret_op)
{
    blanks_skip(self);
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        size_t at = self->at;
        bool is_number = field >= BUS_FILTER_TEXTS_N;
        enum node_op op = comparisons[i].op;

        if (!symbol_take(self, comparisons[i].text)) {
            continue;
        }
        if (is_number && op == OP_GLOB) {
            return refuse(self, at, "a number cannot be matched by a pattern; use == != < <= > >=");
        }
        if (!is_number && op >= OP_LT) {
            return refuse(self, at, "text has no order; use == != ~");
        }
        *ret_op = (uint8_t)op;
        return 0;
    }
    return refuse(self, self->at, "expected one of == != ~ < <= > >=");
}

static void value_byte_add(struct bus_filter *filter, char c)
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

static int text_read(struct parser *self, struct bus_filter_node *node)
{
    struct bus_filter *filter = self->filter;
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

static int number_read(struct parser *self, struct bus_filter_node *node)
{
    struct span word = word_take(self);
    size_t at = self->at - word.len;
    char text[32];
    char *end;

    if (word.len == 0 || word.len >= sizeof(text)) {
        return refuse(self, at, "expected a number");
    }
    memcpy(text, word.ptr, word.len);
    text[word.len] = '\0';
    node->number = strtod(text, &end);
    if (*end || !isfinite(node->number)) {
        return refuse(self, at, "\"%s\" is no number", text);
    }
    return 0;
}

static int comparison_parse(struct parser *self, uint8_t *ret_index)
{
    struct bus_filter_node node = { 0 };
    size_t at;
    int r;

    blanks_skip(self);
    at = self->at;
    r = field_read(self, &node.field);
    r = r ? r : comparison_read(self, node.field, &node.op);
    r = r ? r : node.field < BUS_FILTER_TEXTS_N ? text_read(self, &node) : number_read(self, &node);
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
    struct bus_filter_node node = { .op = OP_NOT };
    size_t at;
    int r;

    blanks_skip(self);
    at = self->at;
    if (++self->depth > BUS_FILTER_DEPTH_MAX) {
        return refuse(self, at, "nested deeper than %u", BUS_FILTER_DEPTH_MAX);
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
        struct bus_filter_node node = { .op = OP_AND, .left = *ret_index };

        r = unary_parse(self, &node.right);
        r = r ? r : node_add(self, self->at, node, ret_index);
    }
    return r;
}

static int or_parse(struct parser *self, uint8_t *ret_index)
{
    int r = and_parse(self, ret_index);

    while (r == 0 && symbol_take(self, "||")) {
        struct bus_filter_node node = { .op = OP_OR, .left = *ret_index };

        r = and_parse(self, &node.right);
        r = r ? r : node_add(self, self->at, node, ret_index);
    }
    return r;
}

int bus_filter_parse(struct span text, struct bus_filter *ret_filter, struct bus_filter_error *error)
{
    struct bus_filter filter = { 0 };
    struct parser parser = { .text = text, .filter = &filter, .error = error };
    uint8_t root;
    int r;

    *error = (struct bus_filter_error){ 0 };
    if (text.len > BUS_FILTER_TEXT_MAX) {
        return refuse(&parser, BUS_FILTER_TEXT_MAX, "longer than %u bytes", BUS_FILTER_TEXT_MAX);
    }
    r = or_parse(&parser, &root);
    if (r) {
        return r;
    }
    blanks_skip(&parser);
    if (parser.at < text.len) {
        return refuse(&parser, parser.at, "expected && or || or the end");
    }
    *ret_filter = filter;
    return 0;
}

/* --- matching --------------------------------------------------------------------------------- */

/* Only the newest star is ever tried again, so the time is at most pattern × text. */
static bool glob_fits(struct span pattern, struct span text)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX;
    size_t star_t = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            star_t = t;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static bool number_fits(uint8_t op, double left, double right)
{
    switch (op) {
    case OP_LT:
        return left < right;
    case OP_LE:
        return left <= right;
    case OP_GT:
        return left > right;
    case OP_GE:
        return left >= right;
    case OP_NE:
        return left < right || left > right;
    default:
        return left <= right && left >= right;
    }
}

static bool comparison_fits(const struct bus_filter *self, const struct bus_filter_node *node,
                            const struct bus_filter_subject *subject)
{
    struct span value = { self->values + node->value_at, node->value_len };
    struct span text;

    if (node->field == BUS_FILTER_BYTES) {
        return number_fits(node->op, subject->bytes, node->number);
    }
    if (node->field == BUS_FILTER_LATENCY_MS) {
        return subject->has_latency ? number_fits(node->op, subject->latency_ms, node->number) : node->op == OP_NE;
    }
    text = subject->texts[node->field];
    if (!text.ptr) {
        return node->op == OP_NE;
    }
    return node->op == OP_GLOB ? glob_fits(value, text) : span_is(value, text) == (node->op == OP_EQ);
}

static bool node_fits(const struct bus_filter *self, unsigned index, const struct bus_filter_subject *subject)
{
    const struct bus_filter_node *node = &self->nodes[index];

    switch (node->op) {
    case OP_AND:
        return node_fits(self, node->left, subject) && node_fits(self, node->right, subject);
    case OP_OR:
        return node_fits(self, node->left, subject) || node_fits(self, node->right, subject);
    case OP_NOT:
        return !node_fits(self, node->left, subject);
    default:
        return comparison_fits(self, node, subject);
    }
}

bool bus_filter_fits(const struct bus_filter *self, const struct bus_filter_subject *subject)
{
    return self->nodes_n == 0 || node_fits(self, self->nodes_n - 1, subject);
}

bool bus_filter_asks(const struct bus_filter *self, enum bus_filter_field field)
{
    return (self->fields & (1U << field)) != 0;
}
