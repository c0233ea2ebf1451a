-- Attempts that never reached a provider are trimmed every minute: theirs is an index without the millions of others.
CREATE INDEX login_traces_unreached ON login_traces (started_at) WHERE reached_provider = false;
-- The traces of one app, newest first.
CREATE INDEX login_traces_by_client ON login_traces (client_id, started_at);
