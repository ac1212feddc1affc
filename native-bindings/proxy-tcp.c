// Connections over TCP: what one side sends goes to the other, until both have ended.
#include "proxy.h"

#include <linux/errno.h>
#include <linux/poll.h>

#define SHUT_WRITE 1

struct direction {
  uint32_t length; // bytes in the buffer, of which the first `sent` have gone on
  uint32_t sent;
  int has_ended; // the side that sends has; told on once the buffer is empty
  int is_told;
  uint8_t bytes[BUFFER];
};

struct pair {
  int sides[2];             // 0: free; the client, then the container
  int is_connected;         // the container has taken the connection
  uint64_t moved;           // when anything last went either way
  struct direction from[2]; // from each side to the other
};
static struct pair pairs[MAX_PAIRS];

static void end_pair(struct pair *pair) {
  for (int side = 0; side < 2; side++) {
    if (pair->sides[side] > 0) close_fd(&pair->sides[side]);
    pair->sides[side] = 0;
  }
}

// A free place, or that of the pair that has been silent longest.
static struct pair *take_place(void) {
  struct pair *oldest = &pairs[0];
  for (uint32_t i = 0; i < MAX_PAIRS; i++) {
    if (pairs[i].sides[0] == 0) return &pairs[i];
    if (pairs[i].moved < oldest->moved) oldest = &pairs[i];
  }
  end_pair(oldest);
  return oldest;
}

void accept_pair(uint32_t port) {
  int client = (int)SYS4(accept4, sockets[port], 0, 0, SOCKET_FLAGS);
  if (client < 0) return;
  int server = connect_to(&wanted.target, wanted.ports[port].container, SOCK_STREAM);
  if (server < 0) {
    close_fd(&client);
    return;
  }
  struct pair *pair = take_place();
  pair->sides[0] = client;
  pair->sides[1] = server;
  pair->is_connected = 0;
  pair->moved = now_ms();
  for (int side = 0; side < 2; side++) {
    struct direction *from = &pair->from[side];
    from->length = from->sent = 0;
    from->has_ended = from->is_told = 0;
  }
}

// Whether it can go on; 0 when the pair is to end.
static int receive(struct pair *pair, int side) {
  struct direction *from = &pair->from[side];
  long length = SYS6(recvfrom, pair->sides[side], from->bytes, BUFFER, MSG_FLAGS, 0, 0);
  if (length == -EAGAIN || length == -EINTR || length == -ENOTCONN) return 1;
  if (length < 0) return 0;
  from->has_ended = length == 0;
  from->length = (uint32_t)length;
  from->sent = 0;
  return 1;
}

static int pass_on(struct pair *pair, int side) {
  struct direction *from = &pair->from[side];
  if (from->length > 0) {
    long length = SYS6(sendto, pair->sides[1 - side], from->bytes + from->sent,
                       from->length - from->sent, MSG_FLAGS, 0, 0);
    if (length == -EAGAIN || length == -EINTR) return 1;
    if (length < 0) return 0;
    from->sent += (uint32_t)length;
    if (from->sent == from->length) from->length = 0;
  }
  if (from->length == 0 && from->has_ended && !from->is_told) {
    from->is_told = 1;
    (void)SYS2(shutdown, pair->sides[1 - side], SHUT_WRITE);
  }
  return 1;
}

static int wants_to_read(const struct pair *pair, int side) {
  return pair->from[side].length == 0 && !pair->from[side].has_ended;
}

static int16_t events_of(const struct pair *pair, int side) {
  if (!pair->is_connected) return side == 1 ? POLLOUT : 0;
  int events = wants_to_read(pair, side) ? POLLIN : 0;
  if (pair->from[1 - side].length > 0) events |= POLLOUT;
  return (int16_t)events;
}

// A side that waits for nothing is not watched: what it hangs up would be told again and again.
uint32_t watch_pairs(struct pollfd *to) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MAX_PAIRS; i++) {
    if (pairs[i].sides[0] == 0) continue;
    for (int side = 0; side < 2; side++) {
      int16_t events = events_of(&pairs[i], side);
      if (events != 0) to[count++] = (struct pollfd){.fd = pairs[i].sides[side], .events = events};
    }
  }
  return count;
}

static void advance(struct pair *pair, int side, int events) {
  int is_well = pair->is_connected || (events & (POLLHUP | POLLERR)) == 0;
  pair->is_connected = 1;
  if (is_well && (events & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_to_read(pair, side))
    is_well = receive(pair, side);
  pair->moved = now_ms();
  for (int from = 0; from < 2 && is_well; from++) is_well = pass_on(pair, from);
  if (!is_well || (pair->from[0].is_told && pair->from[1].is_told)) end_pair(pair);
}

void handle_pairs(const struct pollfd *polled, uint32_t count) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < MAX_PAIRS && at < count; i++)
    for (int side = 0; side < 2; side++) {
      if (at >= count || pairs[i].sides[0] == 0 || polled[at].fd != pairs[i].sides[side]) continue;
      int events = polled[at++].revents;
      if (events != 0) advance(&pairs[i], side, events);
    }
}
