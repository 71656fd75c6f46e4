/*
 * embedding: POST /v1/embeddings on the bus.
 */
#ifndef EDGE_LISTENER_EMBEDDING_H
#define EDGE_LISTENER_EMBEDDING_H

struct exchange;

/* Called as exchange->on_body. */
void embedding_start(struct exchange *self);

#endif
