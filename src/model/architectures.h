/* Names of architectures that GGUF files are known to have (general.architecture), sorted: what an engine is asked about when nobody says what. One
 * that is missing here is no less known to an engine: each is asked for the one a file names. */
#ifndef HOB_MODEL_ARCHITECTURES_H
#define HOB_MODEL_ARCHITECTURES_H

extern const char *const architectures[]; /* ended by NULL */

#endif
