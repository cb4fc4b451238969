-- How the leg's media was, in both directions. What the party was sent is known by its own reports (RTCP).
ALTER TABLE legs ADD COLUMN remote_jitter_us INTEGER;
ALTER TABLE legs ADD COLUMN remote_mos REAL;
-- The same over time, as a JSON array of rows: seconds since the call was offered (the end of what the row covers, which
-- began with the row before); of what the party sent loss in percent, jitter in milliseconds and MOS; the same three of
-- what it was sent; the round trip in milliseconds. What is not known is null. NULL when there is no row.
ALTER TABLE legs ADD COLUMN quality TEXT;
