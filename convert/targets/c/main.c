/* Classifies its arguments, or the lines of standard input: labels with their probabilities, and text.
 *
 * The model is compiled in. To read model.bin instead, give glovelite_load its bytes. */
#include <stdio.h>
#include <string.h>

#include "glovelite.h"
#include "model.h"

#ifndef CACHE_BYTES
#define CACHE_BYTES (1 << 20) /* of words; 0 is enough for single texts */
#endif
enum { MAX_LINE = 1 << 16 };

static float buffer[(GLOVELITE_MODEL_BUFFER + CACHE_BYTES) / sizeof(float)];
static char line[MAX_LINE];

static void classify(glovelite_session *session, const char *text) {
  glovelite_prediction found;
  uint32_t index;
  glovelite_predict(session, text, strlen(text), &found);
  for (index = 0; index < found.given_count; index++) {
    const uint32_t label = found.given[index];
    printf("%s%s %.1f%%", index > 0 ? ", " : "", glovelite_label(session->model, label),
           100 * (double)found.probabilities[label]);
  }
  printf("\t%s\n", text);
}

int main(int count, char **arguments) {
  glovelite_model model;
  glovelite_session session;
  glovelite_status status;
  int index;
  status = glovelite_load(&model, glovelite_model_bytes, glovelite_model_size);
  if (status == GLOVELITE_OK) status = glovelite_start(&session, &model, buffer, sizeof buffer);
  if (status != GLOVELITE_OK) {
    fprintf(stderr, "%s: %s\n", arguments[0], glovelite_message(status));
    return 1;
  }
  for (index = 1; index < count; index++) classify(&session, arguments[index]);
  if (count > 1) return 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    classify(&session, line);
  }
  return 0;
}
