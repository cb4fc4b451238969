-- Which way the leg's media went: anchored (through the node), or direct (between the parties).
ALTER TABLE legs ADD COLUMN media_path TEXT NOT NULL DEFAULT 'anchored';
