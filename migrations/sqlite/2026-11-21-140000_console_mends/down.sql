DROP INDEX mapper_inputs_by_user;
