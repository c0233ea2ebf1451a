-- A user's past sign-ins go with the user.
CREATE INDEX mapper_inputs_by_user ON mapper_inputs (user_sub) WHERE user_sub IS NOT NULL;
