// Datagrams: each client has a socket of its own towards the container, so that answers find back.
#include "proxy.h"

#include <linux/errno.h>
#include <linux/poll.h>

#define PER_WAKE 64

struct flow {
  int fd; // 0: free
  uint32_t port;
  uint64_t moved;
  struct sockaddr_in6 client;
};
static struct flow flows[MAX_FLOWS];
static uint8_t packet[MAX_PACKET];

static int is_same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b) {
  if (a->sin6_port != b->sin6_port) return 0;
  for (int i = 0; i < 16; i++)
    if (a->sin6_addr.s6_addr[i] != b->sin6_addr.s6_addr[i]) return 0;
  return 1;
}

// The client's, or a new one in a free place or in that of the one that has been silent longest.
static struct flow *flow_of(uint32_t port, const struct sockaddr_in6 *client) {
  struct flow *place = &flows[0];
  for (uint32_t i = 0; i < MAX_FLOWS; i++) {
    struct flow *flow = &flows[i];
    if (flow->fd > 0 && flow->port == port && is_same(&flow->client, client)) return flow;
    if (place->fd > 0 && (flow->fd == 0 || flow->moved < place->moved)) place = flow;
  }
  int fd = connect_to(&wanted.target, wanted.ports[port].container, SOCK_DGRAM);
  if (fd < 0) return 0;
  if (place->fd > 0) close_fd(&place->fd);
  place->fd = fd;
  place->port = port;
  place->client = *client;
  return place;
}

void receive_datagrams(uint32_t port) {
  for (int i = 0; i < PER_WAKE; i++) {
    struct sockaddr_in6 client = {0};
    uint32_t size = sizeof client;
    long length = SYS6(recvfrom, sockets[port], packet, sizeof packet, MSG_FLAGS, &client, &size);
    if (length < 0) return;
    struct flow *flow = flow_of(port, &client);
    if (!flow) continue;
    flow->moved = now_ms();
    (void)SYS6(sendto, flow->fd, packet, length, MSG_FLAGS, 0, 0);
  }
}

uint32_t watch_flows(struct pollfd *to) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MAX_FLOWS; i++)
    if (flows[i].fd > 0) to[count++] = (struct pollfd){.fd = flows[i].fd, .events = POLLIN};
  return count;
}

static void answer(struct flow *flow) {
  for (int i = 0; i < PER_WAKE; i++) {
    long length = SYS6(recvfrom, flow->fd, packet, sizeof packet, MSG_FLAGS, 0, 0);
    // ECONNREFUSED: nobody listens (yet); the client hears nothing, and may ask again.
    if (length < 0) return;
    flow->moved = now_ms();
    (void)SYS6(sendto, sockets[flow->port], packet, length, MSG_FLAGS, &flow->client,
               sizeof flow->client);
  }
}

void handle_flows(const struct pollfd *polled, uint32_t count) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < MAX_FLOWS && at < count; i++)
    if (flows[i].fd > 0 && polled[at].fd == flows[i].fd && polled[at++].revents != 0)
      answer(&flows[i]);
}
