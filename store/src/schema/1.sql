-- Dates are UTC, ISO 8601 with milliseconds. Durations are milliseconds.

-- One row each time a node opens the store: a call's identifier is unique within a run.
CREATE TABLE runs (
    id      INTEGER PRIMARY KEY,
    node    TEXT NOT NULL,
    started TEXT NOT NULL
) STRICT;

CREATE TABLE calls (
    id               INTEGER PRIMARY KEY,
    run              INTEGER NOT NULL REFERENCES runs (id),
    call             TEXT NOT NULL,    -- the identifier in logs
    origin_kind      TEXT NOT NULL,    -- trunk or user
    origin           TEXT NOT NULL,    -- its name
    from_number      TEXT NOT NULL,    -- empty when withheld
    from_name        TEXT,
    dialled          TEXT NOT NULL,
    started          TEXT NOT NULL,    -- when it was offered
    answered         TEXT,
    ended            TEXT NOT NULL,
    duration_ms      INTEGER NOT NULL, -- from start to end
    answered_ms      INTEGER NOT NULL, -- from answer to end; 0 when never answered
    end_side         TEXT NOT NULL,    -- party, control or switch: who ended the caller's leg
    end_cause        TEXT NOT NULL,
    end_status       INTEGER NOT NULL, -- the final SIP status
    -- Derived from the timeline and the legs, for those who ask one question.
    flow             TEXT,             -- the first
    queue            TEXT,             -- the last
    wait_ms          INTEGER NOT NULL, -- in queues, all together
    agent            TEXT,             -- the last who answered
    talk_ms          INTEGER NOT NULL, -- with agents, all together
    legs_dropped     INTEGER NOT NULL,
    timeline_dropped INTEGER NOT NULL
) STRICT;

CREATE INDEX calls_by_start ON calls (started);

CREATE TABLE legs (
    call_id             INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    position            INTEGER NOT NULL, -- from 0, the caller's
    leg                 TEXT NOT NULL,    -- the identifier in logs
    direction           TEXT NOT NULL,    -- inbound or outbound
    party               TEXT NOT NULL,
    sip_call_id         TEXT NOT NULL,
    started             TEXT NOT NULL,
    ringing             TEXT,
    answered            TEXT,
    ended               TEXT NOT NULL,
    end_side            TEXT NOT NULL,
    end_cause           TEXT NOT NULL,
    end_status          INTEGER NOT NULL,
    -- Media, counted from our side; null when none was opened.
    codec               TEXT,
    packets_received    INTEGER,
    packets_sent        INTEGER,
    packets_lost        INTEGER,
    packets_refused     INTEGER,
    jitter_us           INTEGER,
    jitter_max_us       INTEGER,
    remote_loss_percent REAL,
    round_trip_us       INTEGER,
    mos                 REAL,
    digits_received     INTEGER,
    PRIMARY KEY (call_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE timeline (
    call_id  INTEGER NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    at       TEXT NOT NULL,
    kind     TEXT NOT NULL, -- flow-started, flow-step, variable, queue-entered, queue-left, agent-…
    subject  TEXT NOT NULL, -- the flow, activity, variable, queue or agent
    detail   TEXT,          -- the exit, value or reason
    PRIMARY KEY (call_id, position)
) STRICT, WITHOUT ROWID;
