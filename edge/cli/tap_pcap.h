/*
 * tap_pcap: records of the tap as a capture file for Wireshark, whose dissector is made
 * from the schema (share/openclaw/openclaw_bus.lua). Pure.
 *
 * The link type is USER0. A packet is what ZMTP 3 (RFC 23) would send: a command TAP, which
 * holds what the tap knows beside the envelope, as a msgpack map {host, sender, bytes,
 * undelivered, handledBy, waitUs, handlerUs}; then the two frames of the envelope. A body
 * that was not shown is an empty frame.
 */
#ifndef EDGE_CLI_TAP_PCAP_H
#define EDGE_CLI_TAP_PCAP_H

#include "bus/json.h"
#include "bus/tap_record.h"

#define TAP_PCAP_PACKET_MAX 262144U /* more than a reader takes; what is longer is cut */

/* Both append. 0 or a fault. */
int tap_pcap_begin(struct text_buf *out);
int tap_pcap_add(const struct tap_record *record, struct text_buf *out);

#endif
