-- What the leg was called from end to end (Session-ID, RFC 7989); NULL when neither side said.
ALTER TABLE legs ADD COLUMN session_id TEXT;
