#include "bus/tap_filter.h"

#include "bus/tap_filter_ops.h"

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

static enum tap_filter_verdict verdict_of(bool fits)
{
    return fits ? TAP_FILTER_YES : TAP_FILTER_NO;
}

static enum tap_filter_verdict verdict_not(enum tap_filter_verdict verdict)
{
    return (enum tap_filter_verdict)(TAP_FILTER_YES - verdict);
}

static enum tap_filter_verdict verdict_most(enum tap_filter_verdict a, enum tap_filter_verdict b)
{
    return a > b ? a : b;
}

static bool is_negative(uint8_t op)
{
    return op == OP_NE || op == OP_NOT_GLOB;
}

/* Whether the field is the value, or matches it; a negative comparison turns that round. */
static enum tap_filter_verdict text_is(const struct tap_filter *self, const struct tap_filter_node *node,
                                       const struct tap_filter_subject *subject, uint8_t field)
{
    struct span value = { self->values + node->value_at, node->value_len };
    struct span text = subject->texts[field];

    if (subject->unknown & (1U << field)) {
        return TAP_FILTER_MAYBE;
    }
    if (!text.ptr) {
        return TAP_FILTER_NO;
    }
    return verdict_of(node->op == OP_GLOB || node->op == OP_NOT_GLOB ? glob_fits(value, text) : span_is(value, text));
}

static enum tap_filter_verdict text_verdict(const struct tap_filter *self, const struct tap_filter_node *node,
                                            const struct tap_filter_subject *subject)
{
    enum tap_filter_verdict is =
        node->field == TAP_FILTER_ADDRESS
            ? verdict_most(text_is(self, node, subject, TAP_FILTER_TO), text_is(self, node, subject, TAP_FILTER_FROM))
            : text_is(self, node, subject, node->field);

    return is_negative(node->op) ? verdict_not(is) : is;
}

static enum tap_filter_verdict subject_verdict(const struct tap_filter *self, const struct tap_filter_node *node,
                                               const void *of)
{
    const struct tap_filter_subject *subject = of;

    if (node->field < TAP_FILTER_TEXTS_N) {
        return text_verdict(self, node, subject);
    }
    if (subject->unknown & (1U << node->field)) {
        return TAP_FILTER_MAYBE;
    }
    if (node->field != TAP_FILTER_LATENCY_MS) {
        return verdict_of(
            number_fits(node->op, node->field == TAP_FILTER_BYTES ? subject->bytes : subject->ts_ms, node->number));
    }
    return verdict_of(subject->has_latency ? number_fits(node->op, subject->latency_ms, node->number)
                                           : node->op == OP_NE);
}

/* Of all together: YES when every one fits, NO when none does. */
static enum tap_filter_verdict range_verdict(uint8_t op, double least, double most, double number)
{
    bool least_fits = number_fits(op, least, number);
    bool most_fits = number_fits(op, most, number);

    if (op == OP_EQ || op == OP_NE) {
        enum tap_filter_verdict is = number < least || number > most ? TAP_FILTER_NO : TAP_FILTER_MAYBE;

        return op == OP_EQ ? is : verdict_not(is);
    }
    return least_fits == most_fits ? verdict_of(least_fits) : TAP_FILTER_MAYBE;
}

static enum tap_filter_verdict scope_verdict(const struct tap_filter *self, const struct tap_filter_node *node,
                                             const void *of)
{
    const struct tap_filter_scope *scope = of;
    bool is_plain = node->op == OP_EQ || node->op == OP_NE;

    if (node->field == TAP_FILTER_TS_MS) {
        return range_verdict(node->op, scope->ts_min, scope->ts_max, node->number);
    }
    if (node->field == TAP_FILTER_BYTES) {
        return range_verdict(node->op, 0, scope->bytes_max, node->number);
    }
    if (node->field < TAP_FILTER_TEXTS_N && is_plain && scope->may_have && node->value_len &&
        !scope->may_have(scope->arg, (struct span){ self->values + node->value_at, node->value_len })) {
        return verdict_of(node->op == OP_NE);
    }
    return TAP_FILTER_MAYBE;
}

/* One envelope, or many: `verdict` knows what `of` is. */
struct asked {
    const struct tap_filter *filter;
    const void *of;
    enum tap_filter_verdict (*verdict)(const struct tap_filter *self, const struct tap_filter_node *node,
                                       const void *of);
};

static enum tap_filter_verdict node_verdict(const struct asked *asked, unsigned index)
{
    const struct tap_filter_node *node = &asked->filter->nodes[index];
    enum tap_filter_verdict left;
    enum tap_filter_verdict right;

    if (node->op > OP_NOT) {
        return asked->verdict(asked->filter, node, asked->of);
    }
    left = node_verdict(asked, node->left);
    if (node->op == OP_NOT) {
        return verdict_not(left);
    }
    if (left == (node->op == OP_AND ? TAP_FILTER_NO : TAP_FILTER_YES)) {
        return left;
    }
    right = node_verdict(asked, node->right);
    return (left < right) == (node->op == OP_AND) ? left : right;
}

enum tap_filter_verdict tap_filter_verdict(const struct tap_filter *self, const struct tap_filter_subject *subject)
{
    return self->nodes_n == 0 ? TAP_FILTER_YES
                              : node_verdict(&(struct asked){ self, subject, subject_verdict }, self->nodes_n - 1);
}

bool tap_filter_fits(const struct tap_filter *self, const struct tap_filter_subject *subject)
{
    return tap_filter_verdict(self, subject) == TAP_FILTER_YES;
}

bool tap_filter_may_fit(const struct tap_filter *self, const struct tap_filter_scope *scope)
{
    return self->nodes_n == 0 ||
           node_verdict(&(struct asked){ self, scope, scope_verdict }, self->nodes_n - 1) != TAP_FILTER_NO;
}

bool tap_filter_asks(const struct tap_filter *self, enum tap_filter_field field)
{
    return (self->fields & (1U << field)) != 0;
}
