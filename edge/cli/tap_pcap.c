#include "edge/cli/tap_pcap.h"

#include <errno.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/pack.h"

#define PCAP_MAGIC 0xa1b2c3d4U /* in our byte order, times in microseconds */
#define PCAP_LINKTYPE_USER0 147U

#define FRAME_MORE 0x01U
#define FRAME_LONG 0x02U
#define FRAME_COMMAND 0x04U

int tap_pcap_begin(struct text_buf *out)
{
    struct {
        uint32_t magic;
        uint16_t major;
        uint16_t minor;
        uint32_t zone;
        uint32_t accuracy;
        uint32_t snap_len;
        uint32_t link_type;
    } head = { PCAP_MAGIC, 2, 4, 0, 0, TAP_PCAP_PACKET_MAX, PCAP_LINKTYPE_USER0 };

    return text_buf_add(out, (struct span){ (const char *)&head, sizeof(head) }) ? FAULT(-ENOMEM) : 0;
}

static int frame_add(struct text_buf *out, unsigned flags, struct span content)
{
    char head[9];
    size_t len = 2;
    int r;

    head[0] = (char)flags;
    head[1] = (char)content.len;
    if (content.len > 255) {
        head[0] = (char)(flags | FRAME_LONG);
        for (unsigned i = 0; i < 8; i++) {
            head[1 + i] = (char)(content.len >> (56 - 8 * i));
        }
        len = sizeof(head);
    }
    r = text_buf_add(out, (struct span){ head, len });
    return r ? r : text_buf_add(out, content);
}

static int note_add(const struct tap_record *record, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf command = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    int r = text_buf_add(&command, SPAN_LIT("\3TAP"));

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_str(&pack, "host", record->host);
    pack_kv_str(&pack, "sender", envelope_sender(&record->env));
    pack_kv_u64(&pack, "bytes", record->bytes);
    if (record->note.len) {
        pack_kv_str(&pack, "undelivered", record->note);
    }
    if (record->is_handled) {
        pack_kv_str(&pack, "handledBy", record->address);
        pack_kv_u64(&pack, "waitUs", record->waited_us);
        pack_kv_u64(&pack, "handlerUs", record->busy_us);
    }
    pack_map_end(&pack);
    r = r ? r : pack_error(&pack);
    r = r ? r : text_buf_add(&command, pack_span(&pack));
    return r ? r : frame_add(out, FRAME_COMMAND, (struct span){ command.data, command.len });
}

static int packet_make(const struct tap_record *record, struct text_buf *out)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct span head = { (const char *)header, envelope_encode(&record->env, header) };
    struct span body = record->body.len ? record->body : (struct span){ "", 0 };
    int r = note_add(record, out);

    r = r ? r : frame_add(out, FRAME_MORE, head);
    return r ? r : frame_add(out, 0, body);
}

int tap_pcap_add(const struct tap_record *record, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf packet = { 0 };
    int r = packet_make(record, &packet);
    uint32_t len = packet.len < TAP_PCAP_PACKET_MAX ? (uint32_t)packet.len : TAP_PCAP_PACKET_MAX;
    uint32_t head[4] = { (uint32_t)(record->ts_us / 1000000), (uint32_t)(record->ts_us % 1000000), len,
                         (uint32_t)packet.len };

    r = r ? r : text_buf_add(out, (struct span){ (const char *)head, sizeof(head) });
    r = r ? r : text_buf_add(out, (struct span){ packet.data, len });
    return r ? FAULT(-ENOMEM) : 0;
}
