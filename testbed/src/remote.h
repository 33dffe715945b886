/*
 * Run a command in another domain: what remote (the caller) and agent (in the
 * other domain) agree on.
 *
 * The caller creates <domain>/data/testbed/call/<id> with the number of an event
 * channel; the agent makes a vchan at <domain>/data/testbed/<id> and says so over that
 * event channel. (To be told by xenstore, the caller would have to set a watch, and
 * libxenstore then starts a thread.) The caller sends one packet: the arguments, each
 * ended by a NUL. The agent sends the command's output as it comes, then how it ended.
 * Every packet is a struct packet and then its data.
 *
 * It uses neither `xl pcid` nor its code, so that it works while that is broken.
 */
#ifndef TESTBED_REMOTE_H
#define TESTBED_REMOTE_H

#include <stdint.h>

#define CALLS "data/testbed/call"
#define CHANNEL "data/testbed/%s"
#define ID_MAX 16

#define TO_AGENT_RING 2048
#define TO_CALLER_RING 32768
#define CHUNK 16384             /* of data in a packet; less than the ring */
#define ARGUMENTS_MAX 131072

enum packet_type {
    PACKET_STDOUT = 1,
    PACKET_STDERR = 2,
    PACKET_EXIT = 3,            /* length is the exit status, no data */
    PACKET_ARGUMENTS = 4,
};

struct packet {
    uint32_t type;
    uint32_t length;
};

#endif
