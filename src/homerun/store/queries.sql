-- Every statement of the SQLite store. `-- name:` starts one; the comment below it says what it is for.

-- name: get
-- One document that is not deleted.
select kind, name, version, body, internal, deleted from documents
where kind = :kind and name = :name and deleted = 0;

-- name: list
-- A page by name. Names compare as bytes of UTF-8. :beyond is the first name after all with the prefix, if any.
select kind, name, version, body, internal, deleted from documents
where kind = :kind and name >= :prefix and name > :after and (:beyond is null or name < :beyond) and deleted = 0
order by name limit :limit;

-- name: count
select count(*) from documents
where kind = :kind and name >= :prefix and (:beyond is null or name < :beyond) and deleted = 0;

-- name: changed
-- What a watch reads: documents and tombstones in version order. :kinds is a JSON array, or null for all.
select kind, name, version, body, internal, deleted from documents
where version > :since and (:kinds is null or kind in (select value from json_each(:kinds)))
order by version limit :limit;

-- name: sequence
select head, floor from sequence;

-- name: current
-- What an `if_version` is compared with.
select version from documents where kind = :kind and name = :name and deleted = 0;

-- name: put
-- The row of the document's last version goes, because (kind, name) is unique.
insert or replace into documents (version, kind, name, deleted, body, internal)
values (:version, :kind, :name, :deleted, :body, :internal);

-- name: advance
update sequence set head = :head;

-- name: prune_floor
-- The newest tombstone that is one too many, when :keep are kept.
select version from documents where deleted = 1 order by version desc limit 1 offset :keep;

-- name: prune
delete from documents where deleted = 1 and version <= :floor;

-- name: raise_floor
update sequence set floor = max(floor, :floor);
