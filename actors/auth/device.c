#include "actors/auth/device.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

/* --- base64 ---------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

/* Exactly `len` bytes, from either alphabet, padded or not. */
static bool base64_decode(struct span text, unsigned char *out, size_t len)
{
    unsigned bits = 0;
    unsigned bits_n = 0;
    size_t at = 0;

    while (text.len && text.ptr[text.len - 1] == '=') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0) {
            return false;
        }
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        bits_n += 6;
        if (bits_n >= 8) {
            bits_n -= 8;
            if (at == len) {
                return false;
            }
            out[at++] = (unsigned char)(bits >> bits_n);
        }
    }
    return at == len && bits_n < 6;
}

void device_key_encode(const unsigned char key[32], char ret_text[DEVICE_KEY_LEN])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < DEVICE_KEY_LEN - 1; i++) {
        size_t bit = i * 6;
        unsigned next = bit / 8 + 1 < 32 ? key[bit / 8 + 1] : 0;
        unsigned pair = (unsigned)key[bit / 8] << 8 | next;
        ret_text[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    ret_text[DEVICE_KEY_LEN - 1] = '\0';
}

/* --- keys -------------------------------------------------------------------------------- */

static void key_destroy(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void bio_destroy(BIO **bio)
{
    BIO_free(*bio);
}

static void md_destroy(EVP_MD_CTX **md)
{
    EVP_MD_CTX_free(*md);
}

static bool pem_decode(struct span text, unsigned char ret_key[32])
{
    size_t len = 32;

    if (text.len > 4096) {
        return false;
    }
    CLEANUP(bio_destroy) BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    CLEANUP(key_destroy) EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, ret_key, &len) == 1 && len == 32;
}

bool device_key_decode(struct span text, unsigned char ret_key[32])
{
    text = span_trim(text);
    return span_starts(text, "-----BEGIN") ? pem_decode(text, ret_key) : base64_decode(text, ret_key, 32);
}

void device_id_of(const unsigned char key[32], char ret_id[DEVICE_ID_LEN])
{
    unsigned char digest[32] = { 0 };

    EVP_Digest(key, 32, digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(ret_id + 2 * i, 3, "%02x", digest[i]);
    }
}

void device_meta_normalize(struct span text, char ret_text[DEVICE_META_MAX])
{
    size_t len;

    text = span_trim(text);
    len = text.len < DEVICE_META_MAX ? text.len : DEVICE_META_MAX - 1;
    for (size_t i = 0; i < len; i++) {
        char c = text.ptr[i];
        ret_text[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    ret_text[len] = '\0';
}

/* --- the signed text ---------------------------------------------------------------------- */

static int put(struct text_buf *out, struct span text)
{
    return text.len ? text_buf_add(out, text) : 0;
}

static int put_after_bar(struct text_buf *out, struct span text)
{
    int fault = text_buf_add(out, SPAN_LIT("|"));

    return fault ? fault : put(out, text);
}

static int put_scopes(struct text_buf *out, struct span scopes)
{
    struct value_iter it = value_iter(scopes);
    struct span key;
    struct span item;
    bool is_first = true;

    while (value_next(&it, &key, &item)) {
        int fault = is_first ? 0 : text_buf_add(out, SPAN_LIT(","));
        if (!fault) {
            fault = put(out, value_str(item, NOTHING));
        }
        if (fault) {
            return fault;
        }
        is_first = false;
    }
    return 0;
}

/* Lowered in place, because a limit on length would change what is signed. */
static int put_meta(struct text_buf *out, struct span text)
{
    int fault = put_after_bar(out, span_trim(text));
    size_t len = span_trim(text).len;

    for (size_t i = out->len - len; !fault && i < out->len; i++) {
        char c = out->data[i];
        out->data[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return fault;
}

static struct span signed_secret(const struct connect_request *request)
{
    if (request->token.ptr) {
        return request->token;
    }
    return request->device_token.ptr ? request->device_token : request->bootstrap_token;
}

int device_payload(int version, const struct connect_request *request, struct text_buf *out)
{
    char signed_at[24];
    int n = snprintf(signed_at, sizeof(signed_at), "%lld", (long long)request->device.signed_at_ms);
    const struct span head[] = { request->device.id, request->client_id, request->client_mode,
                                 request->role.ptr ? request->role : SPAN_LIT("operator") };
    const struct span tail[] = { { signed_at, (size_t)n }, signed_secret(request), span_trim(request->device.nonce) };
    int fault = text_buf_add(out, version == 3 ? SPAN_LIT("v3") : SPAN_LIT("v2"));

    for (size_t i = 0; !fault && i < ARRAY_LEN(head); i++) {
        fault = put_after_bar(out, head[i]);
    }
    if (!fault) {
        fault = text_buf_add(out, SPAN_LIT("|"));
    }
    if (!fault) {
        fault = put_scopes(out, request->scopes);
    }
    for (size_t i = 0; !fault && i < ARRAY_LEN(tail); i++) {
        fault = put_after_bar(out, tail[i]);
    }
    if (!fault && version == 3) {
        fault = put_meta(out, request->platform);
    }
    return !fault && version == 3 ? put_meta(out, request->device_family) : fault;
}

/* --- verification --------------------------------------------------------------------------- */

static bool is_signed(EVP_PKEY *key, const unsigned char signature[64], struct span payload)
{
    CLEANUP(md_destroy) EVP_MD_CTX *md = EVP_MD_CTX_new();

    return md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestVerify(md, signature, 64, (const unsigned char *)payload.ptr, payload.len) == 1;
}

static int signature_check(const struct connect_request *request, const unsigned char raw_key[32])
{
    CLEANUP(key_destroy) EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw_key, 32);
    CLEANUP(text_buf_deinit) struct text_buf payload = { 0 };
    unsigned char signature[64];

    if (!key) {
        return REFUSAL_DEVICE_KEY;
    }
    if (!base64_decode(span_trim(request->device.signature), signature, sizeof(signature))) {
        return REFUSAL_DEVICE_SIGNATURE;
    }
    for (int version = 3; version >= 2; version--) {
        payload.len = 0;
        int fault = device_payload(version, request, &payload);
        if (fault) {
            return FAULT(-ENOMEM);
        }
        if (is_signed(key, signature, (struct span){ payload.data, payload.len })) {
            return REFUSAL_NONE;
        }
    }
    return REFUSAL_DEVICE_SIGNATURE;
}

int device_verify(const struct connect_request *request, struct span nonce, int64_t now_ms)
{
    const struct connect_device *device = &request->device;
    unsigned char key[32];
    char id[DEVICE_ID_LEN];

    if (!device_key_decode(device->public_key, key)) {
        return REFUSAL_DEVICE_ID;
    }
    device_id_of(key, id);
    if (!span_is_text(device->id, id)) {
        return REFUSAL_DEVICE_ID;
    }
    /* Compared without a subtraction that a wild number could overflow. */
    if (device->signed_at_ms < now_ms - DEVICE_SKEW_MS || device->signed_at_ms > now_ms + DEVICE_SKEW_MS) {
        return REFUSAL_DEVICE_STALE;
    }
    struct span given = span_trim(device->nonce);
    if (!given.len) {
        return REFUSAL_DEVICE_NONCE_MISSING;
    }
    if (!span_is(given, nonce)) {
        return REFUSAL_DEVICE_NONCE;
    }
    return signature_check(request, key);
}
