-- Which way the leg's media went: anchored (through the node), or direct (between the parties).
ALTER TABLE legs ADD COLUMN media_path TEXT NOT NULL DEFAULT 'anchored';
-- Why its party ended it, if it said (RFC 3326): Q.850;cause=17.
ALTER TABLE legs ADD COLUMN reason TEXT;
