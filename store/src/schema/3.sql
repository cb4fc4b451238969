-- Whether the caller wants not to be known, and who sent the call on before it came to us; NULL when nobody did. A number
-- that is withheld is empty.
ALTER TABLE calls ADD COLUMN from_withheld INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN redirected_by TEXT;
ALTER TABLE calls ADD COLUMN redirect_reason TEXT;
