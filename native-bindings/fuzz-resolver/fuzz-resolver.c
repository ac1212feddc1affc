// Mutates questions, answers and files for tsrun-resolver's pure parts, under ASan and UBSan. Each input lies
// in memory of exactly its size; each output goes to a buffer of exactly its limit.
//
//   fuzz-resolver <seed> <iterations>       prints how often each way out was taken
#include "../resolver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;
static unsigned long refused, asked, known, unknown, reversed, replies, lines;

static uint32_t next_random(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 33) % below;
}

static const char *const names[] = {
    "web",
    "web.app",
    "a",
    "cell_1",
    "x-y.example",
    "9.0.77.10.in-addr.arpa",
    "300.0.77.10.in-addr.arpa",
    "1.2.in-addr.arpa",
    "far.example",
    "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.2.6.8.4.7.0.3.a.5.7.f.9.7.d.f.ip6.arpa",
};
static const char records[] = "web.app 0a4d0009 fd79f75a307486260000000000000002\n"
                              "web 0a4d0009 fd79f75a307486260000000000000002\n"
                              "web 0a4d000a -\na - -\ncell_1 - fd000000000000000000000000000001\n"
                              "forward 7f000035\nnetwork app\nx-y.example 01020304 -\n";
static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_PTR, TYPE_ANY, 15};

static uint32_t put_question(uint8_t *to) {
  const char *name = names[next_random(sizeof names / sizeof *names)];
  uint32_t at = 12, mark = 12;
  memset(to, 0, 12);
  to[0] = (uint8_t)next_random(256);
  to[2] = 1;
  to[5] = 1;
  for (const char *here = name;; here++) {
    at++;
    if (*here != 0 && *here != '.') {
      to[at] = (uint8_t)*here;
      continue;
    }
    to[mark] = (uint8_t)(at - mark - 1);
    mark = at;
    if (*here == 0) break;
  }
  to[at++] = 0;
  uint16_t type = types[next_random(5)];
  to[at++] = (uint8_t)(type >> 8);
  to[at++] = (uint8_t)type;
  to[at++] = 0;
  to[at++] = 1;
  return at;
}

static uint32_t mutate(uint8_t *bytes, uint32_t length, uint32_t size) {
  for (uint32_t times = next_random(4); times > 0 && length > 0; times--) {
    switch (next_random(5)) {
      case 0:
        bytes[next_random(length)] = (uint8_t)next_random(256);
        break;
      case 1:
        bytes[next_random(length)] ^= (uint8_t)(1u << next_random(8));
        break;
      case 2:
        length = next_random(length) + 1;
        break;
      case 3:
        if (length < size) {
          uint32_t more = next_random(size - length) % 300;
          memset(bytes + length, (int)next_random(256), more);
          length += more;
        }
        break;
      default:
        bytes[next_random(length)] = (uint8_t)(next_random(2) ? 0xff : 0x3f);
    }
  }
  return length;
}

static void *exact(const void *bytes, uint32_t length) {
  void *copy = malloc(length > 0 ? length : 1);
  memcpy(copy, bytes, length);
  return copy;
}

static void fuzz_files(const struct query *query, struct answer *answer) {
  uint8_t text[2048];
  uint32_t length = sizeof records - 1;
  memcpy(text, records, length);
  if (next_random(2)) length = mutate(text, length, sizeof text);
  char *file = exact(text, length);
  look_up(query, file, length, answer);
  const char *at = file, *line;
  uint32_t line_length;
  struct address address;
  while (next_line(&at, file + length, &line, &line_length)) {
    lines++;
    if (has_word(&line, &line_length, "forward")) (void)parse_address(line, line_length, &address);
  }
  free(file);
}

static void check(int is_right, const char *what) {
  if (is_right) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

static void fuzz_once(void) {
  uint8_t bytes[2048];
  uint32_t length = mutate(bytes, put_question(bytes), sizeof bytes);
  uint32_t limit = next_random(2) ? UDP_LIMIT : 4096;
  uint8_t *packet = exact(bytes, length), *out = malloc(limit);
  struct query query;
  struct answer answer;
  memset(&answer, 0, sizeof answer);
  int code = parse_query(packet, length, &query);
  if (code == CODE_OK) {
    asked++;
    check(strlen(query.name) <= MAX_NAME, "a name without its end");
    fuzz_files(&query, &answer);
    if (answer.is_known)
      known++;
    else
      unknown++;
    if (answer.target_length > 0) reversed++;
    uint32_t put = put_answer(packet, &query, &answer, limit, out);
    check(put <= limit, "an answer beyond its limit");
    check(is_reply_to(out, put, packet, DNS_HEADER + query.question_length), "no reply");
    memcpy(bytes, out, put);
    uint32_t reply_length = mutate(bytes, put, sizeof bytes);
    uint8_t *reply = exact(bytes, reply_length);
    replies +=
        (unsigned long)is_reply_to(reply, reply_length, packet, DNS_HEADER + query.question_length);
    free(reply);
  } else {
    refused++;
    if (code > 0) check(put_refusal(packet, length, (enum dns_code)code, out) <= limit, "long");
  }
  free(packet);
  free(out);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  state = strtoull(arguments[1], 0, 10) * 0x9e3779b97f4a7c15u + 1;
  for (unsigned long left = strtoul(arguments[2], 0, 10); left > 0; left--) fuzz_once();
  printf("refused %lu\nasked %lu\nknown %lu\nunknown %lu\nreversed %lu\nreplies %lu\nlines %lu\n",
         refused, asked, known, unknown, reversed, replies, lines);
  return 0;
}
