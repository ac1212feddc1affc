// The lines of the engine's files, and what they say of a question. A line that is not as it should be is
// passed over.
#include "resolver.h"

static int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  return -1;
}

static int is_same(const char *a, const char *b, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    if (a[i] != b[i]) return 0;
  return 1;
}

// The next line without its end; 0 when there is none. What has no newline was not written by us.
int next_line(const char **at, const char *end, const char **line, uint32_t *length) {
  const char *start = *at;
  for (const char *here = start; here < end; here++) {
    if (*here != '\n') continue;
    *line = start;
    *length = (uint32_t)(here - start);
    *at = here + 1;
    return 1;
  }
  return 0;
}

// Takes `word` and a space off the line.
int has_word(const char **line, uint32_t *length, const char *word) {
  uint32_t size = 0;
  while (word[size] != 0) size++;
  if (*length <= size || !is_same(*line, word, size) || (*line)[size] != ' ') return 0;
  *line += size + 1;
  *length -= size + 1;
  return 1;
}

// 8 or 32 hex digits.
int parse_address(const char *text, uint32_t length, struct address *to) {
  if (length != 8 && length != 32) return 0;
  for (uint32_t i = 0; i < length / 2; i++) {
    int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return 0;
    to->bytes[i] = (uint8_t)(high << 4 | low);
  }
  to->length = length / 2;
  return 1;
}

struct record {
  const char *name;
  uint32_t name_length;
  struct address v4, v6; // length 0: it has none
};

// The word at `*line`, behind which there is a space or nothing; its length.
static uint32_t take_word(const char **line, uint32_t *length, const char **word) {
  uint32_t size = 0;
  *word = *line;
  while (size < *length && (*line)[size] != ' ') size++;
  uint32_t taken = size < *length ? size + 1 : size;
  *line += taken;
  *length -= taken;
  return size;
}

static int take_address(const char **line, uint32_t *length, uint32_t digits, struct address *to) {
  const char *word;
  uint32_t size = take_word(line, length, &word);
  to->length = 0;
  if (size == 1 && word[0] == '-') return 1;
  return size == digits && parse_address(word, size, to);
}

static int parse_record(const char *line, uint32_t length, struct record *record) {
  record->name_length = take_word(&line, &length, &record->name);
  if (record->name_length == 0 || record->name_length > MAX_NAME) return 0;
  return take_address(&line, &length, 8, &record->v4) &&
         take_address(&line, &length, 32, &record->v6) && length == 0;
}

// The address that `1.0.0.10.in-addr.arpa` and the like ask for.
static int parse_reverse(const struct query *query, struct address *to) {
  static const char suffix4[] = ".in-addr.arpa", suffix6[] = ".ip6.arpa";
  const uint32_t size4 = sizeof suffix4 - 1, size6 = sizeof suffix6 - 1;
  const char *name = query->name;
  uint32_t length = query->name_length;
  if (length == 63 + size6 && is_same(name + 63, suffix6, size6)) {
    for (uint32_t i = 0; i < 32; i++) {
      int digit = hex_digit(name[2 * i]);
      if (digit < 0 || (i < 31 && name[2 * i + 1] != '.')) return 0;
      uint8_t *byte = &to->bytes[15 - i / 2];
      *byte = (uint8_t)(i % 2 == 0 ? digit : *byte | digit << 4);
    }
    to->length = 16;
    return 1;
  }
  if (length <= size4 || !is_same(name + length - size4, suffix4, size4)) return 0;
  uint32_t at = 0, end = length - size4;
  for (uint32_t part = 0; part < 4; part++) {
    uint32_t value = 0, digits = 0;
    for (; at < end && name[at] >= '0' && name[at] <= '9' && digits < 3; at++, digits++)
      value = value * 10 + (uint32_t)(name[at] - '0');
    if (digits == 0 || value > 255) return 0;
    to->bytes[3 - part] = (uint8_t)value;
    if (part < 3 && (at >= end || name[at++] != '.')) return 0;
  }
  to->length = 4;
  return at == end;
}

static void add_address(struct answer *answer, const struct address *address) {
  if (address->length > 0 && answer->count < MAX_ANSWERS)
    answer->addresses[answer->count++] = *address;
}

static void note_record(const struct query *query, const struct record *record,
                        const struct address *reverse, struct answer *answer) {
  if (reverse->length > 0) {
    const struct address *own = reverse->length == 4 ? &record->v4 : &record->v6;
    if (answer->is_known || own->length != reverse->length ||
        !is_same((const char *)own->bytes, (const char *)reverse->bytes, own->length))
      return;
    answer->is_known = 1;
    memcpy(answer->target, record->name, record->name_length);
    answer->target_length = record->name_length;
    return;
  }
  if (record->name_length != query->name_length ||
      !is_same(record->name, query->name, query->name_length))
    return;
  answer->is_known = 1;
  if (query->type == TYPE_A || query->type == TYPE_ANY) add_address(answer, &record->v4);
  if (query->type == TYPE_AAAA || query->type == TYPE_ANY) add_address(answer, &record->v6);
}

// Adds what the records of one network say.
void look_up(const struct query *query, const char *records, uint32_t length,
             struct answer *answer) {
  struct address reverse = {0};
  if (query->name_length == 0) return;
  if (query->type == TYPE_PTR && !parse_reverse(query, &reverse)) reverse.length = 0;
  const char *at = records, *line;
  uint32_t line_length;
  while (next_line(&at, records + length, &line, &line_length)) {
    struct record record;
    if (parse_record(line, line_length, &record)) note_record(query, &record, &reverse, answer);
  }
}
