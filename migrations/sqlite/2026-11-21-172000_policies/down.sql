DROP TABLE passed_tests;
DROP TABLE enforcements;
DROP TABLE tile_starts;
