DROP TABLE tenant_looks;
