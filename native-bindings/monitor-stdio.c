// The container's side: its output, its input and its terminal.
#include "monitor.h"

#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#define SOL_SOCKET_LEVEL 1
#define SCM_RIGHTS_TYPE 1
#define MSG_CMSG_CLOEXEC_FLAG 0x40000000

struct message_header {
  void *name;
  uint32_t name_length;
  struct iovec *vectors;
  size_t vector_count;
  void *control;
  size_t control_length;
  uint32_t flags;
};

struct passed_descriptor {
  size_t length;
  int level;
  int type;
  int fd;
  int padding;
};

void set_nonblocking(int fd) {
  long flags = SYS3(fcntl, fd, F_GETFL, 0);
  if (flags >= 0) (void)SYS3(fcntl, fd, F_SETFL, flags | O_NONBLOCK);
}

void resize_terminal(uint16_t rows, uint16_t columns) {
  struct {
    uint16_t rows, columns, width, height;
  } size = {rows, columns, 0, 0};
  if ((monitor.config.flags & MONITOR_TERMINAL) != 0 && monitor.outputs[0] >= 0)
    (void)SYS3(ioctl, monitor.outputs[0], TIOCSWINSZ, &size);
}

static void take_terminal(int master) {
  set_nonblocking(master);
  monitor.outputs[0] = master;
  monitor.input = (int)SYS3(fcntl, master, F_DUPFD_CLOEXEC, FD_INIT_FIRST);
  if (monitor.config.rows != 0 && monitor.config.columns != 0)
    resize_terminal(monitor.config.rows, monitor.config.columns);
}

// The container's init sends the pty's master as one SCM_RIGHTS message (unix(7)).
void receive_console(int unused) {
  (void)unused;
  char text[256];
  struct iovec vector = {text, sizeof text};
  struct passed_descriptor passed = {0};
  struct message_header message = {0};
  message.vectors = &vector;
  message.vector_count = 1;
  message.control = &passed;
  message.control_length = sizeof passed;
  long received = SYS3(recvmsg, monitor.console, &message, MSG_CMSG_CLOEXEC_FLAG);
  if (received == -EINTR || received == -EAGAIN) return;
  if (received >= 0 && message.control_length >= sizeof passed - sizeof passed.padding &&
      passed.level == SOL_SOCKET_LEVEL && passed.type == SCM_RIGHTS_TYPE)
    take_terminal(passed.fd);
  close_fd(&monitor.console);
}

// A pty master answers EIO when the last slave is closed (pty(7)): the end of the output.
void read_output(int index) {
  static uint8_t chunk[CHUNK];
  if (monitor.outputs[index] < 0 || is_held_back()) return;
  long count = SYS3(read, monitor.outputs[index], chunk, sizeof chunk);
  if (count == -EINTR || count == -EAGAIN) return;
  if (count <= 0) {
    close_fd(&monitor.outputs[index]);
    return;
  }
  monitor.output_moved = 1;
  if (monitor.phase == PHASE_DRAINING) monitor.drained += (uint32_t)count;
  log_output(index, chunk, (uint32_t)count);
  broadcast_output(index, chunk, (uint32_t)count);
}

void close_input(void) {
  if ((monitor.config.flags & MONITOR_TERMINAL) != 0) return;
  monitor.config.flags &= (uint16_t)~MONITOR_INPUT;
  if (monitor.input_length == 0) close_fd(&monitor.input);
}

void flush_input(int unused) {
  (void)unused;
  uint32_t done = 0;
  while (done < monitor.input_length && monitor.input >= 0) {
    long count =
        SYS3(write, monitor.input, monitor.input_pending + done, monitor.input_length - done);
    if (count == -EINTR) continue;
    if (count == -EAGAIN) break;
    if (count < 0) {
      close_fd(
          &monitor.input); // the container closed its stdin: the rest goes nowhere, as with a pipe
      break;
    }
    done += (uint32_t)count;
  }
  if (monitor.input < 0) done = monitor.input_length;
  for (uint32_t i = done; i < monitor.input_length; i++)
    monitor.input_pending[i - done] = monitor.input_pending[i];
  monitor.input_length -= done;
  if (monitor.input_length == 0 && (monitor.config.flags & MONITOR_INPUT) == 0 &&
      (monitor.config.flags & MONITOR_TERMINAL) == 0)
    close_fd(&monitor.input);
}

// The caller has made sure that nothing is pending.
void write_input(const uint8_t *bytes, uint32_t length) {
  if (monitor.input < 0 || (monitor.config.flags & MONITOR_INPUT) == 0) return;
  memcpy(monitor.input_pending, bytes, length);
  monitor.input_length = length;
  flush_input(0);
}
