#include "schema/base/config_loss.h"

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "schema/base/config_redact.h"
#include "schema/base/config_store.h"

/* Bytes of a document in which every secret is as long as any other. */
static size_t weight(struct span doc)
{
    CLEANUP(pack_deinit) struct pack shown;

    pack_init(&shown, 0);
    if (doc.len) {
        (void)config_redact(doc, &shown); /* whether there are any is no matter */
    }
    return pack_error(&shown) ? doc.len : pack_span(&shown).len;
}

bool config_loss_is(const struct config_loss *self)
{
    size_t before = weight(self->doc_before);
    size_t after = weight(self->doc_after);
    struct span text = self->text_before;
    size_t in_secrets = self->doc_before.len > before ? self->doc_before.len - before : 0;

    text.len -= in_secrets < text.len ? in_secrets : text.len;
    return config_store_is_loss(text, self->text_after) || (before >= CONFIG_LOSS_CONTENT_MIN && after < before / 2);
}
