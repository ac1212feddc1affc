// Messages of RFC 1035, of which the other side may be anybody: every length is checked, and nothing is
// followed that points elsewhere.
#include "resolver.h"

static uint16_t word_at(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static void put_word(uint8_t *to, uint32_t value) {
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

static char lower(uint8_t byte) {
  return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static int is_host_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

// The name at `at`; returns where it ends, 0 for one that is none. No compression: a question stands
// first in its message, so there is nothing that it could point to.
static uint32_t parse_name(const uint8_t *packet, uint32_t length, uint32_t at, struct query *to) {
  uint32_t used = 0;
  int is_host = 1;
  for (uint32_t start = at;;) {
    if (at >= length || at - start >= MAX_NAME) return 0;
    uint32_t label = packet[at++];
    if (label == 0) break;
    if (label > 63 || label > length - at || at - start + label > MAX_NAME) return 0;
    if (used > 0) to->name[used++] = '.';
    for (uint32_t i = 0; i < label; i++) {
      char byte = lower(packet[at + i]);
      is_host = is_host && is_host_byte(byte);
      to->name[used++] = byte;
    }
    at += label;
  }
  to->name[used] = 0;
  to->name_length = is_host ? used : 0;
  return at;
}

// 0, the code of a refusal, or -1 for what is no question at all.
int parse_query(const uint8_t *packet, uint32_t length, struct query *query) {
  memset(query, 0, sizeof *query);
  if (length < DNS_HEADER || (packet[2] & 0x80) != 0) return -1;
  if ((packet[2] & 0x78) != 0) return CODE_NOT_DONE;
  if (word_at(packet + 4) != 1 || word_at(packet + 6) != 0 || length > MAX_QUERY)
    return CODE_MALFORMED;
  uint32_t end = parse_name(packet, length, DNS_HEADER, query);
  if (end == 0 || length - end < 4) return CODE_MALFORMED;
  query->type = word_at(packet + end);
  query->question_length = end + 4 - DNS_HEADER;
  // Of another class than the internet's no container has a name.
  if (word_at(packet + end + 2) != 1) query->name_length = 0;
  return CODE_OK;
}

// Whether `packet` answers the question `asked`: its number, and the very bytes of what was asked.
int is_reply_to(const uint8_t *packet, uint32_t length, const uint8_t *asked,
                uint32_t asked_length) {
  if (length < asked_length || asked_length < DNS_HEADER) return 0;
  if (packet[0] != asked[0] || packet[1] != asked[1]) return 0;
  if ((packet[2] & 0xf8) != 0x80 || word_at(packet + 4) != 1) return 0;
  for (uint32_t i = DNS_HEADER; i < asked_length; i++)
    if (packet[i] != asked[i]) return 0;
  return 1;
}

static void put_head(const uint8_t *packet, enum dns_code code, uint8_t *to) {
  memset(to, 0, DNS_HEADER);
  memcpy(to, packet, 2);
  to[2] = (uint8_t)(0x84 |
                    (packet[2] & 0x79)); // an authoritative answer; RD and the operation as asked
  to[3] = (uint8_t)(0x80 | code);
}

// An answer that is only a code; with the question, where there is one.
uint32_t put_refusal(const uint8_t *packet, uint32_t length, enum dns_code code, uint8_t *to) {
  struct query query;
  int has_question = parse_query(packet, length, &query) == CODE_OK;
  put_head(packet, code, to);
  if (!has_question) return DNS_HEADER;
  put_word(to + 4, 1);
  memcpy(to + DNS_HEADER, packet + DNS_HEADER, query.question_length);
  return DNS_HEADER + query.question_length;
}

// Name (where it stands in the question), type, class, lifetime, length. Nobody shall keep it: the name
// may be another container's the next moment.
static uint32_t put_record_head(uint8_t *to, uint32_t type, uint32_t length) {
  memset(to, 0, 12);
  put_word(to, 0xc000 | DNS_HEADER);
  put_word(to + 2, type);
  put_word(to + 4, 1);
  put_word(to + 10, length);
  return 12;
}

// A name with dots as labels; 0 when it cannot be one.
static uint32_t put_name(uint8_t *to, const char *name, uint32_t length) {
  uint32_t mark = 0;
  if (length == 0 || length > MAX_NAME - 2) return 0;
  for (uint32_t i = 0; i <= length; i++) {
    if (i < length && name[i] != '.') {
      to[i + 1] = (uint8_t)name[i];
      continue;
    }
    uint32_t label = i - mark;
    if (label == 0 || label > 63) return 0;
    to[mark] = (uint8_t)label;
    mark = i + 1;
  }
  to[length + 1] = 0;
  return length + 2;
}

// What was found; what does not fit `limit` is left out, and the answer says so (TC).
uint32_t put_answer(const uint8_t *packet, const struct query *query, const struct answer *answer,
                    uint32_t limit, uint8_t *to) {
  put_head(packet, answer->is_known ? CODE_OK : CODE_NO_NAME, to);
  put_word(to + 4, 1);
  memcpy(to + DNS_HEADER, packet + DNS_HEADER, query->question_length);
  uint32_t at = DNS_HEADER + query->question_length, count = 0;
  if (answer->target_length > 0 && at + 12 + MAX_NAME <= limit) {
    uint32_t length = put_name(to + at + 12, answer->target, answer->target_length);
    if (length > 0) at += put_record_head(to + at, TYPE_PTR, length) + length, count++;
  }
  for (uint32_t i = 0; i < answer->count; i++) {
    const struct address *address = &answer->addresses[i];
    if (at + 12 + address->length > limit) {
      to[2] |= 0x02;
      break;
    }
    at += put_record_head(to + at, address->length == 4 ? TYPE_A : TYPE_AAAA, address->length);
    memcpy(to + at, address->bytes, address->length);
    at += address->length;
    count++;
  }
  put_word(to + 6, count);
  return at;
}
