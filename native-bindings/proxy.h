// tsrun-proxy: leads published ports of one container from ::1 of the host to the container. nf_tables cannot:
// the kernel takes no answer for ::1 that comes by a bridge. It lives as long as the container's init.
#ifndef TSRUN_PROXY_H
#define TSRUN_PROXY_H

#include "helper.h"

#include <linux/in6.h>

#define MAX_PORTS 512
#define MAX_PAIRS 128
#define MAX_FLOWS 128
#define BUFFER 8192
#define MAX_PACKET 65535

// The descriptors that it is started with; what it is to do can be read from the first.
enum proxy_descriptor { FD_PORTS = 0, FD_INIT = 1 };
enum proxy_step { STEP_PORTS = 1, STEP_SESSION, STEP_SOCKETS, STEP_CONFINE };
enum proxy_protocol { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

// The twin of src/engine/networks/loopback-proxy.ts; ports are in network order.
struct proxy_port {
  uint16_t host;
  uint16_t container;
  uint32_t protocol;
};
struct proxy_ports {
  struct address target;
  uint32_t count;
  struct proxy_port ports[MAX_PORTS];
};

extern struct proxy_ports wanted;
extern int sockets[MAX_PORTS];

// proxy-tcp.c
struct pollfd;
void accept_pair(uint32_t port);
uint32_t watch_pairs(struct pollfd *to);
void handle_pairs(const struct pollfd *polled, uint32_t count);

// proxy-udp.c
void receive_datagrams(uint32_t port);
uint32_t watch_flows(struct pollfd *to);
void handle_flows(const struct pollfd *polled, uint32_t count);

#endif
