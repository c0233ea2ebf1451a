DROP TABLE hook_bindings;
