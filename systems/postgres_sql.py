"""The catalog questions (facts/systems.md §2.4), one round trip each for all tables of a schema."""

# Generated columns that changes come without: of all of them before Postgres 18, which knows a setting for stored ones.
# It refuses every UPDATE and DELETE of a published table that has one and whose identity is FULL ("Replica identity
# must not contain unpublished generated columns"); earlier ones say nothing.
_UNSENT = """array(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND (a.attgenerated = 'v' OR a.attgenerated = 's' AND to_jsonb(p) ->> 'pubgencols' IS DISTINCT FROM 's')
             ORDER BY a.attnum), current_setting('server_version_num')::int >= 180000"""

TABLES = f"""
SELECT c.oid::bigint, c.relname,
       CASE WHEN c.relkind = 'p' AND EXISTS (SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
                                             WHERE t.relid <> c.oid AND l.relreplident <> 'f')
            THEN 'd' ELSE c.relreplident::text END,
       coalesce(has_table_privilege(r.oid, c.oid, 'SELECT') AND has_schema_privilege(r.oid, n.oid, 'USAGE'), false),
       pg_has_role(c.relowner, 'USAGE'),
       CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END, pg_total_relation_size(c.oid),
       coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0), c.relkind = 'p',
       array(SELECT h.inhrelid::regclass::text FROM pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r'
             ORDER BY 1), {_UNSENT},
       row_security_active(c.oid),
       coalesce(c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)
                AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE')), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_roles r ON r.rolname = %(role)s
LEFT JOIN pg_publication p ON p.pubname = %(publication)s
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""

COLUMNS = """
SELECT c.oid::bigint, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attgenerated <> ''
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND (%(table)s::text IS NULL OR c.relname = %(table)s)
ORDER BY c.oid, a.attnum
"""

# Only key columns count (INCLUDE columns do not), and an expression (attnum 0) makes an index unfit as a key. One that
# is not valid serves no query.
INDEXES = """
SELECT i.indrelid::bigint, i.indisprimary, i.indisunique AND i.indpred IS NULL,
       array(SELECT coalesce(a.attname::text, '') FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
             WHERE k.place <= i.indnkeyatts ORDER BY k.place)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND i.indisvalid
"""

# prattrs is null without a column list; FOR ALL TABLES and FOR TABLES IN SCHEMA have no pg_publication_rel row.
PUBLISHED = """
SELECT t.tablename, (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs::int2[])),
       coalesce(t.rowfilter, ''), pr.oid IS NULL
FROM pg_publication_tables t JOIN pg_publication p ON p.pubname = t.pubname
LEFT JOIN pg_publication_rel pr ON pr.prpubid = p.oid
      AND pr.prrelid = format('%%I.%%I', t.schemaname, t.tablename)::regclass
WHERE t.pubname = %(publication)s AND t.schemaname = %(schema)s
"""

CHANGES = """
SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = %(schema)s
"""

SLOT = """
SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
FROM pg_replication_slots WHERE slot_name = %(slot)s
"""

BLOCKERS = """
SELECT DISTINCT a.pid, a.usename, a.application_name, a.state, extract(epoch FROM now() - a.xact_start)::int
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.relation = to_regclass(%(table)s) AND l.granted AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
ORDER BY 5 DESC NULLS LAST LIMIT 5
"""

# How far one table is on its way into the publication. Identity does not go down from a partitioned table to its
# partitions, and they are what is written to (facts/estate.md §4a): every one of them is looked at.
REPLICATION = f"""
SELECT c.relreplident::text, c.relkind = 'p', pg_has_role(c.relowner, 'USAGE'),
       EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = %(publication)s
               AND t.schemaname = n.nspname AND t.tablename = c.relname),
       coalesce(has_table_privilege(r.oid, c.oid, 'SELECT'), false), r.oid IS NOT NULL,
       p.oid IS NOT NULL, coalesce(pg_has_role(p.pubowner, 'USAGE'), false), coalesce(p.pubviaroot, false),
       array(SELECT format('%%I.%%I', ln.nspname, l.relname) FROM pg_partition_tree(c.oid) t
             JOIN pg_class l ON l.oid = t.relid JOIN pg_namespace ln ON ln.oid = l.relnamespace
             WHERE c.relkind = 'p' AND t.relid <> c.oid AND l.relreplident <> 'f' ORDER BY 1),
       EXISTS (SELECT FROM pg_publication_rel pr WHERE pr.prpubid = p.oid AND pr.prrelid = c.oid),
       EXISTS (SELECT FROM pg_publication_rel pr
               WHERE pr.prpubid = p.oid AND pr.prrelid = c.oid AND pr.prattrs IS NOT NULL), {_UNSENT}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_roles r ON r.rolname = %(role)s
LEFT JOIN pg_publication p ON p.pubname = %(publication)s
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p')
"""

# An index that is built beside writers is there and invalid until the end; a failed one stays so.
INDEX = """
SELECT i.indisvalid, p.blocks_done::bigint, nullif(p.blocks_total, 0)::bigint
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = i.indexrelid
WHERE n.nspname = %(schema)s AND c.relname = %(index)s
"""

# What could become a primary key as it stands: unique, whole, valid, over columns that hold no NULL, and not a
# constraint's own already.
UNIQUE_INDEX = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE n.nspname = %(schema)s AND t.relname = %(table)s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indnatts = i.indnkeyatts AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
                  AND k.contype <> 'f')
  AND %(columns)s::text[] = array(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND a.attnotnull ORDER BY k.place)
ORDER BY 1 LIMIT 1
"""

# A partitioned table and all its partitions, from the top down.
PARTITIONS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, t.parentrelid::oid::bigint,
       pg_has_role(c.relowner, 'USAGE'), p.blocks_done::bigint, nullif(p.blocks_total, 0)::bigint
FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace CROSS JOIN LATERAL pg_partition_tree(r.oid) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_progress_create_index p ON p.relid = c.oid
WHERE rn.nspname = %(schema)s AND r.relname = %(table)s AND r.relkind = 'p' ORDER BY t.level, n.nspname, c.relname
"""

# Those that Postgres takes for alike, so that one may be attached to the other: plain, of these columns in this order.
PARTITION_INDEXES = """
SELECT i.indrelid::bigint, i.indexrelid::bigint, x.relname, i.indisvalid, h.inhparent::oid::bigint
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
WHERE i.indrelid = ANY (%(ids)s::bigint[]) AND m.amname = 'btree' AND NOT i.indisunique AND i.indpred IS NULL
  AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
  AND NOT EXISTS (SELECT FROM unnest(i.indoption::int2[]) o WHERE o <> 0)
  AND NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) o JOIN pg_opclass k ON k.oid = o WHERE NOT k.opcdefault)
  AND %(columns)s::text[] = array(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.place)
ORDER BY x.relname
"""
