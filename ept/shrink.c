// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shrinker: gives tables of EPTs back when the host is short of memory.
 *
 * A table can always go: what it mapped comes back by faults. It costs them, so tables that the processor has not walked since the last
 * look go first (their accessed flag, where the processor keeps it), and VMs take turns.
 *
 * shrink_lock keeps the VMs of the list alive. It is taken in the middle of any allocation, so nothing is allocated under it, and
 * who cannot have it at once goes without. Under it come ept->lock and the wait for IPIs, as for any zap.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include "compat/shrinker.h"
#include "ept/table.h"
#include "vmx/vm.h"

/* A table is worth some hundred faults. */
#define SEEKS (8 * DEFAULT_SEEKS)
/* Tables that are worth a call. */
#define BATCH 16

static LIST_HEAD(epts);
static DEFINE_MUTEX(shrink_lock);
static struct vtx_shrinker shrinker;

void vtx_ept_shrink_add(struct vtx_ept *ept)
{
	mutex_lock(&shrink_lock);
	list_add_tail(&ept->shrink_list, &epts);
	mutex_unlock(&shrink_lock);
}

void vtx_ept_shrink_remove(struct vtx_ept *ept)
{
	mutex_lock(&shrink_lock);
	list_del(&ept->shrink_list);
	mutex_unlock(&shrink_lock);
}

static unsigned long count_tables(struct shrinker *unused, struct shrink_control *sc)
{
	unsigned long n = 0;
	struct vtx_ept *ept;

	if (!mutex_trylock(&shrink_lock))
		return 0;
	list_for_each_entry(ept, &epts, shrink_list)
		n += atomic_long_read(&ept->tables) - 1;	/* the root stays */
	mutex_unlock(&shrink_lock);
	return n ? n : SHRINK_EMPTY;
}

/* Looks at up to @nr tables of one VM; returns how many it has freed. */
static unsigned long shrink(struct vtx_ept *ept, unsigned long *nr)
{
	struct vtx_ept_zapped zapped = {};
	unsigned long freed;
	bool aged = false;

	write_lock(&ept->lock);
	freed = vtx_ept_zap_idle_tables(ept, nr, &aged, &zapped);
	write_unlock(&ept->lock);
	/* Flags that were cleared come back only if the processors forget that they have walked: see ept/notifier.c. */
	if (aged)
		atomic64_inc(&ept->gen);
	vtx_ept_finish_zap(container_of(ept, struct vtx_vm, ept), &zapped, true);
	atomic_long_add(freed, &ept->reclaimed);
	return freed;
}

static unsigned long scan_tables(struct shrinker *unused, struct shrink_control *sc)
{
	unsigned long left = sc->nr_to_scan, freed = 0;
	struct vtx_ept *ept, *first;

	if (!mutex_trylock(&shrink_lock))
		return SHRINK_STOP;
	first = list_first_entry_or_null(&epts, struct vtx_ept, shrink_list);
	while (first && left) {
		ept = list_first_entry(&epts, struct vtx_ept, shrink_list);
		freed += shrink(ept, &left);
		/* With nothing left to look for, it goes on here the next time. */
		if (!left)
			break;
		list_move_tail(&ept->shrink_list, &epts);
		if (list_first_entry(&epts, struct vtx_ept, shrink_list) == first)
			break;
	}
	mutex_unlock(&shrink_lock);
	return freed;
}

/* A first look takes what is idle and forgets what was walked, a second one takes that. */
void vtx_ept_shrink_to(struct vtx_ept *ept, unsigned long tables)
{
	int look;

	for (look = 0; look < 2; look++) {
		unsigned long now = atomic_long_read(&ept->tables), nr = now;

		if (now <= tables)
			return;
		/* All are looked at: those that stay are the ones in use. */
		shrink(ept, &nr);
	}
}

int vtx_ept_shrinker_init(void)
{
	return vtx_shrinker_register(&shrinker, "vtx-ept-tables", count_tables, scan_tables, SEEKS, BATCH);
}

void vtx_ept_shrinker_exit(void)
{
	vtx_shrinker_unregister(&shrinker);
}
