-- What the migrations add up to, for reading; a test holds the two together. Comments: see the migrations.

create table documents (
  version integer primary key,
  kind text not null,
  name text not null,
  deleted integer not null,
  body text not null,
  internal text not null
) strict;

create unique index documents_by_name on documents (kind, name);

create index documents_deleted on documents (version) where deleted = 1;

create table sequence (
  head integer not null,
  floor integer not null
) strict;
