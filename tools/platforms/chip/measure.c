/* Classifies the golden texts on a Cortex-M4 and prints what that took, a line each: a name and a
 * number. Instructions are counted by the SysTick timer of `qemu-system-arm -icount shift=0`, where
 * an instruction takes a nanosecond and a tick 40. */
#include <stdint.h>
#include <stdio.h>

#include "glovelite.h"
#include "goldens.h"
#include "model.h"

#define TIMER_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define TIMER_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define TIMER_VALUE (*(volatile uint32_t *)0xE000E018u)

enum { TIMER_MASK = 0xFFFFFF, INSTRUCTIONS_PER_TICK = 40, STACK = 8192, PAINT = 0x5A };

static float buffer[GLOVELITE_MODEL_BUFFER / sizeof(float)];
static glovelite_model model;
static glovelite_session session;

/* Fill the free stack below the caller, or count its bytes that are still filled. */
static __attribute__((noinline)) size_t stack_bytes(int paint) {
  volatile unsigned char *top = (volatile unsigned char *)__builtin_frame_address(0) - 64;
  volatile unsigned char *next = top - STACK;
  if (paint) {
    while (next < top) *next++ = PAINT;
    return 0;
  }
  while (next < top && *next == PAINT) next++;
  return (size_t)(top - next);
}

static uint32_t count_instructions(uint32_t start) {
  return ((start - TIMER_VALUE) & TIMER_MASK) * INSTRUCTIONS_PER_TICK;
}

int main(void) {
  glovelite_prediction found;
  uint32_t instructions = 0, load, tokens = 0, start;
  size_t index;
  TIMER_RELOAD = TIMER_MASK;
  TIMER_VALUE = 0;
  TIMER_CONTROL = 5; /* on, by the processor's clock, without interrupts */
  stack_bytes(1);
  start = TIMER_VALUE;
  if (glovelite_load(&model, glovelite_model_bytes, glovelite_model_size)) return 1;
  load = count_instructions(start);
  if (glovelite_start(&session, &model, buffer, sizeof buffer)) return 2;
  for (index = 0; index < GOLDEN_TEXTS; index++) {
    const golden_text *golden = &golden_texts[index];
    start = TIMER_VALUE;
    glovelite_predict(&session, golden->text, golden->length, &found);
    instructions += count_instructions(start);
    tokens += found.tokens;
  }
  printf("stack %u\n", (unsigned)stack_bytes(0));
  printf("memory %u\n", (unsigned)(sizeof buffer + sizeof model + sizeof session));
  printf("load %u\n", (unsigned)load);
  printf("texts %u\n", (unsigned)GOLDEN_TEXTS);
  printf("tokens %u\n", (unsigned)tokens);
  printf("instructions %u\n", (unsigned)instructions);
  return 0;
}
