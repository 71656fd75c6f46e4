/*
 * json_keys: of keys that stand twice in one object, the last counts (as in ECMAScript).
 *
 * Whoever sends the text chooses the keys, so this must stay cheap for many of them and
 * for keys that are alike: few are compared in pairs, many are sorted.
 */
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/json_reader.h"
#include "bus/pack_direct.h"

#define PAIRS_MOST 12 /* up to here comparing all pairs is quicker than sorting */

/* Not strong, only quick: a collision costs one memcmp. */
static uint32_t key_hash(struct span key)
{
    uint32_t hash = (uint32_t)key.len * 2654435761U;
    uint32_t word = 0;

    if (key.len >= sizeof(word)) {
        memcpy(&word, key.ptr, sizeof(word));
        hash ^= word;
        memcpy(&word, key.ptr + key.len - sizeof(word), sizeof(word));
        return hash ^ word * 2246822519U;
    }
    memcpy(&word, key.ptr, key.len);
    return hash ^ word;
}

static bool keys_grow(struct json_reader *r)
{
    size_t cap = r->keys_cap * 2;
    struct json_key *keys = r->keys == r->keys_inline ? NULL : r->keys;

    keys = reallocarray(keys, cap, sizeof(*keys));
    if (!keys) {
        return json_reader_stop(r, FAULT(-ENOMEM));
    }
    if (r->keys == r->keys_inline) {
        memcpy(keys, r->keys_inline, sizeof(r->keys_inline));
    }
    r->keys = keys;
    r->keys_cap = cap;
    return true;
}

bool json_keys_push(struct json_reader *r, size_t at, struct span key)
{
    if (r->keys_n == r->keys_cap && !keys_grow(r)) {
        return false;
    }
    r->keys[r->keys_n++] = (struct json_key){ at, (uint32_t)key.len, key_hash(key) };
    return true;
}

static const char *key_bytes(const struct pack *out, const struct json_key *key)
{
    return out->data + key->at + str_head_len(key->len);
}

static int key_order(const void *a, const void *b, void *arg)
{
    const struct json_key *left = a;
    const struct json_key *right = b;
    int order;

    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    if (left->len != right->len) {
        return left->len < right->len ? -1 : 1;
    }
    order = memcmp(key_bytes(arg, left), key_bytes(arg, right), left->len);
    return order ? order : (left->at > right->at) - (left->at < right->at);
}

static int place_order(const void *a, const void *b)
{
    const struct json_key *left = a;
    const struct json_key *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

static bool is_same(const struct pack *out, const struct json_key *left, const struct json_key *right)
{
    return left->hash == right->hash && left->len == right->len &&
           memcmp(key_bytes(out, left), key_bytes(out, right), left->len) == 0;
}

static bool pairs_have_twins(const struct pack *out, const struct json_key *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (is_same(out, &keys[i], &keys[j])) {
                return true;
            }
        }
    }
    return false;
}

/* Sorts by key; true when two are alike. */
static bool sort_has_twins(struct pack *out, struct json_key *keys, size_t n)
{
    qsort_r(keys, n, sizeof(*keys), key_order, out);
    for (size_t i = 1; i < n; i++) {
        if (is_same(out, &keys[i], &keys[i - 1])) {
            return true;
        }
    }
    return false;
}

/* Moves the pairs that stay together. `is_kept` runs in order of place. */
static uint32_t pairs_compact(struct pack *out, const struct json_key *keys, const bool *is_kept, size_t n)
{
    size_t to = keys[0].at;
    size_t end = out->len;
    uint32_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t len = (i + 1 < n ? keys[i + 1].at : end) - keys[i].at;

        if (is_kept[i]) {
            memmove(out->data + to, out->data + keys[i].at, len);
            to += len;
            kept++;
        }
    }
    out->len = to;
    return kept;
}

static bool twins_drop(struct json_reader *r, struct json_key *keys, size_t n, uint32_t *count)
{
    bool *is_kept = calloc(n, sizeof(*is_kept));
    struct json_key *by_place = malloc(n * sizeof(*by_place));

    if (!is_kept || !by_place) {
        free(is_kept);
        free(by_place);
        return json_reader_stop(r, FAULT(-ENOMEM));
    }
    qsort_r(keys, n, sizeof(*keys), key_order, r->out);
    memcpy(by_place, keys, n * sizeof(*keys));
    qsort(by_place, n, sizeof(*by_place), place_order);
    for (size_t i = 0; i < n; i++) {
        const struct json_key *place = bsearch(&keys[i], by_place, n, sizeof(*by_place), place_order);

        is_kept[place - by_place] = i + 1 == n || !is_same(r->out, &keys[i], &keys[i + 1]);
    }
    *count = pairs_compact(r->out, by_place, is_kept, n);
    free(is_kept);
    free(by_place);
    return true;
}

bool json_keys_check_new(struct json_reader *r, size_t base, struct span written)
{
    const struct json_key *newest = &r->keys[r->keys_n - 1];

    for (const struct json_key *key = r->keys + base; key < newest; key++) {
        if (is_same(r->out, key, newest)) {
            r->at = written.ptr;
            r->twice = written;
            return json_reader_stop(r, JSON_E_TWICE);
        }
    }
    return true;
}

bool json_keys_settle(struct json_reader *r, size_t base, uint32_t *count)
{
    struct json_key *keys = r->keys + base;
    size_t n = r->keys_n - base;
    bool has_twins = n <= PAIRS_MOST ? pairs_have_twins(r->out, keys, n) : sort_has_twins(r->out, keys, n);

    r->keys_n = base;
    return !has_twins || twins_drop(r, keys, n, count);
}
