DROP TABLE login_terms;
DROP TABLE login_brandings;
DROP TABLE ui_customizations;
DROP TABLE pool_domains;
