/* SPDX-License-Identifier: MIT */
/*
 * sync_i.h - private to src/sync: what the one sync thread knows of the account.
 *
 * Everything here belongs to that thread, except struct px_sync.lock's list of ended jobs.
 */
#ifndef PROPEXOFS_SYNC_I_H
#define PROPEXOFS_SYNC_I_H

#include <pthread.h>

#include "propexofs/api.h"
#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/log.h"
#include "propexofs/model.h"
#include "propexofs/store_read.h"
#include "propexofs/sync.h"

enum {
	PAGE_LIMIT = 250,    /* the most that a list gives (API reference §4) */
	JOBS_OUT_MAX = 4,    /* pages submitted to ingest and not yet committed */
	WALK_TRIES = 3,	     /* walks over a list whose count does not come out */
	SKIP_MAX = 3,	     /* unreadable records that a walk goes on without */
	RECORD_TRIES = 3,    /* for each of these */
	RETRY_MIN_MS = 2000, /* after an error of one model */
	RETRY_MAX_MS = 300000,
	REFUSED_RETRY_MS = 900000, /* a model that the API refuses is asked again */
	QUIET_MS = 300,		   /* without a new mark: the burst is over */
	BURST_MAX_MS = 10000,	   /* so long its end is waited for */
	PACE_MS = 20000,	   /* what the pace of requests is an average of */
	CLOCKS_MS = 600000,	   /* the API's clock against ours, and slow syncs */
	FILES_MIN_MS = 3600000,	   /* small files of an integration: at most hourly */
};

enum { DIFFS_BUCKETS = 1024, DIFFS_WAYS = 16 };

struct walk;
struct since;
struct ask;
struct absent;

/* A model of an integration. */
struct sdir {
	struct px_dir row; /* as committed, or about to be */
	int model; /* index into px_models, -1: a model of another version of this program */
	struct sinteg *integ;
	struct walk *walk;   /* under way, or NULL */
	bool wanted;	     /* passes --model and --integration */
	bool refill;	     /* read again although complete */
	bool anew;	     /* from the front: what was read so far is too old */
	bool sweeping;	     /* by a walk that nothing waits for */
	bool catch_up;	     /* a sync has ended: what it changed is read */
	int64_t drift_ms;    /* when a whole walk missed too many to be believed alone; 0: none */
	int64_t missed_walk; /* a whole walk that missed some, without reading by id; 0: none */
	int64_t missed_ms;   /* both in px_clock_forward_ms */
	bool absent_recalled;
	/* what the last whole walk has not met waits for this reading of the list of integrations
	 * (px_sync.lists_read); 0: nothing waits */
	uint64_t absent_list;
	int64_t absent_walk;
	int64_t absent_epoch;
	size_t absent_seen;
	uint64_t odd_list; /* see sync_is_odd */
	int failures;
	int64_t retry_ms;	  /* px_clock_mono_ms: not before */
	bool since_out;		  /* a walk over what changed is under way */
	int64_t since_from_ms;	  /* what that walk begins with */
	int since_pages;	  /* what the last one cost */
	int64_t since_reached_ms; /* the newest updated_at that such a walk has seen */
	int64_t since_tried_ms; /* px_clock_wall_ms: marks from before were asked for by such a walk
				 */
	/* rows that show in this model's records have changed, nobody knows in which; 0: none */
	int64_t parents_asked_ms, parents_listed_ms;
	bool parents_recalled; /* a former process may have left that undone: it has been looked up
				*/
};

struct sinteg {
	struct px_integration row;
	struct sdir dirs[PX_MODEL_COUNT];
	bool wanted;
	char *covered_sync, *covered_back_sync; /* what the walks that were started last cover */
	bool covered_loaded;			/* they have been looked up in the store */
	bool covering;	       /* these walks have not all ended, or that is not stored yet */
	bool behind;	       /* as the board was told last */
	int64_t reconciled_ms; /* as submitted last */
	bool silent_told;      /* a delivery told of a sync that announces nothing, */
	int64_t silent_ms;     /* when: px_clock_wall_ms */
	bool silent_listed;    /* and the list of integrations has been read since */
	int64_t files_due_ms;  /* px_clock_mono_ms: not before */
	bool files_wanted;     /* a sync has ended since they were read */
	int files_out;	       /* requests for small files under way */
};

struct px_sync {
	const struct px_conf *conf;
	struct px_ingest *ingest;
	struct px_board *board;
	struct px_api *api;
	struct px_reader *reader;

	struct sinteg **integs;
	size_t count;
	bool known;	 /* the list of integrations has been read by this process */
	bool listing;	 /* it is being read */
	bool list_again; /* and must be once more: something has ended since it began */
	int64_t refresh_due_ms;
	uint64_t lists_read; /* whole, and believed */
	/* wall clock: when the one under way, and the one read last, was begun */
	int64_t list_began_ms, listed_ms;
	int64_t refreshed_ms; /* the same of one after which the log of changes was read, too */
	int list_failures;
	struct px_err list_err;

	size_t walks;		      /* under way */
	size_t requests[PX_PURPOSES]; /* pages asked for and not yet handed to ingest */
	size_t jobs_out;	      /* jobs submitted and not yet ended */
	struct walk *all_walks;
	int64_t fees_retry_ms;
	int fees_failures;
	struct walk *account_walk; /* over the list that cannot be asked per integration */
	uint64_t account_odd_list; /* see sync_is_odd */

	struct since *since_walks;
	int since_honoured; /* updated_at_gte: 1 yes, -1 no, 0 not known yet */
	struct ask *asks;   /* by-id requests under way */
	size_t asks_out;
	struct absent *absents; /* to be asked for by id before they are removed */
	size_t absents_out;
	bool marked; /* there are new marks */
	int64_t marks_newest_ms, burst_began_ms, marks_due_ms;

	/* the account's log of changes */
	bool diffs_due, diffs_out, diffs_more, diffs_loaded;
	int diffs_honoured; /* -1: refused, 0: not known yet */
	char *diffs_watermark;
	int64_t diffs_watermark_ns, diffs_from_ms, diffs_offset, diffs_retry_ms, diffs_note_due_ms;
	int64_t diffs_read_ms; /* px_clock_forward_ms: when it was read to its end last; 0: never */
	int64_t diffs_hole_ms; /* since when all has to be read again, px_clock_wall_ms; 0: nothing
				*/
	uint64_t diffs_seen[DIFFS_BUCKETS][DIFFS_WAYS]; /* hashes of ids of rows handled lately */

	double pace_ms, pace_requests; /* requests that went out of late, and the time it took */
	int64_t pace_at_ms;
	uint64_t pace_sent;
	int64_t eta_s; /* of all walks together, -1 unknown */

	bool hooks_out;	      /* the webhooks are being looked at */
	int64_t hooks_due_ms; /* px_clock_mono_ms: not before */
	int hooks_failures;
	char *hook_secret; /* signs deliveries; NULL without webhook-url */

	bool foreign; /* the key shows none of the integrations that we hold */
	int64_t foreign_ms;
	bool reachable, authorized; /* as last logged */
	uint64_t refused;	    /* 429 answers, as last logged */
	int64_t refused_ms;
	int64_t board_due_ms;

	/* passes that others asked for */
	uint64_t pass_taken,
		pass_list; /* the newest one begun; the reading of the list it waits for */
	int pass_failures; /* list_failures when it began */
	uint64_t pass_asked, pass_ended; /* guarded by: lock, as all up to pass_err */
	struct px_sync_progress pass_progress;
	bool pass_complete;
	struct px_err pass_err; /* of the last one that ended; code 0: well */

	pthread_t thread;
	bool started;
	_Atomic bool stop;
	int refresh_s, sweep_days; /* of conf, until they are set anew */
	pthread_mutex_t lock;
	bool settings_due;		    /* guarded by: lock */
	struct px_sync_settings settings;   /* guarded by: lock */
	char *settings_key;		    /* guarded by: lock; or NULL */
	char *settings_hook_secret;	    /* guarded by: lock; or NULL */
	struct px_job *ended, **ended_tail; /* guarded by: lock */
	struct poke *pokes;		    /* guarded by: lock */
};

/* ---- sync.c */

/* Submits a job whose job.after runs on this thread once it has ended. Takes ownership also on
 * failure (after is called). */
void sync_submit(struct px_sync *s, struct px_job *job);
/* The same for a note from malloc, which nobody looks at afterwards. */
void sync_submit_note(struct px_sync *s, struct px_note_job *n);
/* A local event that belongs to no page. detail may be NULL. */
void sync_log(
	struct px_sync *s, int64_t iid, const char *model, const char *event, const char *detail);
/* When the list of integrations, read now, is read next: px_clock_mono_ms. */
int64_t sync_next_refresh_ms(const struct px_sync *s);
int64_t sync_backoff_ms(int failures, int64_t min_ms, int64_t max_ms);
/* Stores one value of the meta table. */
void sync_store_meta(struct px_sync *s, const char *key, const char *value);
/* *to gets texts of its own. */
void sync_dir_copy(struct px_dir *to, const struct px_dir *from);
/* Stores the directory's row as it is here; its error (NULL: none). */
void sync_put_dir(struct px_sync *s, const struct sdir *d);
void sync_dir_error(struct px_sync *s, struct sdir *d, const char *message);
/* Whether an answer that shows nothing, where something was, must be asked for once more: it is
 * believed when the list of integrations has been read and believed since it came first. *list
 * remembers that, 0 at first. */
bool sync_is_odd(struct px_sync *s, uint64_t *list);
struct sinteg *sync_integ_by_id(struct px_sync *s, const char *id);
struct sinteg *sync_integ_by_iid(struct px_sync *s, int64_t iid);
/* Where a record belongs that was asked for in the directory `did`: it says itself whose it is. 0:
 * nowhere, for its integration is not known (yet), or not wanted. */
int64_t sync_did_of(struct px_sync *s, int model, int64_t did, const struct px_record *r);

/* ---- account.c: the list of integrations */

void account_refresh(struct px_sync *s);
/* Brings integs and their directories in line with the store. */
px_rc account_load(struct px_sync *s, struct px_err *err);
/* What was about to be written of d has not been: its row as the store has it. */
void account_reload(struct px_sync *s, struct sdir *d);
void account_free(struct px_sync *s);
/* Whether a directory takes part in filling: wanted, enabled, its integration active and past its
 * first sync. */
bool dir_due(const struct sdir *d);

/* ---- walk.c: one list, page by page */

/* Starts a walk over the list of a directory, resuming where its cursor says. */
void walk_start(struct px_sync *s, struct sdir *d, enum px_purpose purpose);
/* The same over the account-wide list of a model without an integration filter. */
void walk_start_account(struct px_sync *s, int model, enum px_purpose purpose);
/* Asks for more pages where there is room. */
void walk_advance_all(struct px_sync *s);
void walk_free_all(struct px_sync *s);
/* Records of the list that have gone to ingest. */
int64_t walk_applied(const struct walk *w);
/* One that nothing has asked for. */
bool walk_is_sweep(const struct walk *w);
/* Walks of this purpose under way. */
size_t walk_count(const struct px_sync *s, enum px_purpose purpose);
/* All of d is read by requests that leave from now on, also what a walk under way, or one that was
 * interrupted, has read already. */
void walk_again(struct sdir *d);

/* ---- cursor.c: where an interrupted walk goes on */

/* What stood in a member of the cursor of an interrupted walk: when it began (px_clock_wall_ms; 0:
 * there is none, or it does not say), and what the API named as the last sync and back-sync. */
int64_t walk_cursor_began_ms(const struct sdir *d);
bool walk_cursor_after_syncs(const struct sdir *d);

/* ---- progress.c: what status shows of the walks */

/* How far they are, and how long it takes still. */
void walk_progress(struct px_sync *s, const struct px_api_stats *stats);

/* ---- fill.c: what is due */

void fill_schedule(struct px_sync *s);
/* Nothing is under way and nothing can be started now. */
bool fill_idle(const struct px_sync *s);
bool fill_complete(const struct px_sync *s);

/* ---- since.c: what changed since a moment */

/* done is called once, on this thread; err NULL: the walk came to its end; newest: the largest
 * updated_at it saw, or NULL. false: out of memory, nothing was started. */
bool since_start(struct px_sync *s, struct sdir *d, int64_t from_ms, enum px_purpose purpose,
	void (*done)(
		struct px_sync *s, struct sdir *d, const struct px_err *err, const char *newest));

/* Goes on with those that wait for a burst to slow. */
void since_schedule(struct px_sync *s);
void since_free_all(struct px_sync *s);
/* The next one under way, or NULL. */
struct since *since_next(const struct since *w);

/* ---- catchup.c: what a sync, or a burst, has changed */

/* Walks over what d changed since oldest_ms, and when a sync is to be caught up with, since the
 * watermark. Marks from before are settled by it. */
void catchup_start(struct px_sync *s, struct sdir *d, int64_t oldest_ms, enum px_purpose purpose);
void catchup_schedule(struct px_sync *s);
/* Behind everything that finds something to read: which integrations are as the last refresh found
 * them. */
void catchup_reconcile(struct px_sync *s);
/* Rows inside the records of d have changed, of which is not known. */
void catchup_parents(struct sdir *d);
/* Whether a directory has to be caught up with. */
bool catchup_due(const struct sdir *d);

/* ---- hydrate.c: reading again what is marked */

void hydrate_schedule(struct px_sync *s);
void hydrate_free(struct px_sync *s);

/* What an answer to a request by id says. "Not found" has no documented form (API reference §7):
 * 404, 400, and 200 with null, nothing or an empty object are taken for it. The page is filled for
 * BY_ID_FOUND, and is released by the caller in any case. */
enum by_id { BY_ID_FOUND, BY_ID_ABSENT, BY_ID_UNCLEAR };
enum by_id sync_by_id(const struct px_answer *answer, struct px_page *page, struct px_err *err);

/* ---- sweep.c: what a complete walk did not meet any more */

/* The whole list of d has been read by requests sent after began_epoch (0: not known), `seen`
 * records of it are stored. */
void sweep_walk_done(struct px_sync *s, struct sdir *d, int64_t began_epoch, size_t seen);
void sweep_schedule(struct px_sync *s);
void sweep_free(struct px_sync *s);

/* ---- diffs.c: what the account's log of changes names */

void diffs_schedule(struct px_sync *s);
void diffs_free(struct px_sync *s);

/* ---- webhooks.c: the hooks that deliver to us */

void webhooks_schedule(struct px_sync *s);

/* ---- files.c: the small files beside the models */

void files_schedule(struct px_sync *s);

#endif
