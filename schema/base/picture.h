/*
 * picture: what kind of picture some bytes are, by how they begin. Pure.
 */
#ifndef SCHEMA_BASE_PICTURE_H
#define SCHEMA_BASE_PICTURE_H

#include <stddef.h>

#define PICTURE_HEAD_BYTES 16U /* more are not looked at */

/* "image/png" …; NULL when they are of no kind that is known here. */
const char *picture_type(const void *head, size_t len);

#endif
