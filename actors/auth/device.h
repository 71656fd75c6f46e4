/*
 * device: the identity of a client's machine: an Ed25519 key whose hash is the id, and a
 * signature over what it asks for. Pure; the caller brings the time.
 */
#ifndef ACTORS_AUTH_DEVICE_H
#define ACTORS_AUTH_DEVICE_H

#include <stdint.h>

#include "actors/auth/connect.h"
#include "actors/auth/refusal.h"
#include "bus/json.h"

#define DEVICE_ID_LEN 65   /* SHA-256 of the key in hex, with terminator */
#define DEVICE_KEY_LEN 44  /* the key in base64url, with terminator */
#define DEVICE_META_MAX 64 /* platform and device family, with terminator */
#define DEVICE_SKEW_MS 120000

/* The key in raw bytes, from base64 of either alphabet or from PEM. False when it is none. */
bool device_key_decode(struct span text, unsigned char ret_key[32]);
void device_id_of(const unsigned char key[32], char ret_id[DEVICE_ID_LEN]);
/* As it is stored and shown: base64url without padding. */
void device_key_encode(const unsigned char key[32], char ret_text[DEVICE_KEY_LEN]);
/* Trimmed, ASCII capitals lowered, cut to fit. */
void device_meta_normalize(struct span text, char ret_text[DEVICE_META_MAX]);

/* What version 2 or 3 of the format signs. Appends; 0 or a fault. */
int device_payload(int version, const struct connect_request *request, struct text_buf *out);

/*
 * Checks id, age, nonce and signature, in the order that clients expect. A refusal
 * (REFUSAL_NONE when all is well) or a fault.
 */
int device_verify(const struct connect_request *request, struct span nonce, int64_t now_ms);

#endif
