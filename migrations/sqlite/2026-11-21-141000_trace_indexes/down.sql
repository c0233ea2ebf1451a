DROP INDEX login_traces_by_client;
DROP INDEX login_traces_unreached;
