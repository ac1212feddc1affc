// From a question to an answer by what stands in the files at this moment.
#include "resolver.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <asm/stat.h>

#define MAX_FILE (16u << 20)
#define PATH_SIZE 300
#define MAP_PRIVATE_FLAG 2
#define PROT_READ_FLAG 1

static char settings_path[PATH_SIZE];

struct mapping {
  const char *bytes;
  uint32_t length;
};

// A file is replaced, never changed: what is mapped stays as it is.
static int map_file(const char *path, struct mapping *to) {
  struct stat facts;
  memset(&facts, 0, sizeof facts);
  int fd = (int)SYS4(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return 0;
  long result = SYS2(fstat, fd, &facts);
  int is_good = result == 0 && facts.st_size > 0 && facts.st_size <= MAX_FILE;
  long address =
      is_good ? SYS6(mmap, 0, facts.st_size, PROT_READ_FLAG, MAP_PRIVATE_FLAG, fd, 0) : -1;
  close_fd(&fd);
  if (address < 0 && address > -4096) return 0;
  to->bytes = (const char *)address;
  to->length = (uint32_t)facts.st_size;
  return 1;
}

static void unmap_file(struct mapping *mapping) {
  (void)SYS2(munmap, mapping->bytes, mapping->length);
}

static uint32_t append(char *to, uint32_t at, const char *text, uint32_t length) {
  for (uint32_t i = 0; i < length && at + 1 < PATH_SIZE; i++) to[at++] = text[i];
  to[at] = 0;
  return at;
}

int open_settings(const char *container) {
  uint32_t length = 0;
  while (container[length] != 0) {
    char byte = container[length++];
    if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f')) || length > 64) return 0;
  }
  append(settings_path, append(settings_path, 0, ".resolvers/", 11), container, length);
  return length > 0;
}

static void look_up_in(const char *network, uint32_t length, const struct query *query,
                       struct answer *answer) {
  char path[PATH_SIZE];
  struct mapping records;
  append(path, append(path, 0, network, length), "/names", 6);
  if (!map_file(path, &records)) return;
  look_up(query, records.bytes, records.length, answer);
  unmap_file(&records);
}

// The first network that knows the name has the answer, as in docker.
static void read_settings(const struct mapping *file, const struct query *query,
                          struct settings *settings, struct answer *answer) {
  const char *at = file->bytes, *line;
  uint32_t length;
  while (next_line(&at, file->bytes + file->length, &line, &length)) {
    if (has_word(&line, &length, "network") && !answer->is_known)
      look_up_in(line, length, query, answer);
    else if (has_word(&line, &length, "forward") && settings->server_count < MAX_SERVERS &&
             parse_address(line, length, &settings->servers[settings->server_count]))
      settings->server_count++;
  }
}

// Who asks often shall not always get the same of several.
static void rotate(struct answer *answer) {
  if (answer->count < 2) return;
  struct answer before = *answer;
  uint32_t start = random_word() % answer->count;
  for (uint32_t i = 0; i < answer->count; i++)
    answer->addresses[i] = before.addresses[(start + i) % answer->count];
}

enum verdict resolve(const uint8_t *packet, uint32_t length, uint32_t limit, uint8_t *to,
                     uint32_t *to_length, struct settings *settings) {
  struct query query;
  struct answer answer;
  struct mapping file;
  int code = parse_query(packet, length, &query);
  if (code < 0) return VERDICT_DROP;
  settings->server_count = 0;
  memset(&answer, 0, sizeof answer);
  if (code == CODE_OK && map_file(settings_path, &file)) {
    read_settings(&file, &query, settings, &answer);
    unmap_file(&file);
    if (!answer.is_known && settings->server_count > 0) return VERDICT_FORWARD;
    rotate(&answer);
    // Without a server for the rest there are no other names than these.
    *to_length = put_answer(packet, &query, &answer, limit, to);
    return VERDICT_ANSWER;
  }
  *to_length = put_refusal(packet, length, code == CODE_OK ? CODE_FAILED : code, to);
  return VERDICT_ANSWER;
}
