#include "source/exclude.h"
#include "source/target.h"
#include <stdlib.h>
struct exclude *exclude_new(void){return NULL;}
void exclude_free(struct exclude *x){}
int exclude_add(struct exclude *x, const char *p, const char *o, struct err *e){return 0;}
int exclude_add_file(struct exclude *x, const char *p, struct err *e){return 0;}
const char *exclude_match(const struct exclude *x, const char *p, bool d){return NULL;}
int target_open(const char *p, enum target_overwrite o, struct ctx *c, struct target **out, struct err *e){return err_set(e,ERR_BUG,"stub");}
void target_close(struct target *t){}
uint64_t target_problems(const struct target *t){return 0;}
struct target_dir *target_root(struct target *t){return 0;}
struct target_dir *target_dir_ref(struct target_dir *d){return d;}
void target_dir_unref(struct target_dir *d){}
const char *target_dir_path(const struct target_dir *d){return "";}
int target_mkdir(struct target_dir *p, const struct entry *en, struct target_dir **o, struct err *e){return 0;}
void target_root_meta(struct target_dir *r, const struct entry *en){}
int target_look(struct target_dir *d, const char *n, struct target_stat *s, struct err *e){return 0;}
int target_file_begin(struct target_dir *d, const struct entry *en, struct target_file **o, struct err *e){return 0;}
int target_file_write(struct target_file *f, uint64_t o, struct span s, struct err *e){return 0;}
int target_file_end(struct target_file *f, struct err *e){return 0;}
void target_file_abort(struct target_file *f){}
int target_node(struct target_dir *d, const struct entry *en, struct err *e){return 0;}
int target_link(struct target_dir *d, const char *n, const char *p, struct err *e){return 0;}
int target_meta(struct target_dir *d, const struct entry *en, struct err *e){return 0;}
int target_remove(struct target_dir *d, const char *n, struct err *e){return 0;}
int target_list(struct target_dir *d, int (*v)(void *, const char *, struct err *), void *a, struct err *e){return 0;}
