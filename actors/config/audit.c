#include "actors/config/audit.h"

#include "actors/config/internal.h"
#include "bus/base/clock.h"
#include "schema/base/config_audit.h"

void audit_write(const struct config *self, const struct audit *audit)
{
    char when[CONFIG_TIME_LEN];

    config_time(clock_wall_ms(), when);
    int r = config_audit_write(&(struct config_audit){ .state_dir = self->state_dir,
                                                       .config_path = self->path,
                                                       .path = audit->path,
                                                       .when = when,
                                                       .method = audit->method,
                                                       .client_id = audit->client->client_id,
                                                       .device_id = audit->client->device_id,
                                                       .remote_ip = audit->client->remote_ip,
                                                       .before = audit->before,
                                                       .after = audit->after,
                                                       .result = audit->result,
                                                       .reason = audit->reason });
    if (r) {
        log_warning("config_audit_lost", "method=%s reason=\"%s\"", audit->method, fault_text(r));
    }
}
