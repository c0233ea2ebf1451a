-- The oldest migration that a Forebay must know to work on this database. A migration that takes something away (which it may
-- only once no supported version uses it) names here the one from which on nothing used it any more; whoever does not know
-- that one refuses to start. Empty as long as migrations have only added.
CREATE TABLE schema_floor (
  version TEXT PRIMARY KEY NOT NULL
);

-- Deliveries to webhooks that are old enough to go.
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
