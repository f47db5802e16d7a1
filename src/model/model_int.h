/* Private to the room: what the ways a model may lie on the disk share. */
#ifndef HOB_MODEL_MODEL_INT_H
#define HOB_MODEL_MODEL_INT_H

#include "model/files.h"

/* Tensors of one file after the other, in the model's arena. */
struct tensor_list {
    struct model_files *m;
    struct model_tensor *at;
    size_t room;
};
/* ERR_WEIGHTS_BROKEN: more than MODEL_MAX_TENSORS, or sums that cannot be. The name is copied. */
enum err_code model_add_tensor(struct tensor_list *l, const struct model_tensor *t, struct err *e) __attribute__((warn_unused_result));

/* folder.c. m: its arena and nothing else. */
enum err_code model_folder_open(struct model_files *m, struct str folder, struct err *e) __attribute__((warn_unused_result));

/* packed.c: corrects m->params and the tensors' own for weights that config.json says are packed. */
void model_count_packed(struct model_files *m, struct model_tensor *tensors);

#endif
