create table if not exists revoke_state (
  one int primary key check (one = 1),
  version int not null,               -- of these tables
  era bigint not null,                -- of the sessions that are live: RevokeEveryone begins another
  everyone bigint not null            -- when it was last called, or 0
);

create table if not exists revoke_sessions (
  usr bytea not null,
  id bytea not null,
  secret bytea not null,
  prev bytea,
  renewed bigint,
  used bigint,
  created bigint not null,            -- times are microseconds since 1970
  seen bigint,
  proved bigint,
  expires bigint not null,
  deadline bigint,
  due bigint not null generated always as (expires / 3600000000) stored, -- the hour, so that a touch seldom changes an index
  era bigint not null,
  revoked bigint,                     -- set on a tombstone, and only there
  reason bytea,
  actor bytea,
  client bytea,
  data bytea,
  primary key (usr, id)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);

-- For what has ended alone. Where sessions of a user are looked for, "era + 0" keeps it
-- out of the plan: nearly all have the same era.
create index if not exists revoke_sessions_due on revoke_sessions (era, due);

create table if not exists revoke_users (
  usr bytea primary key,
  mark_at bigint not null,            -- what RevokeAll has left
  mark_until bigint not null,
  mark_reason bytea,
  mark_actor bytea
);

create index if not exists revoke_users_until on revoke_users (mark_until);

create table if not exists revoke_onces (
  usr bytea not null,
  id bytea not null,                  -- cannot be created again
  until bigint not null,
  primary key (usr, id)
);

create index if not exists revoke_onces_until on revoke_onces (until);

-- revoke_now_1 is the clock by which sessions expire. It goes on within a transaction.
create or replace function revoke_now_1() returns bigint language sql volatile as $$
  select (extract(epoch from clock_timestamp()) * 1000000)::bigint
$$;

-- revoke_begin_1 locks the user. What comes after it in the same transaction sees
-- all that was done under that lock before, because under READ COMMITTED each
-- statement of a function has a snapshot of its own. Under any other isolation two
-- calls would not see each other, and a limit could be overrun.
create or replace function revoke_begin_1(p_lock bigint, p_local boolean) returns void language plpgsql volatile as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'revoke needs read committed, not %', current_setting('transaction_isolation') using errcode = '25001';
  end if;
  -- Never weaker than this: what was answered outlives the server's crash.
  if p_local or current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  perform pg_advisory_xact_lock(p_lock);
end $$;

-- revoke_bury_1 turns live sessions into tombstones and returns what they were. The
-- caller has locked them.
create or replace function revoke_bury_1(
  p_usr bytea, p_ids bytea[], p_era bigint, p_at bigint, p_reason bytea, p_by bytea, p_notify boolean
) returns table (
  o_answer text, o_id bytea, o_secret bytea, o_prev bytea, o_renewed bigint, o_used bigint, o_created bigint,
  o_seen bigint, o_proved bigint, o_expires bigint, o_deadline bigint, o_client bytea
) language plpgsql volatile as $$
begin
  return query select 'ok'::text, s.id, s.secret, s.prev, s.renewed, s.used, s.created, s.seen, s.proved, s.expires, s.deadline, s.client
    from revoke_sessions s where s.usr = p_usr and s.id = any(p_ids);
  update revoke_sessions s set revoked = p_at, reason = p_reason, actor = p_by, expires = least(s.expires, p_at + 86400000000),
      prev = case when s.used is null then s.prev end, renewed = null, used = null, seen = null, proved = null, deadline = null,
      client = null, data = null
    where s.usr = p_usr and s.id = any(p_ids);
  delete from revoke_sessions s where s.usr = p_usr and s.id in (
    select t.id from revoke_sessions t
      where t.usr = p_usr and t.revoked is not null and t.era + 0 = p_era and t.expires > revoke_now_1()
      order by t.revoked desc, t.id offset 100);
  if p_notify then
    perform pg_notify('revoke_ended', case when length(p_usr) < 3900 then encode(p_usr, 'hex') else '' end);
  end if;
end $$;

create or replace function revoke_create_1(
  p_lock bigint, p_local boolean, p_notify boolean, p_usr bytea, p_id bytea, p_secret bytea, p_prev bytea, p_renewed bigint, p_used bigint,
  p_created bigint, p_seen bigint, p_proved bigint, p_expires bigint, p_deadline bigint, p_client bytea, p_data bytea,
  p_once bigint, p_max int, p_reason bytea
) returns table (
  o_answer text, o_id bytea, o_secret bytea, o_prev bytea, o_renewed bigint, o_used bigint, o_created bigint,
  o_seen bigint, o_proved bigint, o_expires bigint, o_deadline bigint, o_client bytea
) language plpgsql volatile as $$
declare
  n bigint;
  e bigint;
  old record;
  mark record;
  ids bytea[];
begin
  perform revoke_begin_1(p_lock, p_local);
  select s.era into e from revoke_state s;
  select s.era, s.expires, s.revoked into old from revoke_sessions s where s.usr = p_usr and s.id = p_id for update;
  n := revoke_now_1(); -- when the locks are there
  if old.era = e and old.expires > n then
    o_answer := case when old.revoked is null then 'exists' else 'revoked' end;
    return next;
    return;
  end if;
  if exists (select from revoke_onces o where o.usr = p_usr and o.id = p_id and o.until > n) then
    o_answer := 'revoked';
    return next;
    return;
  end if;
  select * into mark from revoke_users u where u.usr = p_usr and u.mark_until > n;
  if found and (p_once is not null or p_created <= mark.mark_at) then
    o_answer := 'marked';
    o_created := mark.mark_at;
    o_expires := mark.mark_until;
    o_id := mark.mark_actor;
    o_client := mark.mark_reason;
    return next;
    return;
  end if;
  insert into revoke_sessions as s (usr, id, secret, prev, renewed, used, created, seen, proved, expires, deadline, era, client, data)
    values (p_usr, p_id, p_secret, p_prev, p_renewed, p_used, p_created, p_seen, p_proved, p_expires, p_deadline, e, p_client, p_data)
    on conflict (usr, id) do update set secret = p_secret, prev = p_prev, renewed = p_renewed, used = p_used, created = p_created,
      seen = p_seen, proved = p_proved, expires = p_expires, deadline = p_deadline, era = e, client = p_client, data = p_data,
      revoked = null, reason = null, actor = null;
  if p_once > n then
    insert into revoke_onces (usr, id, until) values (p_usr, p_id, p_once) on conflict (usr, id) do update set until = p_once;
  end if;
  if p_max > 0 and p_max <= (select count(*) from revoke_sessions s
      where s.usr = p_usr and s.id <> p_id and s.revoked is null and s.era + 0 = e and s.expires > n) then
    perform from revoke_sessions s where s.usr = p_usr and s.revoked is null for update; -- so that no touch changes the order now
    n := revoke_now_1();
    select array_agg(o.id) into ids from (
      select s.id from revoke_sessions s where s.usr = p_usr and s.id <> p_id and s.revoked is null and s.era + 0 = e and s.expires > n
        order by s.seen is null desc, s.seen desc, s.id offset p_max - 1) o;
    if ids is not null then
      return query select * from revoke_bury_1(p_usr, ids, e, n, p_reason, p_id, p_notify);
    end if;
  end if;
  -- Not "(era, due) < (e, n / 3600000000)": that reads all of the index.
  delete from revoke_sessions s where s.ctid = any(
    array(select t.ctid from revoke_sessions t where t.era < e order by t.era limit 4 for update skip locked) ||
    array(select t.ctid from revoke_sessions t where t.era = e and t.due < n / 3600000000 order by t.due limit 4 for update skip locked));
end $$;

create or replace function revoke_one_1(
  p_lock bigint, p_local boolean, p_notify boolean, p_usr bytea, p_id bytea, p_at bigint, p_reason bytea, p_by bytea
) returns table (
  o_answer text, o_id bytea, o_secret bytea, o_prev bytea, o_renewed bigint, o_used bigint, o_created bigint,
  o_seen bigint, o_proved bigint, o_expires bigint, o_deadline bigint, o_client bytea
) language plpgsql volatile as $$
declare
  n bigint;
  e bigint;
  live bytea[];
begin
  perform revoke_begin_1(p_lock, p_local);
  select s.era into e from revoke_state s;
  perform from revoke_sessions s where s.usr = p_usr and s.id in (p_id, p_by) for update;
  n := revoke_now_1();
  live := array(select s.id from revoke_sessions s
    where s.usr = p_usr and s.id in (p_id, p_by) and s.revoked is null and s.era + 0 = e and s.expires > n);
  if length(p_by) > 0 and p_by <> all(live) then
    o_answer := 'not live';
    return next;
  elsif p_id <> all(live) then
    o_answer := 'not found';
    return next;
  else
    return query select * from revoke_bury_1(p_usr, array[p_id], e, coalesce(p_at, n), p_reason, p_by, p_notify);
  end if;
end $$;

create or replace function revoke_all_1(
  p_lock bigint, p_local boolean, p_notify boolean, p_usr bytea, p_keep bytea, p_at bigint, p_until bigint, p_reason bytea, p_by bytea
) returns table (
  o_answer text, o_id bytea, o_secret bytea, o_prev bytea, o_renewed bigint, o_used bigint, o_created bigint,
  o_seen bigint, o_proved bigint, o_expires bigint, o_deadline bigint, o_client bytea
) language plpgsql volatile as $$
declare
  n bigint;
  e bigint;
  live bytea[];
begin
  perform revoke_begin_1(p_lock, p_local);
  select s.era into e from revoke_state s;
  perform from revoke_sessions s where s.usr = p_usr and s.revoked is null for update;
  n := revoke_now_1();
  live := array(select s.id from revoke_sessions s where s.usr = p_usr and s.revoked is null and s.era + 0 = e and s.expires > n);
  if length(p_by) > 0 and p_by <> all(live) then
    o_answer := 'not live';
    return next;
    return;
  end if;
  p_at := coalesce(p_at, n);
  p_until := coalesce(p_until, p_at + 86400000000);
  insert into revoke_users as u (usr, mark_at, mark_until, mark_reason, mark_actor) values (p_usr, p_at, p_until, p_reason, p_by)
    on conflict (usr) do update set
      mark_at = case when u.mark_until > n then greatest(u.mark_at, p_at) else p_at end,
      mark_until = case when u.mark_until > n then greatest(u.mark_until, p_until) else p_until end,
      mark_reason = case when u.mark_until > n and u.mark_at > p_at then u.mark_reason else p_reason end,
      mark_actor = case when u.mark_until > n and u.mark_at > p_at then u.mark_actor else p_by end;
  live := array_remove(live, p_keep);
  if cardinality(live) > 0 then
    return query select * from revoke_bury_1(p_usr, live, e, p_at, p_reason, p_by, p_notify);
  end if;
end $$;

create or replace function revoke_everyone_1(p_local boolean, p_notify boolean) returns void language plpgsql volatile as $$
begin
  if p_local or current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'local', true);
  end if;
  update revoke_state set era = era + 1, everyone = greatest(everyone, revoke_now_1());
  if p_notify then
    perform pg_notify('revoke_ended', '');
  end if;
end $$;

insert into revoke_state (one, version, era, everyone) values (1, 1, 1, 0)
  on conflict (one) do update set version = greatest(revoke_state.version, excluded.version);
