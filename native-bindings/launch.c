// Finds and runs the plan of a verb.
#include "launch.h"

#include "executor.h"
#include "freestanding.h"
#include "syscall.h"

#define EXIT_CANNOT_START 125
#define PROT_READ_WRITE 3
#define MAP_PRIVATE_ANONYMOUS 0x22

// launch-plans.S
extern const uint8_t start_plan[], start_plan_end[];
extern const uint8_t delete_plan[], delete_plan_end[];
extern const uint8_t delete_force_plan[], delete_force_plan_end[];

static const char default_root[] = "/run/tsrun";

_Noreturn void leave(int status) {
  for (;;) (void)SYS1(exit_group, status);
}

static void print_error(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  (void)SYS3(write, 2, text, length);
}

_Noreturn void cannot_start(const char *before, const char *what, const char *behind) {
  print_error("tsrun: cannot start: ");
  print_error(before);
  print_error(what);
  print_error(behind);
  leave(EXIT_CANNOT_START);
}

static int is_same(const char *left, const char *right) {
  while (*left != 0 && *left == *right) left++, right++;
  return *left == *right;
}

// Whether `word` is the flag `name`, as Go's parser reads it; `*value` is what follows a `=`.
static int is_flag(const char *word, const char *name, const char **value) {
  if (*word++ != '-') return 0;
  if (*word == '-') word++;
  while (*name != 0)
    if (*word++ != *name++) return 0;
  *value = *word == '=' ? word + 1 : NULL;
  return *word == 0 || *word == '=';
}

// A path that means the same to the kernel as to path.resolve(): absolute, without "..", not "/".
static int is_plain_root(const char *path) {
  size_t length = 0;
  int has_name = 0;
  if (path[0] != '/') return 0;
  for (; path[length] != 0; length++) {
    if (path[length] != '/' && path[length] != '.') has_name = 1;
    if (path[length] == '.' && path[length + 1] == '.') return 0;
  }
  return has_name && length < LAUNCH_ROOT_SIZE;
}

static int is_id_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_' || letter == '+' || letter == '.' ||
         letter == '-';
}

static int is_id(const char *id) {
  size_t length = 0;
  for (; id[length] != 0; length++)
    if (!is_id_letter(id[length])) return 0;
  return length > 0 && length < LAUNCH_ID_SIZE && !is_same(id, ".") && !is_same(id, "..");
}

// Flags before the verb, of those that change nothing where nothing goes wrong. Returns the verb's
// place, or NULL.
static char *const *read_globals(char *const *next, struct request *request) {
  request->root = default_root;
  for (; *next != NULL && **next == '-'; next++) {
    const char *value;
    if (is_flag(*next, "debug", &value) || is_flag(*next, "systemd-cgroup", &value)) {
      if (value != NULL) return NULL;
      continue;
    }
    int is_root = is_flag(*next, "root", &value);
    int is_format = !is_root && is_flag(*next, "log-format", &value);
    if (!is_root && !is_format && !is_flag(*next, "log", &value)) return NULL;
    if (value == NULL) value = *++next;
    if (value == NULL) return NULL;
    if (is_format && !is_same(value, "json") && !is_same(value, "text")) return NULL;
    if (is_root) request->root = *value == 0 ? default_root : value;
  }
  return is_plain_root(request->root) ? next : NULL;
}

// What follows the verb: one id, and with `forced` the flag --force at either side of it.
static int read_id(char *const *next, struct request *request, int *forced) {
  request->id = NULL;
  for (; *next != NULL; next++) {
    const char *value;
    if (forced != NULL && (is_flag(*next, "force", &value) || is_flag(*next, "f", &value))) {
      if (value != NULL) return 0;
      *forced = 1;
      continue;
    }
    if (**next == '-' || request->id != NULL) return 0;
    request->id = *next;
  }
  return request->id != NULL && is_id(request->id);
}

int read_request(char *const *arguments, struct request *request) {
  char *const *next = arguments;
  if (*next != NULL && is_same(*next, "oci")) next++;
  next = read_globals(next, request);
  if (next == NULL || *next == NULL) return 0;
  if (is_same(*next, "start")) {
    request->plan = start_plan;
    request->plan_end = start_plan_end;
    return read_id(next + 1, request, NULL);
  }
  int forced = 0;
  if (!is_same(*next, "delete") || !read_id(next + 1, request, &forced)) return 0;
  request->plan = forced ? delete_force_plan : delete_plan;
  request->plan_end = forced ? delete_force_plan_end : delete_plan_end;
  return 1;
}

static void copy_text(uint8_t *to, const char *text) {
  while ((*to++ = (uint8_t)*text++) != 0) continue;
}

int launch(char *const *arguments) {
  struct request request;
  // Another user's containers are somewhere else, and the engine knows where.
  if (!read_request(arguments, &request) || SYS0(geteuid) != 0) return 0;
  size_t length = (size_t)(request.plan_end - request.plan);
  long address = SYS6(mmap, 0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (address < 0 && address > -4096) return 0;
  uint8_t *image = (uint8_t *)address;
  memcpy(image, request.plan, length);
  struct plan plan;
  uint32_t pc;
  int is_done = 0;
  if (verify_plan(image, length, &plan, &pc) == REFUSED_NOTHING &&
      plan.data_length >= LAUNCH_ROOT_SIZE + LAUNCH_ID_SIZE) {
    copy_text(plan.data, request.root);
    copy_text(plan.data + LAUNCH_ROOT_SIZE, request.id);
    struct outcome outcome = run_plan(&plan, -1);
    is_done = !outcome.failed && !outcome.cloned && outcome.status == LAUNCH_DONE;
  }
  (void)SYS2(munmap, address, length);
  return is_done;
}
