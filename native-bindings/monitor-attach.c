// The attach socket: clients that watch the output, feed the input or wait for the exit.
// A frame is {u32 type, u32 length} and its payload. Buffers are fixed: a patient client holds the
// container back when it does not read, as the reader of a pipe does; any other one that does not read
// for LAG_PATIENCE_MS misses output from then on, and is told how much.
#include "monitor.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/un.h>

#define AF_UNIX_FAMILY 1
#define SOCK_STREAM_FLAGS (1 | O_NONBLOCK | O_CLOEXEC)
#define BACKLOG 64
#define MSG_NOSIGNAL_FLAG 0x4000
#define LAG_PATIENCE_MS 1000

static const char socket_name[] = "attach.sock";

// Bound relative to the working directory, which is the container's folder: a full path may be
// longer than the 107 bytes that unix(7) allows.
int open_listener(void) {
  struct sockaddr_un address = {AF_UNIX_FAMILY, {0}};
  memcpy(address.sun_path, socket_name, sizeof socket_name);
  int fd = (int)SYS3(socket, AF_UNIX_FAMILY, SOCK_STREAM_FLAGS, 0);
  if (fd < 0) return fd;
  int floor = FD_INIT_FIRST + (int)monitor.config.descriptor_count;
  monitor.listener = (int)SYS3(fcntl, fd, F_DUPFD_CLOEXEC, floor);
  close_fd(&fd);
  if (monitor.listener < 0) return monitor.listener;
  (void)SYS3(unlinkat, FD_DIRECTORY, socket_name, 0);
  int result = (int)SYS3(bind, monitor.listener, &address, sizeof address);
  return result < 0 ? result : (int)SYS2(listen, monitor.listener, BACKLOG);
}

void close_listener(void) {
  close_fd(&monitor.listener);
  (void)SYS3(unlinkat, FD_DIRECTORY, socket_name, 0);
}

static void clear_client(struct client *client) {
  client->flags = client->in_length = client->out_length = 0;
  client->wants_check = client->lags = 0;
  client->stalled_until = client->skipped = 0;
}

void accept_clients(int unused) {
  (void)unused;
  for (;;) {
    int fd = (int)SYS4(accept4, monitor.listener, 0, 0, O_NONBLOCK | O_CLOEXEC);
    if (fd == -EINTR) continue;
    if (fd < 0) return;
    struct client *free_client = NULL;
    for (int i = 0; i < MAX_CLIENTS && free_client == NULL; i++)
      if (monitor.clients[i].fd < 0) free_client = &monitor.clients[i];
    if (free_client == NULL) {
      close_fd(&fd);
      continue;
    }
    clear_client(free_client);
    free_client->fd = fd;
  }
}

static void drop_client(struct client *client) {
  if (client->fd < 0) return;
  close_fd(&client->fd);
  if ((client->flags & CLIENT_GIVES_INPUT) != 0 && (monitor.config.flags & MONITOR_INPUT_ONCE) != 0)
    close_input();
  clear_client(client);
}

void flush_client(int index) {
  struct client *client = &monitor.clients[index];
  uint32_t done = 0;
  while (client->fd >= 0 && done < client->out_length) {
    long count = SYS6(sendto, client->fd, client->out + done, client->out_length - done,
                      MSG_NOSIGNAL_FLAG, 0, 0);
    if (count == -EINTR) continue;
    if (count == -EAGAIN) break;
    if (count < 0) {
      drop_client(client);
      return;
    }
    done += (uint32_t)count;
  }
  for (uint32_t i = done; i < client->out_length; i++) client->out[i - done] = client->out[i];
  client->out_length -= done;
  if (done > 0 || client->out_length == 0)
    client->stalled_until = client->out_length == 0 ? 0 : now_ms() + LAG_PATIENCE_MS;
}

static void send_frame(int index, uint32_t type, const void *payload, uint32_t length) {
  struct client *client = &monitor.clients[index];
  if (client->fd < 0) return;
  if (client->out_length + FRAME_HEADER + length > sizeof client->out) {
    drop_client(client);
    return;
  }
  uint8_t *to = client->out + client->out_length;
  memcpy(to, &type, 4);
  memcpy(to + 4, &length, 4);
  memcpy(to + FRAME_HEADER, payload, length);
  client->out_length += FRAME_HEADER + length;
  if (client->stalled_until == 0) client->stalled_until = now_ms() + LAG_PATIENCE_MS;
  flush_client(index);
}

static void say_skipped(int index) {
  struct client *client = &monitor.clients[index];
  uint64_t skipped = client->skipped;
  client->skipped = 0;
  if (skipped > 0) send_frame(index, MONITOR_SKIPPED, &skipped, sizeof skipped);
}

void broadcast_output(int is_stderr, const uint8_t *bytes, uint32_t length) {
  for (int i = 0; i < MAX_CLIENTS; i++) {
    struct client *client = &monitor.clients[i];
    if (client->fd < 0 || (client->flags & CLIENT_WANTS_OUTPUT) == 0) continue;
    if (client->out_length > 0) {
      client->skipped += length;
      continue;
    }
    say_skipped(i);
    send_frame(i, is_stderr ? MONITOR_STDERR : MONITOR_STDOUT, bytes, length);
  }
}

void broadcast_exit(void) {
  for (int i = 0; i < MAX_CLIENTS; i++) {
    say_skipped(i);
    send_frame(i, MONITOR_EXIT, &monitor.init_status, 4);
  }
}

void broadcast_check(enum health health, int code) {
  uint32_t payload[2] = {health, (uint32_t)code};
  for (int i = 0; i < MAX_CLIENTS; i++) {
    if (!monitor.clients[i].wants_check) continue;
    monitor.clients[i].wants_check = 0;
    send_frame(i, MONITOR_CHECKED, payload, sizeof payload);
  }
}

// Until the caller has attached, or said that it will not, the output waits in the pipes: a
// container may run at once and still no byte is missed.
static int waits_for_caller(void) {
  return !monitor.is_started && !monitor.is_abandoned && monitor.control >= 0;
}

static int holds_back(struct client *client) {
  if (client->fd < 0 || client->out_length == 0) return 0;
  if ((client->flags & CLIENT_IS_PATIENT) != 0) return 1;
  if ((client->flags & CLIENT_WANTS_OUTPUT) == 0 || client->lags) return 0;
  client->lags = now_ms() >= client->stalled_until;
  return !client->lags;
}

int is_held_back(void) {
  int has_patient = 0, is_held = 0;
  for (int i = 0; i < MAX_CLIENTS; i++) {
    struct client *client = &monitor.clients[i];
    has_patient |= client->fd >= 0 && (client->flags & CLIENT_IS_PATIENT) != 0;
    is_held |= holds_back(client);
  }
  return is_held || (waits_for_caller() && !has_patient);
}

// When the container stops to wait for the first of those that it waits for; 0 for none.
uint64_t first_stall(void) {
  uint64_t first = 0;
  for (int i = 0; i < MAX_CLIENTS; i++) {
    struct client *client = &monitor.clients[i];
    if ((client->flags & CLIENT_IS_PATIENT) != 0 || !holds_back(client)) continue;
    if (first == 0 || client->stalled_until < first) first = client->stalled_until;
  }
  return first;
}

int has_owner(void) {
  for (int i = 0; i < MAX_CLIENTS; i++)
    if (monitor.clients[i].fd >= 0 && (monitor.clients[i].flags & CLIENT_IS_OWNER) != 0) return 1;
  return 0;
}

// Returns 0 when the frame must wait because earlier input is still pending.
static int take_frame(int index, uint32_t type, const uint8_t *payload, uint32_t length) {
  struct client *client = &monitor.clients[index];
  uint16_t size[2];
  switch (type) {
    case CLIENT_HELLO:
      if (length == 4) memcpy(&client->flags, payload, 4);
      send_frame(index, MONITOR_ATTACHED, "", 0);
      return 1;
    case CLIENT_INPUT:
      if (monitor.input_length > 0) return 0;
      write_input(payload, length);
      return 1;
    case CLIENT_INPUT_END:
      if (monitor.input_length > 0) return 0;
      close_input();
      return 1;
    case CLIENT_RESIZE:
      if (length == sizeof size) {
        memcpy(size, payload, sizeof size);
        resize_terminal(size[0], size[1]);
      }
      return 1;
    case CLIENT_CLEANED:
      if ((client->flags & CLIENT_IS_OWNER) != 0) {
        monitor.is_cleaned = 1;
        client->flags &= ~(uint32_t)CLIENT_IS_OWNER;
      }
      return 1;
    case CLIENT_CHECK:
      client->wants_check = 1;
      start_check();
      return 1;
    default:
      drop_client(client);
      return 1;
  }
}

static void take_frames(int index) {
  struct client *client = &monitor.clients[index];
  uint32_t from = 0;
  while (client->fd >= 0 && client->in_length - from >= FRAME_HEADER) {
    uint32_t type, length;
    memcpy(&type, client->in + from, 4);
    memcpy(&length, client->in + from + 4, 4);
    if (length > MAX_FRAME) {
      drop_client(client);
      return;
    }
    if (client->in_length - from < FRAME_HEADER + length) break;
    if (!take_frame(index, type, client->in + from + FRAME_HEADER, length)) break;
    from += FRAME_HEADER + length;
  }
  for (uint32_t i = from; i < client->in_length; i++) client->in[i - from] = client->in[i];
  client->in_length -= from;
}

void receive_from_client(int index) {
  struct client *client = &monitor.clients[index];
  if (client->fd < 0) return;
  uint32_t room = (uint32_t)sizeof client->in - client->in_length;
  if (room > 0) {
    long count = SYS6(recvfrom, client->fd, client->in + client->in_length, room, 0, 0, 0);
    if (count == 0 || (count < 0 && count != -EAGAIN && count != -EINTR)) {
      drop_client(client);
      return;
    }
    if (count > 0) client->in_length += (uint32_t)count;
  }
  take_frames(index);
}
