"""What people see and type: the web console and the operator's commands."""
