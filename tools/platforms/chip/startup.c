/* Starts a Cortex-M4 without an operating system: vectors, memory, floating point, then `main`. */
#include <stdint.h>
#include <string.h>

extern uint32_t stack_end, data_start, data_end, data_source, bss_start, bss_end;
extern int main(void);
extern void initialise_monitor_handles(void);
extern void exit(int status);
extern void __libc_init_array(void);

#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88u)

/* newlib calls them; there are no sections of that kind. */
void _init(void) {}
void _fini(void) {}

static void stop(void) {
  exit(70);
}

void start(void);
void start(void) {
  COPROCESSORS |= 0xFu << 20; /* floating point */
  memcpy(&data_start, &data_source, (size_t)((char *)&data_end - (char *)&data_start));
  memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
  __libc_init_array();
  initialise_monitor_handles(); /* printf by semihosting */
  exit(main());
}

/* The initial stack pointer, the start, and where faults end. */
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_end, (const void *)start, (const void *)stop, (const void *)stop,
    (const void *)stop, (const void *)stop, (const void *)stop};
