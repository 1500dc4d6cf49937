"""`mulberry up`: database, web and worker of one machine, started, guarded and ended together."""
