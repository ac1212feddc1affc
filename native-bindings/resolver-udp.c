// Questions over UDP. One that is forwarded has a socket of its own, whose port the kernel has chosen and
// which takes nothing but what the asked server sends, and a number of its own: an answer cannot be guessed.
#include "resolver.h"

#include <linux/errno.h>
#include <linux/in.h>
#include <linux/poll.h>

#define PATIENCE_MS 2000 // with one server; a client of glibc waits 5 s
#define PER_WAKE 32

struct forward {
  int fd; // 0: free
  uint16_t client_number;
  uint16_t length;
  uint32_t question_length;
  uint32_t server;
  struct settings settings;
  struct sockaddr_in client;
  uint64_t deadline;
  uint8_t query[MAX_QUERY];
};
static struct forward forwards[MAX_FORWARDS];

static void end_forward(struct forward *forward) {
  close_fd(&forward->fd);
  forward->fd = 0;
}

static void send_to_client(int socket, const struct forward *forward, const uint8_t *bytes,
                           uint32_t length) {
  (void)SYS6(sendto, socket, bytes, length, MSG_FLAGS, &forward->client, sizeof forward->client);
}

// Asks the server that is due, or the one behind it; when none is left the client hears of that.
static void ask_server(int socket, struct forward *forward) {
  if (forward->fd > 0) close_fd(&forward->fd);
  forward->fd = 0;
  for (; forward->server < forward->settings.server_count; forward->server++) {
    int fd = connect_to(&forward->settings.servers[forward->server], DNS_PORT, SOCK_DGRAM);
    if (fd < 0) continue;
    uint16_t number = random_word();
    memcpy(forward->query, &number, 2);
    if (SYS6(sendto, fd, forward->query, forward->length, MSG_FLAGS, 0, 0) == forward->length) {
      forward->fd = fd;
      forward->deadline = now_ms() + PATIENCE_MS;
      return;
    }
    close_fd(&fd);
  }
  memcpy(forward->query, &forward->client_number, 2);
  uint32_t length = put_refusal(forward->query, forward->length, CODE_FAILED, packet_out);
  send_to_client(socket, forward, packet_out, length);
}

static void next_server(int socket, struct forward *forward) {
  forward->server++;
  ask_server(socket, forward);
}

// A free place, or 0: a place for each question of a flood would be a socket and a packet to the servers for each.
static struct forward *take_place(void) {
  for (uint32_t i = 0; i < MAX_FORWARDS; i++)
    if (forwards[i].fd == 0) return &forwards[i];
  return 0;
}

static void refuse(int socket, const struct sockaddr_in *client, uint32_t length) {
  uint32_t out = put_refusal(packet_in, length, CODE_FAILED, packet_out);
  (void)SYS6(sendto, socket, packet_out, out, MSG_FLAGS, client, sizeof *client);
}

static void begin_forward(int socket, const struct sockaddr_in *client, uint32_t length,
                          const struct settings *settings) {
  struct query query;
  if (parse_query(packet_in, length, &query) != CODE_OK) return;
  struct forward *forward = take_place();
  if (forward == 0) return refuse(socket, client, length);
  forward->client = *client;
  forward->settings = *settings;
  forward->server = 0;
  forward->length = (uint16_t)length;
  forward->question_length = query.question_length;
  memcpy(forward->query, packet_in, length);
  memcpy(&forward->client_number, packet_in, 2);
  ask_server(socket, forward);
}

void receive_questions(int socket) {
  for (int i = 0; i < PER_WAKE; i++) {
    struct sockaddr_in client = {0};
    struct settings settings;
    uint32_t client_size = sizeof client, out = 0;
    long length = SYS6(recvfrom, socket, packet_in, MAX_PACKET, MSG_FLAGS, &client, &client_size);
    if (length < 0) return;
    enum verdict verdict =
        resolve(packet_in, (uint32_t)length, UDP_LIMIT, packet_out, &out, &settings);
    if (verdict == VERDICT_FORWARD) begin_forward(socket, &client, (uint32_t)length, &settings);
    if (verdict == VERDICT_ANSWER)
      (void)SYS6(sendto, socket, packet_out, out, MSG_FLAGS, &client, sizeof client);
  }
}

// A server that cannot, or will not, is as good as none while there is another.
static int is_useless(const struct forward *forward) {
  int code = packet_in[3] & 0xf;
  return (code == CODE_FAILED || code == CODE_REFUSED) &&
         forward->server + 1 < forward->settings.server_count;
}

static void receive_reply(int socket, struct forward *forward) {
  for (int i = 0; i < PER_WAKE; i++) {
    long length = SYS6(recvfrom, forward->fd, packet_in, MAX_PACKET, MSG_FLAGS, 0, 0);
    if (length == -EAGAIN || length == -EINTR) return;
    if (length < 0) return next_server(socket, forward);
    if (!is_reply_to(packet_in, (uint32_t)length, forward->query,
                     DNS_HEADER + forward->question_length))
      continue;
    if (is_useless(forward)) return next_server(socket, forward);
    memcpy(packet_in, &forward->client_number, 2);
    send_to_client(socket, forward, packet_in, (uint32_t)length);
    return end_forward(forward);
  }
}

uint32_t watch_forwards(struct pollfd *to) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MAX_FORWARDS; i++)
    if (forwards[i].fd > 0) to[count++] = (struct pollfd){.fd = forwards[i].fd, .events = POLLIN};
  return count;
}

void handle_forwards(int socket, const struct pollfd *polled, uint32_t count) {
  uint64_t now = now_ms();
  for (uint32_t i = 0; i < MAX_FORWARDS; i++) {
    struct forward *forward = &forwards[i];
    for (uint32_t k = 0; k < count && forward->fd > 0; k++)
      if (polled[k].fd == forward->fd && polled[k].revents != 0) {
        receive_reply(socket, forward);
        break;
      }
    if (forward->fd > 0 && forward->deadline <= now) next_server(socket, forward);
  }
}

uint64_t first_forward_deadline(void) {
  uint64_t first = ~UINT64_C(0);
  for (uint32_t i = 0; i < MAX_FORWARDS; i++)
    if (forwards[i].fd > 0 && forwards[i].deadline < first) first = forwards[i].deadline;
  return first;
}
