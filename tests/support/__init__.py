"""What tests stand on: the whole house over real HTTP."""
