// Package sqlstore keeps sessions in the database that an application has already:
// PostgreSQL, SQLite, MariaDB or MySQL.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
//	st := sqlstore.New(db, sqlstore.Postgres)
//	err = st.Migrate(ctx)
//	sessions := revoke.New(sm, st)
//
// The driver is the application's choice. This package imports none. It is tested
// with pgx and lib/pq, modernc.org/sqlite and mattn/go-sqlite3, and go-sql-driver/mysql
// on MariaDB and MySQL. Its tables stand beside the table "sessions" that scs's own stores have
// for visitors who are not signed in.
//
// Migrate makes the tables; whoever has migrations of their own takes [Schema]. Rows
// of what has ended go a few at a time with sign-ins, and all at once by Prune.
//
// Names (the user key, the id) may have 1,024 bytes each: longer ones do not fit an
// index of PostgreSQL or MySQL. A session takes about 250 bytes more than what is in
// it.
//
// # What a revocation is
//
// One transaction, committed before it is answered, that turns the session's row into
// a tombstone. Every look-up reads the row itself, so the session is over on every
// node from then on. Whether it is live is judged by the clock of the database, so it
// does not matter if nodes disagree about the time.
//
// Do not let this store read from a replica: a replica that lags opens sessions that
// were revoked. A backup knows nothing of what was revoked since. Call RevokeEveryone
// after you have restored one.
//
// If a call fails after the statement was sent, the outcome is unknown: the session
// may have been revoked. Repeat the call. ErrNotFound means that it is over.
//
// # PostgreSQL
//
// Each method is one statement. Create, Revoke and RevokeAll call a function in the
// database, under a lock of the user's, so no transaction waits for an application that
// has stalled. The functions refuse any isolation but read committed, which is the
// default. The application's role needs execute on them, and select, insert, update
// and delete on the tables.
//
// If the server crashes, nothing comes back that was answered: the functions wait for
// the disk even with synchronous_commit=off. With fsync=off nothing helps.
//
// If a standby takes over that replicates asynchronously, which is the default, what
// was revoked in the last moments is live again. Name a synchronous standby in
// synchronous_standby_names, and set Replicated. A revocation is then answered once
// the standby has it. If the standby is gone, the revocation takes effect on the
// primary at once, holds nobody up, and is answered as [store.ErrNotReplicated] after
// half the Timeout; repeat it until it is not. Create does not wait: sessions that it
// evicts return only together with the loss of the one that it creates. Other writes
// wait as the database is set up to. If an operator ends the wait with
// pg_cancel_backend, it looks like a success.
//
// If the disk is full, writes fail, revocations too, and nothing has changed.
//
// With lib/pq put binary_parameters=yes into the DSN: it halves the round trips. Behind
// pgbouncer in transaction mode it is necessary, and pgx needs
// default_query_exec_mode=exec there. Listen must go past pgbouncer to the server.
//
// # SQLite
//
// The file must be on a local disk. Several processes may share it; those that write
// then wait for each other, up to tenths of a second. Migrate turns the write-ahead log
// on. The DSN needs nothing but the file: busy_timeout and the like are set for each
// transaction and put back. Each connection of the pool parses a statement once. If the
// pool is bounded by SetMaxOpenConns, reads are parsed each time, and take about twice as
// long. A database in memory needs SetMaxOpenConns(1).
//
// If the process is killed, nothing comes back that was answered. If the power fails,
// SQLite with synchronous=NORMAL, which is usual with that log, loses what was
// committed last. So whatever ends a session, or renews its token, is written with
// synchronous=FULL. It costs the time that the disk takes. A session that was created
// or touched moments before a power cut may be lost or have its old times.
//
// If the disk is full, writes fail, revocations too, and nothing has changed. There
// are no replicas: a copy of the file, or what replicates it, is a backup.
//
// # MariaDB and MySQL
//
// Create, Revoke and RevokeAll call a procedure in the database, which is a
// transaction at read committed, whatever the default is. Leave autocommit on, as it is
// by default: without it, nodes do not see what others revoke, and Migrate returns an
// error. With interpolateParams=true in the DSN each method is one round trip, and two
// otherwise. The application's user needs execute on the procedures and select, insert,
// update and delete on the tables.
//
// If the server crashes, nothing comes back that was answered with
// innodb_flush_log_at_trx_commit=1, which is the default. With 0 or 2 it may.
//
// If a replica takes over that replicates asynchronously, which is the default, what
// was revoked in the last moments is live again. Semi-synchronous replication with
// rpl_semi_sync_master_wait_point=AFTER_SYNC is made against that; after
// rpl_semi_sync_master_timeout it becomes asynchronous without a word. This package
// does not test it, and Replicated does nothing here.
//
// If the disk is full, MariaDB waits for space, and calls end by Timeout with their
// outcome unknown.
package sqlstore
