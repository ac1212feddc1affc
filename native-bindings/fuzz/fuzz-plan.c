// Mutation fuzz of verify_plan and run_plan, under ASan and UBSan: nothing may be read or written
// out of bounds, the loader must accept exactly the plans that follow wire-format.h, and whatever it
// accepts must run as the model says, forward only. Exit status 1 on a violation.
//
// usage: fuzz-plan SEED ITERATIONS PLAN…      one iteration: fuzz-plan SEED =ITERATION PLAN…
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEEDS 256
#define HANG_SECONDS 30

static const char *const refusals[] = {"nothing", "header",  "length", "opcode",     "aux",
                                       "result",  "operand", "target", "relocation", "reserved"};
_Static_assert(sizeof refusals / sizeof refusals[0] == REFUSED_RESERVED + 1, "a name for each");

static struct image seeds[MAX_SEEDS];
static size_t seed_count;
static uint64_t fuzz_seed, iteration, extended, cloned, refused[REFUSED_RESERVED + 1];

static void say_iteration(void) {
  fprintf(stderr, "fuzz-plan: in iteration %llu of seed %llu\n", (unsigned long long)iteration,
          (unsigned long long)fuzz_seed);
}

_Noreturn void violation(const char *what) {
  fprintf(stderr, "fuzz-plan: %s\n", what);
  say_iteration();
  exit(1);
}

// Called by ASan before its report.
void __asan_on_error(void);
void __asan_on_error(void) { say_iteration(); }

static void read_seed(const char *path) {
  FILE *file = fopen(path, "rb");
  struct image *seed = &seeds[seed_count];
  if (file == NULL || seed_count == MAX_SEEDS) exit(2);
  seed->bytes = malloc(MAX_IMAGE);
  if (seed->bytes == NULL) exit(2);
  seed->length = fread(seed->bytes, 1, MAX_IMAGE, file);
  // Mutations that extend must have room.
  if (fclose(file) != 0 || seed->length < 32 || seed->length > MAX_IMAGE - 65536) exit(2);
  seed_count++;
}

static void check_seed(const struct image *seed, const char *path) {
  struct sections sections;
  struct plan plan;
  uint32_t pc;
  if (image_is_valid(seed->bytes, seed->length, &sections) &&
      verify_plan(seed->bytes, seed->length, &plan, &pc) == REFUSED_NOTHING)
    return;
  fprintf(stderr, "fuzz-plan: %s is not a valid plan\n", path);
  exit(2);
}

// Another plan takes over, of exactly its size too: nothing but what fits may be handed over.
static void extend_accepted(const struct plan *plan, uint32_t pc) {
  static uint8_t mutated[MAX_IMAGE];
  size_t length = mutate(mutated, seeds, seed_count);
  uint8_t *image = malloc(length);
  struct plan longer;
  uint32_t refused_pc;
  if (image == NULL) abort();
  memcpy(image, mutated, length);
  if (verify_plan(image, length, &longer, &refused_pc) == REFUSED_NOTHING &&
      extend_plan(plan, pc, &longer) == REFUSED_NOTHING) {
    if (longer.instruction_count <= pc) violation("a plan goes on behind its end");
    if (memcmp(longer.slots, plan->slots, plan->slot_count * 8) != 0) violation("slots are lost");
    extended++;
  }
  free(image);
}

static void run_accepted(uint8_t *image, size_t length, const struct sections *sections,
                         const struct plan *plan) {
  size_t code = (size_t)(plan->data - image);
  uint8_t *before = malloc(code);
  if (before == NULL || length < code) abort();
  memcpy(before, image, code);
  int descriptor = (int)random_below(8) - 1;
  start_model(image, sections, descriptor);
  struct outcome outcome = run_plan(plan, descriptor);
  finish_model(&outcome);
  if (outcome.extended) extend_accepted(plan, outcome.pc);
  cloned += (uint64_t)outcome.cloned;
  if (memcmp(before, image, code) != 0) violation("the run changes the code");
  free(before);
}

static void fuzz_one(void) {
  static uint8_t mutated[MAX_IMAGE];
  seed_random(fuzz_seed, iteration);
  size_t length = mutate(mutated, seeds, seed_count);
  // Exactly as long as the plan, so that ASan sees each byte too far.
  uint8_t *image = malloc(length);
  if (image == NULL) abort();
  memcpy(image, mutated, length);
  struct sections sections = {0};
  struct plan plan = {0};
  uint32_t pc = 0;
  enum refusal refusal = verify_plan(image, length, &plan, &pc);
  if (memcmp(image, mutated, length) != 0) violation("the check changes the plan");
  if ((refusal == REFUSED_NOTHING) != image_is_valid(image, length, &sections))
    violation(refusal == REFUSED_NOTHING ? "a bad plan is accepted" : "a good plan is refused");
  if (refusal > REFUSED_RESERVED) violation("an unknown refusal");
  refused[refusal]++;
  if (refusal == REFUSED_NOTHING) run_accepted(image, length, &sections, &plan);
  free(image);
}

static void print_counts(void) {
  for (unsigned i = 1; i <= REFUSED_RESERVED; i++)
    printf("refused %s %llu\n", refusals[i], (unsigned long long)refused[i]);
  printf("accepted %llu\n", (unsigned long long)refused[REFUSED_NOTHING]);
  printf("steps %llu\n", (unsigned long long)totals.steps);
  printf("calls %llu\n", (unsigned long long)totals.calls);
  printf("restarts %llu\n", (unsigned long long)totals.restarts);
  printf("failed %llu\n", (unsigned long long)totals.failed);
  printf("exited %llu\n", (unsigned long long)totals.exited);
  printf("extended %llu\n", (unsigned long long)extended);
  printf("cloned %llu\n", (unsigned long long)cloned);
  printf("ended %llu\n", (unsigned long long)totals.ended);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: fuzz-plan SEED ITERATIONS PLAN…\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    read_seed(argv[i]);
    check_seed(&seeds[seed_count - 1], argv[i]);
  }
  fuzz_seed = strtoull(argv[1], NULL, 10);
  int is_replay = argv[2][0] == '=';
  uint64_t last = strtoull(argv[2] + is_replay, NULL, 10);
  for (iteration = is_replay ? last : 1; iteration <= last; iteration++) {
    alarm(HANG_SECONDS);
    fuzz_one();
  }
  print_counts();
  return 0;
}
