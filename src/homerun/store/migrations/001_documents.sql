-- The first schema. Migrations are numbered and never edited: schema.sql shows what all of them add up to.

-- `version` is the row id: a watch reads the table in its own order, and a document that changes moves to the end.
create table documents (
  version integer primary key,
  kind text not null,
  name text not null,
  -- A tombstone: the document is gone, and watchers must hear of it. Its body is '{}'.
  deleted integer not null,
  -- JSON, as clients see it.
  body text not null,
  -- JSON that clients never see.
  internal text not null
) strict;

create unique index documents_by_name on documents (kind, name);

-- Costs nothing for documents that are there; finds the tombstones to prune.
create index documents_deleted on documents (version) where deleted = 1;

-- One row. `head`: the last version given out, also when its row has gone since. `floor`: tombstones up to here were
-- pruned, so a watch cannot start between 1 and it.
create table sequence (
  head integer not null,
  floor integer not null
) strict;

insert into sequence (head, floor) values (0, 0);
