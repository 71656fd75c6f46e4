#include "schema/error.h"

#include "bus/failure.h"

static const struct schema_error *row_find(int code)
{
    for (size_t i = 0; i < schema_errors_n; i++) {
        if (schema_errors[i].code == code) {
            return &schema_errors[i];
        }
    }
    return NULL;
}

const struct schema_error *schema_error_find(int code)
{
    const struct schema_error *row = row_find(code);

    return row ? row : row_find(FAIL_INTERNAL);
}
