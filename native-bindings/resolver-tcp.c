// Questions over TCP, one after the other on a connection (RFC 7766). What no network here answers goes
// over a connection to a name server, and its answer comes back as it is.
#include "resolver.h"

#include <linux/errno.h>
#include <linux/poll.h>

#define PATIENCE_MS 10000 // with either side
#define TCP_LIMIT 4096
#define PREFIX 2 // the length before each message

struct connection {
  int client;   // 0: free
  int server;   // 0: none is asked
  int is_asked; // the question is on its way to the server
  uint32_t in_length;
  uint32_t query_length; // of the question that the server is asked, with its prefix
  uint32_t next_server;
  uint32_t reply_got;
  uint32_t reply_length; // with its prefix, once that is known
  uint32_t out_length;
  uint32_t out_sent;
  uint64_t deadline;
  struct settings settings;
  uint8_t in[PREFIX + MAX_QUERY];
  uint8_t out[PREFIX + TCP_LIMIT];
};
static struct connection connections[MAX_CONNECTIONS];

static uint32_t length_at(const uint8_t *bytes) { return (uint32_t)(bytes[0] << 8 | bytes[1]); }

static void end_server(struct connection *connection) {
  if (connection->server > 0) close_fd(&connection->server);
  connection->server = 0;
  connection->is_asked = 0;
}

static void end_connection(struct connection *connection) {
  end_server(connection);
  close_fd(&connection->client);
  connection->client = 0;
}

static void drop_query(struct connection *connection, uint32_t length) {
  connection->in_length -= length;
  for (uint32_t i = 0; i < connection->in_length; i++)
    connection->in[i] = connection->in[i + length];
}

static void answer_now(struct connection *connection, uint32_t length, uint32_t query_length) {
  connection->out[0] = (uint8_t)(length >> 8);
  connection->out[1] = (uint8_t)length;
  connection->out_length = PREFIX + length;
  connection->out_sent = 0;
  drop_query(connection, query_length);
}

static void ask_server(struct connection *connection) {
  end_server(connection);
  while (connection->next_server < connection->settings.server_count) {
    int fd =
        connect_to(&connection->settings.servers[connection->next_server++], DNS_PORT, SOCK_STREAM);
    if (fd <= 0) continue;
    connection->server = fd;
    connection->reply_got = connection->reply_length = 0;
    return;
  }
  uint32_t length = put_refusal(connection->in + PREFIX, connection->query_length - PREFIX,
                                CODE_FAILED, connection->out + PREFIX);
  answer_now(connection, length, connection->query_length);
}

// Takes the first whole question of what the client has sent, unless one is being answered.
static void begin_query(struct connection *connection) {
  if (connection->server > 0 || connection->out_length > 0 || connection->in_length < PREFIX)
    return;
  uint32_t length = length_at(connection->in), out = 0;
  if (length > MAX_QUERY) return end_connection(connection);
  if (connection->in_length < PREFIX + length) return;
  enum verdict verdict = resolve(connection->in + PREFIX, length, TCP_LIMIT,
                                 connection->out + PREFIX, &out, &connection->settings);
  if (verdict == VERDICT_DROP) return end_connection(connection);
  if (verdict == VERDICT_ANSWER) return answer_now(connection, out, PREFIX + length);
  connection->query_length = PREFIX + length;
  connection->next_server = 0;
  ask_server(connection);
}

static void read_client(struct connection *connection) {
  uint32_t room = (uint32_t)sizeof connection->in - connection->in_length;
  long length = SYS6(recvfrom, connection->client, connection->in + connection->in_length, room,
                     MSG_FLAGS, 0, 0);
  if (length == -EAGAIN || length == -EINTR) return;
  if (length <= 0) return end_connection(connection);
  connection->in_length += (uint32_t)length;
  connection->deadline = now_ms() + PATIENCE_MS;
}

static void write_client(struct connection *connection) {
  long length = SYS6(sendto, connection->client, connection->out + connection->out_sent,
                     connection->out_length - connection->out_sent, MSG_FLAGS, 0, 0);
  if (length == -EAGAIN || length == -EINTR) return;
  if (length <= 0) return end_connection(connection);
  connection->out_sent += (uint32_t)length;
  connection->deadline = now_ms() + PATIENCE_MS;
  if (connection->out_sent == connection->out_length) connection->out_length = 0;
}

// One send: a new connection has room for a question.
static void write_server(struct connection *connection) {
  long length =
      SYS6(sendto, connection->server, connection->in, connection->query_length, MSG_FLAGS, 0, 0);
  if (length == -EAGAIN || length == -EINTR) return;
  if (length != connection->query_length) return ask_server(connection);
  connection->is_asked = 1;
}

// The prefix first, then as much of the message as there is room for; the client gets it piece by piece.
static void read_server(struct connection *connection) {
  uint32_t got = connection->reply_got;
  uint32_t rest = got < PREFIX ? PREFIX - got : connection->reply_length - got;
  uint32_t at = got < PREFIX ? got : 0;
  uint32_t room = (uint32_t)sizeof connection->out - at;
  long length = SYS6(recvfrom, connection->server, connection->out + at, rest < room ? rest : room,
                     MSG_FLAGS, 0, 0);
  if (length == -EAGAIN || length == -EINTR) return;
  if (length <= 0) return got == 0 ? ask_server(connection) : end_connection(connection);
  connection->reply_got += (uint32_t)length;
  if (connection->reply_got < PREFIX) return;
  if (got < PREFIX) {
    connection->reply_length = PREFIX + length_at(connection->out);
    connection->out_length = PREFIX;
  } else {
    connection->out_length = (uint32_t)length;
  }
  connection->out_sent = 0;
  if (connection->reply_got < connection->reply_length) return;
  end_server(connection);
  drop_query(connection, connection->query_length);
}

void accept_connections(int listener) {
  int fd = (int)SYS4(accept4, listener, 0, 0, SOCKET_FLAGS);
  if (fd <= 0) return;
  struct connection *place = &connections[0];
  for (uint32_t i = 0; i < MAX_CONNECTIONS; i++) {
    if (connections[i].client == 0) {
      place = &connections[i];
      break;
    }
    if (connections[i].deadline < place->deadline) place = &connections[i];
  }
  // Who is silent longest goes.
  if (place->client > 0) end_connection(place);
  place->client = fd;
  place->in_length = place->out_length = 0;
  place->deadline = now_ms() + PATIENCE_MS;
}

// One descriptor at a time: each step waits for one side.
uint32_t watch_connections(struct pollfd *to) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MAX_CONNECTIONS; i++) {
    const struct connection *one = &connections[i];
    if (one->client == 0) continue;
    int waits_for_server = one->server > 0 && one->out_length == 0;
    int is_writing = one->out_length > 0 || (one->server > 0 && !one->is_asked);
    to[count++] = (struct pollfd){.fd = waits_for_server ? one->server : one->client,
                                  .events = is_writing ? POLLOUT : POLLIN};
  }
  return count;
}

static void advance(struct connection *connection) {
  if (connection->out_length > 0)
    write_client(connection);
  else if (connection->server == 0)
    read_client(connection);
  else if (connection->is_asked)
    read_server(connection);
  else
    write_server(connection);
  if (connection->client > 0) begin_query(connection);
}

void handle_connections(const struct pollfd *polled, uint32_t count) {
  uint64_t now = now_ms();
  for (uint32_t i = 0; i < MAX_CONNECTIONS; i++) {
    struct connection *one = &connections[i];
    for (uint32_t k = 0; k < count && one->client > 0; k++)
      if (polled[k].revents != 0 && (polled[k].fd == one->client || polled[k].fd == one->server)) {
        advance(one);
        break;
      }
    if (one->client > 0 && one->deadline <= now) end_connection(one);
  }
}

uint64_t first_connection_deadline(void) {
  uint64_t first = ~UINT64_C(0);
  for (uint32_t i = 0; i < MAX_CONNECTIONS; i++)
    if (connections[i].client > 0 && connections[i].deadline < first)
      first = connections[i].deadline;
  return first;
}
