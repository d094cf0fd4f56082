#include "engine/select.h"
#include "engine/op_forget.h"
#include "engine/op_prune.h"
#include "engine/op_tree.h"
#include "engine/op_repair.h"
#include <string.h>
int select_all(struct repo *r, const struct select_filter *f, struct ctx *ctx, struct select_list *out, struct err *e){ struct snapshot_list l; if(snapshot_load_all(r,&l,e)) return -1; out->v=l.v; out->n=l.n; out->damaged=l.damaged; return 0;}
void select_list_fini(struct select_list *l){}
int select_one(struct repo *r, const char *spec, const struct select_filter *f, bool one_group, struct ctx *ctx, struct snapshot **out, char **path, struct err *e){ struct snapshot_list l; if(snapshot_load_all(r,&l,e)) return -1; *out=l.v[l.n-1]; *path=strdup(strchr(spec,':')?strchr(spec,':')+1:"/"); return 0;}
#define S {return err_set(e, ERR_UNSUPPORTED, "stub");}
int op_forget(struct repo *r, const struct forget_params *p, struct ctx *ctx, int (*decided)(void *, const struct forget_decision *, struct err *), void *arg, struct forget_result *out, struct err *e) S
int op_prune(struct repo *r, const struct prune_params *p, struct ctx *ctx, struct prune_result *out, struct err *e) S
int op_ls(struct repo *r, const struct snapshot *s, const char *path, bool recursive, struct ctx *ctx, tree_visit *visit, void *arg, struct err *e) S
int op_find(struct repo *r, const struct find_params *p, struct ctx *ctx, find_visit *visit, void *arg, struct err *e) S
int op_cat(struct repo *r, const struct snapshot *s, const char *path, struct ctx *ctx, int (*sink)(void *, struct span, struct err *), void *arg, struct err *e) S
int op_diff(struct repo *r, const struct snapshot *a, const struct snapshot *b, const char *path_a, const char *path_b, struct ctx *ctx, diff_visit *visit, void *arg, struct diff_result *out, struct err *e) S
int op_stats(struct repo *r, const struct select_filter *f, struct ctx *ctx, struct stats_result *out, struct err *e) S
int op_tag(struct repo *r, const struct snapshot *s, const char *const *add, size_t nadd, const char *const *remove, size_t nremove, struct ctx *ctx, struct err *e) S
int op_repair(struct repo *r, const struct repair_params *p, struct ctx *ctx, struct repair_result *out, struct err *e) S
