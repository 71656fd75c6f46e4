/*
 * limits: what one client, and all of them together, may cost the edge.
 */
#ifndef EDGE_LISTENER_LIMITS_H
#define EDGE_LISTENER_LIMITS_H

#define LIMIT_LISTEN_SOCKETS 8U
#define LIMIT_CONNECTIONS 16384U         /* all of them */
#define LIMIT_CONNECTIONS_PER_PEER 2048U /* of one address that is not this machine */
#define LIMIT_PREAUTH_PER_PEER 32U       /* WebSockets before hello-ok, of one address */
#define LIMIT_ACCEPTS_PER_WAKE 64U

#define LIMIT_PREAUTH_PAYLOAD 65536U /* one message before hello-ok */
#define LIMIT_PAYLOAD 26214400U      /* one message after it; hello-ok says so */
#define LIMIT_BUFFERED 52428800U     /* queued for one client; hello-ok says so */
#define LIMIT_QUEUED_ALL 67108864U   /* memory of all that is queued for anybody */
#define LIMIT_QUEUED_ONE 33554432U   /* the same for all connections of one principal */
#define LIMIT_QUEUED_LOW 50331648U   /* what is left of the first after room was made */
#define LIMIT_QUEUED_ONE_LOW 25165824U
#define LIMIT_INPUT_ALL 134217728U     /* messages and bodies that are not complete, of everybody */
#define LIMIT_INPUT_PEER 67108864U     /* the same of one address that is not this machine */
#define LIMIT_STRANGERS_ALL 16777216U  /* the same before auth has agreed, of everybody */
#define LIMIT_STRANGERS_PEER 4194304U  /* the same of one address that is not this machine */
#define LIMIT_WAITING_MIN 65536U       /* who has less waiting than this is not to blame */
#define LIMIT_DROP_FROM 1048576U       /* droppable events are left out above this, ... */
#define LIMIT_DROP_FROM_TIGHT 65536U   /* ... above this while half of all room is taken */
#define LIMIT_SHARE_BEHIND 16384U      /* an event is queued by reference behind so much, ... */
#define LIMIT_SHARE_BYTES 4096U        /* ... or when it is so large, ... */
#define LIMIT_SHARE_MIN 256U           /* ... but not when it is smaller than a reference */
#define LIMIT_OUT_HIGH 1048576U        /* a client whose answers back up is not read from ... */
#define LIMIT_OUT_LOW 262144U          /* ... until so few bytes are left */
#define LIMIT_STREAMS 128U             /* requests under way on one connection of HTTP/2 */
#define LIMIT_IN_FLIGHT 1024U          /* requests of one connection that wait for an answer */
#define LIMIT_SUBSCRIPTIONS 256U       /* session keys of one connection */
#define LIMIT_LIVE_SOCKETS 256U        /* canvas pages that wait to be told of changes */
#define LIMIT_TAPS 4U                  /* clients that watch the bus; others of its watchers are the owner's own */
#define LIMIT_TAP_WAITING 262144U      /* lines of the tap wait above this, ... */
#define LIMIT_TAP_WAITING_TIGHT 65536U /* ... above this while half of all room is taken */
#define LIMIT_JSON_DEPTH 64U
#define LIMIT_ROLE_REFUSALS 10U    /* in a row; one more ends the connection */
#define LIMIT_WAITING_INPUT 65536U /* read ahead while a request is in hand */
#define LIMIT_READ 65536U          /* taken in one read */
#define LIMIT_WRITE 65536U         /* handed to one write */
#define LIMIT_WRITE_SLOW 16384U    /* the same while the socket does not take all */

#define TRIM_FROM 8388608U  /* freed in large buffers: worth handing back to the system ... */
#define TRIM_QUIET 1048576U /* ... while so little is queued */

#define TIME_SWEEP_MS 500U
#define TIME_HANDSHAKE_MS 15000U
#define TIME_HEAD_MS 15000U       /* to send a request head */
#define TIME_BODY_MS 30000U       /* between two pieces of a request body */
#define TIME_KEEP_ALIVE_MS 75000U /* idle between two requests */
#define TIME_STALL_MS 60000U      /* bytes to write, and none taken */
#define TIME_CLOSE_MS 2000U       /* for the peer to answer a close frame or to hang up */
#define TIME_LEAVE_MS                                                                                                  \
    6000U /* for the answers that a client whose credential ended is still owed: config waits 3 s for those that are   \
             slow */
#define TIME_PATIENCE_MS 2000U /* for an actor that is starting */
#define TIME_PING_MS 25000U
#define TIME_CAPABILITY_MS 600000U /* to read the canvas, unused */
#define TIME_TICK_MS 30000U        /* hello-ok says so */
#define TIME_CALL_SLACK_MS 5000U   /* over the time a request asks for itself */
#define TIME_CALL_MAX_MS 3600000U
#define TIME_STOP_MS 1000U      /* for close frames to reach their peers */
#define TIME_FIRST_WORD_MS 300U /* then: for the request of who has just connected */
#define TIME_LAST_WORD_MS 300U  /* behind it: to tell those who have no answer that none will come */
#define TIME_RESTART_EXPECTED_MS 1500U

#define LINGER_MAX 67108864U /* bytes read and thrown away behind a refusal */

#endif
