/* SPDX-License-Identifier: MIT */
/* statements.h - all SQL that runs more than once. X-macro: PX_STMT(NAME, "sql"). */

PX_STMT(BEGIN_READ, "BEGIN")
PX_STMT(BEGIN, "BEGIN IMMEDIATE")
PX_STMT(COMMIT, "COMMIT")
PX_STMT(ROLLBACK, "ROLLBACK")
PX_STMT(MARK, "SAVEPOINT mark")
PX_STMT(ROLLBACK_TO, "ROLLBACK TO mark")
PX_STMT(RELEASE, "RELEASE mark")

PX_STMT(META_GET, "SELECT value FROM meta WHERE key=?")
PX_STMT(META_PUT, "INSERT INTO meta(key,value) VALUES(?,?) ON CONFLICT(key) DO UPDATE SET "
		  "value=excluded.value")

#define INTEGRATION_COLUMNS                                                                        \
	"iid,id,name,vendor,system,created_at,last_completed_sync,last_completed_back_sync,"       \
	"active,archived,syncing,"                                                                 \
	"can_authenticate,present,models_known,mtime_ns,first_filled_ms,reconciled_ms,last_event_" \
	"ms,error"
PX_STMT(INTEGRATIONS, "SELECT " INTEGRATION_COLUMNS " FROM integration ORDER BY iid")
PX_STMT(INTEGRATION, "SELECT " INTEGRATION_COLUMNS " FROM integration WHERE iid=?")
PX_STMT(INTEGRATION_BY_ID, "SELECT " INTEGRATION_COLUMNS " FROM integration WHERE id=?")
PX_STMT(INTEGRATION_ADD, "INSERT INTO integration(id,mtime_ns) VALUES(?,?)")
PX_STMT(INTEGRATION_SET,
	"UPDATE integration SET "
	"name=?,vendor=?,system=?,created_at=?,last_completed_sync=?,last_completed_back_sync=?,"
	"active=?,archived=?,syncing=?,can_authenticate=?,present=1 WHERE iid=?")
PX_STMT(INTEGRATION_STATE,
	"UPDATE integration SET "
	"models_known=?,mtime_ns=max(mtime_ns,?),last_event_ms=?,error=? WHERE iid=?")
PX_STMT(INTEGRATION_RECONCILED,
	"UPDATE integration SET first_filled_ms=CASE first_filled_ms WHEN 0 THEN ? ELSE "
	"first_filled_ms END,reconciled_ms=max(reconciled_ms,?) WHERE iid=?")
PX_STMT(INTEGRATION_ABSENT, "UPDATE integration SET present=0 WHERE iid=?")
PX_STMT(INTEGRATION_TOUCH, "UPDATE integration SET mtime_ns=max(mtime_ns,?) WHERE iid=?")
PX_STMT(INTEGRATION_FORGET, "DELETE FROM integration WHERE iid=?")

#define DIR_COLUMNS                                                                                \
	"did,iid,model,enabled,complete,records,expected,mtime_ns,pending,oldest_pending_ms,"      \
	"watermark,cursor,walk,"                                                                   \
	"filled_ms,reconciled_ms,error"
PX_STMT(DIRS, "SELECT " DIR_COLUMNS " FROM dir ORDER BY iid,model")
PX_STMT(DIRS_OF, "SELECT " DIR_COLUMNS " FROM dir WHERE iid=? ORDER BY model")
PX_STMT(DIR, "SELECT " DIR_COLUMNS " FROM dir WHERE did=?")
PX_STMT(DIR_BY_NAME, "SELECT " DIR_COLUMNS " FROM dir WHERE iid=? AND model=?")
PX_STMT(DIR_ADD, "INSERT INTO dir(iid,model,mtime_ns) VALUES(?,?,?)")
PX_STMT(DIR_STATE,
	"UPDATE dir SET "
	"enabled=?,complete=max(complete,?),expected=?,watermark=?,cursor=?,walk=?,filled_ms=?,"
	"reconciled_ms=?,error=? WHERE did=?")
PX_STMT(DIR_COUNT, "UPDATE dir SET records=records+?,mtime_ns=max(mtime_ns,?) WHERE did=?")
PX_STMT(DIR_PENDING, "UPDATE dir SET pending=pending+?1,oldest_pending_ms=coalesce((SELECT "
		     "min(since_ms) FROM pending WHERE did=?2),0) "
		     "WHERE did=?2")
PX_STMT(DIR_FORGET, "DELETE FROM dir WHERE did=?")

PX_STMT(FILES, "SELECT name,NULL,size,mtime_ns FROM file WHERE iid=? ORDER BY name")
PX_STMT(FILE, "SELECT name,body,size,mtime_ns FROM file WHERE iid=? AND name=?")
PX_STMT(FILE_PUT, "INSERT INTO file(iid,name,body,size,mtime_ns) VALUES(?,?,?,?,?) ON "
		  "CONFLICT(iid,name) DO UPDATE SET "
		  "body=excluded.body,size=excluded.size,mtime_ns=excluded.mtime_ns")
PX_STMT(FILE_FORGET, "DELETE FROM file WHERE iid=?")

PX_STMT(LOOKUP,
	"SELECT rid,ino,size,mtime_ns,ctime_ns,name FROM record WHERE did=? AND name=? AND ino>0")
PX_STMT(LIST, "SELECT rid,ino,size,mtime_ns,ctime_ns,name FROM record INDEXED BY record_list WHERE "
	      "did=? AND rid>? AND ino>0 ORDER BY rid")
PX_STMT(VERSION, "SELECT rid,ino,size,mtime_ns,ctime_ns,'' FROM version WHERE ino=?")
PX_STMT(BODY, "SELECT body FROM version WHERE ino=?")
PX_STMT(RECORD_STATE, "SELECT "
		      "rid,ino,fetched_epoch,patched_epoch,patched_ms,walk,digest,updated_at,last_"
		      "seen,source,before FROM record "
		      "WHERE did=? AND name=?")
PX_STMT(RECORD_PARENT, "SELECT parent FROM record WHERE did=? AND name=? AND parent IS NOT NULL")
PX_STMT(PLACE, "SELECT r.rid,v.ino,v.size,v.mtime_ns,v.ctime_ns,r.name,r.did FROM version v JOIN "
	       "record r ON r.rid=v.rid WHERE v.ino=?")
PX_STMT(LIST_BY_INO, "SELECT r.rid,r.ino,r.size,r.mtime_ns,r.ctime_ns,r.name FROM version v CROSS "
		     "JOIN record r ON r.rid=v.rid WHERE v.ino>?2 AND v.ino<=?2+4096 AND r.did=?1 "
		     "AND r.ino=v.ino ORDER BY v.ino")
PX_STMT(LIST_BY_NAME, "SELECT rid,ino,size,mtime_ns,ctime_ns,name FROM record WHERE did=? AND "
		      "name>? AND ino>0 ORDER BY name")
PX_STMT(NAMES_NEAR,
	"SELECT count(*) FROM (SELECT 1 FROM record WHERE did=? AND name>? AND name<? LIMIT ?)")
PX_STMT(PENDING_GET, "SELECT epoch,attempts FROM pending WHERE did=? AND id=?")
PX_STMT(WALK_SEEN, "SELECT count(*) FROM record WHERE did=? AND ino>0 AND walk>=?")
PX_STMT(UNSEEN, "SELECT rid,id FROM record WHERE did=? AND rid>? AND ino>0 AND walk<? ORDER BY rid")
PX_STMT(IDS, "SELECT rid,id FROM record WHERE did=? AND rid>? AND ino>0 ORDER BY rid")
PX_STMT(RECORD_GET,
	"SELECT rid,ino,digest,core_digest,mtime_ns,before FROM record WHERE did=? AND name=?")
PX_STMT(RECORD_ADD, "INSERT INTO "
		    "record(did,name,id,ino,size,mtime_ns,ctime_ns,digest,core_digest,updated_at,"
		    "last_seen,property_id,"
		    "parent,fetched_epoch,patched_epoch,patched_ms,walk,source) "
		    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
PX_STMT(RECORD_SET, "UPDATE record SET "
		    "ino=?,size=?,mtime_ns=?,ctime_ns=?,digest=?,core_digest=?,updated_at=?,last_"
		    "seen=?,property_id=?,"
		    "parent=coalesce(?,parent),fetched_epoch=max(fetched_epoch,?),patched_epoch="
		    "max(patched_epoch,?),"
		    "patched_ms=max(patched_ms,?),walk=max(walk,?),source=?,before=? WHERE rid=?")
PX_STMT(RECORD_SEEN,
	"UPDATE record SET "
	"last_seen=?,fetched_epoch=max(fetched_epoch,?),patched_epoch=max(patched_epoch,?),"
	"patched_ms=max(patched_ms,?),walk=max(walk,?),source=?,parent=coalesce(?,parent),"
	"before=? WHERE rid=?")
PX_STMT(RECORD_WALK, "UPDATE record SET walk=max(walk,?) WHERE did=? AND name=?")
PX_STMT(RECORD_DROP, "DELETE FROM record WHERE rid=?")
PX_STMT(RECORD_GONE, "UPDATE record SET ino=0,fetched_epoch=max(fetched_epoch,?) WHERE rid=?")
PX_STMT(VERSION_ADD, "INSERT INTO version(rid,valid_from,size,mtime_ns,ctime_ns,source,body,ino) "
		     "VALUES(?,?,?,?,?,?,?,?)")
PX_STMT(VERSION_LAST, "SELECT seq FROM sqlite_sequence WHERE name='version'")
PX_STMT(VERSION_END, "INSERT INTO superseded(ino,at_ns,is_trivial) VALUES(?,?,?)")
PX_STMT(RETAIN_LIST, "SELECT ino,is_trivial FROM superseded WHERE at_ns<? ORDER BY at_ns LIMIT ?")
PX_STMT(RETAIN_TRIVIAL,
	"SELECT ino,1 FROM superseded WHERE is_trivial=1 AND at_ns<? ORDER BY at_ns LIMIT ?")
PX_STMT(VERSION_DELETE, "DELETE FROM version WHERE ino=?")
PX_STMT(SUPERSEDED_DELETE, "DELETE FROM superseded WHERE ino=?")
PX_STMT(FORGET_LIST, "SELECT rid,ino FROM record WHERE did=? LIMIT ?")
PX_STMT(FORGET_PENDING, "DELETE FROM pending WHERE did=?")

PX_STMT(COUNTER_ADD, "UPDATE counter SET value=value+? WHERE name=?")
PX_STMT(COUNTERS, "SELECT name,value FROM counter")

PX_STMT(OLDEST_PENDING,
	"SELECT coalesce(min(oldest_pending_ms),0) FROM dir WHERE oldest_pending_ms>0")
PX_STMT(PENDING_ADD,
	"INSERT INTO pending(did,id,epoch,since_ms,not_before_ms,attempts) VALUES(?,?,?,?,?,0)")
PX_STMT(PENDING_RENEW,
	"UPDATE pending SET epoch=max(epoch,?),not_before_ms=?,attempts=0 WHERE did=? AND id=?")
PX_STMT(PENDING_CLEAR, "DELETE FROM pending WHERE did=? AND id=? AND epoch<=?")
PX_STMT(PENDING_RETRY,
	"UPDATE pending SET attempts=attempts+1,not_before_ms=? WHERE did=? AND id=?")
PX_STMT(PENDING_LIST, "SELECT did,id,epoch,since_ms,not_before_ms,attempts FROM pending WHERE "
		      "not_before_ms<=? AND did NOT IN (SELECT did FROM dir WHERE enabled=0) "
		      "ORDER BY since_ms LIMIT ?")
PX_STMT(PENDING_LIST_OF, "SELECT did,id,epoch,since_ms,not_before_ms,attempts FROM pending WHERE "
			 "did=? AND not_before_ms<=? ORDER BY since_ms LIMIT ?")

PX_STMT(INBOX_ADD, "INSERT INTO inbox(received_ms,body) VALUES(?,?)")
PX_STMT(INBOX_ATTEMPT, "UPDATE inbox SET attempts=attempts+1 WHERE arrival=? RETURNING attempts")
PX_STMT(INBOX_DONE, "DELETE FROM inbox WHERE arrival=?")
PX_STMT(INBOX_LIST, "SELECT arrival,received_ms,attempts,body FROM inbox WHERE arrival>? ORDER BY "
		    "arrival LIMIT ?")

PX_STMT(EVENT_LAST, "SELECT seq,time_ms,day FROM event ORDER BY seq DESC LIMIT 1")
PX_STMT(EVENT_ADD,
	"INSERT INTO event(seq,day,time_ms,iid,offset_all,offset_iid,line) VALUES(?,?,?,?,?,?,?)")
PX_STMT(EVENTS, "SELECT seq,line FROM event WHERE seq>? ORDER BY seq")
PX_STMT(DAY_GET, "SELECT day,size,first_seq,last_seq,mtime_ns FROM day WHERE iid=? AND day=?")
PX_STMT(DAYS, "SELECT day,size,first_seq,last_seq,mtime_ns FROM day WHERE iid=? ORDER BY day")
PX_STMT(DAY_GROW, "INSERT INTO day(iid,day,size,first_seq,last_seq,mtime_ns) "
		  "VALUES(?1,?2,?3,?4,?4,?5) ON CONFLICT(iid,day) DO UPDATE SET "
		  "size=size+?3,last_seq=?4,mtime_ns=max(mtime_ns,?5)")
PX_STMT(DAY_READ_ALL, "SELECT offset_all,line FROM event WHERE day=?1 AND "
		      "offset_all>=coalesce((SELECT max(offset_all) FROM event "
		      "WHERE day=?1 AND offset_all<=?2),0) ORDER BY offset_all")
PX_STMT(DAY_READ_IID,
	"SELECT offset_iid,line FROM event WHERE iid=?3 AND day=?1 AND "
	"offset_iid>=coalesce((SELECT max(offset_iid) "
	"FROM event WHERE iid=?3 AND day=?1 AND offset_iid<=?2),0) ORDER BY offset_iid")
PX_STMT(DAY_OLD, "SELECT min(day) FROM day WHERE day<?")
PX_STMT(EVENT_DELETE, "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE day=? LIMIT ?)")
PX_STMT(DAY_DELETE, "DELETE FROM day WHERE day=?")

PX_STMT(LINK_PUT, "INSERT INTO link(model,id,slot,parent) VALUES(?,?,?,?) ON "
		  "CONFLICT(model,id,slot) DO UPDATE SET parent=excluded.parent")
PX_STMT(LINK_GET, "SELECT parent FROM link WHERE model=? AND id=? AND slot=?")
