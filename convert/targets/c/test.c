/* Checks that the golden texts of the bundle get the ids and probabilities that they had where it was
 * exported: prints a line for each that does not, and the largest difference. */
#include <math.h>
#include <stdio.h>

#include "glovelite.h"
#include "goldens.h"
#include "model.h"

static float buffer[GLOVELITE_MODEL_BUFFER / sizeof(float)];
static uint32_t ids[GLOVELITE_MODEL_MAX_TOKENS];

/* Return what is wrong with a golden text, or NULL. */
static const char *check(glovelite_session *session, const golden_text *golden, double *largest) {
  glovelite_prediction found;
  size_t count = glovelite_encode(session, golden->text, golden->length, ids, sizeof ids / sizeof *ids);
  size_t index;
  double worst = 0;
  if (count != golden->id_count) return "another number of tokens";
  for (index = 0; index < count; index++) {
    if (ids[index] != golden->ids[index]) return "another id";
  }
  glovelite_predict(session, golden->text, golden->length, &found);
  if (found.truncated != golden->truncated) return "another length";
  for (index = 0; index < session->model->labels; index++) {
    double difference = fabs((double)found.probabilities[index] - golden->probabilities[index]);
    if (!(difference <= worst)) worst = difference;
  }
  if (!(worst <= *largest)) *largest = worst;
  if (!(worst <= GOLDEN_TOLERANCE)) return "another probability";
  if (golden->familiarity >= 0 && !(fabs(found.familiarity - golden->familiarity) <= 1e-5)) {
    return "another familiarity";
  }
  return NULL;
}

int main(void) {
  glovelite_model model;
  glovelite_session session;
  glovelite_status status = glovelite_load(&model, glovelite_model_bytes, glovelite_model_size);
  double largest = 0;
  size_t index, failed = 0;
  if (status == GLOVELITE_OK) status = glovelite_start(&session, &model, buffer, sizeof buffer);
  if (status != GLOVELITE_OK) {
    printf("%s\n", glovelite_message(status));
    return 1;
  }
  for (index = 0; index < GOLDEN_TEXTS; index++) {
    const char *problem = check(&session, &golden_texts[index], &largest);
    if (problem != NULL) printf("golden text %d: %s\n", (int)index, problem);
    failed += problem != NULL;
  }
  printf("%d of %d golden texts as expected, probabilities within %.6f (%g is allowed)\n",
         (int)(GOLDEN_TEXTS - failed), (int)GOLDEN_TEXTS, largest, GOLDEN_TOLERANCE);
  return failed > 0;
}
