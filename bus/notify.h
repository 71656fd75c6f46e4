/*
 * notify: tells a service manager how this process stands (sd_notify's datagram).
 */
#ifndef BUS_NOTIFY_H
#define BUS_NOTIFY_H

/*
 * Sends `state` ("READY=1", "STOPPING=1", lines separated by newline) to the socket that
 * NOTIFY_SOCKET names. Without that variable nothing happens. Never blocks.
 */
void notify_send(const char *state);

#endif
