#include "fuzz.h"

static uint64_t state;

// splitmix64 (Steele, Lea, Flood 2014): a counter whose bits are mixed.
uint64_t random_bits(void) {
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

void seed_random(uint64_t seed, uint64_t iteration) {
  state = seed;
  state = random_bits() ^ iteration;
  state = random_bits();
}

uint64_t random_below(uint64_t limit) { return limit == 0 ? 0 : random_bits() % limit; }
