create table if not exists revoke_state (
  one integer primary key check (one = 1),
  version integer not null,           -- of these tables
  era integer not null,               -- of the sessions that are live: RevokeEveryone begins another
  everyone integer not null           -- when it was last called, or 0
);

create table if not exists revoke_sessions (
  usr blob not null,
  id blob not null,
  secret blob not null,
  prev blob,
  renewed integer,
  used integer,
  created integer not null,           -- times are microseconds since 1970
  seen integer,
  proved integer,
  expires integer not null,
  deadline integer,
  due integer not null generated always as (expires / 3600000000) stored, -- the hour, so that a touch seldom changes an index
  era integer not null,
  revoked integer,                    -- set on a tombstone, and only there
  reason blob,
  actor blob,
  client blob,
  data blob,
  primary key (usr, id)
);

-- For what has ended alone. Where sessions of a user are looked for, "era + 0" keeps it
-- out of the plan: nearly all have the same era.
create index if not exists revoke_sessions_due on revoke_sessions (era, due);

create table if not exists revoke_users (
  usr blob primary key not null,
  mark_at integer not null,           -- what RevokeAll has left
  mark_until integer not null,
  mark_reason blob,
  mark_actor blob
);

create index if not exists revoke_users_until on revoke_users (mark_until);

create table if not exists revoke_onces (
  usr blob not null,
  id blob not null,                   -- cannot be created again
  until integer not null,
  primary key (usr, id)
);

create index if not exists revoke_onces_until on revoke_onces (until);

insert into revoke_state (one, version, era, everyone) values (1, 1, 1, 0)
  on conflict (one) do update set version = max(version, excluded.version);
