DROP INDEX webhook_deliveries_by_age;
DROP TABLE schema_floor;
