/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shrinkers were structures that the module brings, and are now allocated by the kernel.
 */
#ifndef VTX_COMPAT_SHRINKER_H
#define VTX_COMPAT_SHRINKER_H

/* Before it: 6.1's takes their types for granted. */
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

#include <linux/shrinker.h>

typedef unsigned long (*vtx_shrink_fn)(struct shrinker *shrinker, struct shrink_control *sc);

#ifdef VTX_HAVE_SHRINKER_ALLOC

struct vtx_shrinker {
	struct shrinker *shrinker;
};

static inline int vtx_shrinker_register(struct vtx_shrinker *s, const char *name, vtx_shrink_fn count, vtx_shrink_fn scan,
					int seeks, long batch)
{
	s->shrinker = shrinker_alloc(0, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
	s->shrinker->count_objects = count;
	s->shrinker->scan_objects = scan;
	s->shrinker->seeks = seeks;
	s->shrinker->batch = batch;
	shrinker_register(s->shrinker);
	return 0;
}

static inline void vtx_shrinker_unregister(struct vtx_shrinker *s)
{
	shrinker_free(s->shrinker);
}

#else

struct vtx_shrinker {
	struct shrinker shrinker;
};

static inline int vtx_shrinker_register(struct vtx_shrinker *s, const char *name, vtx_shrink_fn count, vtx_shrink_fn scan,
					int seeks, long batch)
{
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = seeks;
	s->shrinker.batch = batch;
	return register_shrinker(&s->shrinker, "%s", name);
}

static inline void vtx_shrinker_unregister(struct vtx_shrinker *s)
{
	unregister_shrinker(&s->shrinker);
}

#endif

#endif /* VTX_COMPAT_SHRINKER_H */
