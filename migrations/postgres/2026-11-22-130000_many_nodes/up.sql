-- The oldest migration that a Forebay must know to work on this database. A migration that takes something away (which it may
-- only once no supported version uses it) names here the one from which on nothing used it any more; whoever does not know
-- that one refuses to start. Empty as long as migrations have only added.
CREATE TABLE schema_floor (
  version TEXT PRIMARY KEY NOT NULL
);

-- Deliveries to webhooks that are old enough to go.
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

-- Nodes keep configuration in memory. Whoever changes some of it, and by whatever way, tells all of them when it commits; once,
-- however many rows it were, for equal notifications of one transaction are one.
CREATE FUNCTION tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('forebay_configuration', TG_TABLE_SCHEMA::text);
  RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON user_pools
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON resource_servers
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON hook_bindings
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON pool_domains
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON app_clients
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON client_secrets
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON registered_clients
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON ui_customizations
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON login_brandings
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON login_terms
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON identity_providers
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON provider_identifiers
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON tenants
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON tenant_looks
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
CREATE TRIGGER tell_of_change AFTER INSERT OR UPDATE OR DELETE ON tenant_domains
  FOR EACH ROW EXECUTE FUNCTION tell_of_change();
