DROP TABLE management_credentials;
