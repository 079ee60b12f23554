create table if not exists revoke_state (
  one int primary key,
  version int not null,               -- of these tables
  era bigint not null,                -- of the sessions that are live: RevokeEveryone begins another
  everyone bigint not null            -- when it was last called, or 0
) engine = InnoDB;

create table if not exists revoke_sessions (
  usr varbinary(1536) not null,
  id varbinary(1536) not null,
  secret binary(32) not null,
  prev binary(32),
  renewed bigint,
  used bigint,
  created bigint not null,            -- times are microseconds since 1970
  seen bigint,
  proved bigint,
  expires bigint not null,
  deadline bigint,
  due bigint generated always as (expires div 3600000000) stored, -- the hour, so that a touch seldom changes an index
  era bigint not null,
  rev bigint not null default 0,      -- an update that changes nothing else would count as none
  revoked bigint,                     -- set on a tombstone, and only there
  reason mediumblob,
  actor varbinary(1536),
  client mediumblob,
  data longblob,
  primary key (usr, id),
  key revoke_sessions_due (era, due)  -- for what has ended alone: "era + 0" keeps it out of other plans
) engine = InnoDB row_format = dynamic;

create table if not exists revoke_users (
  usr varbinary(1536) primary key,    -- every user whose lock was taken lately
  mark_at bigint not null,            -- what RevokeAll has left
  mark_until bigint not null,
  mark_reason mediumblob,
  mark_actor varbinary(1536),
  key revoke_users_until (mark_until)
) engine = InnoDB row_format = dynamic;

create table if not exists revoke_onces (
  usr varbinary(1536) not null,
  id varbinary(1536) not null,        -- cannot be created again
  until bigint not null,
  primary key (usr, id),
  key revoke_onces_until (until)
) engine = InnoDB row_format = dynamic;

-- revoke_bury_1 turns live sessions into tombstones and returns what they were: the
-- session p_only, or if that is null the p_most least recently seen but p_but. The
-- caller has locked them.
create procedure if not exists revoke_bury_1(
  p_usr varbinary(1536), p_only varbinary(1536), p_but varbinary(1536), p_most int, p_era bigint, p_now bigint,
  p_at bigint, p_reason mediumblob, p_by varbinary(1536)
)
begin
  declare surplus int;
  select 'ok', id, secret, prev, renewed, used, created, seen, proved, expires, deadline, client from revoke_sessions
    where usr = p_usr and (p_only is null or id = p_only) and not (id <=> p_but) and revoked is null and era + 0 = p_era and expires > p_now
    order by seen is null, seen, id desc limit p_most;
  update revoke_sessions set revoked = p_at, reason = p_reason, actor = p_by, expires = least(expires, p_at + 86400000000),
      prev = if(used is null, prev, null), renewed = null, used = null, seen = null, proved = null, deadline = null, client = null, data = null
    where usr = p_usr and (p_only is null or id = p_only) and not (id <=> p_but) and revoked is null and era + 0 = p_era and expires > p_now
    order by seen is null, seen, id desc limit p_most;
  select count(*) - 100 into surplus from revoke_sessions
    where usr = p_usr and revoked is not null and era + 0 = p_era and expires > p_now;
  if surplus > 0 then
    delete from revoke_sessions where usr = p_usr and revoked is not null and era + 0 = p_era and expires > p_now
      order by revoked, id desc limit surplus;
  end if;
end;

-- The other procedures are transactions of their own under the lock of the user, whose
-- row they write first. That is read committed, because otherwise locks cover rows
-- that are not there, and two sign-ins of a new user undo each other.
create procedure if not exists revoke_create_1(
  p_usr varbinary(1536), p_id varbinary(1536), p_secret binary(32), p_prev binary(32), p_renewed bigint, p_used bigint,
  p_created bigint, p_seen bigint, p_proved bigint, p_expires bigint, p_deadline bigint, p_client mediumblob, p_data longblob,
  p_once bigint, p_max int, p_reason mediumblob
)
body: begin
  declare n, e, old_era, old_expires, old_revoked bigint;
  declare others int;
  declare exit handler for sqlexception begin rollback; resignal; end;
  set transaction isolation level read committed;
  start transaction;
  insert into revoke_users (usr, mark_at, mark_until) values (p_usr, 0, 0) on duplicate key update usr = usr;
  select s.era into e from revoke_state s;
  select max(s.era), max(s.expires), max(s.revoked) into old_era, old_expires, old_revoked
    from revoke_sessions s where s.usr = p_usr and s.id = p_id for update;
  set n = timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) + timestampdiff(microsecond, now(6), sysdate(6)); -- when the locks are there
  if old_era = e and old_expires > n then
    rollback;
    select if(old_revoked is null, 'exists', 'revoked'), null, null, null, null, null, null, null, null, null, null, null;
    leave body;
  end if;
  if exists (select 1 from revoke_onces o where o.usr = p_usr and o.id = p_id and o.until > n) then
    rollback;
    select 'revoked', null, null, null, null, null, null, null, null, null, null, null;
    leave body;
  end if;
  if exists (select 1 from revoke_users u where u.usr = p_usr and u.mark_until > n and (p_once is not null or p_created <= u.mark_at)) then
    select 'marked', u.mark_actor, null, null, null, null, u.mark_at, null, null, u.mark_until, null, u.mark_reason
      from revoke_users u where u.usr = p_usr;
    rollback;
    leave body;
  end if;
  replace into revoke_sessions (usr, id, secret, prev, renewed, used, created, seen, proved, expires, deadline, era, client, data)
    values (p_usr, p_id, p_secret, p_prev, p_renewed, p_used, p_created, p_seen, p_proved, p_expires, p_deadline, e, p_client, p_data);
  if p_once > n then
    replace into revoke_onces (usr, id, until) values (p_usr, p_id, p_once);
  end if;
  if p_max > 0 then
    select count(*) into others from revoke_sessions s
      where s.usr = p_usr and s.id <> p_id and s.revoked is null and s.era + 0 = e and s.expires > n for update;
    if others >= p_max then
      call revoke_bury_1(p_usr, null, p_id, others + 1 - p_max, e, n, n, p_reason, p_id);
    end if;
  end if;
  commit;
  begin -- what has ended goes, a few rows at a time, and if that fails there is another sign-in
    declare continue handler for sqlexception rollback;
    delete from revoke_sessions where era < e limit 4;
    delete from revoke_sessions where era = e and due < n div 3600000000 limit 4;
  end;
end;

create procedure if not exists revoke_one_1(
  p_usr varbinary(1536), p_id varbinary(1536), p_at bigint, p_reason mediumblob, p_by varbinary(1536)
)
body: begin
  declare n, e bigint;
  declare acts, is_live int;
  declare exit handler for sqlexception begin rollback; resignal; end;
  set transaction isolation level read committed;
  start transaction;
  insert into revoke_users (usr, mark_at, mark_until) values (p_usr, 0, 0) on duplicate key update usr = usr;
  select s.era into e from revoke_state s;
  select count(*) into is_live from revoke_sessions s where s.usr = p_usr and s.id in (p_id, p_by) for update;
  set n = timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) + timestampdiff(microsecond, now(6), sysdate(6));
  select coalesce(sum(s.id = p_id), 0), coalesce(sum(s.id = p_by), 0) into is_live, acts from revoke_sessions s
    where s.usr = p_usr and s.id in (p_id, p_by) and s.revoked is null and s.era + 0 = e and s.expires > n;
  if length(p_by) > 0 and acts = 0 then
    rollback;
    select 'not live', null, null, null, null, null, null, null, null, null, null, null;
  elseif is_live = 0 then
    rollback;
    select 'not found', null, null, null, null, null, null, null, null, null, null, null;
  else
    call revoke_bury_1(p_usr, p_id, '', 1, e, n, coalesce(p_at, n), p_reason, p_by);
    commit;
  end if;
end;

create procedure if not exists revoke_all_1(
  p_usr varbinary(1536), p_keep varbinary(1536), p_at bigint, p_until bigint, p_reason mediumblob, p_by varbinary(1536)
)
body: begin
  declare n, e bigint;
  declare acts, others int;
  declare exit handler for sqlexception begin rollback; resignal; end;
  set transaction isolation level read committed;
  start transaction;
  insert into revoke_users (usr, mark_at, mark_until) values (p_usr, 0, 0) on duplicate key update usr = usr;
  select s.era into e from revoke_state s;
  select count(*) into others from revoke_sessions s where s.usr = p_usr and s.revoked is null for update;
  set n = timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) + timestampdiff(microsecond, now(6), sysdate(6));
  select count(*), coalesce(sum(s.id = p_by), 0) into others, acts from revoke_sessions s
    where s.usr = p_usr and s.revoked is null and s.era + 0 = e and s.expires > n;
  if length(p_by) > 0 and acts = 0 then
    rollback;
    select 'not live', null, null, null, null, null, null, null, null, null, null, null;
    leave body;
  end if;
  set p_at = coalesce(p_at, n);
  set p_until = coalesce(p_until, p_at + 86400000000);
  -- From left to right: what stands below goes by what is set above.
  update revoke_users set
      mark_reason = if(mark_until > n and mark_at > p_at, mark_reason, p_reason),
      mark_actor = if(mark_until > n and mark_at > p_at, mark_actor, p_by),
      mark_at = if(mark_until > n, greatest(mark_at, p_at), p_at),
      mark_until = if(mark_until > n, greatest(mark_until, p_until), p_until)
    where usr = p_usr;
  if others > 0 then
    call revoke_bury_1(p_usr, null, p_keep, others, e, n, p_at, p_reason, p_by);
  end if;
  commit;
end;

insert into revoke_state (one, version, era, everyone) values (1, 1, 1, 0)
  on duplicate key update version = greatest(version, values(version));
