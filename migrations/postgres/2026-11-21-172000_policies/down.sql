DROP TABLE tile_starts;
