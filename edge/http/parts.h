/*
 * parts: pictures and files inside a message, checked against the limits of the endpoint
 * and brought into the one form in which agents take them. Pure.
 *
 *   {type: image_url, image_url: {url: "data:…" or "https://…", detail}}
 *   {type: file, file: {filename, text}}        text of a file that came along
 *   {type: file, file: {filename, pdf}}         a PDF that came along, in base64
 *   {type: file, file: {filename, url}}         to be fetched
 */
#ifndef EDGE_HTTP_PARTS_H
#define EDGE_HTTP_PARTS_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/http/endpoints.h"
#include "edge/http/openai.h"

#define PARTS_URL_MAX 4096U
#define PARTS_NAME_MAX 255U

/* What a request has held so far. */
struct parts {
    const struct endpoint *rules;
    uint32_t images_n;
    uint64_t image_bytes;
    uint32_t urls_n;
};

/* A picture under `url` (data: or http(s)). Each: 0, OPENAI_E_REFUSED or -ENOMEM; what the
 * pack says is looked at in the end. */
int parts_image_pack(struct parts *self, struct span url, struct span detail, struct pack *out,
                     struct openai_error *error);
/* A picture of `mime` in base64. */
int parts_image_data_pack(struct parts *self, struct span mime, struct span data, struct pack *out,
                          struct openai_error *error);

struct parts_file {
    struct span name; /* or empty */
    struct span mime; /* or empty: by the name, or that of a data: URL */
    struct span data; /* base64, or a data: URL; empty: see url */
    struct span url;
};
int parts_file_pack(struct parts *self, const struct parts_file *file, struct pack *out, struct openai_error *error);

/* Appends the list of the types that a picture, or else a file, may be of. */
void parts_mimes_pack(const struct input_rules *rules, bool is_image, struct pack *out);

#endif
